//! The driver program: loaded once for each case that it drives. And what every program in C needs: clang, and a run.

use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use aya::maps::{Array, ProgramArray};
use aya::programs::{Program, ProgramError, ProgramFd, SchedClassifier, Xdp};
use aya::{Ebpf, EbpfLoader, TestRun as _, TestRunOptions, TestRunResult, VerifierLogLevel};

use super::case::Hook;

const SOURCE: &str = concat!(include_str!("../../bpf/bpf.h"), include_str!("../../bpf/driver.bpf.c"));

/// Where packets are reported: as many of them as the programs send events in a row. It begins when a new period begins
/// for the limits, both those of a flow and those of a processor.
const BATCH: u32 = 16;
/// Flows of that path, as a power of two: so many that no flow comes twice in a batch.
const REPORTED_FLOWS: u32 = 10;

/// How the driver makes packets different from each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drive {
    /// Flows, as a power of two.
    pub flow_bits: u32,
    /// VNIs over which the flows are spread, as a power of two.
    pub vni_bits: u32,
    /// Number of the first flow.
    pub first_flow: u32,
    /// Packets of which the driver takes the time by itself, at the beginning of each period of 2^23 ns; 0 for none.
    pub batch: u32,
}

impl Drive {
    /// Over `1 << flow_bits` flows of one VNI.
    pub fn flows(flow_bits: u32) -> Self {
        Self { flow_bits, ..Self::default() }
    }

    /// With batches of packets that are reported.
    pub fn reported() -> Self {
        Self { batch: BATCH, ..Self::flows(REPORTED_FLOWS) }
    }

    /// Number of flows.
    pub fn count(&self) -> u32 {
        1 << self.flow_bits
    }

    /// The same with as many other flows, which share nothing with those of `self` and of other numbers.
    pub fn apart(&self, number: usize) -> Self {
        Self { first_flow: self.count() * number as u32, ..*self }
    }
}

/// What the driver has done: the words of its `STATE`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    /// Packets of the complete batches since [`Driver::rest`].
    pub packets: u64,
    /// Nanoseconds a packet of them; `None` where there were none.
    pub packet_ns: Option<f64>,
}

type State = [u64; 6];
const BATCHES: usize = 1;
const PASSED: usize = 2;

/// Compiles the driver.
pub fn object() -> Result<Vec<u8>> {
    compile(SOURCE)
}

/// Compiles a program in C.
pub fn compile(source: &str) -> Result<Vec<u8>> {
    compile_with(source, &[])
}

/// Compiles a program in C with these options.
pub fn compile_with(source: &str, options: &[&str]) -> Result<Vec<u8>> {
    let mut clang = Command::new("clang")
        .args(["-O2", "-target", "bpf", "-mcpu=v3", "-Wall", "-Werror", "-x", "c", "-c", "-o", "-", "-"])
        .args(options)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("clang, which compiles the programs in C")?;
    clang.stdin.take().context("clang's input")?.write_all(source.as_bytes()).context("clang's input")?;
    let output = clang.wait_with_output().context("clang")?;
    ensure!(output.status.success(), "clang does not compile a program in C");
    Ok(output.stdout)
}

/// A loaded driver, and the empty programs of its hook.
pub struct Driver {
    ebpf: Ebpf,
    hook: Hook,
    drive: Drive,
    /// Its program that drives.
    name: String,
}

impl Driver {
    /// Loads `object`.
    pub fn load(object: &[u8], hook: Hook, drive: &Drive) -> Result<Self> {
        Self::load_named(object, hook, drive, hook.suffixed("drive"))
    }

    /// Loads one that can hand over to XDP programs for packets in several buffers, and only to those.
    pub fn load_for_frags(object: &[u8], drive: &Drive) -> Result<Self> {
        Self::load_named(object, Hook::Xdp, drive, "drive_frags".to_owned())
    }

    fn load_named(object: &[u8], hook: Hook, drive: &Drive, name: String) -> Result<Self> {
        let mut ebpf = EbpfLoader::new()
            .verifier_log_level(VerifierLogLevel::DISABLE)
            .override_global("FLOW_BITS", &drive.flow_bits, true)
            .override_global("VNI_BITS", &drive.vni_bits, true)
            .override_global("FIRST_FLOW", &drive.first_flow, true)
            .override_global("BATCH", &drive.batch, true)
            .load(object)
            .context("loading the driver program")?;
        for name in [&name, &hook.suffixed("empty"), &hook.suffixed("twin")] {
            load_program(&mut ebpf, name)?;
        }
        Ok(Self { ebpf, hook, drive: *drive, name })
    }

    /// Makes the driver hand over to `target`.
    pub fn aim(&mut self, target: &ProgramFd) -> Result<()> {
        let map = self.ebpf.map_mut("PROGRAM").context("the driver's map")?;
        ProgramArray::try_from(map)?.set(0, target, 0).context("putting a program into the driver's map")
    }

    /// The program that drives.
    pub fn drives(&self) -> Result<&Program> {
        self.ebpf.program(&self.name).with_context(|| format!("no program {}", self.name))
    }

    /// Its program `empty` or `twin`.
    pub fn program(&self, name: &str) -> Result<&Program> {
        self.ebpf.program(&self.hook.suffixed(name)).with_context(|| format!("no program {name}"))
    }

    /// Forgets the batches, also the one that is not done, and waits for another period.
    pub fn rest(&mut self) -> Result<()> {
        let [sent, ..] = self.state()?;
        let map = self.ebpf.map_mut(".bss").context("the driver's state")?;
        Array::<_, State>::try_from(map)?.set(0, [sent, 0, 0, 0, 0, 0], 0).context("the driver's state")
    }

    /// What it has done.
    pub fn progress(&self) -> Result<Progress> {
        let state = self.state()?;
        let packets = state[BATCHES] * u64::from(self.drive.batch);
        let packet_ns = (packets != 0).then(|| state[PASSED] as f64 / packets as f64);
        Ok(Progress { packets, packet_ns })
    }

    fn state(&self) -> Result<State> {
        let map = self.ebpf.map(".bss").context("the driver's state")?;
        Array::<_, State>::try_from(map)?.get(&0, 0).context("the driver's state")
    }
}

/// Puts a program into the kernel.
pub fn load_program(ebpf: &mut Ebpf, name: &str) -> Result<()> {
    let program = ebpf.program_mut(name).with_context(|| format!("no program {name}"))?;
    load_as_typed(program).with_context(|| format!("loading {name}"))
}

/// Puts a program into the kernel, if it is of one of the two types.
pub fn load_as_typed(program: &mut Program) -> Result<(), ProgramError> {
    if let Ok(xdp) = <&mut Xdp>::try_from(&mut *program) {
        return xdp.load();
    }
    <&mut SchedClassifier>::try_from(program)?.load()
}

/// Runs a program on `frame` as often as `repeat` says; returns its last return value.
pub fn run(program: &Program, frame: &[u8], repeat: u32) -> Result<i32> {
    let options = TestRunOptions { data_in: Some(frame), repeat, ..TestRunOptions::new() };
    Ok(run_with(program, options)?.return_value as i32)
}

/// Runs a program with these options.
pub fn run_with(program: &Program, options: TestRunOptions<'_>) -> Result<TestRunResult> {
    let result = if let Ok(xdp) = <&Xdp>::try_from(program) {
        xdp.test_run(options)
    } else if let Ok(classifier) = <&SchedClassifier>::try_from(program) {
        classifier.test_run(options)
    } else {
        bail!("neither XDP nor TC");
    };
    result.context("BPF_PROG_TEST_RUN")
}

//! The driver program: loaded once for each case that it drives. And what every program in C needs: clang, and a run.

use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use aya::maps::ProgramArray;
use aya::programs::{Program, ProgramFd, SchedClassifier, Xdp};
use aya::{Ebpf, EbpfLoader, TestRun as _, TestRunOptions, TestRunResult};

use super::case::Hook;

const SOURCE: &str = include_str!("../../bpf/driver.bpf.c");

/// Compiles the driver.
pub fn object() -> Result<Vec<u8>> {
    compile(SOURCE)
}

/// Compiles a program in C.
pub fn compile(source: &str) -> Result<Vec<u8>> {
    let mut clang = Command::new("clang")
        .args(["-O2", "-target", "bpf", "-mcpu=v3", "-Wall", "-Werror", "-x", "c", "-c", "-o", "-", "-"])
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
}

impl Driver {
    /// Loads `object` for `1 << flow_bits` flows.
    pub fn load(object: &[u8], hook: Hook, flow_bits: u32) -> Result<Self> {
        let mut ebpf = EbpfLoader::new()
            .override_global("FLOW_BITS", &flow_bits, true)
            .load(object)
            .context("loading the driver program")?;
        for name in ["drive", "empty", "twin"] {
            load_program(&mut ebpf, hook, name)?;
        }
        Ok(Self { ebpf, hook })
    }

    /// Makes the driver hand over to `target`.
    pub fn aim(&mut self, target: &ProgramFd) -> Result<()> {
        let map = self.ebpf.map_mut("PROGRAM").context("the driver's map")?;
        ProgramArray::try_from(map)?.set(0, target, 0).context("putting a program into the driver's map")
    }

    /// Its program `drive`, `empty` or `twin`.
    pub fn program(&self, name: &str) -> Result<&Program> {
        self.ebpf.program(&self.hook.suffixed(name)).with_context(|| format!("no program {name}"))
    }
}

/// Puts the program `name` of a hook into the kernel.
pub fn load_program(ebpf: &mut Ebpf, hook: Hook, name: &str) -> Result<()> {
    let name = hook.suffixed(name);
    let program = ebpf.program_mut(&name).with_context(|| format!("no program {name}"))?;
    match hook {
        Hook::Xdp => <&mut Xdp>::try_from(program)?.load(),
        Hook::Tc => <&mut SchedClassifier>::try_from(program)?.load(),
    }
    .with_context(|| format!("loading {name}"))
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

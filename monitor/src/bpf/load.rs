//! Loads the programs, sizes the maps, strings the steps of the long way together.

use std::cell::RefCell;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use anyhow::{Context, Result, anyhow};
use aya::maps::{Array, MapData, PerCpuArray, ProgramArray};
use aya::programs::{Program, ProgramError, SchedClassifier, Xdp};
use aya::util::nr_cpus;
use aya::{Btf, Ebpf, EbpfError, EbpfLoader};
use monitor_common::count::Totals;
use monitor_common::event::Kind;
use monitor_common::histogram::RESERVED;
use monitor_common::tunnel::Tunnel;
use monitor_common::wire::geneve::Ports;

use super::drops::Layout;
use super::pinned::Pinned;
use super::pins::{self, Pins};
use super::plain::Plain;
use super::{Features, Sizes, rings};
use crate::failure::{Failure, is_privileged};

/// The object that build.rs compiled.
pub static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/tunmon"));

/// What the kernel knows a program by.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    /// Its whole name.
    pub(super) name: String,
    /// Its id.
    pub(super) id: u32,
    /// Hash of its instructions.
    pub(super) tag: [u8; 8],
}

/// The loaded programs and their maps.
pub struct Kernel {
    pub(super) ebpf: Ebpf,
    pub(super) totals: PerCpuArray<MapData, Plain<Totals>>,
    /// The tunnel of each slot, as far as they were read.
    pub(super) known: RefCell<Vec<Tunnel>>,
    #[cfg(feature = "diagnostics")]
    diagnostics: super::diagnostics::Reader,
    /// What this kernel has of that which not all have.
    pub features: Features,
    /// Sizes of the tables.
    pub sizes: Sizes,
    /// Where links and maps are pinned, if they are.
    pub(super) pins: Option<Pinned>,
    /// Names of the kernel's reasons of drops.
    pub(super) reasons: Vec<(u32, String)>,
}

impl Kernel {
    /// Loads everything for tunnels to `ports`; `seed` goes into every hash, and nobody else should know it
    /// ([`random_seed`]).
    pub fn load(ports: &[u16], sizes: Sizes, seed: u64) -> Result<Self> {
        Self::load_object(OBJECT, ports, sizes, seed, true)
    }

    /// As [`Kernel::load`], but loads a variant of [`OBJECT`], or unless `is_limited` sends each event that the ring
    /// buffers have room for. The daemon does neither.
    pub fn load_object(object: &[u8], ports: &[u16], sizes: Sizes, seed: u64, is_limited: bool) -> Result<Self> {
        Self::load_from(object, Ports::new(ports), sizes, seed, is_limited, None)
    }

    /// As [`Kernel::load_object`]; with `pins`, the maps that they keep are taken from there, or made there.
    pub(super) fn load_from(
        object: &[u8],
        ports: Ports,
        sizes: Sizes,
        seed: u64,
        is_limited: bool,
        pins: Option<&Pins>,
    ) -> Result<Self> {
        let (first_port, unlimited) = (ports.first().to_be(), u32::from(!is_limited));
        let (pairs, pair_mask, flow_mask) = (sizes.tunnels / 2, sizes.tunnels / 2 - 1, sizes.buckets - 1);
        let (layout, types) = (Layout::kernel(), Btf::from_sys_fs().ok());
        let mut loader = EbpfLoader::new();
        let mut ebpf = with_rings_and_pins(&mut loader, sizes, pins)
            .btf(types.as_ref())
            .override_global("PORTS", &ports.0, true)
            .override_global("FIRST_PORT", &first_port, true)
            .override_global("SEED", &seed, true)
            .override_global("FLOW_SEED", &seed, true)
            .override_global("PAIR_MASK", &pair_mask, true)
            .override_global("FLOW_MASK", &flow_mask, true)
            .override_global("HISTOGRAMS_MAX", &sizes.histograms, true)
            .override_global("UNLIMITED", &unlimited, true)
            .override_global("LAYOUT", &layout.members, true)
            .override_global("NETNS", &layout.namespace, true)
            .map_max_entries("TUNNELS", sizes.tunnels)
            .map_max_entries("CLAIMS", sizes.tunnels)
            .map_max_entries("COUNTERS", pairs)
            .map_max_entries("HISTOGRAMS", RESERVED + sizes.histograms)
            .map_max_entries("FLOWS", sizes.buckets)
            .load(object)
            .map_err(explain)?;
        let has_frags = load_programs(&mut ebpf)?;
        let drops = layout.load(&mut ebpf, types.as_ref());
        let totals = ebpf.take_map("TOTALS").context("map TOTALS")?;
        Ok(Self {
            totals: PerCpuArray::try_from(totals).context("map TOTALS")?,
            known: RefCell::new(vec![Tunnel::default(); sizes.tunnels as usize]),
            #[cfg(feature = "diagnostics")]
            diagnostics: super::diagnostics::reader(&mut ebpf)?,
            ebpf,
            features: Features::probe(has_frags, drops, layout.has_reasons()),
            sizes,
            pins: None,
            reasons: layout.reasons,
        })
    }

    /// Logs what the programs have said, in builds with diagnostics.
    pub fn log(&mut self) {
        #[cfg(feature = "diagnostics")]
        (self.diagnostics)();
    }

    /// Begins anew with round trips, now that everything is attached: flows are found by `seed`, so none is found that was
    /// stamped while only one direction was seen.
    pub fn begin(&mut self, seed: u64) -> Result<()> {
        let map = self.ebpf.map_mut(".data").context("map .data")?;
        Array::<_, u64>::try_from(map).and_then(|mut data| data.set(0, seed, 0)).context("map .data")
    }

    /// The loaded programs by name.
    pub fn programs(&self) -> impl Iterator<Item = (&str, &Program)> {
        self.ebpf.programs()
    }

    /// What the kernel knows a loaded program by.
    pub(super) fn identity(&self, name: &str) -> Result<Identity> {
        let info = self.ebpf.program(name).with_context(|| format!("program {name} is not in the object"))?.info();
        let info = info.with_context(|| format!("program {name}"))?;
        Ok(Identity { name: name.to_owned(), id: info.id(), tag: info.tag().to_be_bytes() })
    }

    /// The descriptor of a loaded program.
    pub(super) fn descriptor(&self, name: &str) -> Result<BorrowedFd<'_>> {
        let program = self.ebpf.program(name).with_context(|| format!("program {name} is not in the object"))?;
        Ok(program.fd().with_context(|| format!("program {name}"))?.as_fd())
    }

    /// A loaded program by name.
    pub fn program_mut(&mut self, name: &str) -> Result<&mut Program> {
        self.ebpf.program_mut(name).with_context(|| format!("program {name} is not in the object"))
    }
}

/// Sizes the rings, and says where maps are that pins keep.
fn with_rings_and_pins<'a, 'b>(
    loader: &'b mut EbpfLoader<'a>,
    sizes: Sizes,
    pins: Option<&Pins>,
) -> &'b mut EbpfLoader<'a> {
    for kind in Kind::ALL {
        loader.map_max_entries(rings::map(kind), sizes.ring_bytes[kind as usize]);
    }
    for (map, pins) in pins::MAPS.into_iter().filter_map(|map| Some((map, pins?))) {
        loader.map_pin_path(map, pins.map(map));
    }
    loader
}

/// A seed that nobody can guess, so that nobody can aim packets at one bucket.
pub fn random_seed() -> Result<u64> {
    let mut bytes = [0; 8];
    io::Read::read_exact(&mut std::fs::File::open("/dev/urandom").context("/dev/urandom")?, &mut bytes)
        .context("/dev/urandom")?;
    Ok(u64::from_ne_bytes(bytes))
}

/// Loads all programs; says whether those for packets in several buffers are among them.
fn load_programs(ebpf: &mut Ebpf) -> Result<bool> {
    load_chain(ebpf, "XDP_STEPS", "tunmon_xdp", ['x', 'x'])?;
    load_chain(ebpf, "TC_STEPS", "tunmon_tc_tx", ['r', 't'])?;
    load_program(ebpf, "tunmon_tc_rx")?;
    // Kernels before 5.18 do not know the flag.
    let frags = load_chain(ebpf, "XDP_FRAGS_STEPS", "tunmon_xdp_frag", ['f', 'f']);
    Ok(frags.inspect_err(|error| tracing::info!("no XDP for packets in several buffers: {error:#}")).is_ok())
}

/// Loads the programs of one hook and makes each step reachable. The programs' names end in `first` for the first step
/// and in `rest` for the others; where the two differ, there is a first step for each direction.
fn load_chain(ebpf: &mut Ebpf, steps: &str, entry: &str, [first, rest]: [char; 2]) -> Result<()> {
    let mut names = vec![
        (0, format!("tunmon_outer_{first}")),
        (1, format!("tunmon_inner_{rest}")),
        (2, format!("tunmon_acct_{rest}")),
        (3, format!("tunmon_rtt_{rest}")),
        (4, format!("tunmon_report_{rest}")),
        (6, format!("tunmon_v6_{first}")),
        (8, format!("tunmon_match_{rest}")),
        (9, format!("tunmon_loss_{rest}")),
        (10, format!("tunmon_flow_{rest}")),
    ];
    if first != rest {
        names.push((5, format!("tunmon_outer_{rest}")));
        names.push((7, format!("tunmon_v6_{rest}")));
    }
    for (_, name) in &names {
        load_program(ebpf, name)?;
    }
    load_program(ebpf, entry)?;
    let mut fds = Vec::new();
    for (index, name) in &names {
        let program = ebpf.program(name).with_context(|| format!("program {name}"))?;
        let fd = program.fd().and_then(|fd| fd.try_clone().map_err(ProgramError::IOError));
        fds.push((*index, fd.with_context(|| format!("program {name}"))?));
    }
    // The map stays with the other maps: the kernel empties an array of programs that no process holds.
    let array = ebpf.map_mut(steps).with_context(|| format!("map {steps}"))?;
    let mut array = ProgramArray::try_from(array).with_context(|| format!("map {steps}"))?;
    for (index, fd) in &fds {
        array.set(*index, fd, 0).with_context(|| format!("putting a program into {steps}"))?;
    }
    Ok(())
}

fn load_program(ebpf: &mut Ebpf, name: &str) -> Result<()> {
    let program = ebpf.program_mut(name).with_context(|| format!("program {name} is not in the object"))?;
    let loaded = if name.contains("_tc_") || name.ends_with("_t") || name.ends_with("_r") {
        <&mut SchedClassifier>::try_from(program).and_then(SchedClassifier::load)
    } else {
        <&mut Xdp>::try_from(program).and_then(Xdp::load)
    };
    loaded.map_err(|error| explain_program(name, error))
}

fn explain(error: EbpfError) -> anyhow::Error {
    if !is_privileged() {
        return Failure::privilege().into();
    }
    anyhow!("creating the BPF maps: {}", error_chain(&error))
}

fn explain_program(name: &str, error: ProgramError) -> anyhow::Error {
    if let ProgramError::LoadError { io_error, verifier_log } = &error {
        if !is_privileged() {
            return Failure::privilege().into();
        }
        tracing::debug!(program = name, log = %verifier_log, "rejected");
        let cause = format!("this kernel does not take the program {name}: {io_error}");
        return Failure::kernel(cause, "tunmon needs Linux 5.10 or newer; --log debug shows the verifier's words")
            .into();
    }
    anyhow!("loading {name}: {}", error_chain(&error))
}

fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}

/// Possible processors of this machine.
pub fn processors() -> Result<usize> {
    nr_cpus().map_err(|(path, error)| anyhow!("{path}: {error}"))
}

//! Pins: names in a BPF file system that keep links and maps alive while no tunmon runs.
//!
//! ```text
//! DIR (0700)/state             what the maps were made for: State
//!            MAP               those that hold counts, and the rings
//!            g7/STEPS          the generation of programs that is attached: its arrays of steps, without which the
//!            g7/PROGRAM-TAG      entry programs end early, and the entry programs
//!            l4-xdp            a link: index of the device, hook
//! ```
//! A run that finds them goes on with the maps, puts its own programs into the links and removes the older generation. The
//! directory is locked while a tunmon runs with it. A run that dies at any point leaves something that the next one can
//! go on with: new things are pinned before old ones go.

mod state;

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::load::Identity;
use super::syscall::{self, Hook};
use crate::failure::Failure;

pub(crate) use state::Purpose;
pub(super) use state::State;

/// Maps that a later run goes on with.
pub(super) const MAPS: [&str; 11] = [
    "TOTALS",
    "CLAIMS",
    "TUNNELS",
    "COUNTERS",
    "HISTOGRAMS",
    "ISSUED",
    "RTT_EVENTS",
    "FRAGMENT_EVENTS",
    "ICMP_EVENTS",
    "RESEND_EVENTS",
    "SYN_EVENTS",
];
/// Arrays of programs; the kernel empties one when it has neither descriptor nor pin.
pub(super) const STEPS: [&str; 3] = ["XDP_STEPS", "XDP_FRAGS_STEPS", "TC_STEPS"];
/// Programs that links hold.
pub(super) const ENTRIES: [&str; 4] = ["tunmon_xdp", "tunmon_xdp_frag", "tunmon_tc_rx", "tunmon_tc_tx"];

/// File systems of BPF objects (linux/magic.h).
const BPF_FS: i64 = 0xcafe_4a11;

/// A directory of pins that belongs to this run.
pub struct Pins {
    directory: PathBuf,
    /// Entry programs of earlier generations.
    pub(super) earlier: Vec<Identity>,
    /// The state that the maps of an earlier run have, when this run goes on with them.
    state: Option<State>,
    _lock: File,
}

impl Pins {
    /// Takes the directory, which is made if it is not there.
    pub fn open(directory: &Path) -> Result<Self> {
        match DirBuilder::new().mode(0o700).create(directory) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(unfit(directory, &error).into()),
            _ => {}
        }
        let lock = File::open(directory).map_err(|error| unfit(directory, &error))?;
        check(directory, &lock)?;
        // SAFETY: a lock of an open descriptor.
        if unsafe { libc::flock(lock.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } != 0 {
            let cause = format!("another tunmon runs with the pins in {}", directory.display());
            return Err(Failure::runtime(cause, "end it first, or give this one a directory: --pin=DIR").into());
        }
        let mut pins = Self { directory: directory.to_owned(), earlier: Vec::new(), state: None, _lock: lock };
        for generation in pins.generations()? {
            pins.earlier.extend(programs(&pins.generation(generation)));
        }
        Ok(pins)
    }

    /// Decides what is gone on with: the maps of an earlier run, if they were made for the same `purpose`. Returns the state that
    /// they have; without, all maps are to be made anew.
    pub(super) fn resume(&mut self, purpose: &Purpose) -> Result<Option<State>> {
        self.state = State::pinned(&self.directory.join("state")).ok().filter(|state| state.is_for(purpose));
        if self.state.is_none() {
            self.remove("state")?;
            MAPS.iter().try_for_each(|map| self.remove(map))?;
        }
        Ok(self.state)
    }

    /// Says that the maps are there now, in this state, for later runs.
    pub(super) fn keep(&mut self, state: State) -> Result<()> {
        let path = self.directory.join("state");
        if self.state.is_none() {
            State::pin(&path)?;
        }
        self.state = Some(state);
        state.write(&path)
    }

    /// Changes what is kept about the devices.
    pub(super) fn with_state(&mut self, change: impl FnOnce(&mut State)) -> Result<()> {
        let mut state = self.state.context("the state of the pins")?;
        change(&mut state);
        self.keep(state)
    }

    /// What is kept.
    pub(super) fn state(&self) -> Option<&State> {
        self.state.as_ref()
    }

    /// Where a map is pinned.
    pub(super) fn map(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Makes the next generation's directory.
    pub(super) fn new_generation(&self) -> Result<Generation> {
        let number = self.generations()?.into_iter().max().map_or(0, |last| last + 1);
        let path = self.generation(number);
        DirBuilder::new().mode(0o700).create(&path).with_context(|| path.display().to_string())?;
        Ok(Generation { number, path })
    }

    /// Removes all generations but one: no link has their programs any more.
    pub(super) fn remove_earlier(&mut self, than: &Generation) -> Result<()> {
        for number in self.generations()?.into_iter().filter(|number| *number != than.number) {
            let path = self.generation(number);
            fs::remove_dir_all(&path).with_context(|| path.display().to_string())?;
        }
        self.earlier.clear();
        Ok(())
    }

    /// The link of a device, with the program of an earlier run in it: verified, and ready to be given another one.
    pub(super) fn link(&self, device: u32, hook: Hook) -> Result<Option<(OwnedFd, &Identity)>> {
        let path = self.link_path(device, hook);
        let link = match syscall::pinned(&path) {
            Ok(link) => link,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| path.display().to_string()),
        };
        let info = syscall::link_info(link.as_fd()).with_context(|| path.display().to_string())?;
        if info.device != device {
            // The device has gone, or somebody has detached it.
            self.release(device, hook)?;
            return Ok(None);
        }
        let Some(program) = self.earlier.iter().find(|program| program.id == info.program) else {
            let cause = format!("the link {} holds a program that is not of tunmon's pins", path.display());
            return Err(Failure::kernel(cause, "tunmon detach removes all pins").into());
        };
        Ok(Some((link, program)))
    }

    /// Pins a link.
    pub(super) fn pin_link(&self, link: &OwnedFd, device: u32, hook: Hook) -> Result<()> {
        let path = self.link_path(device, hook);
        syscall::pin(link.as_fd(), &path).with_context(|| format!("pinning {}", path.display()))
    }

    /// Lets a link go, if it is pinned.
    pub(super) fn release(&self, device: u32, hook: Hook) -> Result<()> {
        self.remove(&format!("l{device}-{}", hook.name()))
    }

    /// Lets all links go of devices that are not among `devices`.
    pub(super) fn release_others(&self, devices: &[u32]) -> Result<()> {
        for name in names(&self.directory)? {
            let device = name.strip_prefix('l').and_then(|rest| rest.split_once('-')).map(|(index, _)| index.parse());
            if device.is_some_and(|device| device.is_ok_and(|device| !devices.contains(&device))) {
                self.remove(&name)?;
            }
        }
        Ok(())
    }

    /// Indexes of the devices to which runs with these pins have added a clsact qdisc.
    pub(crate) fn qdiscs(&mut self) -> Vec<u32> {
        let state = State::pinned(&self.directory.join("state"));
        state.map(|state| state.qdiscs().collect()).unwrap_or_default()
    }

    /// Removes everything, the directory too; returns the names of what there was.
    pub(crate) fn remove_all(self) -> Result<Vec<String>> {
        let mut removed = names(&self.directory)?;
        removed.sort_unstable();
        fs::remove_dir_all(&self.directory).with_context(|| self.directory.display().to_string())?;
        Ok(removed)
    }

    fn link_path(&self, device: u32, hook: Hook) -> PathBuf {
        self.directory.join(format!("l{device}-{}", hook.name()))
    }

    fn generation(&self, number: u32) -> PathBuf {
        self.directory.join(format!("g{number}"))
    }

    fn generations(&self) -> Result<Vec<u32>> {
        Ok(names(&self.directory)?.iter().filter_map(|name| name.strip_prefix('g')?.parse().ok()).collect())
    }

    fn remove(&self, name: &str) -> Result<()> {
        match fs::remove_file(self.directory.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).with_context(|| name.to_owned()),
            _ => Ok(()),
        }
    }
}

/// The directory of one generation of programs.
pub(super) struct Generation {
    number: u32,
    path: PathBuf,
}

impl Generation {
    /// Pins an array of steps.
    pub(super) fn pin_steps(&self, name: &str, array: impl AsFd) -> Result<()> {
        syscall::pin(array.as_fd(), &self.path.join(name)).with_context(|| format!("pinning {name}"))
    }

    /// Pins an entry program.
    pub(super) fn pin_program(&self, program: &Identity, descriptor: impl AsFd) -> Result<()> {
        let name = format!("{}-{}", program.name, hexadecimal(program.tag));
        syscall::pin(descriptor.as_fd(), &self.path.join(&name)).with_context(|| format!("pinning {name}"))
    }
}

/// The entry programs of a generation whose tag is still the one that they were pinned by.
fn programs(generation: &Path) -> Vec<Identity> {
    let identity = |name: String| {
        let (program, tag) = name.split_once('-')?;
        let descriptor = syscall::pinned(&generation.join(&name)).ok()?;
        let info = syscall::program_info(descriptor.as_fd()).ok()?;
        let is_whole = ENTRIES.contains(&program) && hexadecimal(info.tag) == tag;
        is_whole.then(|| Identity { name: program.to_owned(), id: info.id, tag: info.tag })
    };
    names(generation).unwrap_or_default().into_iter().filter_map(identity).collect()
}

fn hexadecimal(tag: [u8; 8]) -> String {
    format!("{:016x}", u64::from_be_bytes(tag))
}

fn names(directory: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(directory).with_context(|| directory.display().to_string())?;
    Ok(entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect())
}

fn unfit(directory: &Path, error: &io::Error) -> Failure {
    let cause = format!("pins cannot be kept in {}: {error}", directory.display());
    Failure::kernel(cause, "it has to be in a BPF file system: mount -t bpf bpf /sys/fs/bpf")
}

/// Makes sure that nobody else may write there, and that it is in a BPF file system.
fn check(directory: &Path, lock: &File) -> Result<()> {
    let metadata = lock.metadata().with_context(|| directory.display().to_string())?;
    // SAFETY: asks for a number.
    let own = unsafe { libc::geteuid() };
    if metadata.uid() != own || metadata.mode() & 0o077 != 0 {
        bail!(Failure::kernel(
            format!("{} belongs to others or may be read by them", directory.display()),
            "pins are kept only in a directory with mode 0700 of one's own; remove it, or: --pin=DIR",
        ));
    }
    // SAFETY: all zero is a valid value; the call fills it.
    let mut kind: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: the struct outlives the call.
    if unsafe { libc::fstatfs(lock.as_raw_fd(), &raw mut kind) } != 0 || kind.f_type as i64 != BPF_FS {
        return Err(unfit(directory, &io::Error::from(io::ErrorKind::Unsupported)).into());
    }
    Ok(())
}

//! What the kernel says of BPF programs, maps and links by their numbers (bpf(2)).

use std::collections::BTreeSet;
use std::fs;
use std::io;

use anyhow::{Context, Result};

/// Something that a process holds in the kernel: what it is, and its number, which is given out once.
pub type Object = (Kind, u32);

/// Kinds of what a process holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Program,
    Map,
    Link,
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::Program, Self::Map, Self::Link];

    /// As it stands in /proc/PID/fdinfo.
    fn field(self) -> &'static str {
        match self {
            Self::Program => "prog_id:",
            Self::Map => "map_id:",
            Self::Link => "link_id:",
        }
    }

    /// `BPF_…_GET_NEXT_ID`.
    fn next_id(self) -> libc::c_long {
        match self {
            Self::Program => 11,
            Self::Map => 12,
            Self::Link => 31,
        }
    }
}

/// All that a process holds.
pub fn held_by(pid: u32) -> Result<BTreeSet<Object>> {
    let directory = format!("/proc/{pid}/fdinfo");
    let mut held = BTreeSet::new();
    for entry in fs::read_dir(&directory).with_context(|| directory.clone())? {
        // It may be closed by now.
        let text = fs::read_to_string(entry?.path()).unwrap_or_default();
        for line in text.lines() {
            let object = |kind: Kind| Some((kind, line.strip_prefix(kind.field())?.trim().parse().ok()?));
            held.extend(Kind::ALL.into_iter().filter_map(object));
        }
    }
    Ok(held)
}

/// Whether the kernel still has it.
///
/// It is asked for the number behind the one before, and not for the object itself: to open an array of programs that is
/// about to go can keep it for ever (`prog_array_map_clear` takes a reference for work that is queued already).
pub fn exists((kind, number): Object) -> Result<bool> {
    // The number before, the answer, and no flags.
    let mut attributes: [u32; 3] = [number - 1, 0, 0];
    let length = size_of_val(&attributes);
    // SAFETY: the kernel reads and writes `length` bytes at `attributes`, which live until the call returns.
    let result = unsafe { libc::syscall(libc::SYS_bpf, kind.next_id(), attributes.as_mut_ptr(), length) };
    let error = io::Error::last_os_error();
    match (result, error.raw_os_error()) {
        (0, _) => Ok(attributes[1] == number),
        (_, Some(libc::ENOENT)) => Ok(false),
        _ => Err(error).context("bpf"),
    }
}

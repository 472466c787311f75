//! tunmon's own process, its tables and what its programs cost.

use std::fs;

use super::Moment;
use super::catalogue::{BPF_RUNS, BPF_SECONDS, BUILD, CPU, FDS, GATHER, MAP_ENTRIES, MAP_MAX, MAX_FDS, RSS, STARTED};
use super::family::{Families, Label};
use crate::inventory::Name;

/// What the kernel says of this process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Process {
    cpu_seconds: f64,
    resident_bytes: u64,
    open_fds: usize,
    max_fds: u64,
}

impl Process {
    /// As it is now; what cannot be read is 0.
    pub fn now() -> Self {
        let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
        // SAFETY: the kernel fills a structure that is here, and all of whose bytes may be zero.
        let usage = unsafe {
            libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr());
            usage.assume_init()
        };
        let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: the kernel fills a structure that is here.
        unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
        // SAFETY: asks for a number.
        let page = u64::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or_default();
        let pages = fs::read_to_string("/proc/self/statm").ok();
        let pages = pages.and_then(|text| text.split(' ').nth(1)?.parse::<u64>().ok()).unwrap_or_default();
        Self {
            cpu_seconds: seconds(usage.ru_utime) + seconds(usage.ru_stime),
            resident_bytes: pages * page,
            open_fds: fs::read_dir("/proc/self/fd").map_or(0, Iterator::count),
            max_fds: limit.rlim_cur,
        }
    }
}

/// Adds all.
pub(super) fn fill(families: &mut Families, moment: &Moment) {
    families.number(&BUILD, [Label::Name(Name::new(env!("CARGO_PKG_VERSION")))], 1.0);
    let histograms = || moment.devices.iter().filter_map(|device| device.exposed.snapshot.accounting.histograms);
    let used = histograms().map(|histograms| histograms.used).max();
    let most = histograms().map(|histograms| histograms.max).max();
    if let (Some(used), Some(most)) = (used, most) {
        families.number(&MAP_ENTRIES, ["histograms".into()], used.into());
        families.number(&MAP_MAX, ["histograms".into()], most.into());
    }
    families.number(&MAP_ENTRIES, ["tunnels".into()], moment.room.tunnels as f64);
    families.number(&MAP_MAX, ["tunnels".into()], moment.room.tunnels_max as f64);
    families.number(&MAP_MAX, ["flows".into()], moment.room.flows_max as f64);
    let overhead = moment.devices.first().and_then(|device| device.exposed.snapshot.overhead);
    if let Some(bpf) = overhead.and_then(|overhead| overhead.bpf) {
        for (direction, cost) in [("receive", bpf.ingress), ("transmit", bpf.egress)] {
            families.number(&BPF_SECONDS, [direction.into()], cost.run_seconds);
            families.count(&BPF_RUNS, [direction.into()], cost.runs);
        }
    }
    families.number(&GATHER, [], moment.gather_seconds);
    families.number(&CPU, [], moment.process.cpu_seconds);
    families.number(&RSS, [], moment.process.resident_bytes as f64);
    families.number(&FDS, [], moment.process.open_fds as f64);
    families.number(&MAX_FDS, [], moment.process.max_fds as f64);
    families.number(&STARTED, [], moment.started.as_millisecond() as f64 / 1e3);
}

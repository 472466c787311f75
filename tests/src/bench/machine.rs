//! The machine: as quiet as one process can make it.

use std::{fs, io, mem};

use anyhow::{Context, Result, ensure};

/// What stands between the figures and the truth here; each is said with the results.
pub fn quieten() -> Result<Vec<String>> {
    let mut remarks = Vec::new();
    pin()?;
    // SAFETY: the structure is valid for the call, which only reads it.
    let is_first = unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &libc::sched_param { sched_priority: 1 }) };
    if is_first != 0 {
        remarks.push(format!("no real-time priority ({}): times are less steady", io::Error::last_os_error()));
    }
    if fs::read_to_string("/proc/sys/kernel/bpf_stats_enabled").is_ok_and(|text| text.trim() != "0") {
        remarks.push("kernel.bpf_stats_enabled is on: every figure has the price of two clock reads in it".to_owned());
    }
    if fs::read_to_string("/proc/sys/net/core/bpf_jit_enable").is_ok_and(|text| text.trim() == "0") {
        remarks.push("net.core.bpf_jit_enable is off: the programs are interpreted".to_owned());
    }
    Ok(remarks)
}

/// Processor and kernel, and what is known to make this machine slow.
pub fn description() -> Vec<String> {
    let information = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = information.lines().find(|line| line.starts_with("model name"));
    let model = model.and_then(|line| line.split_once(": ")).map_or("an unknown processor", |(_, model)| model);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut lines = vec![format!("Measured on {model}, Linux {}.", kernel.trim())];
    let overflow = fs::read_to_string("/sys/devices/system/cpu/vulnerabilities/spec_rstack_overflow");
    if overflow.is_ok_and(|text| text.contains("Safe RET")) {
        lines.push("This kernel makes every return slow (Safe RET), so each helper costs several ns more.".to_owned());
    }
    lines
}

/// Stays on one processor: the last that is allowed, since the first gets most interrupts.
fn pin() -> Result<()> {
    pin_to(*processors()?.last().context("no processor")?)
}

/// The processors that this thread may run on.
pub fn processors() -> Result<Vec<usize>> {
    let size = size_of::<libc::cpu_set_t>();
    // SAFETY: a set of zero bits is a valid value; the calls write and read it in its full size.
    unsafe {
        let mut allowed: libc::cpu_set_t = mem::zeroed();
        ensure!(libc::sched_getaffinity(0, size, &mut allowed) == 0, io::Error::last_os_error());
        Ok((0..8 * size).filter(|cpu| libc::CPU_ISSET(*cpu, &allowed)).collect())
    }
}

/// Keeps this thread on a processor.
pub fn pin_to(processor: usize) -> Result<()> {
    let size = size_of::<libc::cpu_set_t>();
    ensure!(processor < 8 * size, "no processor {processor}");
    // SAFETY: a set of zero bits is a valid value, in which there is room for the processor; the call reads it.
    unsafe {
        let mut wanted: libc::cpu_set_t = mem::zeroed();
        libc::CPU_SET(processor, &mut wanted);
        ensure!(libc::sched_setaffinity(0, size, &wanted) == 0, io::Error::last_os_error());
    }
    Ok(())
}

/// Nanoseconds that this thread has had a processor for.
pub fn thread_time_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes to the structure that it is given.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Puts `items` into another order on each call.
pub fn shuffle<T>(items: &mut [T], seed: &mut u64) {
    for end in (1..items.len()).rev() {
        *seed ^= *seed << 13;
        *seed ^= *seed >> 7;
        *seed ^= *seed << 17;
        items.swap(end, (*seed % (end as u64 + 1)) as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shuffling_keeps_everything_and_changes_the_order() {
        let (mut items, mut seed) = ((0..40).collect::<Vec<u32>>(), 42);
        shuffle(&mut items, &mut seed);
        assert_ne!(items, (0..40).collect::<Vec<u32>>());
        items.sort_unstable();
        assert_eq!(items, (0..40).collect::<Vec<u32>>());
    }
}

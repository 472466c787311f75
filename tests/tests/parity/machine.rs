//! One processor, and the clock that the kernel programs read.

use std::io;

/// Keeps the calling thread on the processor where it runs, and returns its number: the maps of the programs have one
/// value for each.
pub(super) fn pin() -> usize {
    // SAFETY: takes nothing and returns a number.
    let processor = unsafe { libc::sched_getcpu() };
    let processor = usize::try_from(processor).expect("the kernel tells on which processor a thread runs");
    // SAFETY: a set of processors is plain integers, for which all zeroes is the empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the macro writes inside the set, and does nothing when the number is too large for it.
    unsafe { libc::CPU_SET(processor, &mut set) };
    // SAFETY: the kernel reads a set of this size, which lives until the call returns; 0 is the calling thread.
    let result = unsafe { libc::sched_setaffinity(0, size_of_val(&set), &raw const set) };
    assert_eq!(result, 0, "staying on processor {processor}: {}", io::Error::last_os_error());
    processor
}

/// Nanoseconds since boot, suspended time included.
pub(super) fn boot_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes one timespec, which lives until the call returns.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &raw mut time) };
    assert_eq!(result, 0, "CLOCK_BOOTTIME: {}", io::Error::last_os_error());
    time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs()
}

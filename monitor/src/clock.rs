//! The clocks of the kernel that the standard library does not read.

use std::time::Duration;

/// Since boot, suspended time included: the clock of events.
pub(crate) fn since_boot() -> Duration {
    read(libc::CLOCK_BOOTTIME)
}

/// The same in nanoseconds, as events have it.
pub(crate) fn since_boot_ns() -> u64 {
    u64::try_from(since_boot().as_nanos()).unwrap_or_default()
}

/// How long the calling thread has had a processor, interrupts included.
pub(crate) fn of_thread() -> Duration {
    read(libc::CLOCK_THREAD_CPUTIME_ID)
}

fn read(clock: libc::clockid_t) -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the struct outlives the call.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    Duration::new(time.tv_sec.cast_unsigned(), time.tv_nsec as u32)
}

//! A place where a peer's maps can be pinned without anybody else seeing them.

use std::io;
use std::ptr::null;

use anyhow::{Context, Result, ensure};

/// Gives this thread a mount namespace of its own with an empty BPF file system. It goes with the thread, or with the
/// next call, and with it what was pinned there.
pub(super) fn bpf_file_system() -> Result<()> {
    // SAFETY: the call takes no memory.
    let is_apart = unsafe { libc::unshare(libc::CLONE_NEWNS) } == 0;
    ensure!(is_apart, "no mount namespace: {}", io::Error::last_os_error());
    // SAFETY: the strings end in a zero byte and live as long as the calls; the other pointers may be null.
    let is_mounted = unsafe {
        libc::mount(null(), c"/".as_ptr(), null(), libc::MS_REC | libc::MS_PRIVATE, null()) == 0
            && libc::mount(c"bpf".as_ptr(), c"/sys/fs/bpf".as_ptr(), c"bpf".as_ptr(), 0, null()) == 0
    };
    is_mounted.then_some(()).with_context(|| format!("no BPF file system: {}", io::Error::last_os_error()))
}

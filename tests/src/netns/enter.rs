//! The current thread inside a network namespace, and back.

use std::fs::File;
use std::io;
use std::marker::PhantomData;
use std::os::fd::AsRawFd;

use anyhow::{Context, Result};

/// The current thread is inside while this lives. It cannot move to another thread, which would restore the wrong one.
#[derive(Debug)]
pub struct Entered {
    home: File,
    this_thread_only: PhantomData<*const ()>,
}

impl Entered {
    pub(super) fn new(path: &str) -> Result<Self> {
        let home = File::open("/proc/thread-self/ns/net").context("cannot open this thread's network namespace")?;
        let target = File::open(path).with_context(|| format!("cannot open {path}"))?;
        set(&target).with_context(|| format!("cannot enter {path}"))?;
        Ok(Self { home, this_thread_only: PhantomData })
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        set(&self.home).expect("root may always return to a namespace that it holds open");
    }
}

fn set(namespace: &File) -> io::Result<()> {
    // SAFETY: setns reads no memory, and the descriptor is open.
    let result = unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

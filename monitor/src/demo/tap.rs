//! TAP devices: a network device in a namespace, whose cable ends in this process as a file.
//!
//! One read takes one frame that the kernel sends, one write gives it one frame. The device goes when the file is closed.

use std::{
    fs::{File, OpenOptions},
    os::fd::AsFd,
};

use anyhow::{Context, Result};

use super::sys;

const CONTROL: &str = "/dev/net/tun";

/// Room for the longest frame of the demo, with its tunnel header.
pub(super) const FRAME_BYTES_MAX: usize = 2048;

/// Makes TAP device `name` in the calling thread's namespace.
///
/// The file blocks, because only frames that are written blockingly take the driver's native XDP path; it is read after
/// a poll only, and has one reader.
pub(super) fn create(name: &str) -> Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(CONTROL)
        .with_context(|| format!("opening {CONTROL} (is the kernel module there? `modprobe tun`)"))?;
    sys::attach_tap(file.as_fd(), name).with_context(|| format!("making TAP device {name}"))?;
    Ok(file)
}

//! Sends frames as they are out of a device, by packet sockets (packet(7)).
//!
//! A frame that is sent by `send` lies in one piece in the kernel. One that is sent through a ring (PACKET_TX_RING) lies
//! in two: its Ethernet header in the buffer's head, all the rest in pages behind it, mapped from our memory.
//! This is the one file that makes packet sockets.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result, ensure};

use crate::netns::Namespace;

/// How frames are handed to the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// In one piece.
    Whole,
    /// Ethernet header and rest apart.
    Split,
}

/// Sends `frames` out of `device`, in order; returns when all have left.
pub fn send(namespace: &Namespace, device: &str, frames: &[Vec<u8>], how: How) -> Result<()> {
    let _inside = namespace.enter()?;
    let socket = open(device).with_context(|| format!("cannot open a packet socket on {device}"))?;
    match how {
        How::Whole => frames.iter().try_for_each(|frame| send_whole(&socket, frame)),
        How::Split => {
            let ring = Ring::map(&socket).context("cannot map a transmit ring")?;
            frames.chunks(FRAMES).try_for_each(|frames| ring.send(&socket, frames))
        }
    }
}

/// Sends frames in one piece out of one device, for as long as it lives: to open and close a socket takes milliseconds.
pub struct Sender(OwnedFd);

impl Sender {
    /// A sender out of `device`.
    pub fn open(namespace: &Namespace, device: &str) -> Result<Self> {
        let _inside = namespace.enter()?;
        open(device).map(Self).with_context(|| format!("cannot open a packet socket on {device}"))
    }

    /// Sends a frame.
    pub fn send(&self, frame: &[u8]) -> Result<()> {
        send_whole(&self.0, frame)
    }
}

fn open(device: &str) -> Result<OwnedFd> {
    // Protocol 0: the socket receives nothing.
    // SAFETY: takes no pointers.
    let fd = check(unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) })?;
    // SAFETY: the kernel has just given us this descriptor, and nobody else has it.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    let name = CString::new(device)?;
    // SAFETY: `name` is a string that ends in a zero.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    ensure!(index != 0, "there is no such device");
    // SAFETY: sockaddr_ll is plain integers, for which all zeroes is a value.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_ifindex = index.cast_signed();
    let length = size_of_val(&address) as libc::socklen_t;
    // SAFETY: the kernel reads `length` bytes at `address`, which lives until the call returns.
    check(unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) })?;
    Ok(socket)
}

fn send_whole(socket: &OwnedFd, frame: &[u8]) -> Result<()> {
    // SAFETY: the kernel reads `frame.len()` bytes at `frame`.
    let sent = unsafe { libc::send(socket.as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0) };
    ensure!(sent == frame.len().cast_signed(), "a frame was not sent: {}", io::Error::last_os_error());
    Ok(())
}

/// Places in the ring, and the bytes of each.
const FRAMES: usize = 64;
const PLACE: usize = 2048;
/// Where the bytes stand in a place: behind its header (`TPACKET2_HDRLEN - sizeof(struct sockaddr_ll)`).
const DATA: usize = 32;
/// A place that the kernel is to send; one that it has sent is 0.
const SEND_REQUEST: u32 = 1;

/// A transmit ring in memory that is shared with the kernel.
struct Ring(*mut u8);

impl Ring {
    fn map(socket: &OwnedFd) -> Result<Self> {
        const TPACKET_V2: libc::c_int = 1;
        set(socket, libc::PACKET_VERSION, &TPACKET_V2)?;
        let [places, place] = [FRAMES as u32, PLACE as u32];
        // Block size and number, frame size and number (struct tpacket_req).
        set(socket, libc::PACKET_TX_RING, &[4096, places * place / 4096, place, places])?;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping of the size that was set above, wherever the kernel likes.
        let start =
            unsafe { libc::mmap(ptr::null_mut(), FRAMES * PLACE, access, libc::MAP_SHARED, socket.as_raw_fd(), 0) };
        ensure!(start != libc::MAP_FAILED, "mmap: {}", io::Error::last_os_error());
        Ok(Self(start.cast()))
    }

    /// Sends one frame for each place, or the last ones: the kernel goes round the ring, so the first of these stands
    /// in the first place.
    fn send(&self, socket: &OwnedFd, frames: &[Vec<u8>]) -> Result<()> {
        for (number, frame) in frames.iter().enumerate() {
            ensure!(frame.len() <= PLACE - DATA, "a frame of {} bytes is too long for the ring", frame.len());
            // SAFETY: the place is inside the mapping, has room for the frame, and belongs to us: it was never used or
            // was found sent.
            unsafe {
                let place = self.0.add(number * PLACE);
                place.add(4).cast::<u32>().write(frame.len() as u32);
                ptr::copy_nonoverlapping(frame.as_ptr(), place.add(DATA), frame.len());
            }
            self.status(number).store(SEND_REQUEST, Ordering::Release);
        }
        // SAFETY: there is nothing to read: the frames are in the ring.
        let sent = unsafe { libc::send(socket.as_raw_fd(), ptr::null(), 0, 0) };
        let bytes: usize = frames.iter().map(Vec::len).sum();
        ensure!(sent == bytes.cast_signed(), "{sent} of {bytes} bytes were sent: {}", io::Error::last_os_error());
        let are_sent = (0..frames.len()).all(|number| self.status(number).load(Ordering::Acquire) == 0);
        ensure!(are_sent, "the kernel has not given all frames back");
        Ok(())
    }

    fn status(&self, number: usize) -> &AtomicU32 {
        // SAFETY: the first word of a place inside the mapping, aligned as the mapping is, and shared with the kernel,
        // which is why it is an atomic.
        unsafe { AtomicU32::from_ptr(self.0.add(number * PLACE).cast()) }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours alone and nothing refers to it any more.
        unsafe { libc::munmap(self.0.cast(), FRAMES * PLACE) };
    }
}

fn set<T>(socket: &OwnedFd, option: libc::c_int, value: &T) -> Result<()> {
    let length = size_of_val(value) as libc::socklen_t;
    // SAFETY: the kernel reads `length` bytes at `value`.
    let result =
        unsafe { libc::setsockopt(socket.as_raw_fd(), libc::SOL_PACKET, option, ptr::from_ref(value).cast(), length) };
    check(result).map(drop)
}

fn check(result: libc::c_int) -> Result<libc::c_int> {
    ensure!(result >= 0, io::Error::last_os_error());
    Ok(result)
}

//! Which device carries tunnel packets, told by listening on all of them for a moment with a filter in the kernel.
//!
//! Used only when the watched device carries none. The socket is a copy of the traffic: it changes nothing.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use libc::{BPF_ABS, BPF_B, BPF_H, BPF_IND, BPF_JEQ, BPF_JMP, BPF_JSET, BPF_K, BPF_LD, BPF_LDX};
use libc::{BPF_MSH, BPF_RET, BPF_W, SKF_AD_OFF, SKF_AD_PROTOCOL, sock_filter, sock_fprog};

use crate::device;

/// A socket that hears the tunnel packets of all devices.
pub(crate) struct Sniffer {
    socket: OwnedFd,
}

/// Packets that are looked at at most.
const MOST: usize = 10_000;

impl Sniffer {
    /// A socket for packets to a UDP port, which does not hear any before [`Sniffer::listen`].
    pub(crate) fn new(port: u16) -> io::Result<Self> {
        // SAFETY: opens a socket; the result is checked before it is owned.
        let socket =
            unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_DGRAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC, 0) };
        if socket < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor was just opened and belongs to nobody else.
        let socket = unsafe { OwnedFd::from_raw_fd(socket) };
        let mut filter = filter(port);
        let program = sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
        // SAFETY: the program and its instructions outlive the call, which copies them.
        let result = unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_ATTACH_FILTER,
                (&raw const program).cast(),
                size_of::<sock_fprog>() as u32,
            )
        };
        if result != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Self { socket })
    }

    /// Begins to listen; needs no right any more.
    pub(crate) fn listen(&self) -> io::Result<()> {
        // SAFETY: all zero is a valid address.
        let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
        let length = size_of::<libc::sockaddr_ll>() as u32;
        // SAFETY: the address outlives the call and has the length that is given.
        let result = unsafe { libc::bind(self.socket.as_raw_fd(), (&raw const address).cast(), length) };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Returns the device that carried most of the packets since the start, if any carried one.
    pub(crate) fn busiest(&self) -> Option<String> {
        let mut packets = BTreeMap::<u32, u32>::new();
        for _ in 0..MOST {
            let Some(index) = self.next() else { break };
            *packets.entry(index).or_default() += 1;
        }
        packets.into_iter().max_by_key(|(_, count)| *count).and_then(|(index, _)| device::name_of(index))
    }

    /// Returns the index of the device that the next packet passed.
    fn next(&self) -> Option<u32> {
        let mut byte = [0u8; 1];
        // SAFETY: all zero is a valid address.
        let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        let mut length = size_of::<libc::sockaddr_ll>() as u32;
        // SAFETY: both buffers outlive the call and have the lengths that are given.
        let received = unsafe {
            libc::recvfrom(
                self.socket.as_raw_fd(),
                byte.as_mut_ptr().cast(),
                byte.len(),
                0,
                (&raw mut address).cast(),
                &raw mut length,
            )
        };
        (received >= 0).then_some(address.sll_ifindex as u32)
    }
}

/// Classic BPF: UDP to `port` over IPv4 (not a later fragment) or IPv6 (no extension header).
fn filter(port: u16) -> [sock_filter; 16] {
    let statement = |code: u32, k: u32| sock_filter { code: code as u16, jt: 0, jf: 0, k };
    // Jumps skip `jt` instructions when the condition holds, `jf` when it does not.
    let jump = |code: u32, k: u32, jt: u8, jf: u8| sock_filter { code: (BPF_JMP | code | BPF_K) as u16, jt, jf, k };
    [
        statement(BPF_LD | BPF_W | BPF_ABS, (SKF_AD_OFF + SKF_AD_PROTOCOL) as u32),
        jump(BPF_JEQ, 0x86dd, 8, 0),
        jump(BPF_JEQ, 0x0800, 0, 11),
        statement(BPF_LD | BPF_H | BPF_ABS, 6),
        jump(BPF_JSET, 0x1fff, 9, 0),
        statement(BPF_LD | BPF_B | BPF_ABS, 9),
        jump(BPF_JEQ, 17, 0, 7),
        statement(BPF_LDX | BPF_B | BPF_MSH, 0),
        statement(BPF_LD | BPF_H | BPF_IND, 2),
        jump(BPF_JEQ, u32::from(port), 5, 4),
        // IPv6
        statement(BPF_LD | BPF_B | BPF_ABS, 6),
        jump(BPF_JEQ, 17, 0, 2),
        statement(BPF_LD | BPF_H | BPF_ABS, 42),
        jump(BPF_JEQ, u32::from(port), 1, 0),
        statement(BPF_RET | BPF_K, 0),
        statement(BPF_RET | BPF_K, 64),
    ]
}

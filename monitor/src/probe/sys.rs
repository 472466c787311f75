//! The system calls of the probe that std does not have, each behind a safe function.

use std::io;
use std::mem;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

/// An entry of a socket's error queue (ip(7), IP_RECVERR).
#[derive(Clone, Copy, Debug)]
pub(super) struct Error {
    /// Whether it came as an ICMP message, and not from this node's own kernel.
    pub(super) is_icmp: bool,
    pub(super) kind: u8,
    pub(super) code: u8,
    /// The MTU, of errors that have one.
    pub(super) info: u32,
    /// Who sent it.
    pub(super) reporter: Option<IpAddr>,
}

/// Opens a socket of this type and protocol for the peer's family, that std takes for one of datagrams.
pub(super) fn socket(peer: IpAddr, kind: libc::c_int, protocol: libc::c_int) -> io::Result<UdpSocket> {
    let domain = if peer.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    // SAFETY: takes no pointers.
    let fd = check(unsafe { libc::socket(domain, kind | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK, protocol) })?;
    // SAFETY: the kernel has just given us this descriptor, and nobody else has it.
    Ok(UdpSocket::from(unsafe { OwnedFd::from_raw_fd(fd) }))
}

/// Sets DF whatever the kernel has learned of the path, and asks for ICMP errors.
pub(super) fn prepare(socket: &UdpSocket, peer: IpAddr) -> io::Result<()> {
    if peer.is_ipv4() {
        set(socket, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_PROBE)?;
        return set(socket, libc::IPPROTO_IP, libc::IP_RECVERR, 1);
    }
    set(socket, libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, libc::IPV6_PMTUDISC_PROBE)?;
    set(socket, libc::IPPROTO_IPV6, libc::IPV6_DONTFRAG, 1)?;
    set(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVERR, 1)
}

fn set(socket: &UdpSocket, level: libc::c_int, option: libc::c_int, value: libc::c_int) -> io::Result<()> {
    let length = size_of_val(&value) as libc::socklen_t;
    // SAFETY: the kernel reads `length` bytes at `value`, which lives until the call returns.
    let result = unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const value).cast(), length) };
    check(result).map(drop)
}

/// The next entry of the error queue, and as much of the packet that it is about as was quoted, behind its IP (and UDP)
/// header; none if the queue is empty.
pub(super) fn next_error<'a>(
    socket: &UdpSocket,
    buffer: &'a mut [u8],
) -> io::Result<Option<(Option<Error>, &'a [u8])>> {
    // Words, so that it is aligned as control messages are.
    let mut control = [0_u64; 64];
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: msghdr is plain integers and pointers, for which all zeroes is a value.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    (message.msg_iov, message.msg_iovlen) = (&raw mut part, 1);
    (message.msg_control, message.msg_controllen) = (control.as_mut_ptr().cast(), size_of_val(&control));
    let flags = libc::MSG_ERRQUEUE | libc::MSG_DONTWAIT;
    // SAFETY: the message's buffers live until the call returns, with the lengths that it says.
    let length = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, flags) };
    if length < 0 {
        let error = io::Error::last_os_error();
        return if error.kind() == io::ErrorKind::WouldBlock { Ok(None) } else { Err(error) };
    }
    let quote = buffer.get(..length.cast_unsigned()).unwrap_or_default();
    Ok(Some((extended_error(&message), quote)))
}

/// The extended error among the control messages of one that was received.
fn extended_error(message: &libc::msghdr) -> Option<Error> {
    // SAFETY: the kernel has filled in the control messages, and their length; the macros walk within it.
    let mut next = unsafe { libc::CMSG_FIRSTHDR(message) };
    while !next.is_null() {
        // SAFETY: the macros give only headers that lie inside the buffer.
        let header = unsafe { *next };
        let kind = (header.cmsg_level, header.cmsg_type);
        if kind == (libc::IPPROTO_IP, libc::IP_RECVERR) || kind == (libc::IPPROTO_IPV6, libc::IPV6_RECVERR) {
            // SAFETY: data of this type is a sock_extended_err, and the offender's address is behind it.
            return Some(unsafe { error_of(libc::CMSG_DATA(next).cast()) });
        }
        // SAFETY: as above.
        next = unsafe { libc::CMSG_NXTHDR(message, next) };
    }
    None
}

/// # Safety
///
/// The kernel has written an extended error there, with room for an address of its family behind it.
unsafe fn error_of(data: *const libc::sock_extended_err) -> Error {
    // SAFETY: by contract; control data need not be aligned.
    let error = unsafe { data.read_unaligned() };
    // SAFETY: the address is right behind the error; AF_UNSPEC if it is not known.
    let reporter = unsafe {
        let address = libc::SO_EE_OFFENDER(data);
        match i32::from((&raw const (*address).sa_family).read_unaligned()) {
            libc::AF_INET => {
                let v4 = address.cast::<libc::sockaddr_in>().read_unaligned();
                Some(IpAddr::V4(Ipv4Addr::from(v4.sin_addr.s_addr.to_ne_bytes())))
            }
            libc::AF_INET6 => {
                let v6 = address.cast::<libc::sockaddr_in6>().read_unaligned();
                Some(IpAddr::V6(Ipv6Addr::from(v6.sin6_addr.s6_addr)))
            }
            _ => None,
        }
    };
    let is_icmp = matches!(error.ee_origin, libc::SO_EE_ORIGIN_ICMP | libc::SO_EE_ORIGIN_ICMP6);
    Error { is_icmp, kind: error.ee_type, code: error.ee_code, info: error.ee_info, reporter }
}

/// Descriptor that can be read once SIGINT or SIGTERM has come, which do not end the process any more.
pub(super) fn signals() -> io::Result<OwnedFd> {
    // SAFETY: sigset_t is plain integers, which sigemptyset sets; the set lives until the calls return.
    let fd = unsafe {
        let mut set: libc::sigset_t = mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGINT);
        libc::sigaddset(&raw mut set, libc::SIGTERM);
        check(libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()))?;
        check(libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC))?
    };
    // SAFETY: the kernel has just given us this descriptor, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Waits until a socket can be read or has an error, or a signal has come, or the time is over; says whether one came.
pub(super) fn wait(sockets: &[UdpSocket], signals: &OwnedFd, timeout: Duration) -> io::Result<bool> {
    let fds = sockets.iter().map(AsFd::as_fd).chain([signals.as_fd()]);
    let polled = |fd: BorrowedFd| libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    let mut polled: Vec<libc::pollfd> = fds.map(polled).collect();
    let timeout =
        libc::timespec { tv_sec: timeout.as_secs() as libc::time_t, tv_nsec: timeout.subsec_nanos() as libc::c_long };
    let count = polled.len() as libc::nfds_t;
    // SAFETY: `polled` has `count` entries and, like `timeout`, lives until the call returns; no signal mask is given.
    check(unsafe { libc::ppoll(polled.as_mut_ptr(), count, &raw const timeout, std::ptr::null()) })?;
    Ok(polled.last().is_some_and(|signals| signals.revents != 0))
}

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

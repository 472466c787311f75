//! Requests to the kernel's routing netlink: dumps, single questions, changes that are acknowledged, and the bell that
//! rings when a device changes.
//!
//! Attributes are taken one by one and the rest is passed over, so that a kernel which says more is understood too. The
//! socket belongs to the namespace in which it was opened.

mod filters;
mod links;
mod routes;

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use netlink_packet_core::{NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NlaBuffer, NlasIterator};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::inventory::Name;

pub(crate) use filters::{Filter, NewFilter, Parent, Qdisc};
pub(crate) use links::Link;
pub(crate) use routes::Hop;

/// Message types of every netlink protocol (linux/netlink.h).
const ERROR: u16 = 2;
const DONE: u16 = 3;
/// One of several messages that make one answer.
const MULTI: u16 = 0x2;
/// The dump was cut into by a change: what was read may not fit together.
const INTERRUPTED: u16 = 0x10;
/// Dumps that are begun anew at most.
const ATTEMPTS: u32 = 8;
/// How long an answer may take; the kernel answers at once.
const PATIENCE: Duration = Duration::from_secs(5);
/// Answers come in messages of at most this length.
const BUFFER: usize = 64 << 10;

/// Header of a message (struct nlmsghdr).
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Header {
    length: u32,
    kind: u16,
    flags: u16,
    sequence: u32,
    port: u32,
}

/// A request being made: the message's own header, then attributes.
pub(crate) struct Request {
    kind: u16,
    flags: u16,
    body: Vec<u8>,
}

impl Request {
    fn new<T: IntoBytes + Immutable>(kind: u16, flags: u16, header: &T) -> Self {
        Self { kind, flags, body: header.as_bytes().to_vec() }
    }

    /// Appends an attribute.
    fn with(mut self, kind: u16, value: &[u8]) -> Self {
        let length = (size_of::<u16>() * 2 + value.len()) as u16;
        self.body.extend_from_slice(length.as_bytes());
        self.body.extend_from_slice(kind.as_bytes());
        self.body.extend_from_slice(value);
        self.body.resize(self.body.len().next_multiple_of(4), 0);
        self
    }
}

/// A message of the kernel's answer.
struct Message<'a> {
    header: Header,
    body: &'a [u8],
}

/// A socket for requests.
pub(crate) struct Route {
    socket: Socket,
    sequence: u32,
}

impl Route {
    /// Opens a socket in the namespace of the calling thread.
    pub(crate) fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        limit_patience(socket.as_raw_fd())?;
        Ok(Self { socket, sequence: 0 })
    }

    /// Asks for a change and waits until it is made, or for the kernel's error.
    fn change(&mut self, request: &Request) -> io::Result<()> {
        self.send(request, NLM_F_ACK)?;
        self.answer(|_| {}).map(drop)
    }

    /// Asks for one thing; `take` gets it.
    fn ask(&mut self, request: &Request, mut take: impl FnMut(&[u8])) -> io::Result<()> {
        self.send(request, 0)?;
        self.answer(|message| take(message.body)).map(drop)
    }

    /// Asks for a list; `take` gets each entry, or `None` when the list begins anew.
    fn dump(&mut self, request: &Request, mut take: impl FnMut(Option<&[u8]>)) -> io::Result<()> {
        for _ in 0..ATTEMPTS {
            take(None);
            self.send(request, NLM_F_DUMP)?;
            if !self.answer(|message| take(Some(message.body)))? {
                return Ok(());
            }
        }
        Err(io::Error::new(io::ErrorKind::ResourceBusy, "the kernel's list changes faster than it can be read"))
    }

    fn send(&mut self, request: &Request, flags: u16) -> io::Result<()> {
        self.sequence += 1;
        let header = Header {
            length: (size_of::<Header>() + request.body.len()) as u32,
            kind: request.kind,
            flags: NLM_F_REQUEST | flags | request.flags,
            sequence: self.sequence,
            port: 0,
        };
        let bytes = [header.as_bytes(), &request.body].concat();
        self.socket.send(&bytes, 0).map(drop)
    }

    /// Reads the answer to the last request to its end; says whether it was interrupted.
    fn answer(&mut self, mut take: impl FnMut(&Message<'_>)) -> io::Result<bool> {
        let mut is_interrupted = false;
        let mut buffer = Vec::with_capacity(BUFFER);
        loop {
            buffer.clear();
            self.socket.recv(&mut buffer, 0)?;
            for message in messages(&buffer).filter(|message| message.header.sequence == self.sequence) {
                is_interrupted |= message.header.flags & INTERRUPTED != 0;
                match message.header.kind {
                    DONE => return Ok(is_interrupted),
                    ERROR => match i32::read_from_prefix(message.body) {
                        Ok((0, _)) => return Ok(is_interrupted),
                        Ok((error, _)) => return Err(io::Error::from_raw_os_error(error.wrapping_neg())),
                        Err(_) => return Err(io::ErrorKind::InvalidData.into()),
                    },
                    _ => {
                        take(&message);
                        if message.header.flags & MULTI == 0 {
                            return Ok(is_interrupted);
                        }
                    }
                }
            }
        }
    }
}

/// Rings when the kernel tells of a change to any device of its namespace.
pub(crate) struct Bell(Socket);

impl Bell {
    /// Begins to listen in the namespace of the calling thread.
    pub(crate) fn new() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.add_membership(libc::RTNLGRP_LINK)?;
        socket.set_non_blocking(true)?;
        Ok(Self(socket))
    }

    /// Takes all that came; what it was is asked with a dump. Also after an overflow, which is a change as well.
    pub(crate) fn take(&self) {
        let mut buffer = Vec::with_capacity(BUFFER);
        loop {
            buffer.clear();
            match self.0.recv(&mut buffer, 0) {
                Ok(_) => {}
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {}
                Err(_) => return,
            }
        }
    }
}

impl AsRawFd for Bell {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// The messages in what was received, as far as they are whole.
fn messages(mut bytes: &[u8]) -> impl Iterator<Item = Message<'_>> {
    std::iter::from_fn(move || {
        let (header, _) = Header::read_from_prefix(bytes).ok()?;
        let length = header.length as usize;
        let body = bytes.get(size_of::<Header>()..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(Message { header, body })
    })
}

/// Kinds and values of the attributes in `bytes`, up to the first that is broken.
fn attributes(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    NlasIterator::new(bytes).map_while(Result::ok).map(|attribute: NlaBuffer<&[u8]>| {
        let start = attribute.value().as_ptr().addr() - bytes.as_ptr().addr();
        (attribute.kind(), bytes.get(start..start + attribute.value().len()).unwrap_or_default())
    })
}

/// Text as the kernel gives it, with a zero at its end.
fn text(value: &[u8]) -> String {
    let end = value.iter().position(|byte| *byte == 0).unwrap_or(value.len());
    // Devices may be called almost anything.
    Name::from_bytes(&value[..end]).to_string()
}

fn number(value: &[u8]) -> Option<u32> {
    u32::read_from_bytes(value).ok()
}

fn limit_patience(socket: RawFd) -> io::Result<()> {
    let time = libc::timeval { tv_sec: PATIENCE.as_secs() as libc::time_t, tv_usec: 0 };
    let length = size_of::<libc::timeval>() as libc::socklen_t;
    // SAFETY: the option is a time of this length, which outlives the call.
    let result =
        unsafe { libc::setsockopt(socket, libc::SOL_SOCKET, libc::SO_RCVTIMEO, (&raw const time).cast(), length) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_end_ends_the_messages_and_the_attributes() {
        let request = Request::new(1, 0, &0_u32).with(3, b"eth0\0").with(4, &7_u32.to_ne_bytes());
        let found: Vec<_> = attributes(&request.body[4..]).collect();
        assert_eq!(found, [(3, &b"eth0\0"[..]), (4, &7_u32.to_ne_bytes()[..])]);
        assert_eq!(attributes(&request.body[4..18]).count(), 1);
        let header = Header { length: 20, kind: 16, flags: 0, sequence: 1, port: 0 };
        let bytes = [header.as_bytes(), &[0; 4], header.as_bytes()].concat();
        assert_eq!(messages(&bytes).count(), 1);
        assert_eq!(messages(&[Header { length: 3, ..header }.as_bytes(), &[0; 4]].concat()).count(), 0);
    }
}

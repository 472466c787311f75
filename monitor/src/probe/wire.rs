//! The sockets: packets of a campaign out, what comes back in.
//!
//! Each UDP flow has a socket and so a source port; echo is one flow. The kernel gives a socket only those ICMP errors that
//! quote what it has sent. Answers are known by a number that the packet carries.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::time::Duration;

use super::campaign::{Heard, Packet};
use super::{echo, sys};

/// Mark of our UDP payloads, before the number.
const MARK: [u8; 4] = *b"tunm";
/// Longer than any packet, so that none is cut.
const BUFFER: usize = 1 << 16;

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// Datagrams to this port, answered by "port unreachable".
    Udp,
    /// Echo requests.
    Icmp,
}

/// What has been heard.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub(super) heard: Vec<Heard>,
    pub(super) is_interrupted: bool,
}

/// An ICMP error that is neither an answer nor about a size: who sent it, its type and code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub(super) struct Refusal {
    pub(super) reporter: IpAddr,
    #[serde(rename = "type")]
    pub(super) kind: u8,
    pub(super) code: u8,
}

/// Sockets to one peer.
pub(super) struct Wire {
    peer: IpAddr,
    kind: Kind,
    sockets: Vec<UdpSocket>,
    /// Of echo: the raw socket's replies begin with an IP header, in IPv4.
    is_raw: bool,
    identifier: u16,
    /// The last refusal.
    pub(super) refusal: Option<Refusal>,
    buffer: Vec<u8>,
}

impl Wire {
    /// `flows` datagram sockets, with source ports of the kernel's choice.
    pub(super) fn udp(peer: SocketAddr, flows: usize) -> io::Result<Self> {
        let sockets = (0..flows).map(|_| connected(peer, libc::SOCK_DGRAM, 0)).collect::<io::Result<_>>()?;
        Ok(Self::new(peer.ip(), Kind::Udp, sockets, false))
    }

    /// A socket for echo, with or without rights.
    pub(super) fn icmp(peer: IpAddr) -> io::Result<Self> {
        let protocol = if peer.is_ipv4() { libc::IPPROTO_ICMP } else { libc::IPPROTO_ICMPV6 };
        let open = |kind| connected(SocketAddr::new(peer, 0), kind, protocol);
        let (socket, is_raw) = match open(libc::SOCK_DGRAM) {
            Ok(socket) => (socket, false),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => (open(libc::SOCK_RAW)?, true),
            Err(error) => return Err(error),
        };
        // The kernel's choice; of a raw socket ours.
        let identifier = if is_raw { std::process::id() as u16 } else { socket.local_addr()?.port() };
        Ok(Self { identifier, ..Self::new(peer, Kind::Icmp, vec![socket], is_raw) })
    }

    fn new(peer: IpAddr, kind: Kind, sockets: Vec<UdpSocket>, is_raw: bool) -> Self {
        Self { peer, kind, sockets, is_raw, identifier: 0, refusal: None, buffer: vec![0; BUFFER] }
    }

    /// How many flows there are.
    pub(super) fn flows(&self) -> usize {
        self.sockets.len()
    }

    /// This node's address.
    pub(super) fn local(&self) -> Option<IpAddr> {
        Some(self.sockets.first()?.local_addr().ok()?.ip())
    }

    /// The source port of a flow; echo has none.
    pub(super) fn source_port(&self, flow: usize) -> Option<u16> {
        let address = self.sockets.get(flow).filter(|_| self.kind == Kind::Udp)?.local_addr().ok()?;
        Some(address.port())
    }

    /// Sends a packet of the wanted length, outer IP header included.
    pub(super) fn send(&self, packet: Packet) -> io::Result<()> {
        let headers = if self.peer.is_ipv4() { 20 } else { 40 };
        let mut message = vec![0; packet.size as usize - headers];
        match self.kind {
            Kind::Udp => {
                message.truncate(message.len() - 8);
                message[..4].copy_from_slice(&MARK);
                message[4..8].copy_from_slice(&packet.number.to_be_bytes());
            }
            Kind::Icmp => echo::request(&mut message, self.peer.is_ipv4(), self.identifier, packet.number as u16),
        }
        let socket = &self.sockets[packet.flow];
        // An error that has come for an earlier packet is told once, in place of sending; it is in the queue too.
        match socket.send(&message) {
            Err(error) if is_of_the_path(&error) => socket.send(&message).map(drop),
            result => result.map(drop),
        }
    }

    /// What comes within this time; returns at once when something has.
    pub(super) fn gather(&mut self, signals: &OwnedFd, patience: Duration) -> io::Result<Gathered> {
        let is_interrupted = sys::wait(&self.sockets, signals, patience)?;
        let mut heard = Vec::new();
        for flow in 0..self.sockets.len() {
            self.errors(flow, &mut heard)?;
            self.replies(flow, &mut heard);
        }
        Ok(Gathered { heard, is_interrupted })
    }

    fn errors(&mut self, flow: usize, heard: &mut Vec<Heard>) -> io::Result<()> {
        while let Some((error, quote)) = sys::next_error(&self.sockets[flow], &mut self.buffer)? {
            let Some(error) = error.filter(|error| error.is_icmp) else { continue };
            let Some(reporter) = error.reporter else { continue };
            let [request, _] = echo::kinds(self.peer.is_ipv4());
            let number = match (self.kind, quote) {
                (Kind::Udp, [a, b, c, d, rest @ ..]) if [*a, *b, *c, *d] == MARK => {
                    rest.first_chunk().map(|number| u32::from_be_bytes(*number))
                }
                (Kind::Udp, _) => None,
                (Kind::Icmp, quote) => echo::sequence(quote, request, self.identifier).map(u32::from),
            };
            let Some(number) = number else { continue };
            // Port unreachable; fragmentation needed and packet too big.
            let [closed, too_big] = if self.peer.is_ipv4() { [(3, 3), (3, 4)] } else { [(1, 4), (2, 0)] };
            match (error.kind, error.code) {
                kind if kind == too_big => heard.push(Heard::TooBig { number, reporter, mtu: error.info }),
                kind if kind == closed && reporter == self.peer && self.kind == Kind::Udp => {
                    heard.push(Heard::Answer(number));
                }
                (kind, code) => self.refusal = Some(Refusal { reporter, kind, code }),
            }
        }
        Ok(())
    }

    fn replies(&mut self, flow: usize, heard: &mut Vec<Heard>) {
        let [_, reply] = echo::kinds(self.peer.is_ipv4());
        // Errors are in the queue.
        while let Ok(length) = self.sockets[flow].recv(&mut self.buffer) {
            let packet = &self.buffer[..length];
            let has_header = self.is_raw && self.peer.is_ipv4();
            let message = if has_header { echo::behind_ipv4(packet) } else { Some(packet) };
            let sequence = message.and_then(|message| echo::sequence(message, reply, self.identifier));
            if let Some(sequence) = sequence.filter(|_| self.kind == Kind::Icmp) {
                heard.push(Heard::Answer(sequence.into()));
            }
        }
    }
}

fn connected(peer: SocketAddr, kind: libc::c_int, protocol: libc::c_int) -> io::Result<UdpSocket> {
    let socket = sys::socket(peer.ip(), kind, protocol)?;
    sys::prepare(&socket, peer.ip())?;
    socket.connect(peer)?;
    Ok(socket)
}

/// Whether it is what an ICMP error leaves behind.
fn is_of_the_path(error: &io::Error) -> bool {
    let known = [libc::ECONNREFUSED, libc::EHOSTUNREACH, libc::ENETUNREACH, libc::EACCES, libc::EMSGSIZE];
    error.raw_os_error().is_some_and(|code| known.contains(&code))
}

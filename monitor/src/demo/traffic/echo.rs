//! ICMP and ICMPv6 echo, without the `ping` program.

use std::{
    io,
    net::{IpAddr, SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

use super::super::{
    sys,
    topology::Family,
    worker::{STOP_CHECK, Stop},
};

const HEADER_BYTES: usize = 8;
const PAYLOAD_BYTES: usize = 56;
const PAUSE: Duration = Duration::from_millis(200);

/// Sends echo requests to one address.
pub(in super::super) struct Pinger {
    socket: UdpSocket,
    request_type: u8,
    reply_type: u8,
    sequence: u16,
}

impl Pinger {
    /// Opens a socket in the caller's namespace.
    pub(in super::super) fn open(target: IpAddr) -> io::Result<Self> {
        let (family, request_type, reply_type) = match target {
            IpAddr::V4(_) => (Family::V4, 8, 0),
            IpAddr::V6(_) => (Family::V6, 128, 129),
        };
        // To std it is one more datagram socket, only without ports.
        let socket = UdpSocket::from(sys::icmp_socket(family)?);
        socket.connect(SocketAddr::new(target, 0))?;
        Ok(Self { socket, request_type, reply_type, sequence: 0 })
    }

    /// The time until the reply came; nothing if none came within `patience`.
    pub(in super::super) fn ping(&mut self, payload_bytes: usize, patience: Duration) -> Option<Duration> {
        self.sequence = self.sequence.wrapping_add(1);
        let sequence = self.sequence.to_be_bytes();
        let mut message = vec![0; HEADER_BYTES + payload_bytes];
        message[0] = self.request_type;
        message[6..HEADER_BYTES].copy_from_slice(&sequence);
        let sent = Instant::now();
        self.socket.send(&message).ok()?;
        loop {
            let rest = patience.checked_sub(sent.elapsed()).filter(|rest| !rest.is_zero())?;
            self.socket.set_read_timeout(Some(rest)).ok()?;
            let length_bytes = self.socket.recv(&mut message).ok()?;
            if length_bytes >= HEADER_BYTES && message[0] == self.reply_type && message[6..HEADER_BYTES] == sequence {
                return Some(sent.elapsed());
            }
        }
    }
}

/// Pings `peers` in turn.
pub(super) fn ask(peers: [IpAddr; 2], stop: &Stop) -> io::Result<()> {
    let mut pingers = [Pinger::open(peers[0])?, Pinger::open(peers[1])?];
    while !stop.is_stopped() {
        for pinger in &mut pingers {
            // No reply is expected under a fault: the next request follows.
            let _reply = pinger.ping(PAYLOAD_BYTES, STOP_CHECK);
            stop.pause(PAUSE);
        }
    }
    Ok(())
}

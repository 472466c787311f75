//! UDP request and response: the server sends each datagram back.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    time::Duration,
};

use anyhow::{Context, Result};

use super::super::worker::{STOP_CHECK, Stop};

pub(super) const PORT: u16 = 7777;

const DATAGRAM: [u8; 200] = [0; 200];
const PAUSE: Duration = Duration::from_millis(100);

/// Listens in the caller's namespace, for IPv4 and IPv6.
pub(super) fn listen() -> Result<UdpSocket> {
    let socket = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, PORT)).context("binding a pod's UDP port")?;
    socket.set_read_timeout(Some(STOP_CHECK)).context("a pod's UDP socket")?;
    Ok(socket)
}

pub(super) fn serve(socket: &UdpSocket, stop: &Stop) -> io::Result<()> {
    let mut datagram = DATAGRAM;
    while !stop.is_stopped() {
        if let Ok((length_bytes, client)) = socket.recv_from(&mut datagram) {
            // What cannot be sent back is lost, as with any UDP service.
            drop(socket.send_to(&datagram[..length_bytes], client));
        }
    }
    Ok(())
}

/// Asks `peers`, one of IPv4 and one of IPv6, in turn.
pub(super) fn ask(peers: [SocketAddr; 2], stop: &Stop) -> io::Result<()> {
    let sockets = [UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?, UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0))?];
    for socket in &sockets {
        socket.set_read_timeout(Some(STOP_CHECK))?;
    }
    let mut answer = DATAGRAM;
    for (socket, peer) in sockets.iter().zip(peers).cycle() {
        // No answer is expected under a fault: the next request follows.
        drop(socket.send_to(&DATAGRAM, peer).and_then(|_| socket.recv(&mut answer)));
        stop.pause(PAUSE);
        if stop.is_stopped() {
            break;
        }
    }
    Ok(())
}

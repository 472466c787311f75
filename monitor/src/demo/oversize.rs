//! What is too long for `eth0`, sent as a user-space switch sends it: a whole frame by a packet socket, which refuses it.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};

use anyhow::{Context, Result};

use super::sys;

/// Ethernet addresses of two nodes that nobody has; the frame does not get that far.
const ADDRESSES: [u8; 12] = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
const UDP: u8 = 17;

/// The packet socket of one node.
pub(super) struct Switch(OwnedFd);

impl Switch {
    /// One that sends out of a device of the caller's namespace.
    pub(super) fn open(device: &str) -> Result<Self> {
        Ok(Self(sys::packet_socket(device).with_context(|| format!("a packet socket on {device}"))?))
    }

    /// Tries to send a UDP payload. That it is refused is the fault.
    pub(super) fn send(&self, from: SocketAddr, to: SocketAddr, payload: &[u8]) {
        drop(sys::send_frame(self.0.as_fd(), &frame(from, to, payload)));
    }
}

/// A frame with a UDP packet, without checksums.
fn frame(from: SocketAddr, to: SocketAddr, payload: &[u8]) -> Vec<u8> {
    let length = 8 + payload.len() as u16;
    let mut frame = ADDRESSES.to_vec();
    match (from.ip(), to.ip()) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let [high, low] = (20 + length).to_be_bytes();
            frame.extend([0x08, 0x00, 0x45, 0, high, low, 0, 0, 0x40, 0, 64, UDP, 0, 0]);
            frame.extend(source.octets().into_iter().chain(destination.octets()));
        }
        (source, destination) => {
            let [high, low] = length.to_be_bytes();
            frame.extend([0x86, 0xdd, 0x60, 0, 0, 0, high, low, UDP, 64]);
            for address in [source, destination] {
                let address = match address {
                    IpAddr::V4(address) => address.to_ipv6_mapped(),
                    IpAddr::V6(address) => address,
                };
                frame.extend(address.octets());
            }
        }
    }
    for word in [from.port(), to.port(), length, 0] {
        frame.extend(word.to_be_bytes());
    }
    frame.extend(payload);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_ports_stand_where_they_belong() {
        let ends = |from: &str, to: &str| (from.parse().unwrap(), to.parse().unwrap());
        let (from, to) = ends("192.0.2.1:1000", "192.0.2.2:6081");
        let v4 = frame(from, to, &[7; 1500]);
        assert_eq!((v4.len(), &v4[16..18]), (14 + 28 + 1500, &1528_u16.to_be_bytes()[..]));
        assert_eq!((&v4[26..34], &v4[36..38]), (&[192, 0, 2, 1, 192, 0, 2, 2][..], &6081_u16.to_be_bytes()[..]));
        let (from, to) = ends("[2001:db8::1]:1000", "[2001:db8::2]:6081");
        let v6 = frame(from, to, &[7; 1500]);
        assert_eq!((v6.len(), &v6[18..20]), (14 + 48 + 1500, &1508_u16.to_be_bytes()[..]));
        assert_eq!(&v6[56..58], &6081_u16.to_be_bytes()[..]);
    }
}

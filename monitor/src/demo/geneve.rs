//! Geneve headers (RFC 8926) as the demo's own encapsulator writes and strips them.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |Ver|  Opt Len  |O|C|    Rsvd.  |          Protocol Type        |
//! |        Virtual Network Identifier (VNI)       |    Reserved   |
//! |          Option Class         |      Type     |R|R|R| Length  |
//! |                 OVN: ingress and egress port                  |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```

use super::topology::{Node, Tunnel};

const HEADER_BYTES: usize = 8;
const CRITICAL: u8 = 0x40;
const ETHERNET: [u8; 2] = [0x65, 0x58];
/// Class 0x0102, type 0x80 (a critical one), one word of data.
const OVN_OPTION: [u8; 4] = [0x01, 0x02, 0x80, 0x01];

/// The header of each packet that `from` sends into `tunnel`.
pub(super) fn header(tunnel: &Tunnel, from: Node) -> Vec<u8> {
    let (words, flags) = if tunnel.ovn_option { (2, CRITICAL) } else { (0, 0) };
    let mut header = vec![words, flags];
    header.extend(ETHERNET);
    header.extend((tunnel.vni << 8).to_be_bytes());
    if tunnel.ovn_option {
        header.extend(OVN_OPTION);
        // Logical ports have the number of their node.
        header.extend([0, from as u8, 0, from.peer() as u8]);
    }
    header
}

/// The VNI and the inner frame of a UDP payload; nothing if it is no Ethernet in Geneve version 0.
pub(super) fn strip(payload: &[u8]) -> Option<(u32, &[u8])> {
    let (header, rest) = payload.split_first_chunk::<HEADER_BYTES>()?;
    let [version_length, _flags, protocol @ .., vni0, vni1, vni2, _reserved] = header;
    if version_length >> 6 != 0 || protocol != &ETHERNET {
        return None;
    }
    let options_bytes = usize::from(version_length & 0x3f) * 4;
    Some((u32::from_be_bytes([0, *vni0, *vni1, *vni2]), rest.get(options_bytes..)?))
}

#[cfg(test)]
mod tests {
    use super::{super::topology::TUNNELS, *};

    #[test]
    fn ovn_option_names_both_ports() {
        let expected = [0x02, 0x40, 0x65, 0x58, 0, 0, 100, 0, 0x01, 0x02, 0x80, 0x01, 0, 2, 0, 1];
        assert_eq!(header(&TUNNELS[0], Node::Two), expected);
    }

    #[test]
    fn what_is_wrapped_is_stripped() {
        for tunnel in &TUNNELS {
            let packet = [header(tunnel, Node::One), b"inner".to_vec()].concat();
            assert_eq!(strip(&packet), Some((tunnel.vni, &b"inner"[..])));
        }
    }

    #[test]
    fn short_and_foreign_payloads_are_refused() {
        let packet = header(&TUNNELS[0], Node::One);
        assert!((0..packet.len()).all(|length| strip(&packet[..length]).is_none()));
        let version_1 = [&[0x42], &packet[1..]].concat();
        assert_eq!(strip(&version_1), None);
    }
}

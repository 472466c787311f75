//! What a router between the nodes does with a packet that is too long for its next hop: it refuses it, or cuts it.
//!
//! Frames of the demo's own nodes: no VLAN tags, no IP options.

const ETHERNET_BYTES: usize = 14;
const IPV4_BYTES: usize = 20;
const IPV6_BYTES: usize = 40;
/// As much of the packet as is quoted (RFC 1812 §4.3.2.3).
const QUOTE_BYTES: usize = 520;
/// The router's own addresses.
const ADDRESS_V4: [u8; 4] = [192, 0, 2, 254];
const ADDRESS_V6: [u8; 16] = [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xfe];

/// The frame that tells the sender of `frame` which MTU it has to keep to (RFC 1191, RFC 4443 §3.2).
pub(super) fn refusal(frame: &[u8], mtu_bytes: usize) -> Option<Vec<u8>> {
    let packet = frame.get(ETHERNET_BYTES..)?;
    let quote = &packet[..packet.len().min(QUOTE_BYTES)];
    let mtu = u32::try_from(mtu_bytes).ok()?.to_be_bytes();
    let answer = match frame.get(12..14)? {
        [0x08, 0x00] => {
            let mut message = [&[3, 4, 0, 0][..], &mtu, quote].concat();
            let sum = checksum(&[&message]);
            message[2..4].copy_from_slice(&sum);
            let total = u16::try_from(IPV4_BYTES + message.len()).ok()?.to_be_bytes();
            let mut header = [0x45, 0, total[0], total[1], 0, 0, 0, 0, 64, 1, 0, 0].to_vec();
            header.extend_from_slice(&ADDRESS_V4);
            header.extend_from_slice(packet.get(12..16)?);
            seal(&mut header);
            [header, message].concat()
        }
        [0x86, 0xdd] => {
            let mut message = [&[2, 0, 0, 0][..], &mtu, quote].concat();
            let length = u16::try_from(message.len()).ok()?.to_be_bytes();
            let ends = [&ADDRESS_V6, packet.get(8..24)?].concat();
            let sum = checksum(&[&ends, &[0, 0, length[0], length[1], 0, 0, 0, 58], &message]);
            message[2..4].copy_from_slice(&sum);
            let header = [&[0x60, 0, 0, 0, length[0], length[1], 58, 64][..], &ends].concat();
            [header, message].concat()
        }
        _ => return None,
    };
    Some([frame.get(6..12)?, frame.get(..6)?, frame.get(12..14)?, &answer].concat())
}

/// The frame as two fragments that fit, whatever DF says; nothing for what only its sender may cut (IPv6).
pub(super) fn cut(frame: &[u8], mtu_bytes: usize) -> Option<[Vec<u8>; 2]> {
    if frame.get(12..14)? != [0x08, 0x00] {
        return None;
    }
    let (head, payload) = frame.split_at_checked(ETHERNET_BYTES + IPV4_BYTES)?;
    let at = (mtu_bytes - IPV4_BYTES) / 8 * 8;
    let (first, second) = payload.split_at_checked(at)?;
    let fragment = |payload: &[u8], offset: usize, more: u16| {
        let mut bytes = head.to_vec();
        let header = &mut bytes[ETHERNET_BYTES..];
        header[2..4].copy_from_slice(&((IPV4_BYTES + payload.len()) as u16).to_be_bytes());
        header[6..8].copy_from_slice(&(more | (offset / 8) as u16).to_be_bytes());
        seal(header);
        bytes.extend_from_slice(payload);
        bytes
    };
    Some([fragment(first, 0, 0x2000), fragment(second, at, 0)])
}

/// Whether the frame is longer than an IP packet of `mtu_bytes`.
pub(super) fn is_too_long(frame: &[u8], mtu_bytes: usize) -> bool {
    frame.len() > ETHERNET_BYTES + mtu_bytes.max(IPV6_BYTES)
}

/// Writes the checksum of an IPv4 header.
fn seal(header: &mut [u8]) {
    header[10..12].copy_from_slice(&[0, 0]);
    let sum = checksum(&[header]);
    header[10..12].copy_from_slice(&sum);
}

/// The Internet checksum (RFC 1071) of parts of even length, but for the last.
fn checksum(parts: &[&[u8]]) -> [u8; 2] {
    let words = parts.iter().flat_map(|part| part.chunks(2));
    let mut sum: u32 = words.map(|word| u32::from(word[0]) << 8 | u32::from(word.get(1).copied().unwrap_or(0))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (!(sum as u16)).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(length_bytes: usize) -> Vec<u8> {
        let mut frame = [&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x08, 0x00][..], &[0x45, 0, 0, 0]].concat();
        frame.extend_from_slice(&[0x12, 0x34, 0x40, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
        frame.resize(ETHERNET_BYTES + length_bytes, 0xa5);
        frame[16..18].copy_from_slice(&(length_bytes as u16).to_be_bytes());
        seal(&mut frame[ETHERNET_BYTES..ETHERNET_BYTES + IPV4_BYTES]);
        frame
    }

    #[test]
    fn a_refusal_goes_back_with_the_mtu_and_right_checksums() {
        let refusal = refusal(&frame(1500), 1400).unwrap();
        assert_eq!(&refusal[..12], &[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2]);
        let packet = &refusal[ETHERNET_BYTES..];
        assert_eq!(checksum(&[&packet[..IPV4_BYTES]]), [0, 0]);
        assert_eq!(checksum(&[&packet[IPV4_BYTES..]]), [0, 0]);
        assert_eq!((&packet[16..22], &packet[26..28]), (&[192, 0, 2, 1, 3, 4][..], &1400_u16.to_be_bytes()[..]));
    }

    #[test]
    fn fragments_fit_and_hold_everything() {
        let whole = frame(1500);
        let [first, second] = cut(&whole, 1400).unwrap();
        assert!(!is_too_long(&first, 1400) && is_too_long(&whole, 1400));
        let payload = ETHERNET_BYTES + IPV4_BYTES;
        assert_eq!([&first[payload..], &second[payload..]].concat(), whole[payload..]);
        assert_eq!((&first[20..22], &second[20..22]), (&[0x20, 0][..], &[0, 172][..]));
        for fragment in [first, second] {
            assert_eq!(checksum(&[&fragment[ETHERNET_BYTES..payload]]), [0, 0]);
        }
    }
}

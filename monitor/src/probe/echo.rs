//! ICMP and ICMPv6 echo messages that carry the number of a probe.

/// Length of the header: type, code, checksum, identifier, sequence number (RFC 792, RFC 4443 §4).
pub(super) const HEADER_BYTES: usize = 8;

/// Types of request and reply.
pub(super) fn kinds(is_v4: bool) -> [u8; 2] {
    if is_v4 { [8, 0] } else { [128, 129] }
}

/// Makes a request of the bytes of a message, whose payload is there already. The kernel adds ICMPv6's checksum.
pub(super) fn request(message: &mut [u8], is_v4: bool, identifier: u16, sequence: u16) {
    let [identifier, sequence] = [identifier, sequence].map(u16::to_be_bytes);
    let [kind, _] = kinds(is_v4);
    message[..HEADER_BYTES].copy_from_slice(&[kind, 0, 0, 0, identifier[0], identifier[1], sequence[0], sequence[1]]);
    if is_v4 {
        let sum = checksum(message);
        message[2..4].copy_from_slice(&sum);
    }
}

/// The sequence number, if the message is of this type and has this identifier.
pub(super) fn sequence(message: &[u8], kind: u8, identifier: u16) -> Option<u16> {
    let &[its_kind, 0, _, _, i0, i1, s0, s1, ..] = message else { return None };
    (its_kind == kind && u16::from_be_bytes([i0, i1]) == identifier).then(|| u16::from_be_bytes([s0, s1]))
}

/// An IPv4 packet without its header.
pub(super) fn behind_ipv4(packet: &[u8]) -> Option<&[u8]> {
    packet.get(usize::from(packet.first()? & 0xf) * 4..)
}

/// The Internet checksum (RFC 1071).
fn checksum(bytes: &[u8]) -> [u8; 2] {
    let word = |pair: &[u8]| u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0));
    let mut sum: u32 = bytes.chunks(2).map(word).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (!(sum as u16)).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_known_by_its_numbers_and_sums_up_to_zero() {
        let mut message = [&[0; HEADER_BYTES][..], b"odd"].concat();
        request(&mut message, true, 0x1234, 7);
        assert_eq!(checksum(&message), [0, 0]);
        assert_eq!(sequence(&message, 8, 0x1234), Some(7));
        assert_eq!((sequence(&message, 0, 0x1234), sequence(&message, 8, 1)), (None, None));
        assert_eq!(sequence(&message[..7], 8, 0x1234), None);
    }

    #[test]
    fn options_of_the_ip_header_are_passed_over() {
        assert_eq!(behind_ipv4(&[&[0x46; 24][..], b"rest"].concat()), Some(&b"rest"[..]));
        assert_eq!((behind_ipv4(&[]), behind_ipv4(&[0x45])), (None, None));
    }
}

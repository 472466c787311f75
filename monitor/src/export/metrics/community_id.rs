//! Community ID 1.0: one name for a flow that other tools (Zeek, Suricata, Wireshark) give it too.
//! <https://github.com/corelight/community-id-spec>

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

use crate::snapshot::Flow;

/// The name of a flow, of either direction, with seed 0. Of an echo the type and its answer's are the ports; its identifier
/// is no part of it.
pub(super) fn community_id(flow: &Flow) -> String {
    let ports = match flow.protocol {
        1 => (8, 0),
        58 => (128, 129),
        _ => (flow.src_port, flow.dst_port),
    };
    let (one, other) = ((bytes(flow.src), ports.0), (bytes(flow.dst), ports.1));
    let (low, high) = if one <= other { (one, other) } else { (other, one) };
    let mut hash = Sha1::new();
    hash.update([0, 0]);
    hash.update(&low.0);
    hash.update(&high.0);
    hash.update([flow.protocol, 0]);
    hash.update(low.1.to_be_bytes());
    hash.update(high.1.to_be_bytes());
    format!("1:{}", STANDARD.encode(hash.finalize()))
}

fn bytes(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(src: &str, src_port: u16, dst: &str, dst_port: u16, protocol: u8) -> Flow {
        Flow { src: src.parse().unwrap(), src_port, dst: dst.parse().unwrap(), dst_port, protocol }
    }

    /// As tshark 4.0.17 tells them of the captures in tests/captures.
    #[test]
    fn flows_have_the_names_that_other_tools_give_them() {
        let tcp = flow("10.101.0.1", 36266, "10.101.0.2", 8080, 6);
        let back = flow("10.101.0.2", 8080, "10.101.0.1", 36266, 6);
        assert_eq!(community_id(&tcp), "1:W6z0Kl2dZOukArW06YbK8l9RIwQ=");
        assert_eq!(community_id(&back), community_id(&tcp));
        let echo = flow("fd10:102::1", 77, "fd10:102::2", 77, 58);
        assert_eq!(community_id(&echo), "1:2JEJDYX+hjtnyvpLHV+Hfg6rqYw=");
    }
}

use monitor_common::frame::{Direction, Frame};
use monitor_common::packet;
use monitor_common::wire::geneve::Ports;

use super::*;
use crate::inventory::{Facts, Kind, Name};

/// Ethernet, IPv4 192.0.2.1 to 192.0.2.2, UDP 50000 to 6081, Geneve VNI 1000 with OVN's option (ports 11 and 21),
/// Ethernet, IPv4 10.0.0.1 to 10.0.0.2, ICMP echo request.
const PING: &str = "0200000000020200000000010800 450000560000400040110000c0000201c0000202 c35017c100420000 \
    02406558 0003e800 01028001000b0015 \
    0a00000000020a00000000010800 4500001c0000000040010000 0a000001 0a000002 0800 0000 0007 0009";

fn line_of(text: &str, captured: usize) -> serde_json::Value {
    let digits: Vec<u32> = text.chars().filter_map(|digit| digit.to_digit(16)).collect();
    let bytes: Vec<u8> = digits.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect();
    let original_length = bytes.len() as u32;
    let record = Record { timestamp_ns: 5, original_length, bytes: &bytes[..captured.min(bytes.len())] };
    let mut frame = Frame::new(1, Direction::Rx, original_length);
    frame.captured = record.bytes.len() as u32;
    let mut packet = Packet::default();
    packet::parse(record.bytes, &frame, Ports::new(&[6081]), &mut packet);
    serde_json::to_value(line(&packet, &record, 1, &names())).unwrap()
}

/// One of the ports of VNI 1000 has a name; another VNI has the same keys.
fn names() -> Inventory {
    let ports = [((1000, 21), "web"), ((1001, 11), "db")].map(|(key, name)| (key, Name::new(name)));
    let mut names = Inventory::default();
    names.tell(Kind::OvnSb, Facts { ports: ports.into(), ..Facts::default() });
    names
}

#[test]
fn a_ping_is_told_field_by_field() {
    let line = line_of(PING, 999);
    let expected = serde_json::json!({
        "schema": "tunmon.packet/v1", "frame": 1, "ts_ns": 5, "length_bytes": 100, "captured_bytes": 100,
        "class": "geneve", "error": null,
        "outer": {"vlans": [], "src": "192.0.2.1", "dst": "192.0.2.2", "ttl": 64, "df": true, "id": 0,
            "ip_length_bytes": 86, "protocol": 17, "src_port": 50000, "dst_port": 6081, "udp_length_bytes": 66,
            "checksum_zero": true, "fragment": null},
        "geneve": {"version": 0, "control": false, "critical": true, "protocol": "0x6558", "vni": 1000,
            "overhead_bytes": 58, "options_bytes": 8,
            "options": [{"class": "0x0102", "type": "0x80", "critical": true, "data": "000b0015"}]},
        "ovn": {"ingress_port": 11, "egress_port": 21, "egress_name": "web"},
        "inner": {"src_mac": "0a:00:00:00:00:01", "dst_mac": "0a:00:00:00:00:02", "vlans": [], "ethertype": "0x0800",
            "src": "10.0.0.1", "dst": "10.0.0.2", "protocol": 1, "ip_length_bytes": 28, "df": false, "fragment": null,
            "icmp": {"type": 8, "code": 0, "id": 7, "sequence": 9}},
    });
    assert_eq!(line, expected);
}

#[test]
fn what_was_not_read_is_not_told() {
    let line = line_of(PING, 80);
    assert_eq!((&line["class"], &line["captured_bytes"]), (&"geneve".into(), &80.into()));
    assert_eq!(line["error"], "not captured: inner ipv4");
    assert!(line["inner"].get("src").is_none() && line["geneve"].get("overhead_bytes").is_none());
    assert_eq!(line["inner"]["ethertype"], "0x0800");
}

#[test]
fn a_malformed_packet_says_why_and_where() {
    let line = line_of(&PING.replace("17c10042", "17c10043"), 999);
    assert_eq!((&line["class"], &line["error"]), (&"malformed".into(), &"udp_length (invalid: outer udp)".into()));
    assert!(line.get("geneve").is_none());
    let arp = line_of("ffffffffffff0200000000010806 0001080006040001", 999);
    assert_eq!((&arp["class"], &arp["outer"]), (&"other".into(), &serde_json::json!({"vlans": [], "fragment": null})));
}

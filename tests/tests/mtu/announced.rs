//! What routers say about tunnel packets whose sender this host's kernel does not know: a datapath in user space, say.

use std::process::Command;

use serde_json::Value;
use tests::bench::packets::{NODE, PEER, ethernet_v4, icmp, ipv4, tunnelled};
use tests::raw::{self, How};
use tests::tunmon::Tunmon;
use tests::{needs, netns, process, tunmon};

use super::support::{path, peer};

const ROUTER: [u8; 4] = [203, 0, 113, 1];
const LONG: usize = 1400;

/// A packet of this node's that was too long for the router.
fn lost() -> Vec<u8> {
    tunnelled(&ethernet_v4(&ipv4(17, 0, [[10, 0, 0, 1], [10, 0, 0, 2]], &[0; LONG])))
}

/// The only peer after a router has said so of that packet, in the summary.
fn told(mtus: &[u16]) -> Option<Value> {
    if let Some(reason) = tunmon::missing(&[needs::NETWORK]) {
        needs::skip(&reason);
        return None;
    }
    let [near, far] = netns::cable("d0").unwrap();
    let tunmon = Tunmon::start(&near, "d0", "--interval 200ms").unwrap();
    raw::send(&near, "d0", &[ethernet_v4(&lost())], How::Whole).unwrap();
    let error = |mtu: &u16| {
        let [high, low] = mtu.to_be_bytes();
        ethernet_v4(&ipv4(1, 0, [ROUTER, NODE], &icmp(3, 4, [0, 0, high, low], &lost()[..200])))
    };
    raw::send(&far, "d0", &mtus.iter().map(error).collect::<Vec<_>>(), How::Whole).unwrap();
    let report = tunmon.stop().unwrap();
    report.summary().unwrap().check_identities().unwrap();
    let peer = peer(report.records.last().unwrap()).clone();
    assert_eq!(peer["peer"], std::net::Ipv4Addr::from(PEER).to_string());
    assert_eq!(peer["route"], Value::Null, "nothing here has an address");
    Some(peer)
}

#[test]
fn the_least_that_routers_announce_is_the_paths_mtu() {
    let Some(peer) = told(&[1350, 1300, 1400]) else { return };
    assert_eq!(path(&peer), (1300, "icmp", Some(1250)), "{peer}");
}

#[test]
fn an_mtu_that_is_too_small_or_takes_the_lost_packet_is_not_believed() {
    let length = lost().len() as u16;
    let Some(peer) = told(&[0, 68, 551, length, 9000]) else { return };
    assert_eq!(path(&peer), (1500, "device", Some(1450)), "{peer}");
    assert_eq!(peer["icmp_mtu_bytes"], Value::Null);
}

#[test]
fn a_capture_tells_of_the_way_what_routers_have_said_in_it() {
    if let Some(reason) = tunmon::not_built() {
        return needs::skip(&reason);
    }
    let read = |name: &str| {
        let file = format!("{}/fixtures/captures/{name}", env!("CARGO_MANIFEST_DIR"));
        let mut command = Command::new(tunmon::binary().unwrap());
        let text = process::run(command.args(["read", &file, "-o", "json"])).unwrap();
        let summary: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        assert_eq!(summary["mtu_bytes"], Value::Null);
        peer(&summary).clone()
    };
    let narrow = read("ovs_oversize_df_icmp.pcap");
    assert_eq!(path(&narrow), (1400, "icmp", Some(1350)), "{narrow}");
    let silent = read("ovs_ping_vni100.pcap");
    for name in ["path_mtu_bytes", "path_mtu_source", "recommended_inner_mtu_bytes", "unused_inner_bytes", "route"] {
        assert_eq!(silent[name], Value::Null, "{name}");
    }
}

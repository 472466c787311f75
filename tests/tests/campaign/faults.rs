//! Faults, each with the finding that names it.

use tests::lab::{OVN_VNIS, OVS_VNIS, Options};

use super::case::{self, Expected, Filter, TO_NODE_1, campaign, longer_than, told};
use super::traffic::Plan;

/// Four clients at a time; an answer fits into a connection's first flight, so that its last segment follows at once.
const PLAN: Plan = Plan { bytes: 5_000, clients: 4, ipv6: false };

const BLACK_HOLE: Expected = Expected { code: "TM101", vni: OVS_VNIS[0], direction: "tx", passes: None };

#[test]
fn black_holes_of_several_sizes_on_the_way_from_the_server() {
    let Some(lab) = case::ovs(Options::default()) else { return };
    for passes in [1400, 1300, 900] {
        campaign(&format!("black hole above {passes}, seen at the server's node"), || {
            let _filter = Filter::new(&lab, TO_NODE_1, &longer_than(passes, false));
            told(&lab, 2, 1, PLAN, Expected { passes: Some(passes.into()), ..BLACK_HOLE })
        });
    }
    campaign("black hole above 1400, seen at the client's node", || {
        let _filter = Filter::new(&lab, TO_NODE_1, &longer_than(1400, false));
        told(&lab, 1, 1, PLAN, Expected { direction: "rx", passes: Some(1400), ..BLACK_HOLE })
    });
    campaign("black hole above 1400 for packets of IPv6", || {
        let _filter = Filter::new(&lab, TO_NODE_1, &longer_than(1400, false));
        let plan = Plan { ipv6: true, ..PLAN };
        told(&lab, 2, 2, plan, Expected { vni: OVS_VNIS[1], passes: Some(1400), ..BLACK_HOLE })
    });
    campaign("one small path of two", || {
        let rule = format!("udp sport & 1 == 1 {}", longer_than(1400, false));
        let _filter = Filter::new(&lab, TO_NODE_1, &rule);
        told(&lab, 2, 1, Plan { clients: 12, ..PLAN }, BLACK_HOLE)
    });
}

#[test]
fn black_holes_of_an_underlay_of_ipv6() {
    let Some(lab) = case::ovs(Options { ipv6: true, ..Options::default() }) else { return };
    for (node, direction) in [(1, "rx"), (2, "tx")] {
        campaign(&format!("black hole above 1400, IPv6, seen at node {node}"), || {
            let _filter = Filter::new(&lab, TO_NODE_1, &longer_than(1400, true));
            told(&lab, node, 1, PLAN, Expected { direction, passes: Some(1400), ..BLACK_HOLE })
        });
    }
}

#[test]
fn a_router_that_tells_and_one_whose_errors_are_filtered() {
    let Some(lab) = case::ovs(Options { routed: true, ..Options::default() }) else { return };
    lab.fabric().ip(&["link set nd1 mtu 1400"]).unwrap();
    campaign("a router tells that its next hop takes 1400", || {
        told(&lab, 2, 1, PLAN, Expected { code: "TM102", direction: "", passes: Some(1400), ..BLACK_HOLE })
    });
    campaign("its errors are filtered", || {
        lab.fabric().run("nft add table ip f").unwrap();
        lab.fabric().run("nft add chain ip f c { type filter hook output priority 0 ; }").unwrap();
        lab.fabric().run("nft add rule ip f c icmp type destination-unreachable drop").unwrap();
        let told = told(&lab, 2, 1, PLAN, Expected { passes: Some(1400), ..BLACK_HOLE });
        lab.fabric().run("nft delete table ip f").unwrap();
        told
    });
    for vni in OVS_VNIS {
        lab.vsctl(2, &format!("set interface g{vni} options:df_default=false")).unwrap();
    }
    campaign("without DF the router cuts, and Open vSwitch takes no fragments", || {
        let tx = Expected { code: "TM104", direction: "tx", ..BLACK_HOLE };
        told(&lab, 2, 1, PLAN, tx)?;
        told(&lab, 1, 1, PLAN, Expected { direction: "rx", ..tx })
    });
}

#[test]
fn pods_whose_mtu_leaves_no_room_for_the_tunnel() {
    let Some(lab) = case::ovs(Options { pod_mtu: 1500, ..Options::default() }) else { return };
    campaign("the handshake foretells it", || {
        told(&lab, 1, 1, PLAN, Expected { code: "TM103", direction: "", ..BLACK_HOLE })
    });
}

#[test]
fn black_holes_of_ovn() {
    let Some(lab) = case::ovn(Options::default()) else { return };
    campaign("black hole above 1400, OVN", || {
        let _filter = Filter::new(&lab, TO_NODE_1, &longer_than(1400, false));
        told(&lab, 2, 1, PLAN, Expected { vni: OVN_VNIS[0], passes: Some(1400), ..BLACK_HOLE })
    });
}

//! Two real Open vSwitch nodes with the kernel's datapath. The topology is that of `Lab::ovs`, but for `eth0`, which holds
//! the node's underlay address.

use tests::lab::{DEVICE, Lab, OVS_VNIS, Options, Pod};
use tests::needs;
use tests::netns;
use tests::oracle::Way;
use tests::ping::Ping;
use tests::traffic;

use super::segments::cut_at;
use super::support;

/// The lab, in which nothing passes the tunnels that a test has not sent.
fn lab() -> Option<Lab> {
    let programs = needs::missing(&[needs::NETWORK, needs::OVS, &["tcpdump"]]);
    let modules = || ["openvswitch", "geneve"].iter().find_map(|name| needs::missing_module(name));
    if support::skip_for(programs.or_else(modules)) {
        return None;
    }
    let lab = Lab::ovs(Options { kernel: true, ..Options::default() }).unwrap();
    for pod in lab.pods() {
        pod.namespace.sysctl(&[("ipv6/conf/all/disable_ipv6", "1")]).unwrap();
        let other = lab.pod(&other(pod));
        let neighbour = format!("neigh replace {} lladdr {} dev {DEVICE} nud permanent", other.ipv4, other.mac);
        pod.namespace.ip(&[neighbour]).unwrap();
    }
    Some(lab)
}

fn other(pod: &Pod) -> String {
    format!("p{}{}", 3 - pod.node, &pod.name[2..])
}

#[test]
fn counts_of_two_kernel_ovs_nodes_equal_tcpdump_and_the_card() {
    const BYTES: usize = 1 << 19;
    let Some(lab) = lab() else { return };
    assert!(lab.appctl(1, "dpif/show").unwrap().contains("system@"), "this is not the kernel's datapath");
    cut_at(lab.node(1));
    cut_at(lab.node(2));
    let (near, far) = (lab.pod("p11"), lab.pod("p21"));
    let before = netns::traffic(&near.namespace, DEVICE).unwrap();
    let measured = support::measure([lab.node(1), lab.node(2)], DEVICE, "", || {
        echoes(&lab);
        traffic::tcp(&near.namespace, &far.namespace, far.ipv4.into(), BYTES, 1).unwrap();
    });
    let frames = netns::traffic(&near.namespace, DEVICE).unwrap().since(before).tx_packets;
    let own = lab.outer(1);
    for vni in OVS_VNIS {
        measured.assert_way_as_tcpdump(own, vni, Way::Transmit);
        // A request that leaves while another waits is not timed.
        let rtt = measured.summary.rtt(vni, "remote", "echo").expect("echo samples");
        assert!((1..=5).contains(&rtt.count), "VNI {vni}: {rtt:?}");
    }
    // On the first VNI the received packets of the connection are merged before tcpdump sees them.
    for vni in [OVS_VNIS[1], OVS_VNIS[2]] {
        measured.assert_way_as_tcpdump(own, vni, Way::Receive);
        assert_eq!(measured.counted(vni, Way::Receive).packets, 10, "VNI {vni}");
    }
    let [sent, received] = [Way::Transmit, Way::Receive].map(|way| measured.counted(OVS_VNIS[0], way).packets);
    assert!(frames < sent, "the pod sent {frames} frames, which were {sent} packets: there was no super-frame");
    // Neighbour probes of the underlay are no tunnel packets, and pass too.
    let passed = measured.far.rx_packets + measured.far.tx_packets;
    assert_eq!(measured.summary.accounting.seen, passed, "sent {sent}, received {received}");
}

/// Five echoes from each pod of node1 and of node2 to its partner.
fn echoes(lab: &Lab) {
    for network in 1..=OVS_VNIS.len() {
        let (near, far) = (lab.pod(&format!("p1{network}")), lab.pod(&format!("p2{network}")));
        for (from, to) in [(near, far), (far, near)] {
            let ping = Ping { count: 5, payload_bytes: 1300, ..Ping::to(to.ipv4) };
            assert_eq!(ping.run(&from.namespace).unwrap().received, 5);
        }
    }
}

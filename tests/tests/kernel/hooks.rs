//! Every hook of this kernel takes the programs and sees each packet of a kernel Geneve device: native XDP, TCX, clsact.

use aya::programs::SchedClassifier;
use aya::programs::tc::{NlOptions, TcAttachOptions, TcAttachType, qdisc_add_clsact};
use aya::util::KernelVersion;
use monitor::bpf::{Kernel, Sizes, load};
use tests::netns::{self, End, Namespace};
use tests::oracle::Way;
use tests::ping::Ping;

use super::nodes::{self, DEVICE, Nodes, VNI, Wire};
use super::support::{self, Measured};

/// Echoes of several sizes both ways, with inner fragments, one after the other.
fn echoes(nodes: &Nodes) {
    for (from, to) in [(1, 2), (2, 1)] {
        for payload_bytes in [0, 1400, 4000] {
            let ping = Ping { payload_bytes, count: 5, ..Ping::to(nodes::inner(to)) };
            assert_eq!(ping.run(nodes.node(from)).unwrap().received, 5, "{payload_bytes} bytes");
        }
    }
}

/// Watches node1 during echoes: the counts are those that must be, tcpdump's, and those of node2's card.
fn watch(nodes: &Nodes, ingress: &str) -> Measured {
    let arguments = format!("--ingress {ingress}");
    let measured = support::measure([&nodes.one, &nodes.two], DEVICE, &arguments, || echoes(nodes));
    measured.assert_as_tcpdump(nodes::outer(1), &[VNI]);
    // Five echoes of one packet for each of two sizes, and of three fragments; asked and answered, from both ends.
    let packets = 2 * 5 * (2 + 3);
    assert_eq!(measured.counted(VNI, Way::Receive).packets, packets);
    assert_eq!(measured.counted(VNI, Way::Transmit).packets, packets);
    assert_eq!(measured.far, netns::Traffic { rx_packets: packets, tx_packets: packets });
    measured
}

/// TCX came with Linux 6.6.
fn tc() -> &'static str {
    if KernelVersion::current().unwrap() >= KernelVersion::new(6, 6, 0) { "tcx" } else { "clsact" }
}

#[test]
fn native_xdp_on_veth_sees_each_packet() {
    let Some(nodes) = Nodes::create(Wire::Veth) else { return };
    assert_eq!(watch(&nodes, "xdp").hooks(), ["xdp", tc()]);
}

#[test]
fn native_xdp_on_virtio_sees_each_packet() {
    let Some(nodes) = Nodes::create(Wire::Virtio) else { return };
    assert_eq!(watch(&nodes, "xdp").hooks(), ["xdp", tc()]);
}

#[test]
fn the_kernels_tc_hook_on_veth_sees_each_packet() {
    let Some(nodes) = Nodes::create(Wire::Veth) else { return };
    assert_eq!(watch(&nodes, "tc").hooks(), [tc(), tc()]);
}

/// tunmon itself takes clsact only where there is no TCX; the programs must not care.
#[test]
fn clsact_takes_the_programs_on_any_kernel() {
    if support::skip_for(tests::needs::missing(&[tests::needs::NETWORK])) {
        return;
    }
    let [one, two] = ["one", "two"].map(|label| Namespace::create(label).unwrap());
    for namespace in [&one, &two] {
        namespace.sysctl(&[("ipv6/conf/default/disable_ipv6", "1")]).unwrap();
    }
    let addresses = ["192.168.61.1/24", "192.168.61.2/24"].map(|address| [address.to_owned()]);
    let end = |namespace, index: usize| End { addresses: &addresses[index], ..End::bare(namespace, DEVICE) };
    netns::veth(end(&one, 0), end(&two, 1), 1500).unwrap();
    let before = netns::traffic(&one, DEVICE).unwrap();

    let mut kernel = Kernel::load(&[6081], Sizes::new(2, 2, 2, load::processors().unwrap()), 0).unwrap();
    let inside = one.enter().unwrap();
    qdisc_add_clsact(DEVICE).unwrap();
    for (name, hook) in [("tunmon_tc_rx", TcAttachType::Ingress), ("tunmon_tc_tx", TcAttachType::Egress)] {
        let program: &mut SchedClassifier = kernel.program_mut(name).unwrap().try_into().unwrap();
        program.attach_with_options(DEVICE, hook, TcAttachOptions::Netlink(NlOptions::default())).unwrap();
    }
    let device = monitor::device::Device::named(DEVICE).unwrap();
    drop(inside);
    assert_eq!(Ping::to(std::net::Ipv4Addr::new(192, 168, 61, 2)).run(&one).unwrap().received, 5);
    let after = netns::traffic(&one, DEVICE).unwrap();
    let seen: u64 = kernel.totals(device.index).unwrap().classes.iter().flatten().sum();
    let passed = after.since(before);
    assert_eq!(seen, passed.rx_packets + passed.tx_packets);
    assert!(seen >= 10, "{seen}");
}

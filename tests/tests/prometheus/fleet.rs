//! The fleet's matrices of three nodes, of which one receives a part of another's packets only.
//!
//! ```text
//!   node1: eth0 ── p1 ┐
//!   node2: eth0 ── p2 ├ bridge: of the packets from p1 to p3 one in five is lost
//!   node3: eth0 ── p3 ┘
//! ```

use std::fs;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use tests::frame::parts::{Geneve, Ipv4, ethernet, icmp, udp};
use tests::lab::DEVICE;
use tests::netns::{End, Namespace, veth};
use tests::raw::Sender;
use tests::tunmon::Tunmon;
use tests::wait;

use super::server::{SOON, Server, connect, is_possible, repository};

const NODES: [u8; 3] = [1, 2, 3];
const VNI: u32 = 77;

/// Three nodes at a bridge.
struct World {
    nodes: Vec<Namespace>,
    bridge: Namespace,
}

fn mac(node: u8) -> [u8; 6] {
    [2, 0, 0, 0, 0, node]
}

impl World {
    fn create() -> Self {
        let bridge = Namespace::create("bridge").unwrap();
        bridge.ip(&["link add br0 type bridge", "link set br0 up"]).unwrap();
        let nodes = NODES.map(|number| {
            let node = Namespace::create("node").unwrap();
            node.sysctl(&[("ipv6/conf/default/disable_ipv6", "1")]).unwrap();
            let (port, own) = (format!("p{number}"), format!("02:00:00:00:00:0{number}"));
            let end = End { mac: Some(&own), ..End::bare(&node, DEVICE) };
            veth(end, End::bare(&bridge, &port), 1500).unwrap();
            bridge.ip(&[format!("link set {port} master br0")]).unwrap();
            // The bridge knows where everybody is: nothing is flooded.
            bridge.run(&format!("bridge fdb replace {own} dev {port} master static")).unwrap();
            node
        });
        Self { nodes: nodes.into(), bridge }
    }

    /// From now on one in five packets from node 1 to node 3 is lost.
    fn lose(&self) {
        self.bridge.run("nft add table bridge t").unwrap();
        self.bridge.run("nft add chain bridge t c { type filter hook forward priority 0 ; }").unwrap();
        self.bridge.run("nft add rule bridge t c iifname p1 oifname p3 numgen random mod 5 0 drop").unwrap();
    }

    /// Every node asks every other one, and is answered, until told to stop.
    fn talk(&self, is_over: &AtomicBool) {
        let senders: Vec<Sender> = self.nodes.iter().map(|node| Sender::open(node, DEVICE).unwrap()).collect();
        let pairs = || NODES.iter().flat_map(|from| NODES.iter().map(move |to| (*from, *to))).filter(|(a, b)| a != b);
        for sequence in 0u16.. {
            if is_over.load(Ordering::Relaxed) {
                return;
            }
            for (from, to) in pairs() {
                senders[usize::from(from) - 1].send(&frame(from, to, 8, sequence)).unwrap();
                senders[usize::from(to) - 1].send(&frame(to, from, 0, sequence)).unwrap();
            }
            thread::sleep(Duration::from_millis(3));
        }
    }
}

/// An echo packet from one node to another.
fn frame(from: u8, to: u8, kind: u8, sequence: u16) -> Vec<u8> {
    let pod = |number| Ipv4Addr::new(10, 0, 0, number);
    let node = |number| Ipv4Addr::new(192, 0, 2, number);
    // Each pair of nodes has an identifier of its own, by who asks.
    let asker = if kind == 8 { from * 8 + to } else { to * 8 + from };
    let echo = icmp(kind, 0, u32::from(asker) << 16 | u32::from(sequence), b"0123456789abcdef");
    let inner = ethernet(&[], 0x0800, &Ipv4::new(pod(from), pod(to), 1).over(&echo));
    let tunnel = udp(50_000, 6081, &Geneve::new(VNI).over(&inner));
    let mut frame = ethernet(&[], 0x0800, &Ipv4::new(node(from), node(to), 17).over(&tunnel));
    frame[..6].copy_from_slice(&mac(to));
    frame[6..12].copy_from_slice(&mac(from));
    frame
}

/// The rules with windows of seconds, for nobody waits for minutes here.
fn quick_rules() -> String {
    let rules = fs::read_to_string(repository("deploy/prometheus/tunmon-rules.yaml")).unwrap();
    let quick = rules.replace("5m])", "20s])").replace("> 330", "> 30").replace("for: 5m", "for: 3s");
    assert!(quick.matches("20s])").count() >= 8, "the rules have other windows");
    // In so short a time scrapes at different moments make a difference of a few in a hundred.
    quick.replace("tunmon:underlay_loss:ratio5m > 0.01", "tunmon:underlay_loss:ratio5m > 0.06")
}

#[test]
fn the_fleet_view_tells_which_way_loses_packets() {
    if !is_possible(&[&["nft", "bridge"]]) {
        return;
    }
    let world = World::create();
    let watcher = Namespace::create("watcher").unwrap();
    watcher.ip(&["link set lo up"]).unwrap();
    let names = tests::scratch::Scratch::create("names").unwrap();
    let file = names.path().join("names.json");
    let nodes =
        NODES.map(|node| serde_json::json!({"address": format!("192.0.2.{node}"), "name": format!("node{node}")}));
    fs::write(&file, serde_json::json!({ "nodes": nodes }).to_string()).unwrap();
    let targets: Vec<String> =
        NODES.map(|node| connect(&watcher, &world.nodes[usize::from(node) - 1], node.into())).into();
    let watch = |(node, target): (&Namespace, &String)| {
        let arguments = format!("--listen {target} --interval 1s --peer-buckets --names {}", file.display());
        Tunmon::start(node, DEVICE, &arguments).unwrap()
    };
    let tunmons: Vec<Tunmon> = world.nodes.iter().zip(&targets).map(watch).collect();
    let server = Server::start(&watcher, 9090, &targets, "native-histograms", Some(&quick_rules()));
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| world.talk(&is_over));
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| check(&world, &server)));
        is_over.store(true, Ordering::Relaxed);
        result.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
    for tunmon in tunmons {
        tunmon.stop().unwrap().summary().unwrap().check_identities().unwrap();
    }
}

fn check(world: &World, server: &Server<'_>) {
    let loss = "tunmon:fleet_underlay_loss:ratio5m";
    server.until(&format!("count({loss} < 0.06)"), 6.0);
    server.until("count(tunmon:fleet_rtt_seconds:p99_5m > 0)", 6.0);
    let rows = server.query("tunmon:fleet_rtt_seconds:p99_5m");
    assert!(rows.iter().any(|(row, _)| row["source"] == "node2" && row["destination"] == "node3"), "{rows:?}");
    server.until("count(tunmon:fleet_path_mtu_bytes:min == 1500)", 6.0);
    // Pending it may be for a moment, while windows fill; that is what it waits for.
    assert_eq!(server.query("ALERTS{alertname=\"TunmonUnderlayLoss\",alertstate=\"firing\"}"), [], "healthy nodes");

    world.lose();
    let lossy = format!("{loss}{{source=\"node1\",destination=\"node3\"}}");
    wait::until("a loss of a fifth", SOON, || {
        Ok(server.value(&lossy).is_ok_and(|ratio| (0.15..0.25).contains(&ratio)).then_some(()))
    })
    .unwrap();
    server.until("count(ALERTS{alertname=\"TunmonUnderlayLoss\",alertstate=\"firing\"})", 1.0);
    let alerts = server.query("ALERTS{alertname=\"TunmonUnderlayLoss\",alertstate=\"firing\"}");
    let [(alert, _)] = alerts.as_slice() else { panic!("{alerts:?}") };
    assert_eq!((&alert["from"], &alert["to"], &alert["vni"]), (&"192.0.2.1".into(), &"192.0.2.3".into(), &"77".into()));
    server.until(&format!("count({loss} < 0.06)"), 5.0);
}

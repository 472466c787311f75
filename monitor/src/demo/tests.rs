//! The demo as a whole, on this machine's kernel. Needs root; the addresses are drawn in `topology`.

use std::{
    collections::BTreeSet,
    env, fs,
    io::{BufRead, BufReader},
    os::unix::fs::MetadataExt,
    path::PathBuf,
    process::{Command, Stdio, id},
    thread,
    time::{Duration, Instant},
};

use super::{traffic::echo::Pinger, *};

const PATIENCE: Duration = Duration::from_millis(300);

fn is_root(test: &str) -> bool {
    let root = fs::metadata("/proc/self").unwrap().uid() == 0;
    if !root {
        eprintln!("SKIPPED: {test} needs root");
    }
    root
}

impl Demo {
    /// Echo times from the pod on node 1 to the one on node 2; nothing for a lost one.
    fn ping(&self, index: usize, family: Family, payload_bytes: usize, count: usize) -> Vec<Option<Duration>> {
        let target = TUNNELS[index].pod(Node::Two, family);
        let work = || {
            let mut pinger = Pinger::open(target)?;
            Ok((0..count).map(|_| pinger.ping(payload_bytes, PATIENCE)).collect())
        };
        self.nodes[0].pods[index].run(work).unwrap()
    }

    fn fastest_ping(&self) -> Duration {
        self.ping(0, Family::V4, 56, 10).into_iter().flatten().min().unwrap()
    }

    fn passes(&self, index: usize, family: Family, payload_bytes: usize) -> bool {
        self.ping(index, family, payload_bytes, 3).iter().any(Option::is_some)
    }

    /// A counter of the pod on `node`: `Tcp RetransSegs` from IPv4's table or `Icmp6InEchoReplies` from IPv6's.
    fn counter(&self, node: usize, index: usize, name: &str) -> u64 {
        let read = |table: &str| Ok(fs::read_to_string(format!("/proc/thread-self/net/{table}"))?);
        let pod = &self.nodes[node].pods[index];
        if !name.contains(' ') {
            let text = pod.run(|| read("snmp6")).unwrap();
            let line = text.lines().find(|line| line.split_whitespace().next() == Some(name)).unwrap();
            return line.split_whitespace().nth(1).unwrap().parse().unwrap();
        }
        let text = pod.run(|| read("snmp")).unwrap();
        let (protocol, field) = name.split_once(' ').unwrap();
        let mut lines = text.lines().filter(|line| line.split(':').next() == Some(protocol));
        let column = lines.next().unwrap().split_whitespace().position(|word| word == field).unwrap();
        lines.next().unwrap().split_whitespace().nth(column).unwrap().parse().unwrap()
    }

    fn namespaces(&self) -> BTreeSet<String> {
        let all = self.nodes.iter().flat_map(|site| site.pods.iter().chain([&site.namespace]));
        all.map(|namespace| fs::read_link(namespace.path()).unwrap().to_string_lossy().into_owned()).collect()
    }
}

/// Payload of an echo request that makes an inner IP packet of `length_bytes`.
fn payload(family: Family, length_bytes: usize) -> usize {
    match family {
        Family::V4 => length_bytes - 20 - 8,
        Family::V6 => length_bytes - 40 - 8,
    }
}

/// Network namespaces that a thread of process `process` (a number or `self`) is in or holds open.
fn namespaces_of(process: &str) -> BTreeSet<String> {
    let entries = |path: String| fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    let inside = entries(format!("/proc/{process}/task")).map(|task| task.join("ns/net"));
    let links =
        entries(format!("/proc/{process}/fd")).chain(inside).filter_map(|path: PathBuf| fs::read_link(path).ok());
    links.map(|link| link.to_string_lossy().into_owned()).filter(|link| link.starts_with("net:[")).collect()
}

#[test]
fn every_tunnel_carries_both_families_up_to_its_mtu() {
    if !is_root("every_tunnel_carries_both_families_up_to_its_mtu") {
        return;
    }
    let start = Instant::now();
    let demo = Demo::start(Fault::None).unwrap();
    assert!(start.elapsed() < Duration::from_secs(3), "started in {:?}", start.elapsed());
    for (index, tunnel) in TUNNELS.iter().enumerate() {
        for family in Family::BOTH {
            for length_bytes in [100, usize::from(tunnel.mtu_bytes)] {
                let replies = demo.ping(index, family, payload(family, length_bytes), 3);
                assert!(
                    replies.iter().all(Option::is_some),
                    "VNI {} {family:?} {length_bytes}: {replies:?}",
                    tunnel.vni
                );
            }
        }
    }
    eprintln!("fastest echo {:?}", demo.fastest_ping());
}

#[test]
fn traffic_of_every_kind_flows_in_every_pod() {
    if !is_root("traffic_of_every_kind_flows_in_every_pod") {
        return;
    }
    let demo = Demo::start(Fault::None).unwrap();
    thread::sleep(Duration::from_secs(3));
    for node in 0..2 {
        for (index, tunnel) in TUNNELS.iter().enumerate() {
            for name in ["Tcp InSegs", "Udp InDatagrams", "Udp6InDatagrams", "Icmp InEchoReps", "Icmp6InEchoReplies"] {
                let count = demo.counter(node, index, name);
                assert!(count >= 3, "node {} VNI {}: {name} is {count}", node + 1, tunnel.vni);
            }
            assert!(demo.counter(node, index, "Tcp PassiveOpens") >= 3);
            assert_eq!(demo.counter(node, index, "Udp NoPorts"), 0);
        }
    }
    let [sent, again] = ["Tcp OutSegs", "Tcp RetransSegs"].map(|name| demo.counter(0, 1, name));
    assert!(sent > 500, "bulk traffic: {sent} segments");
    // Not zero: where the processors are overloaded, TCP takes a late answer for a lost one.
    assert!(again * 100 <= sent, "{again} of {sent} segments were sent again on a healthy underlay");
}

#[test]
fn latency_makes_echoes_20_ms_slower() {
    if !is_root("latency_makes_echoes_20_ms_slower") {
        return;
    }
    let healthy = Demo::start(Fault::None).unwrap().fastest_ping();
    let slow = Demo::start(Fault::Latency).unwrap().fastest_ping();
    eprintln!("fastest echo {healthy:?} healthy, {slow:?} with latency");
    assert!(slow >= Duration::from_millis(20), "{slow:?}");
    assert!(slow < healthy + Duration::from_millis(25), "{slow:?} after {healthy:?}");
}

#[test]
fn mtu_is_a_black_hole_for_large_packets() {
    if !is_root("mtu_is_a_black_hole_for_large_packets") {
        return;
    }
    let demo = Demo::start(Fault::MtuBlackhole).unwrap();
    for index in 0..TUNNELS.len() {
        for family in Family::BOTH {
            assert!(demo.passes(index, family, payload(family, 1300)));
            assert!(!demo.passes(index, family, payload(family, 1400)));
        }
    }
    assert!(demo.counter(0, 1, "Tcp RetransSegs") > 0);
}

#[test]
fn loss_loses_some_but_not_most() {
    if !is_root("loss_loses_some_but_not_most") {
        return;
    }
    let demo = Demo::start(Fault::Loss).unwrap();
    thread::sleep(Duration::from_secs(3));
    let replies = demo.ping(2, Family::V6, 56, 100);
    let lost = replies.iter().filter(|reply| reply.is_none()).count();
    let again = demo.counter(0, 1, "Tcp RetransSegs");
    eprintln!("{lost} of 100 echoes lost, {again} segments sent again");
    assert!((1..=30).contains(&lost), "{lost} of 100 lost");
    assert!(again > 0);
}

#[test]
fn enter_node_shows_the_underlay() {
    if !is_root("enter_node_shows_the_underlay") {
        return;
    }
    let demo = Demo::start(Fault::None).unwrap();
    // A thread of its own, since it stays in the node.
    let output = thread::scope(|scope| {
        let inside = scope.spawn(|| {
            demo.enter_node().unwrap();
            Command::new("ip").args(["-oneline", "addr", "show", "eth0"]).output().unwrap()
        });
        inside.join().unwrap()
    });
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("192.0.2.1/24") && text.contains("2001:db8::1/64"), "{text}");
    assert!(demo.description().contains(&format!("/proc/{}/fd/", id())));
}

#[test]
fn nothing_is_left_after_drop() {
    if !is_root("nothing_is_left_after_drop") {
        return;
    }
    let demo = Demo::start(Fault::Latency).unwrap();
    let ours = demo.namespaces();
    assert_eq!(ours.len(), 8);
    let start = Instant::now();
    drop(demo);
    eprintln!("dropped in {:?}", start.elapsed());
    assert!(start.elapsed() < Duration::from_secs(1));
    assert!(namespaces_of("self").is_disjoint(&ours));
}

#[test]
#[ignore = "the process that nothing_is_left_after_sigkill kills"]
fn a_demo_to_kill() {
    if !is_root("a_demo_to_kill") {
        return;
    }
    let demo = Demo::start(Fault::None).unwrap();
    println!("{}", demo.description());
    thread::sleep(Duration::from_secs(30));
}

#[test]
fn nothing_is_left_after_sigkill() {
    if !is_root("nothing_is_left_after_sigkill") {
        return;
    }
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "demo::tests::a_demo_to_kill", "--ignored", "--nocapture"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().starts_with("look inside")));
    let before = namespaces_of("self");
    let ours: BTreeSet<String> = namespaces_of(&child.id().to_string()).difference(&before).cloned().collect();
    assert_eq!(ours.len(), 8);
    child.kill().unwrap();
    child.wait().unwrap();
    for process in fs::read_dir("/proc").unwrap().flatten() {
        let process = process.file_name().to_string_lossy().into_owned();
        assert!(namespaces_of(&process).is_disjoint(&ours), "process {process} is still inside");
    }
    assert!(Demo::start(Fault::None).unwrap().passes(0, Family::V4, 56));
}

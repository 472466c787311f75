//! What a user is told, and what stays behind: errors with advice, silence with a hint, a demo that shows something.

use std::net::UdpSocket;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tests::needs;
use tests::netns::{self, End, Namespace};
use tests::process::{Process, output};
use tests::tunmon::{Tunmon, binary};
use tests::wait::until;

/// Two namespaces joined by the pairs `d0` (10.0.0.1/24 ─ 10.0.0.2/24) and `d1` (no addresses).
fn pair() -> Option<(Namespace, Namespace)> {
    if let Some(reason) = needs::missing(&[]) {
        needs::skip(&reason);
        return None;
    }
    let (near, far) = (Namespace::create("near").unwrap(), Namespace::create("far").unwrap());
    for device in ["d0", "d1"] {
        netns::veth(End::bare(&near, device), End::bare(&far, device), 1500).unwrap();
    }
    near.ip(&["addr add 10.0.0.1/24 dev d0"]).unwrap();
    far.ip(&["addr add 10.0.0.2/24 dev d0"]).unwrap();
    Some((near, far))
}

fn tunmon(namespace: &Namespace, arguments: &str) -> Output {
    tests::tunmon::run(namespace, arguments).unwrap()
}

fn error(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_missing_device_is_answered_with_those_that_exist() {
    let Some((near, _far)) = pair() else { return };
    let answer = tunmon(&near, "--iface nope");
    assert_eq!(answer.status.code(), Some(2));
    assert_eq!(error(&answer).lines().count(), 2, "{}", error(&answer));
    assert!(error(&answer).contains("nope") && error(&answer).contains("d0"), "{}", error(&answer));
}

#[test]
fn without_rights_there_is_advice_and_nothing_is_attached() {
    let Some((near, _far)) = pair() else { return };
    let mut powerless = near.command("setpriv");
    powerless.args(["--bounding-set=-all", binary().unwrap().to_str().unwrap(), "--iface", "d0"]);
    let answer = output(&mut powerless).unwrap();
    assert_eq!(answer.status.code(), Some(4), "{}", error(&answer));
    assert!(error(&answer).contains("CAP_BPF") && error(&answer).contains("sudo"), "{}", error(&answer));
}

#[test]
fn another_xdp_program_stays_and_is_named() {
    let Some((near, _far)) = pair() else { return };
    let first = Tunmon::start(&near, "d0", "").unwrap();
    let refused = tunmon(&near, "--iface d0 --ingress xdp");
    assert_eq!(refused.status.code(), Some(4));
    assert!(error(&refused).contains("another XDP program is attached: tunmon_xdp (id "), "{}", error(&refused));
    let second = tunmon(&near, "--iface d0 -o json --duration 100ms");
    let start: Value = serde_json::from_slice(second.stdout.split(|byte| *byte == b'\n').next().unwrap()).unwrap();
    assert_ne!(start["devices"][0]["ingress"], "xdp");
    assert!(start["devices"][0]["refused"][0].as_str().unwrap().contains("another XDP program"), "{start}");
    assert!(near.run("ip -d link show d0").unwrap().contains("xdp"), "the first one's program is gone");
    first.stop().unwrap().summary().unwrap().check_identities().unwrap();
}

#[test]
fn silence_is_told_with_the_device_that_carries_tunnels() {
    let Some((near, _far)) = pair() else { return };
    let is_over = AtomicBool::new(false);
    let answer = thread::scope(|scope| {
        scope.spawn(|| {
            let _inside = near.enter().unwrap();
            let socket = UdpSocket::bind("10.0.0.1:0").unwrap();
            while !is_over.load(Ordering::Relaxed) {
                let _ = socket.send_to(&[0; 64], "10.0.0.2:6081");
                thread::sleep(Duration::from_millis(50));
            }
        });
        let answer = tunmon(&near, "--iface d1 --duration 2500ms");
        is_over.store(true, Ordering::Relaxed);
        answer
    });
    assert!(error(&answer).contains("no tunnel packets (UDP 6081) on d1"), "{}", error(&answer));
    assert!(error(&answer).contains("tunmon --iface d0"), "{}", error(&answer));
}

#[test]
fn a_killed_tunmon_leaves_no_program_on_the_device() {
    let Some((near, _far)) = pair() else { return };
    let is_attached = || near.run("ip -d link show d0").unwrap().contains("xdp");
    let mut process =
        Process::spawn(near.command(binary().unwrap().to_str().unwrap()).args(["--iface", "d0", "-o", "quiet"]))
            .unwrap();
    until("the program is attached", Duration::from_secs(60), || Ok(is_attached().then_some(()))).unwrap();
    process.signal(libc::SIGKILL).unwrap();
    until("the program is gone", Duration::from_secs(1), || Ok((!is_attached()).then_some(()))).unwrap();
}

#[test]
fn a_signal_right_after_attaching_ends_the_run_in_order() {
    let Some((near, _far)) = pair() else { return };
    let is_attached = || near.run("ip -d link show d0").unwrap().contains("xdp");
    let mut command = near.command(binary().unwrap().to_str().unwrap());
    let child = command.args(["--iface", "d0", "-o", "json"]).stdout(Stdio::piped()).spawn().unwrap();
    until("the program is attached", Duration::from_secs(60), || Ok(is_attached().then_some(()))).unwrap();
    // SAFETY: the process is a child that nobody has waited for.
    assert_eq!(unsafe { libc::kill(child.id().cast_signed(), libc::SIGTERM) }, 0);
    let answer = child.wait_with_output().unwrap();
    assert!(answer.status.success(), "{:?}", answer.status);
    let last = answer.stdout.trim_ascii_end().split(|byte| *byte == b'\n').next_back().unwrap();
    assert_eq!(serde_json::from_slice::<Value>(last).unwrap()["schema"], "tunmon.summary/v1");
    assert!(!is_attached());
}

#[test]
fn the_demo_shows_every_network_with_its_latency() {
    if let Some(reason) = needs::missing(&[]) {
        return needs::skip(&reason);
    }
    for (fault, least) in [("none", 0.0), ("latency", 0.02)] {
        let mut demo = Command::new(binary().unwrap());
        demo.args(["demo", "--duration", "4s", "-o", "json", "--fault", fault]);
        let answer = output(&mut demo).unwrap();
        assert!(answer.status.success(), "{}", error(&answer));
        let last = answer.stdout.trim_ascii_end().split(|byte| *byte == b'\n').next_back().unwrap();
        let summary: Value = serde_json::from_slice(last).unwrap();
        assert_eq!(summary["schema"], "tunmon.summary/v1");
        assert_eq!(summary["vnis"].as_array().unwrap().len(), 3);
        for vni in summary["vnis"].as_array().unwrap() {
            let echo =
                vni["rtt"].as_array().unwrap().iter().find(|rtt| rtt["leg"] == "remote" && rtt["method"] == "echo");
            assert!(echo.unwrap()["min_seconds"].as_f64().unwrap() >= least, "{fault}: {vni}");
        }
    }
}

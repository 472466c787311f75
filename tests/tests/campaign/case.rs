//! One case: what is done to a lab, what passes through it, and what tunmon says.

use std::env;
use std::time::{Duration, Instant};

use serde_json::Value;
use tests::lab::{DEVICE, Lab, Options};
use tests::tunmon::Tunmon;
use tests::{needs, tunmon};

use super::traffic::{Downloads, Plan};

/// A fault is told in so many seconds, or it was missed.
const SOON: Duration = Duration::from_secs(10);
/// A healthy network is watched for so long.
const WATCHED: &str = "--duration 8s --interval 500ms";

/// What of a finding has to be right.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected {
    pub(super) code: &'static str,
    pub(super) vni: u32,
    /// Direction that the evidence names; empty: it names none.
    pub(super) direction: &'static str,
    /// The longest outer packet that passes, when the evidence tells lengths.
    pub(super) passes: Option<u64>,
}

/// Rules for packets on their way through the fabric, in the language of nft; `{}` of a chain is its device.
pub(super) const TO_NODE_2: &str = "nd1";
pub(super) const TO_NODE_1: &str = "nd2";

/// How often a case runs.
pub(super) fn rounds() -> usize {
    if env::var_os("TUNMON_FULL").is_some() { 10 } else { 1 }
}

/// A lab of Open vSwitch, or `None` after having said why there is none.
pub(super) fn ovs(options: Options) -> Option<Lab> {
    match tunmon::missing(&[needs::NETWORK, needs::OVS, &["nft"]]) {
        None => Some(Lab::ovs(options).unwrap()),
        Some(reason) => {
            needs::skip(&reason);
            None
        }
    }
}

/// A lab of OVN, or `None` after having said why there is none.
pub(super) fn ovn(options: Options) -> Option<Lab> {
    match tunmon::missing(&[needs::NETWORK, needs::OVS, needs::OVN, &["nft"]]) {
        None => Some(Lab::ovn(options).unwrap()),
        Some(reason) => {
            needs::skip(&reason);
            None
        }
    }
}

/// Drops what a rule of nft names where it enters the fabric by `port`, until dropped.
pub(super) struct Filter<'a> {
    lab: &'a Lab,
    port: &'static str,
}

impl<'a> Filter<'a> {
    pub(super) fn new(lab: &'a Lab, port: &'static str, rule: &str) -> Self {
        let fabric = lab.fabric();
        fabric.run(&format!("nft add table netdev {port}")).unwrap();
        let hook = format!("{{ type filter hook ingress device \"{port}\" priority 0 ; }}");
        fabric.run(&format!("nft add chain netdev {port} c {hook}")).unwrap();
        fabric.run(&format!("nft add rule netdev {port} c {rule}")).unwrap();
        Self { lab, port }
    }
}

impl Drop for Filter<'_> {
    fn drop(&mut self) {
        // The namespace may be gone, and the rule with it.
        let _ = self.lab.fabric().run(&format!("nft delete table netdev {}", self.port));
    }
}

/// The rule that drops outer packets longer than this.
pub(super) fn longer_than(bytes: u32, ipv6: bool) -> String {
    if ipv6 {
        format!("ip6 nexthdr udp ip6 length > {} drop", bytes - 40)
    } else {
        format!("ip protocol udp ip length > {bytes} drop")
    }
}

/// Watches node `node` while pods of `network` download, until what is expected is told; returns what is wrong.
pub(super) fn told(lab: &Lab, node: usize, network: usize, plan: Plan, expected: Expected) -> Result<(), String> {
    let tunmon = Tunmon::start(lab.node(node), DEVICE, "--interval 500ms");
    let mut tunmon = tunmon.map_err(|error| format!("{error:#}"))?;
    let started = Instant::now();
    let (client, server) = (lab.pod(&format!("p1{network}")), lab.pod(&format!("p2{network}")));
    let _traffic = Downloads::start(client, server, plan);
    let peer = lab.outer(3 - node).to_string();
    let is_it = |record: &Value| {
        record["schema"] == "tunmon.finding/v1"
            && (&record["code"], &record["vni"], &record["peer"]["ip"])
                == (&expected.code.into(), &expected.vni.into(), &peer.as_str().into())
    };
    let finding = tunmon.wait_for(expected.code, is_it).cloned().map_err(|error| format!("{error:#}"))?;
    let took = started.elapsed();
    let all = tunmon.stop().map_err(|error| format!("{error:#}"))?;
    check(&finding, expected)?;
    if took > SOON {
        return Err(format!("told after {took:?}: {finding}"));
    }
    let others: Vec<_> = all.of("tunmon.finding/v1").filter(|finding| is_other(finding, expected)).collect();
    if others.is_empty() { Ok(()) } else { Err(format!("besides: {others:?}")) }
}

/// Whether a finding has nothing to do with what is expected. A path that is told of is held against later handshakes,
/// fragments come without DF, and until their receiver complains (it does so once a second) it is a black hole.
fn is_other(finding: &Value, expected: Expected) -> bool {
    let belongs = match expected.code {
        "TM102" => &["TM102", "TM103"][..],
        "TM104" => &["TM101", "TM104", "TM106", "TM109"],
        "TM108" | "TM103" => &["TM103", "TM108"],
        code => &[code],
    };
    !belongs.iter().any(|code| finding["code"] == *code)
}

fn check(finding: &Value, expected: Expected) -> Result<(), String> {
    let evidence = &finding["evidence"];
    let direction = evidence["direction"].as_str().unwrap_or_default();
    if direction != expected.direction {
        return Err(format!("direction {direction:?} for {:?}: {finding}", expected.direction));
    }
    let Some(passes) = expected.passes else { return Ok(()) };
    let bytes = |name: &str| evidence[name].as_u64();
    let lost = bytes("lost_length_bytes").ok_or("no lost length")?;
    let delivered = bytes("delivered_length_bytes").unwrap_or(0);
    let recommended = bytes("recommended_inner_mtu_bytes").ok_or("no recommendation")?;
    // Without anything known in between, it recommends what every path of a cluster takes.
    if lost <= passes || delivered > passes || (passes >= 1280 && recommended + 50 > passes) {
        return Err(format!("{passes} bytes pass: {finding}"));
    }
    Ok(())
}

/// Watches node 1 for a while during what `during` does; what it has found.
pub(super) fn found(lab: &Lab, during: impl FnOnce()) -> Vec<Value> {
    let tunmon = Tunmon::start(lab.node(1), DEVICE, WATCHED).unwrap();
    during();
    let report = tunmon.wait().unwrap();
    let findings = report.of("tunmon.finding/v1").filter(|finding| finding["code"].as_str() < Some("TM200"));
    findings.cloned().collect()
}

/// Runs a case as often as it is to be, and counts what was right; `fault` says what is wrong in a run.
pub(super) fn campaign(name: &str, mut fault: impl FnMut() -> Result<(), String>) {
    let rounds = rounds();
    let wrong: Vec<_> = (0..rounds).filter_map(|_| fault().err()).collect();
    println!("{name}: {} of {rounds} right", rounds - wrong.len());
    assert!(wrong.len() * 20 <= rounds, "{name}: {wrong:#?}");
}

//! What Prometheus answers of two live nodes is what passed: counts, quantiles, exemplars, also over a restart.

use std::time::Duration;

use serde_json::Value;
use tests::lab::{DEVICE, Lab, OVS_VNIS, Options};
use tests::needs;
use tests::netns::Namespace;
use tests::ping::Ping;
use tests::tunmon::{Report, Tunmon};

use super::server::{Server, connect, is_possible};

const PINGS: u32 = 400;
/// Width of a native bucket of schema 3, and of a classic one.
const NATIVE: f64 = 1.0906;
const CLASSIC: f64 = 2.0;

fn watch(lab: &Lab, number: usize, target: &str) -> Tunmon {
    let arguments = format!("--listen {target} --interval 1s --events");
    Tunmon::start(lab.node(number), DEVICE, &arguments).unwrap()
}

fn ping(lab: &Lab, count: u32) {
    let ping = Ping { count, interval: Duration::from_millis(10), ..Ping::to(lab.pod("p21").ipv4) };
    let report = ping.run(&lab.pod("p11").namespace).unwrap();
    assert_eq!(report.received, count, "{report:?}");
}

/// The round trips of a node's echo requests, from its events, ascending.
fn trips(report: &Report) -> Vec<f64> {
    let is_ours = |event: &&Value| {
        event["kind"] == "rtt" && event["method"] == "echo" && event["leg"] == "remote" && event["vni"] == OVS_VNIS[0]
    };
    let mut times: Vec<f64> =
        report.of("tunmon.event/v1").filter(is_ours).map(|event| event["rtt_seconds"].as_f64().unwrap()).collect();
    times.sort_by(f64::total_cmp);
    times
}

#[test]
fn prometheus_answers_what_passed_also_over_a_restart() {
    if !is_possible(&[needs::OVS]) {
        return;
    }
    let lab = Lab::ovs(Options::default()).unwrap();
    let watcher = Namespace::create("watcher").unwrap();
    watcher.ip(&["link set lo up"]).unwrap();
    let targets = [1, 2].map(|number| connect(&watcher, lab.node(number), number));
    let [first, second] = [1, 2].map(|number| watch(&lab, number, &targets[number - 1]));
    // The one scrapes protobuf and keeps native histograms, the other scrapes OpenMetrics.
    let native = Server::start(&watcher, 9090, &targets, "native-histograms,exemplar-storage", None);
    let classic = Server::start(&watcher, 9091, &targets, "exemplar-storage", None);
    ping(&lab, PINGS);

    let vni = OVS_VNIS[0];
    let here = format!("instance=\"{}\",vni=\"{vni}\",leg=\"remote\",method=\"echo\"", targets[0]);
    for server in [&native, &classic] {
        server.until("sum(up)", 2.0);
    }
    // Longer than between two scrapes: all is in Prometheus then.
    lab.settle(Duration::from_millis(2500)).unwrap();
    let count = native.value(&format!("histogram_count(tunmon_rtt_seconds{{{here}}})")).unwrap();
    assert_eq!(classic.value(&format!("tunmon_rtt_seconds_count{{{here}}}")).unwrap(), count);
    check_packets(&native, vni, &targets);
    let quantiles = [0.5, 0.9, 0.99];
    let answers = quantiles.map(|quantile| {
        let of = |server: &Server<'_>, series: &str| {
            server.value(&format!("histogram_quantile({quantile}, {series}{{{here}}})")).unwrap()
        };
        [of(&native, "tunmon_rtt_seconds"), of(&classic, "tunmon_rtt_seconds_bucket")]
    });
    check_exemplars(&native, &format!("tunmon_rtt_seconds{{{here}}}"));
    check_exemplars(&classic, &format!("tunmon_rtt_seconds_bucket{{{here}}}"));

    let before = first.stop().unwrap();
    let times = trips(&before);
    // A round trip that takes longer than the time to the next request hides that one.
    assert_eq!(times.len() as f64, count);
    assert!(count > f64::from(PINGS) * 0.8, "{count}");
    for (quantile, [native, classic]) in quantiles.into_iter().zip(answers) {
        let truth = times[(quantile * count).ceil() as usize - 1];
        assert!(native < truth * NATIVE && truth < native * NATIVE, "{quantile}: {native} natively, {truth} truly");
        assert!(classic < truth * CLASSIC && truth < classic * CLASSIC, "{quantile}: {classic} classic, {truth} truly");
    }

    // A tunmon that begins anew is a reset, not a jump: a hundred packets a second stay that.
    let first = watch(&lab, 1, &targets[0]);
    ping(&lab, PINGS);
    let sent = format!("tunmon_transmit_packets_total{{instance=\"{}\",vni=\"{vni}\"}}", targets[0]);
    lab.settle(Duration::from_millis(2500)).unwrap();
    assert_eq!(native.value(&format!("resets({sent}[2m])")).unwrap(), 1.0);
    let fastest = native.value(&format!("max_over_time(rate({sent}[4s])[1m:1s])")).unwrap();
    assert!((60.0..160.0).contains(&fastest), "{fastest} packets a second at most, of 100");
    for tunmon in [first, second] {
        tunmon.stop().unwrap().summary().unwrap().check_identities().unwrap();
    }
}

/// Both nodes have counted the same, each in its direction, and no less than the pings.
fn check_packets(server: &Server<'_>, vni: u32, targets: &[String; 2]) {
    let of = |name: &str, target: &str| {
        server.value(&format!("tunmon_{name}_packets_total{{instance=\"{target}\",vni=\"{vni}\"}}")).unwrap()
    };
    // Started one after the other, they may differ in what passed in between.
    let [sent, received] = [of("transmit", &targets[0]), of("receive", &targets[1])];
    assert!(sent >= f64::from(PINGS) && (sent - received).abs() <= 3.0, "{sent} sent, {received} received");
}

fn check_exemplars(server: &Server<'_>, series: &str) {
    let now = server.value("vector(time())").unwrap();
    let [start, end] = [now - 120.0, now + 1.0].map(|at| at.to_string());
    let data = server.api("query_exemplars", &[("query", series), ("start", &start), ("end", &end)]);
    let exemplar = &data[0]["exemplars"][0];
    assert!(exemplar["labels"]["peer"].is_string(), "{series}: {data}");
    assert!(exemplar["labels"]["community_id"].as_str().unwrap().starts_with("1:"), "{data}");
    assert!(exemplar["value"].as_str().unwrap().parse::<f64>().unwrap() > 0.0, "{data}");
}

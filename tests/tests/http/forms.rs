//! The three forms of metrics, and that their numbers are those of the packets sent.

use std::io::Write;
use std::process::Stdio;

use tests::wait;

use super::support::{Served, peer};

#[test]
fn counters_are_the_packets_that_were_sent_and_all_forms_agree() {
    let Some(served) = Served::start("") else { return };
    served.echoes(77, 300);
    let packets = "tunmon_receive_packets_total{device=\"eth0\",vni=\"77\"}";
    wait::until("300 packets", std::time::Duration::from_secs(10), || {
        Ok((served.series(packets) == Some(300.0)).then_some(()))
    })
    .unwrap();
    assert_eq!(served.series("tunmon_transmit_packets_total{device=\"eth0\",vni=\"77\"}"), Some(300.0));
    let tunnel = format!("{{device=\"eth0\",vni=\"77\",local=\"192.0.2.1\",peer=\"{}\"}}", peer());
    assert_eq!(served.series(&format!("tunmon_tunnel_receive_packets_total{tunnel}")), Some(300.0));
    assert_eq!(served.series("tunmon_receive_packets_total{device=\"eth0\",vni=\"other\"}"), Some(0.0));

    let ways = "device=\"eth0\",vni=\"77\",leg=\"remote\",method=\"echo\"";
    let count = served.series(&format!("tunmon_rtt_seconds_count{{{ways}}}"));
    assert_eq!(count, Some(300.0));
    assert_eq!(served.series(&format!("tunmon_rtt_seconds_bucket{{{ways},le=\"+Inf\"}}")), count);

    let open = served.curl(&["-f", "-H", "Accept: application/openmetrics-text;version=1.0.0"], "/metrics");
    assert!(open.ends_with("# EOF\n"), "{open}");
    assert!(open.contains(&format!("tunmon_rtt_seconds_count{{{ways}}} 300\n")));
    assert!(open.contains("# TYPE tunmon_receive_packets counter\n"));
    assert!(open.contains("# UNIT tunmon_rtt_seconds seconds\n"));
    let exemplar = open.lines().find(|line| line.contains(" # {peer=\"192.0.2.2\",community_id=\"1:")).unwrap();
    assert!(exemplar.starts_with("tunmon_"), "{exemplar}");

    let accept = "Accept: application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";
    let head =
        served.curl(&["-f", "-o", "/dev/null", "-w", "%{content_type} %{size_download}", "-H", accept], "/metrics");
    assert!(head.starts_with("application/vnd.google.protobuf"), "{head}");
    let summary = served.tunmon.stop().unwrap().summary().unwrap();
    assert_eq!(summary.rtt(77, "remote", "echo").unwrap().count, 300);
    summary.check_identities().unwrap();
}

#[test]
fn promtool_finds_nothing_wrong_also_when_a_name_is_hostile() {
    let hostile = "a\"b\\c\u{1b}[2J\u{202e}\\n{}";
    let names = serde_json::json!({"nodes": [{"address": "192.0.2.2", "name": hostile}], "networks": {"77": hostile}});
    let scratch = tests::scratch::Scratch::create("names").unwrap();
    let file = scratch.path().join("names.json");
    std::fs::write(&file, names.to_string()).unwrap();
    let Some(served) = Served::start(&format!("--names {}", file.display())) else { return };
    served.echoes(77, 3);
    let text = wait::until("the name", std::time::Duration::from_secs(10), || {
        let text = served.metrics();
        Ok(text.contains("peer_node=").then_some(text))
    })
    .unwrap();
    let name = text.lines().find(|line| line.starts_with("tunmon_peer_info")).unwrap();
    assert!(name.contains(r#"peer_node="a\"b\\c"#), "{name}");
    assert!(text.chars().all(|char| char == '\n' || !char.is_control() && char != '\u{202e}'));
    let mut promtool = std::process::Command::new("promtool");
    let mut promtool =
        promtool.args(["check", "metrics"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_client_that_takes_gzip_gets_it() {
    let Some(served) = Served::start("") else { return };
    let words = ["-f", "-o", "/dev/null", "-w", "%header{content-encoding} %{size_download}"];
    let plain = served.curl(&words, "/metrics");
    let packed = served.curl(&[&words[..], &["-H", "Accept-Encoding: gzip"]].concat(), "/metrics");
    let size = |text: &str| text.split_whitespace().last().unwrap().parse::<u32>().unwrap();
    assert!(!plain.contains("gzip") && packed.starts_with("gzip "), "{plain} {packed}");
    assert!(size(&packed) * 3 < size(&plain), "{plain} {packed}");
    let refused = served.curl(&[&words[..], &["-H", "Accept-Encoding: gzip;q=0"]].concat(), "/metrics");
    assert!(!refused.contains("gzip"), "{refused}");
}

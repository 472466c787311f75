//! Pages other than metrics: health, JSON in the shapes of standard output, events as they come.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tests::process::Process;
use tests::wait;

use super::support::{ADDRESS, Served};

#[test]
fn pages_have_the_shapes_of_standard_output() {
    let Some(served) = Served::start("") else { return };
    served.echoes(77, 20);
    let rows = wait::until("a row", Duration::from_secs(10), || {
        let rows = served.json("/api/v1/vnis");
        Ok(rows.as_array().is_some_and(|rows| !rows.is_empty()).then_some(rows))
    })
    .unwrap();
    assert_eq!((&rows[0]["device"], &rows[0]["vni"]), (&"eth0".into(), &77.into()));
    assert_eq!(served.json("/api/v1/peers")[0]["peer"], "192.0.2.2");
    let summary = served.json("/api/v1/summary");
    assert_eq!(summary[0]["schema"], "tunmon.summary/v1");
    assert_eq!(summary[0]["vnis"][0]["rx_packets"], 20);
    assert_eq!(summary[0]["vnis"][0]["rtt"][0]["histogram"]["schema"], 3);
    let accounting = served.json("/api/v1/accounting")[0]["accounting"].take();
    assert_eq!(accounting["classes"]["geneve"], 40);
    assert_eq!(served.json("/api/v1/findings"), Value::Array(Vec::new()));
    let events = served.json("/api/v1/events");
    // As many as the limit on rates has let through.
    let delivered = accounting["events_by_kind"]["rtt"]["delivered"].as_u64().unwrap();
    assert!((16..=20).contains(&delivered), "{delivered}");
    assert_eq!(events.as_array().unwrap().len() as u64, delivered);
    assert_eq!((&events[0]["schema"], &events[0]["kind"]), (&"tunmon.event/v1".into(), &"rtt".into()));
    assert!(served.json("/api/v1/sources").is_array());
    assert!(served.curl(&["-f"], "/").contains("<h1>tunmon"));
    let report = served.tunmon.stop().unwrap();
    // A question in the middle of an interval changes nothing of what is counted and told.
    report.summary().unwrap().check_identities().unwrap();
    assert_eq!(report.summary().unwrap().rtt(77, "remote", "echo").unwrap().count, 20);
}

#[test]
fn health_and_readiness_answer_and_a_lost_device_is_not_ready() {
    let Some(served) = Served::start("") else { return };
    for path in ["/healthz", "/livez", "/-/healthy"] {
        assert!(served.curl(&["-f"], path).starts_with("ok\n"), "{path}");
    }
    wait::until("readiness", Duration::from_secs(10), || {
        Ok(served.curl(&[], "/readyz").starts_with("ready").then_some(()))
    })
    .unwrap();
    served.near.ip(&["link del eth0"]).unwrap();
    let text = wait::until("no readiness", Duration::from_secs(10), || {
        let text = served.curl(&[], "/readyz");
        Ok(text.starts_with("not ready").then_some(text))
    })
    .unwrap();
    assert!(text.contains("device eth0: not there, waited for"), "{text}");
    assert!(served.curl(&["-f"], "/healthz").starts_with("ok\n"), "waiting is no illness");
    assert_eq!(served.series("tunmon_attached{device=\"eth0\"}"), Some(0.0));
}

#[test]
fn what_is_not_there_or_not_read_only_is_refused() {
    let Some(served) = Served::start("") else { return };
    let status = ["-o", "/dev/null", "-w", "%{http_code}"];
    for (words, path, code) in [
        (&[][..], "/nothing", "404"),
        (&[], "/api/v1/nothing", "404"),
        (&["-X", "POST"], "/metrics", "405"),
        (&["-X", "DELETE"], "/", "405"),
        (&["-I"], "/metrics", "200"),
    ] {
        assert_eq!(served.curl(&[&status[..], words].concat(), path), code, "{words:?} {path}");
    }
}

#[test]
fn events_come_as_a_stream() {
    let Some(served) = Served::start("") else { return };
    let url = format!("http://{ADDRESS}/api/v1/events");
    let mut curl = served.near.command("curl");
    curl.args(["-sN", "-i", "-H", "Accept: text/event-stream", &url]).stdout(Stdio::piped());
    let mut curl = Process::spawn(&mut curl).unwrap();
    let mut lines = BufReader::new(curl.take_stdout().unwrap()).lines().map_while(Result::ok);
    assert!(lines.next().unwrap().contains("200 OK"));
    let headers: Vec<String> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
    assert!(headers.iter().any(|line| line == "content-type: text/event-stream"), "{headers:?}");
    assert!(lines.next().unwrap().starts_with(':'), "the headers come before any event");
    served.echoes(77, 2);
    let mut lines = lines.filter(|line| !line.is_empty() && !line.starts_with(':'));
    assert_eq!(lines.next().unwrap(), "event: tunmon.event/v1");
    let data: Value = serde_json::from_str(lines.next().unwrap().strip_prefix("data: ").unwrap()).unwrap();
    assert_eq!((&data["kind"], &data["method"]), (&"rtt".into(), &"echo".into()));
    // It is over when tunmon is.
    let report = served.tunmon.stop().unwrap();
    report.summary().unwrap().check_identities().unwrap();
    assert!(lines.any(|line| line.starts_with("data: ")));
}

//! Names from a file: in records at once, anew when it changes, and kept when it breaks.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use tests::bench::packets::tunnel_udp;
use tests::netns::{self, Namespace};
use tests::raw::{self, How};
use tests::scratch::Scratch;
use tests::tunmon::{self, Tunmon};
use tests::{needs, process};

/// A device that is watched, the far end of its cable, and a directory for files.
///
/// ```text
///   near: d0, tunmon ──── d0: far, sends as 172.31.7.1 with VNI 1000
/// ```
struct Place {
    near: Namespace,
    far: Namespace,
    scratch: Scratch,
}

impl Place {
    fn create() -> Option<Self> {
        if let Some(reason) = tunmon::missing(&[needs::NETWORK]) {
            needs::skip(&reason);
            return None;
        }
        let [near, far] = netns::cable("d0").unwrap();
        Some(Self { near, far, scratch: Scratch::create("names").unwrap() })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    fn watch(&self, file: &str) -> Tunmon {
        let arguments = format!("--interval 200ms --names {}", self.path(file).display());
        let tunmon = Tunmon::start(&self.near, "d0", &arguments).unwrap();
        raw::send(&self.far, "d0", &[tunnel_udp(), tunnel_udp()], How::Whole).unwrap();
        tunmon
    }
}

/// The names of node and network in an interval that has both.
fn names(record: &Value) -> Option<[Option<&str>; 2]> {
    let row =
        |list: &str| (record["schema"] == "tunmon.interval/v1").then(|| record[list].as_array()?.first()).flatten();
    Some([row("peers")?["node"].as_str(), row("vnis")?["network"].as_str()])
}

fn wait_for(tunmon: &mut Tunmon, node: &str, network: &str) {
    tunmon.wait_for(node, |record| names(record) == Some([Some(node), Some(network)])).unwrap();
}

#[test]
fn a_file_names_nodes_and_networks_and_is_followed() {
    let Some(place) = Place::create() else { return };
    fs::write(place.path("names"), "172.31.7.1 first\nvni 1000 ls0\n").unwrap();
    let mut tunmon = place.watch("names");
    wait_for(&mut tunmon, "first", "ls0");
    // In place, and in another form.
    fs::write(place.path("names"), "nodes: {172.31.7.1: second}\nnetworks: {1000: ls1}\n").unwrap();
    wait_for(&mut tunmon, "second", "ls1");
    // As an editor does it.
    fs::write(place.path("new"), r#"{"nodes": {"172.31.7.1": "third"}, "networks": {"1000": "ls2"}}"#).unwrap();
    fs::rename(place.path("new"), place.path("names")).unwrap();
    wait_for(&mut tunmon, "third", "ls2");
    // Broken, gone, and good again: no interval is without the names that were there before.
    fs::write(place.path("names"), "172.31.7.300 broken\n").unwrap();
    let seen = tunmon_count(&mut tunmon);
    intervals(&mut tunmon, seen + 15);
    fs::remove_file(place.path("names")).unwrap();
    intervals(&mut tunmon, seen + 30);
    fs::write(place.path("names"), "172.31.7.1 last\nvni 1000 ls3\n").unwrap();
    wait_for(&mut tunmon, "last", "ls3");
    let report = tunmon.stop().unwrap();
    let mut history: Vec<_> = report.records.iter().filter_map(names).filter_map(|[node, _]| node).collect();
    let without = report
        .records
        .iter()
        .filter_map(names)
        .skip_while(|names| names[0].is_none())
        .filter(|names| names[0].is_none());
    assert_eq!(without.count(), 0);
    history.dedup();
    assert_eq!(history, ["first", "second", "third", "last"]);
    for trouble in ["line 1: \"172.31.7.300\" is no IP address; the names that it had before stay", "No such file"] {
        assert!(report.stderr.contains(trouble), "{trouble}: {}", report.stderr);
    }
}

fn is_interval(record: &Value) -> bool {
    record["schema"] == "tunmon.interval/v1"
}

fn intervals(tunmon: &mut Tunmon, number: usize) {
    tunmon.wait_for_nth("intervals", number, is_interval).unwrap();
}

/// Intervals so far: those that are printed when one more has come.
fn tunmon_count(tunmon: &mut Tunmon) -> usize {
    let mut count = 1;
    let began = std::time::Instant::now();
    while began.elapsed() < std::time::Duration::from_millis(100) {
        intervals(tunmon, count);
        count += 1;
    }
    count
}

/// As a kubelet does it: `names` ─▶ `data/names`, `data` ─▶ a directory, which is switched.
#[test]
fn a_config_map_is_followed_through_its_links() {
    let Some(place) = Place::create() else { return };
    for name in ["first", "second"] {
        fs::create_dir(place.path(name)).unwrap();
        fs::write(place.path(name).join("names"), format!("172.31.7.1 {name}\nvni 1000 ls0\n")).unwrap();
    }
    symlink("first", place.path("data")).unwrap();
    symlink("data/names", place.path("names")).unwrap();
    let mut tunmon = place.watch("names");
    wait_for(&mut tunmon, "first", "ls0");
    symlink("second", place.path("next")).unwrap();
    fs::rename(place.path("next"), place.path("data")).unwrap();
    wait_for(&mut tunmon, "second", "ls0");
    tunmon.stop().unwrap().summary().unwrap();
}

#[test]
fn what_is_wrong_at_the_start_is_told_before_anything_is_attached() {
    let Some(place) = Place::create() else { return };
    let file = place.path("names");
    for (text, cause) in
        [("192.0.2.1 a\n192.0.2.1 b\n", "line 2: 192.0.2.1 has two names"), ("", "there is nothing in it")]
    {
        fs::write(&file, text).unwrap();
        let output = tunmon::run(&place.near, &format!("-i d0 -o json --names {}", file.display())).unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{stderr}");
        assert!(stderr.contains(cause) && stderr.lines().count() == 2 && stderr.contains("docs/names.md"), "{stderr}");
    }
    for special in ["/dev/zero", "/nowhere", "/"] {
        let output = tunmon::run(&place.near, &format!("-i d0 -o json --names {special}")).unwrap();
        assert_eq!(output.status.code(), Some(2), "{special}");
    }
}

#[test]
fn a_capture_is_read_with_the_names_of_a_file_and_its_strangers_are_told() {
    if let Some(reason) = tunmon::not_built() {
        return needs::skip(&reason);
    }
    let scratch = Scratch::create("names").unwrap();
    let (capture, file) = (scratch.path().join("c.pcap"), scratch.path().join("names"));
    fs::write(&capture, pcap(&[tunnel_udp()])).unwrap();
    let read = |names: &str| {
        fs::write(&file, names).unwrap();
        let mut command = Command::new(tunmon::binary().unwrap());
        command.args(["read", "--local", "172.31.7.2", "-o", "json", "--names"]).arg(&file).arg(&capture);
        let text = process::run(&mut command).unwrap();
        let records: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        records.last().unwrap().clone()
    };
    let codes = |summary: &Value| -> Vec<String> {
        let findings = summary["findings"].as_array().unwrap();
        findings.iter().map(|finding| finding["code"].as_str().unwrap().to_owned()).collect()
    };
    let summary = read("172.31.7.1 node1\nvni 1000 ls0\ncomplete\n");
    assert_eq!((&summary["peers"][0]["node"], &summary["vnis"][0]["network"]), (&"node1".into(), &"ls0".into()));
    assert_eq!(codes(&summary), [""; 0]);
    assert_eq!(codes(&read("172.31.7.9 node9\nvni 9 ls9\ncomplete\n")), ["TM206", "TM207"]);
    assert_eq!(codes(&read("172.31.7.9 node9\nvni 9 ls9\n")), [""; 0]);
}

/// A capture of Ethernet frames.
fn pcap(frames: &[Vec<u8>]) -> Vec<u8> {
    let header: [u32; 6] = [0xa1b2_c3d4, 0x0004_0002, 0, 0, 65_535, 1];
    let mut bytes: Vec<u8> = header.iter().flat_map(|word| word.to_le_bytes()).collect();
    for frame in frames {
        let length = frame.len() as u32;
        bytes.extend([1_700_000_000, 0, length, length].iter().flat_map(|word: &u32| word.to_le_bytes()));
        bytes.extend(frame);
    }
    bytes
}

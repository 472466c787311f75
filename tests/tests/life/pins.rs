//! With pins everything stays attached when tunmon ends, however it ends; the next run goes on, and `detach` ends it.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::process::Output;

use tests::bpffs::Bpffs;
use tests::tunmon::{Report, Tunmon};

use super::support::{FEW, Pair, VNI, geneve};

/// Runs that end by SIGKILL.
const KILLS: usize = 5;

/// A pair and a place for pins.
struct Pinned {
    pair: Pair,
    files: Bpffs,
}

impl Pinned {
    fn create() -> Option<Self> {
        let pair = Pair::create()?;
        Some(Self { pair, files: Bpffs::mount().unwrap() })
    }

    fn start(&self, arguments: &str) -> Tunmon {
        let pins = self.files.join("pins");
        Tunmon::start(&self.pair.near, "d0", &format!("--interval 200ms --pin={} {arguments}", pins.display())).unwrap()
    }

    /// The command `tunmon` with these arguments, run to its end.
    fn run(&self, arguments: &str) -> Output {
        self.pair.run(&format!("{arguments} --pin={}", self.files.join("pins").display()))
    }

    fn detach(&self) -> Output {
        self.run("detach -o text")
    }

    /// What the kernel shows of the device's programs.
    fn shown(&self) -> String {
        self.pair.near.run("ip -d link show d0").unwrap()
            + &self.pair.near.run("tc filter show dev d0 ingress").unwrap()
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        self.detach();
    }
}

fn has_resumed(tunmon: &Tunmon) -> bool {
    tunmon.start_record()["resumed"].as_bool().unwrap()
}

/// The tunnel packets of a run's summary, whose accounts balance.
fn counted(report: &Report) -> u64 {
    let summary = report.summary().unwrap();
    summary.check_identities().unwrap();
    geneve(&summary)
}

#[test]
fn counts_go_on_over_a_restart_and_while_nothing_runs() {
    let Some(pinned) = Pinned::create() else { return };
    let first = pinned.start("--events");
    assert!(!has_resumed(&first));
    pinned.pair.send("d0");
    assert_eq!(counted(&first.stop().unwrap()), FEW as u64);
    pinned.pair.send("d0");
    let second = pinned.start("--events");
    assert!(has_resumed(&second));
    assert_eq!(first_hooks(&second), ["xdp", "tcx"]);
    pinned.pair.send("d0");
    let report = second.stop().unwrap();
    assert_eq!(counted(&report), 3 * FEW as u64);
    let summary = report.summary().unwrap();
    assert_eq!((summary.vnis[0].vni, summary.vnis[0].rx_packets), (VNI, 3 * FEW as u64));
    // Intervals are of this run, but for what was sent before it.
    let intervals: u64 = report
        .of("tunmon.interval/v1")
        .map(|record| record["accounting"]["classes"]["geneve"].as_u64().unwrap_or_default())
        .sum();
    assert!(intervals <= FEW as u64, "{intervals}");
}

fn first_hooks(tunmon: &Tunmon) -> [String; 2] {
    let device = &tunmon.start_record()["devices"][0];
    let tc = if device["egress"] == "clsact" { "tcx" } else { device["egress"].as_str().unwrap() };
    [device["ingress"].as_str().unwrap().to_owned(), tc.to_owned()]
}

#[test]
fn events_that_nobody_has_read_are_read_by_the_next_run_and_counted_once() {
    let Some(pinned) = Pinned::create() else { return };
    let fragments = || {
        let frame =
            tests::frame::base_packets().into_iter().find(|(name, _)| *name == "first_outer_fragment").unwrap().1;
        tests::raw::send(&pinned.pair.far, "d0", &[frame.clone(), frame], tests::raw::How::Whole).unwrap();
    };
    let first = pinned.start("--events");
    fragments();
    counted(&first.stop().unwrap());
    fragments();
    let mut second = pinned.start("--events");
    second.wait_for("the events", |record| record["schema"] == "tunmon.event/v1").unwrap();
    fragments();
    let report = second.stop().unwrap();
    counted(&report);
    let events = report.summary().unwrap().accounting.events_by_kind["fragment"];
    assert_eq!((events.submitted, events.consumed), (6, 6));
    assert_eq!(report.of("tunmon.event/v1").count(), 4);
}

#[test]
fn killed_runs_leave_their_counts_and_no_step_back() {
    let Some(pinned) = Pinned::create() else { return };
    let mut sent = 0;
    for kill in 0..KILLS {
        let tunmon = pinned.start("");
        assert_eq!(has_resumed(&tunmon), kill > 0);
        pinned.pair.send("d0");
        sent += FEW as u64;
        tunmon.stop_by(libc::SIGKILL).unwrap();
        pinned.pair.send("d0");
        sent += FEW as u64;
    }
    assert_eq!(counted(&pinned.start("").stop().unwrap()), sent);
    let generations = pinned.files.names("pins").unwrap().into_iter().filter(|name| name.starts_with('g'));
    assert!(generations.filter(|name| !name.contains('/')).count() <= 2);
}

#[test]
fn a_device_that_was_made_anew_meanwhile_keeps_its_counts() {
    let Some(pinned) = Pinned::create() else { return };
    let first = pinned.start("");
    pinned.pair.send("d0");
    assert_eq!(counted(&first.stop().unwrap()), FEW as u64);
    pinned.pair.near.ip(&["link del d0"]).unwrap();
    pinned.pair.join("d0");
    let mut second = pinned.start("");
    pinned.pair.send("d0");
    pinned.pair.make_anew(&mut second, 1);
    pinned.pair.send("d0");
    assert_eq!(counted(&second.stop().unwrap()), 3 * FEW as u64);
    pinned.pair.send("d0");
    assert_eq!(counted(&pinned.start("").stop().unwrap()), 4 * FEW as u64);
}

#[test]
fn with_other_bounds_counts_begin_anew_and_the_links_stay() {
    let Some(pinned) = Pinned::create() else { return };
    let first = pinned.start("--max-vnis 1 --max-peers 2");
    pinned.pair.send("d0");
    first.stop().unwrap();
    let second = pinned.start("--max-vnis 64 --max-peers 64");
    assert!(!has_resumed(&second));
    pinned.pair.send("d0");
    assert_eq!(counted(&second.stop().unwrap()), FEW as u64);
}

#[test]
fn detach_removes_everything_and_says_so() {
    let Some(pinned) = Pinned::create() else { return };
    let tunmon = pinned.start("");
    let refused = pinned.detach();
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("another tunmon runs with the pins"));
    tunmon.stop().unwrap();
    assert!(pinned.shown().contains("tunmon_xdp"));
    let output = pinned.detach();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("removed") && said.contains("l2-") || said.contains("tunmon_tc"), "{said}");
    assert!(!pinned.shown().contains("tunmon_"), "{}", pinned.shown());
    assert!(!pinned.files.join("pins").exists());
}

#[test]
fn pins_are_kept_in_a_directory_of_ones_own_only() {
    let Some(pinned) = Pinned::create() else { return };
    let refusal = || {
        let output = pinned.run("-i d0 --duration 1s");
        assert_eq!(output.status.code(), Some(4), "{output:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    fs::DirBuilder::new().mode(0o700).create(pinned.files.join("pins")).unwrap();
    fs::set_permissions(pinned.files.join("pins"), fs::Permissions::from_mode(0o755)).unwrap();
    assert!(refusal().contains("may be read by them"));
    fs::remove_dir(pinned.files.join("pins")).unwrap();
    let elsewhere = tests::scratch::Scratch::create("pins").unwrap();
    let pins = elsewhere.path().join("pins");
    let output = pinned.pair.run(&format!("-i d0 --duration 1s --pin={}", pins.display()));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("BPF file system"), "{said}");
    assert!(!pinned.shown().contains("tunmon_"));
}

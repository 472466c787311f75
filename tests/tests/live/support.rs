//! Labs that skip loudly, and the measurement that every live test shares.
//!
//! Exactness: tcpdump and tunmon cannot start at the same instant. So the line is quiet while tunmon's hooks come and go,
//! and the capture, which surrounds them, is cut at those moments. The capture itself tells whether a tunnel packet passed
//! in an uncertain moment (a neighbour probe, say); such a run proves nothing, and is repeated.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tests::lab::{DEVICE, Lab, Options};
use tests::needs;
use tests::oracle::{self, Frame, Way};
use tests::tcpdump::{Capture, Direction};
use tests::tunmon::{self, Report, Span, Summary, Tunmon};

const QUIET: Duration = Duration::from_millis(200);
const ATTEMPTS: u32 = 6;

/// What tunmon said and what really passed, in the same span of time.
pub(super) struct Measured<T> {
    pub(super) report: Report,
    pub(super) summary: Summary,
    pub(super) frames: Vec<Frame>,
    /// What the traffic itself reported.
    pub(super) traffic: T,
}

/// An Open vSwitch lab to measure with tunmon, or `None` after having said why not.
pub(super) fn ovs(options: Options) -> Option<Lab> {
    if has_product() { ovs_alone(options) } else { None }
}

/// An OVN lab to measure with tunmon, or `None` after having said why not.
pub(super) fn ovn(options: Options) -> Option<Lab> {
    let ready = has_product() && can_run(&[needs::NETWORK, needs::CAPTURE, needs::OVS, needs::OVN]);
    ready.then(|| Lab::ovn(options).unwrap())
}

/// An Open vSwitch lab without tunmon, or `None` after having said why not.
pub(super) fn ovs_alone(options: Options) -> Option<Lab> {
    can_run(&[needs::NETWORK, needs::CAPTURE, needs::OVS]).then(|| Lab::ovs(options).unwrap())
}

/// Whether this machine can measure a plain device with tunmon; says so if it cannot.
pub(super) fn has_device() -> bool {
    has_product() && can_run(&[needs::NETWORK])
}

/// Whether this machine can run the test; says so if it cannot.
pub(super) fn can_run(programs: &[&[&str]]) -> bool {
    skip_for(needs::missing(programs))
}

fn has_product() -> bool {
    skip_for(tunmon::not_built())
}

fn skip_for(reason: Option<String>) -> bool {
    if let Some(reason) = &reason {
        needs::skip(reason);
    }
    reason.is_none()
}

/// Runs `traffic` while tunmon (with more `arguments`) and tcpdump watch node1's device, and proves what must hold for any
/// traffic: the counts equal the oracle's, the peers' sums equal the VNIs', and the accounts balance.
pub(super) fn measure<T>(lab: &Lab, arguments: &str, traffic: impl FnMut() -> T) -> Measured<T> {
    let measured = observe(lab, arguments, traffic);
    assert_eq!(measured.summary.counts(), oracle::count(&measured.frames, lab.outer(1)));
    assert_peers(&measured.summary, lab);
    measured
}

/// As [`measure`], but proves only that the accounts balance.
pub(super) fn observe<T>(lab: &Lab, arguments: &str, mut traffic: impl FnMut() -> T) -> Measured<T> {
    for _ in 0..ATTEMPTS {
        if let Some(measured) = attempt(lab, arguments, &mut traffic) {
            measured.summary.check_identities().unwrap();
            return measured;
        }
    }
    panic!("tunnel packets passed at the edges of {ATTEMPTS} measurements in a row");
}

/// A lab has one other node, which all tunnel packets go to or come from.
fn assert_peers(summary: &Summary, lab: &Lab) {
    let received: u64 = summary.vnis.iter().map(|row| row.rx_packets).sum();
    let sent: u64 = summary.vnis.iter().map(|row| row.tx_packets).sum();
    let peers: Vec<_> = summary.peers.iter().map(|row| (row.peer, row.rx_packets, row.tx_packets)).collect();
    let expected = (lab.outer(2), received, sent);
    assert!(peers == [expected] || (received + sent == 0 && peers.is_empty()), "{peers:?}, not {expected:?}");
}

fn attempt<T>(lab: &Lab, arguments: &str, traffic: &mut impl FnMut() -> T) -> Option<Measured<T>> {
    let capture = Capture::start(lab.node(1), DEVICE, Direction::Both, "").unwrap();
    lab.settle(QUIET).unwrap();
    let tunmon = Tunmon::start(lab.node(1), DEVICE, &format!("--interval 500ms {arguments}")).unwrap();
    let traffic = traffic();
    lab.settle(QUIET).unwrap();
    let report = tunmon.stop().unwrap();
    let pcap = capture.stop().unwrap();
    let mut frames = oracle::frames(pcap.path()).unwrap();
    let uncertain = |frame: &Frame| contains(report.started, frame.time) || contains(report.stopped, frame.time);
    if frames.iter().any(uncertain) {
        return None;
    }
    let (from, to) = (since_1970(report.started.to), since_1970(report.stopped.from));
    frames.retain(|frame| from < frame.time && frame.time < to);
    let summary = report.summary().unwrap();
    Some(Measured { report, summary, frames, traffic })
}

fn contains(span: Span, time: Duration) -> bool {
    since_1970(span.from) <= time && time <= since_1970(span.to)
}

fn since_1970(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap()
}

impl<T> Measured<T> {
    /// A healthy tunnel raises no finding. Latency is not judged: it depends on what else this machine does; and that pods
    /// send fragments (TM105) is not, since here they are asked to.
    pub(super) fn assert_healthy(&self) {
        let findings = self.report.of("tunmon.finding/v1").chain(&self.summary.findings);
        let is_alarm = |finding: &&Value| !["TM105", "TM301", "TM302"].map(Value::from).contains(&finding["code"]);
        let alarms: Vec<_> = findings.filter(is_alarm).collect();
        assert!(alarms.is_empty(), "findings about a healthy tunnel: {alarms:?}");
    }

    /// What a tunnel adds to an inner IP packet, and so what pods may send through the lab's 1500-byte underlay.
    pub(super) fn assert_overhead(&self, bytes: u64) {
        for row in &self.summary.peers {
            assert_eq!((row.overhead_min_bytes, row.overhead_max_bytes), (Some(bytes), Some(bytes)), "{row:?}");
            assert_eq!(row.recommended_inner_mtu_bytes, Some(1500 - bytes), "{row:?}");
        }
    }

    /// How many samples of the remote leg `vni` has by `method`.
    pub(super) fn remote_samples(&self, vni: u32, method: &str) -> u64 {
        self.summary.rtt(vni, "remote", method).map_or(0, |rtt| rtt.count)
    }

    /// How many samples of the local leg `vni` has by `method`.
    pub(super) fn local_samples(&self, vni: u32, method: &str) -> u64 {
        self.summary.rtt(vni, "local", method).map_or(0, |rtt| rtt.count)
    }

    /// How many echoes to `vni` were answered, by tcpdump: those that node1 asked, or those it was asked.
    pub(super) fn echoes(&self, lab: &Lab, vni: u32, asked: Way) -> u64 {
        let trips = oracle::echo_round_trips(&self.frames, lab.outer(1), asked);
        u64::try_from(trips.iter().filter(|trip| trip.vni == vni).count()).unwrap()
    }
}

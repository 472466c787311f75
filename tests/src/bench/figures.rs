//! From times to figures: minima net of the empty program, paired ratios, and whether they mean anything.

use serde::Serialize;

use super::case::{Hook, Path};
use super::record::{Record, Results, Subject};

/// The two empty programs may be this far apart.
const TWINS_APART: f64 = 0.03;

/// Of the packets on a path that must match or be reported, this part has to: flows may share a place in the table.
pub const MATCHED: f64 = 0.9;

/// One line of results.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Path; a peer's begins with `peer:`, its name and a slash.
    pub id: String,
    /// Hook.
    pub hook: &'static str,
    /// Least time of a packet, less that of the empty program on the same way, in nanoseconds.
    pub net_ns: f64,
    /// Median over the rounds of time to the empty program's time.
    pub ratio_to_empty: f64,
    /// `net_ns` to that of the C baseline; `None` where that does not do this work, or costs nothing.
    pub ratio_to_c: Option<f64>,
    /// Instructions of the bytecode that the path executes; `None` for a peer.
    pub instructions: Option<u64>,
    /// Calls of helpers on the path, without look-ups; `None` for a peer.
    pub helper_calls: Option<u64>,
    /// Number of flows; 1 where all packets are the same.
    pub flows: u32,
    /// Number of VNIs.
    pub vnis: u32,
    /// Look-ups on the path; `None` for a peer.
    pub look_ups: Option<u64>,
    /// What the path may cost, in net nanoseconds.
    pub target_ns: Option<f64>,
    /// What the C baseline costs on this path, in net nanoseconds.
    pub c_net_ns: Option<f64>,
    /// RTT samples a packet; `None` for a peer.
    pub matches_per_packet: Option<f64>,
    /// Says whether the maps show that the work was done, here and in the C baseline; `None` for a peer.
    pub valid: Option<bool>,
    /// Says whether the machine was too restless for any figure of the run to count.
    pub void: bool,
}

/// The empty programs of a hook: least times in nanoseconds, and how far they are apart.
#[derive(Clone, Copy, Debug)]
pub struct Twins {
    /// Hook.
    pub hook: Hook,
    /// Of the one that all times are net of.
    pub empty_ns: f64,
    /// Of the other one.
    pub twin_ns: f64,
}

impl Twins {
    /// How far they are apart, as a part of the lesser one.
    pub fn apart(&self) -> f64 {
        (self.empty_ns - self.twin_ns).abs() / self.empty_ns.min(self.twin_ns)
    }

    /// Says whether the machine was too restless.
    pub fn is_void(&self) -> bool {
        self.apart() > TWINS_APART
    }
}

/// The twins of each hook.
pub fn twins(records: &[Record]) -> Vec<Twins> {
    let least_of = |hook, subject| find(records, hook, subject).map_or(f64::NAN, |record| least(&record.times_ns));
    let twins = |hook| Twins { hook, empty_ns: least_of(hook, Subject::Empty), twin_ns: least_of(hook, Subject::Twin) };
    Hook::ALL.map(twins).to_vec()
}

/// A row for each path at each hook, and for each peer on each path at its hook.
pub fn rows(results: &Results) -> Vec<Row> {
    let void = twins(&results.records).iter().any(Twins::is_void);
    let rows = results.records.iter().filter_map(|record| row(results, record));
    rows.map(|row| Row { void, ..row }).collect()
}

/// The row of a record; those that others are compared with have none.
fn row(results: &Results, record: &Record) -> Option<Row> {
    let Results { paths, records, executed, peers } = results;
    let (index, peer) = match record.subject {
        Subject::Path(index) => (index, None),
        Subject::Peer(peer, index) => (index, Some(&peers[peer])),
        Subject::Empty | Subject::Twin | Subject::Floor(_) | Subject::Baseline(_) => return None,
    };
    let (path, hook) = (&paths[index], record.hook);
    let drive = path.drive.unwrap_or_default();
    let floor = if path.drive.is_some() { Subject::Floor(index) } else { Subject::Empty };
    let floor = find(records, hook, floor)?;
    let baseline = find(records, hook, Subject::Baseline(index));
    let net = |record: &Record| least(&record.times_ns) - least(&floor.times_ns);
    let extra = if hook == Hook::Tc { 2.0 } else { 0.0 };
    let executed = executed[index][hook.index()];
    let is_ours = peer.is_none();
    Some(Row {
        id: peer.map_or_else(|| path.id.to_owned(), |peer| format!("peer:{peer}/{}", path.id)),
        hook: hook.name(),
        net_ns: rounded(net(record)),
        ratio_to_empty: rounded(paired_ratio(&record.times_ns, &floor.times_ns)),
        ratio_to_c: baseline.map(net).filter(|c_net| *c_net > 0.0).map(|c_net| rounded(net(record) / c_net)),
        instructions: is_ours.then_some(executed.instructions),
        helper_calls: is_ours.then_some(executed.helper_calls),
        flows: drive.count(),
        vnis: 1 << drive.vni_bits,
        look_ups: is_ours.then_some(executed.look_ups),
        target_ns: path.target_ns.filter(|_| is_ours).map(|target| target + extra),
        c_net_ns: baseline.map(|baseline| rounded(net(baseline))),
        matches_per_packet: is_ours.then(|| rounded(record.matches as f64 / record.packets as f64)),
        valid: is_ours.then(|| is_valid(path, record) && baseline.is_none_or(|baseline| is_valid(path, baseline))),
        void: false,
    })
}

/// Says whether a program's own counters show that it did the path's work on every packet. Of a batch that a burst cuts
/// off there are events, too.
fn is_valid(path: &Path, record: &Record) -> bool {
    let matched = record.matches as f64 / record.packets as f64;
    let is_matched = if path.matches { (MATCHED..=1.0).contains(&matched) } else { record.matches == 0 };
    let is_reported = !path.reports() || record.events as f64 >= MATCHED * record.reportable.max(1) as f64;
    record.counted == record.packets && is_matched && is_reported
}

fn find(records: &[Record], hook: Hook, subject: Subject) -> Option<&Record> {
    records.iter().find(|record| record.hook == hook && record.subject == subject)
}

fn least(times: &[f64]) -> f64 {
    times.iter().copied().fold(f64::INFINITY, f64::min)
}

/// The median over the rounds of the ratio of two times of the same round.
fn paired_ratio(times: &[f64], floor: &[f64]) -> f64 {
    let mut ratios: Vec<f64> = times.iter().zip(floor).map(|(time, floor)| time / floor).collect();
    ratios.sort_by(f64::total_cmp);
    ratios.get(ratios.len() / 2).copied().unwrap_or(f64::NAN)
}

fn rounded(figure: f64) -> f64 {
    (figure * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::super::case::paths;
    use super::super::executed::Executed;
    use super::*;

    fn record(subject: Subject, times_ns: &[f64], matches: u64) -> Record {
        let times_ns = times_ns.to_vec();
        Record { times_ns, packets: 100, counted: 100, matches, ..Record::new(Hook::Xdp, subject) }
    }

    fn position(id: &str) -> usize {
        paths().iter().position(|path| path.id == id).unwrap()
    }

    fn results(records: Vec<Record>) -> Results {
        let executed = Executed { instructions: 200, look_ups: 3, helper_calls: 1 };
        let peers = vec!["other".to_owned()];
        Results { executed: paths().iter().map(|_| [executed; 2]).collect(), paths: paths(), peers, records }
    }

    fn first_row(records: Vec<Record>) -> Row {
        rows(&results(records)).remove(0)
    }

    #[test]
    fn times_are_net_of_the_empty_programs_least() {
        let path = position("geneve_count");
        let row = first_row(vec![
            record(Subject::Empty, &[12.0, 10.0, 20.0], 0),
            record(Subject::Twin, &[10.2, 11.0, 12.0], 0),
            record(Subject::Path(path), &[18.0, 16.0, 40.0], 0),
        ]);
        assert_eq!((row.net_ns, row.ratio_to_empty, row.valid), (6.0, 1.6, Some(true)));
        assert_eq!((row.instructions, row.look_ups, row.helper_calls), (Some(200), Some(3), Some(1)));
    }

    #[test]
    fn driven_times_are_net_of_the_driver() {
        let path = position("rtt_match");
        let row = first_row(vec![
            record(Subject::Empty, &[10.0], 0),
            record(Subject::Floor(path), &[30.0], 0),
            record(Subject::Path(path), &[75.0], 95),
        ]);
        assert_eq!((row.net_ns, row.ratio_to_empty, row.valid), (45.0, 2.5, Some(true)));
    }

    #[test]
    fn a_path_that_did_not_do_its_work_is_not_valid() {
        let (matching, counting) = (position("rtt_match"), position("tcp_steady"));
        assert!(!is_valid(&paths()[matching], &record(Subject::Path(matching), &[], 80)));
        assert!(!is_valid(&paths()[counting], &record(Subject::Path(counting), &[], 1)));
        let uncounted = Record { counted: 99, ..record(Subject::Path(counting), &[], 0) };
        assert!(!is_valid(&paths()[counting], &uncounted));
        let reporting = position("rtt_match_event");
        let reported = |events| Record { events, reportable: 100, ..record(Subject::Path(reporting), &[], 100) };
        assert!(is_valid(&paths()[reporting], &reported(95)) && !is_valid(&paths()[reporting], &reported(80)));
    }

    #[test]
    fn a_path_is_compared_with_the_baseline_if_that_did_the_work() {
        let compared = |id, baseline: Option<Record>| {
            let path = Record { subject: Subject::Path(position(id)), ..record(Subject::Empty, &[19.0], 0) };
            let row = first_row([record(Subject::Empty, &[10.0], 0), path].into_iter().chain(baseline).collect());
            (row.c_net_ns, row.ratio_to_c, row.valid)
        };
        let baseline = || record(Subject::Baseline(position("tcp_steady")), &[22.0], 0);
        assert_eq!(compared("tcp_steady", Some(baseline())), (Some(12.0), Some(0.75), Some(true)));
        let idle = Record { counted: 0, ..baseline() };
        assert_eq!(compared("tcp_steady", Some(idle)), (Some(12.0), Some(0.75), Some(false)));
        assert_eq!(compared("not_ours_arp", None), (None, None, Some(true)));
    }

    #[test]
    fn a_peer_has_rows_of_its_own_of_which_nothing_is_asserted() {
        let path = position("tcp_steady");
        let row = first_row(vec![
            record(Subject::Empty, &[10.0], 0),
            record(Subject::Baseline(path), &[20.0], 0),
            Record { counted: 0, ..record(Subject::Peer(0, path), &[40.0], 0) },
        ]);
        assert_eq!(row.id, "peer:other/tcp_steady");
        assert_eq!((row.net_ns, row.ratio_to_c, row.valid), (30.0, Some(3.0), None));
        assert_eq!((row.instructions, row.target_ns, row.flows), (None, None, 1));
    }

    #[test]
    fn json_has_the_names_that_are_documented() {
        let row = first_row(vec![record(Subject::Empty, &[10.0], 0), record(Subject::Path(0), &[12.0], 0)]);
        let json = serde_json::to_value(row).unwrap();
        let names =
            ["id", "hook", "net_ns", "ratio_to_empty", "ratio_to_c", "instructions", "helper_calls", "flows", "void"];
        assert!(names.iter().all(|name| json.get(name).is_some()), "{json}");
    }

    #[test]
    fn twins_that_are_apart_make_the_run_void() {
        let twins = |twin_ns| Twins { hook: Hook::Xdp, empty_ns: 10.0, twin_ns };
        assert!(!twins(10.2).is_void() && twins(10.4).is_void() && twins(9.6).is_void());
    }
}

//! From times to figures: minima net of the empty program, paired ratios, and whether they mean anything.

use serde::Serialize;

use super::case::{Hook, Path};
use super::record::{Record, Subject};

/// The two empty programs may be this far apart.
const TWINS_APART: f64 = 0.03;

/// Of the packets on a path that must match, this part has to: two flows in three may share a place in the table.
const MATCHED: f64 = 0.9;

/// One line of results.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Path.
    pub id: &'static str,
    /// Hook.
    pub hook: &'static str,
    /// Least time of a packet, less that of the empty program on the same way, in nanoseconds.
    pub net_ns: f64,
    /// Median over the rounds of time to the empty program's time.
    pub ratio_to_empty: f64,
    /// Number of flows; `None` where all packets are the same.
    pub flows: Option<u32>,
    /// What the path may cost, in net nanoseconds.
    pub target_ns: Option<f64>,
    /// What the C baseline costs on this path, in net nanoseconds; `None` where it does not do that work.
    pub c_net_ns: Option<f64>,
    /// `net_ns` to that of the C baseline; `None` also where that costs nothing.
    pub ratio_to_c: Option<f64>,
    /// RTT samples a packet.
    pub matches_per_packet: f64,
    /// Says whether the maps show that the work was done, here and in the C baseline.
    pub valid: bool,
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

/// A row for each path at each hook.
pub fn rows(paths: &[Path], records: &[Record]) -> Vec<Row> {
    let void = twins(records).iter().any(Twins::is_void);
    let rows = records.iter().filter_map(|record| row(paths, records, record));
    rows.map(|row| Row { void, ..row }).collect()
}

/// The row of a path's record; other records have none.
fn row(paths: &[Path], records: &[Record], record: &Record) -> Option<Row> {
    let Subject::Path(index) = record.subject else { return None };
    let path = &paths[index];
    let floor = if path.flow_bits.is_some() { Subject::Floor(index) } else { Subject::Empty };
    let floor = find(records, record.hook, floor)?;
    let baseline = find(records, record.hook, Subject::Baseline(index));
    let net = |record: &Record| least(&record.times_ns) - least(&floor.times_ns);
    let extra = if record.hook == Hook::Tc { 2.0 } else { 0.0 };
    Some(Row {
        id: path.id,
        hook: record.hook.name(),
        net_ns: rounded(net(record)),
        ratio_to_empty: rounded(paired_ratio(&record.times_ns, &floor.times_ns)),
        flows: path.flow_bits.map(|bits| 1 << bits),
        target_ns: path.target_ns.map(|target| target + extra),
        c_net_ns: baseline.map(|baseline| rounded(net(baseline))),
        ratio_to_c: baseline.map(net).filter(|c_net| *c_net > 0.0).map(|c_net| rounded(net(record) / c_net)),
        matches_per_packet: rounded(record.matches as f64 / record.packets as f64),
        valid: is_valid(path, record) && baseline.is_none_or(|baseline| is_valid(path, baseline)),
        void: false,
    })
}

/// Says whether a program's own counters show that it did the path's work on every packet.
fn is_valid(path: &Path, record: &Record) -> bool {
    let matched = record.matches as f64 / record.packets as f64;
    let is_matched = if path.matches { (MATCHED..=1.0).contains(&matched) } else { record.matches == 0 };
    record.counted == record.packets && is_matched
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
    use super::*;

    fn record(subject: Subject, times_ns: &[f64], matches: u64) -> Record {
        let times_ns = times_ns.to_vec();
        Record { times_ns, packets: 100, counted: 100, matches, ..Record::new(Hook::Xdp, subject) }
    }

    fn position(id: &str) -> usize {
        paths().iter().position(|path| path.id == id).unwrap()
    }

    #[test]
    fn times_are_net_of_the_empty_programs_least() {
        let path = position("geneve_count");
        let records = [
            record(Subject::Empty, &[12.0, 10.0, 20.0], 0),
            record(Subject::Twin, &[10.2, 11.0, 12.0], 0),
            record(Subject::Path(path), &[18.0, 16.0, 40.0], 0),
        ];
        let rows = rows(&paths(), &records);
        assert_eq!((rows[0].net_ns, rows[0].ratio_to_empty, rows[0].valid), (6.0, 1.6, true));
    }

    #[test]
    fn driven_times_are_net_of_the_driver() {
        let path = position("rtt_match");
        let records = [
            record(Subject::Empty, &[10.0], 0),
            record(Subject::Floor(path), &[30.0], 0),
            record(Subject::Path(path), &[75.0], 95),
        ];
        let rows = rows(&paths(), &records);
        assert_eq!((rows[0].net_ns, rows[0].ratio_to_empty, rows[0].valid), (45.0, 2.5, true));
    }

    #[test]
    fn a_path_that_did_not_do_its_work_is_not_valid() {
        let (matching, counting) = (position("rtt_match"), position("tcp_steady"));
        assert!(!is_valid(&paths()[matching], &record(Subject::Path(matching), &[], 80)));
        assert!(!is_valid(&paths()[counting], &record(Subject::Path(counting), &[], 1)));
        let uncounted = Record { counted: 99, ..record(Subject::Path(counting), &[], 0) };
        assert!(!is_valid(&paths()[counting], &uncounted));
    }

    #[test]
    fn a_path_is_compared_with_the_baseline_if_that_did_the_work() {
        let compared = |id, baseline: Option<Record>| {
            let path = Record { subject: Subject::Path(position(id)), ..record(Subject::Empty, &[19.0], 0) };
            let records = [record(Subject::Empty, &[10.0], 0), path].into_iter().chain(baseline).collect::<Vec<_>>();
            let row = rows(&paths(), &records).remove(0);
            (row.c_net_ns, row.ratio_to_c, row.valid)
        };
        let baseline = || record(Subject::Baseline(position("tcp_steady")), &[22.0], 0);
        assert_eq!(compared("tcp_steady", Some(baseline())), (Some(12.0), Some(0.75), true));
        let idle = Record { counted: 0, ..baseline() };
        assert_eq!(compared("tcp_steady", Some(idle)), (Some(12.0), Some(0.75), false));
        assert_eq!(compared("not_ours_arp", None), (None, None, true));
    }

    #[test]
    fn twins_that_are_apart_make_the_run_void() {
        let twins = |twin_ns| Twins { hook: Hook::Xdp, empty_ns: 10.0, twin_ns };
        assert!(!twins(10.2).is_void() && twins(10.4).is_void() && twins(9.6).is_void());
    }
}

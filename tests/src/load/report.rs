//! Results as tables, or as JSON lines.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::Serialize;

use super::{daemon, ratio, scale, scrape};

/// How results are printed, each as soon as it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Text,
    /// One object a line.
    Json,
}

/// A kind of results.
pub trait Line: Serialize {
    /// What JSON calls the kind.
    const KIND: &'static str;
    /// Its columns.
    const HEAD: &'static str;
    /// The result under them.
    fn text(&self) -> String;
}

impl Form {
    /// Begins a table.
    pub fn begin<L: Line>(self, title: &str) {
        if self == Self::Text {
            println!("\n{title}\n{}", L::HEAD);
        }
    }

    /// Prints a result.
    pub fn line<L: Line>(self, line: &L) -> Result<()> {
        match self {
            Self::Text => println!("{}", line.text()),
            Self::Json => println!("{}", serde_json::to_string(&BTreeMap::from([(L::KIND, line)]))?),
        }
        Ok(())
    }
}

impl Line for ratio::Row {
    const KIND: &'static str = "ratio";
    const HEAD: &'static str = "path          empty ns  tunmon ns    Mpps   ratio  target  A/A    lost  counts";

    fn text(&self) -> String {
        let target = self.target.map_or("-".to_owned(), |target| format!("{target:.2}"));
        let counts = if self.exact { "exact" } else { "WRONG" };
        let void = if self.void { "  void: the machine is too restless" } else { "" };
        format!(
            "{:12} {:9.1} {:10.1} {:7.2} {:7.3} {:>7} {:5.3} {:6}  {counts}{void}",
            self.path, self.empty_ns, self.tunmon_ns, self.tunmon_mpps, self.ratio, target, self.twins_ratio, self.lost
        )
    }
}

impl Line for daemon::Row {
    const KIND: &'static str = "daemon";
    const HEAD: &'static str = "state                  frames/s  events/s   core %  target  ns/event  own MiB    lost";

    fn text(&self) -> String {
        let target = self.target_percent.map_or("-".to_owned(), |target| format!("{target:.1}"));
        let event = self.event_ns.map_or("-".to_owned(), |event| format!("{event:.0}"));
        format!(
            "{:20} {:10.0} {:9.0} {:8.2} {:>7} {:>9} {:8.1} {:7}",
            self.scenario,
            self.frames_per_second,
            self.events_per_second,
            self.processor_percent,
            target,
            event,
            mebibytes(self.resident_bytes),
            self.lost
        )
    }
}

impl Line for scrape::Row {
    const KIND: &'static str = "scrape";
    const HEAD: &'static str = " tunnels  processors  ns a tunnel and processor  target";

    fn text(&self) -> String {
        format!("{:8} {:11} {:26.0} {:7.0}", self.tunnels, self.processors, self.ns, self.target_ns)
    }
}

impl Line for scale::Row {
    const KIND: &'static str = "scale";
    const HEAD: &'static str =
        "limits     tables MiB  kernel MiB  grown  own MiB     slots      used  frames without  flows evicted  lost";

    fn text(&self) -> String {
        format!(
            "{:10} {:10.1} {:11.1} {:6} {:8.1} {:9} {:9} {:15} {:14} {:5}",
            self.scenario,
            mebibytes(self.table_bytes),
            mebibytes(self.kernel_bytes),
            self.kernel_growth_bytes,
            mebibytes(self.resident_bytes),
            self.tunnels_max,
            self.tunnels_tracked,
            self.untracked,
            self.flows_evicted,
            self.lost
        )
    }
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

//! How the cost of the dearest short path grows with flows, VNIs and processors: every packet answers another one, at XDP.

mod processors;

use std::fs;
use std::path::Path as FilePath;
use std::time::Duration;

use anyhow::{Context, Result};

use super::case::{Hook, Path};
use super::driver::Drive;
use super::figures::{self, Row, Twins};
use super::machine;
use super::plot::{self, Panel, Series};
use super::report;
use super::run::{self, Plan};

/// Flows and VNIs that are measured, as powers of two.
const FLOWS: [u32; 9] = [0, 4, 8, 10, 12, 14, 16, 18, 20];
const VNIS: [u32; 4] = [0, 4, 8, 12];
/// Flows over which the VNIs are spread.
const FLOWS_OF_VNIS: u32 = 12;

const ROUNDS: usize = 61;
const PATIENCE: Duration = Duration::from_secs(45);

const BY_FLOWS: &str = "by_flows";
const BY_VNIS: &str = "by_vnis";

/// What is measured: net nanoseconds a packet, of tunmon and of the C baseline.
#[derive(Clone, Copy, Debug)]
struct Point {
    at: u32,
    ours_ns: f64,
    c_ns: f64,
}

/// Measures and prints, and draws where `svg` says; says whether every case did its work.
pub fn run(svg: Option<&FilePath>) -> Result<bool> {
    let allowed = machine::processors()?;
    let remarks = [machine::description(), machine::quieten()?].concat();
    let flows = FLOWS.map(|bits| Path::matching(BY_FLOWS, Drive::flows(bits), None));
    let spread = |vni_bits| Drive { vni_bits, ..Drive::flows(FLOWS_OF_VNIS) };
    let vnis = VNIS.map(|bits| Path::matching(BY_VNIS, spread(bits), None));
    let paths = flows.into_iter().chain(vnis).collect();
    let hooks = vec![Hook::Xdp];
    let results = run::measure(Plan { paths, hooks, peers: Vec::new(), rounds: ROUNDS, patience: PATIENCE })?;
    let (rows, twins) = (figures::rows(&results), figures::twins(&results.records));
    let processors = processors::measure(&allowed)?;
    let tables = [
        ("flows", points(&rows, BY_FLOWS, |row| row.flows)),
        ("VNIs", points(&rows, BY_VNIS, |row| row.vnis)),
        ("processors", processors),
    ];
    print(&tables);
    let twins: Vec<Twins> = twins.into_iter().filter(|twins| twins.hook == Hook::Xdp).collect();
    report::end(&remarks, &twins);
    if let Some(file) = svg {
        let mut note = remarks.first().cloned().unwrap_or_default();
        if twins.iter().any(Twins::is_void) {
            note += " VOID: the machine was too restless.";
        }
        let axes = ["flows, of one VNI", "VNIs, with 4096 flows", "processors, with 1024 flows each"];
        let panels: Vec<Panel> = axes.iter().zip(&tables).map(|(axis, (_, points))| panel(axis, points)).collect();
        let text = plot::svg(&panels, &note);
        fs::write(file, text).with_context(|| format!("writing {}", file.display()))?;
    }
    let faults: Vec<&Row> = rows.iter().filter(|row| row.valid == Some(false)).collect();
    for row in &faults {
        eprintln!("bench: {} with {} flows, {} VNIs: the maps do not show the work", row.id, row.flows, row.vnis);
    }
    Ok(faults.is_empty())
}

fn points(rows: &[Row], id: &str, at: fn(&Row) -> u32) -> Vec<Point> {
    let rows = rows.iter().filter(|row| row.id == id);
    rows.map(|row| Point { at: at(row), ours_ns: row.net_ns, c_ns: row.c_net_ns.unwrap_or(f64::NAN) }).collect()
}

fn print(tables: &[(&str, Vec<Point>)]) {
    for (name, points) in tables {
        println!("{name:>10}{:>10}{:>10}{:>8}", "net ns", "C ns", "x C");
        for point in points {
            let ratio = point.ours_ns / point.c_ns;
            println!("{:>10}{:>10.1}{:>10.1}{ratio:>8.2}", point.at, point.ours_ns, point.c_ns);
        }
        println!();
    }
    println!("Every packet answers another one, at XDP; net of the empty program behind the same driver.");
    println!(
        "VNIs: over {} flows. Processors: each with 1024 flows of its own, the slowest counts.",
        1 << FLOWS_OF_VNIS
    );
}

fn panel(name: &str, points: &[Point]) -> Panel {
    let of = |value: fn(&Point) -> f64| points.iter().map(|point| (f64::from(point.at), value(point))).collect();
    let ours = Series { name: "tunmon".to_owned(), colour: "#0b6e99", points: of(|point| point.ours_ns) };
    let c = Series { name: "C baseline".to_owned(), colour: "#b4552d", points: of(|point| point.c_ns) };
    Panel { x_name: name.to_owned(), series: vec![ours, c] }
}

//! What one packet costs in each program; `cargo xtask bench` runs it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Parser;
use monitor::failure::{Failure, RUNTIME};
use tests::bench::case::{self, Hook};
use tests::bench::peer::Peer;
use tests::bench::run::{self, Plan};
use tests::bench::{figures, machine, report, scale};

const ROUNDS: usize = 121;
const PATIENCE: Duration = Duration::from_secs(50);

/// What one packet costs in each program, beside an empty one and a plain C baseline. docs/performance.md explains it.
#[derive(Parser)]
#[command(name = "cargo xtask bench")]
struct Options {
    /// One JSON object a line in place of the table.
    #[arg(long)]
    json: bool,
    /// Also time an XDP or TC program of another object, named by its function or its section; may be repeated.
    #[arg(long, value_name = "OBJECT:PROGRAM")]
    peer: Vec<String>,
    /// How the cost grows with flows, VNIs and processors, instead.
    #[arg(long, conflicts_with_all = ["peer", "json"])]
    scale: bool,
    /// Draw what --scale measures.
    #[arg(long, value_name = "FILE", requires = "scale")]
    svg: Option<PathBuf>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let done = if options.scale { scale::run(options.svg.as_deref()) } else { bench(&options) };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(RUNTIME),
        Err(error) => {
            let failure = error.downcast_ref::<Failure>();
            let text = format!("{error:#}");
            // A failure has a line of its own for what to do.
            let lines = text.lines().take(if failure.is_some() { 2 } else { 1 });
            eprintln!("bench: {}", lines.collect::<Vec<_>>().join("\n"));
            ExitCode::from(failure.map_or(RUNTIME, |failure| failure.code))
        }
    }
}

/// Measures and prints; says whether every case did its work.
fn bench(options: &Options) -> Result<bool> {
    let peers = peers(&options.peer)?;
    let remarks = [machine::description(), machine::quieten()?].concat();
    let paths = case::paths();
    let results = run::measure(Plan { paths, hooks: Hook::ALL.to_vec(), peers, rounds: ROUNDS, patience: PATIENCE })?;
    let rows = figures::rows(&results);
    if options.json {
        for row in &rows {
            println!("{}", serde_json::to_string(row)?);
        }
    } else {
        report::print(&rows, &figures::twins(&results.records), &remarks);
    }
    Ok(rows.iter().all(|row| row.valid != Some(false)))
}

/// The programs that were asked for, each with a name of its own.
fn peers(arguments: &[String]) -> Result<Vec<Peer>> {
    let (mut peers, mut names) = (Vec::new(), BTreeSet::new());
    for argument in arguments {
        let mut peer = Peer::find(argument)?;
        if !names.insert(peer.name.clone()) {
            peer.name = argument.clone();
        }
        peers.push(peer);
    }
    Ok(peers)
}

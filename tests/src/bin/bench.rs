//! What one packet costs in each program; `cargo xtask bench` runs it.

use std::env;
use std::process::ExitCode;

use anyhow::Result;
use monitor::failure::{Failure, RUNTIME, USAGE};
use tests::bench::{figures, machine, report, run};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let is_json = arguments == ["--json"];
    if !is_json && !arguments.is_empty() {
        eprintln!("bench: the only argument is --json");
        return ExitCode::from(USAGE);
    }
    match bench(is_json) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(RUNTIME),
        Err(error) => {
            let text = format!("{error:#}");
            eprintln!("bench: {}", text.lines().next().unwrap_or_default());
            ExitCode::from(error.downcast_ref::<Failure>().map_or(RUNTIME, |failure| failure.code))
        }
    }
}

/// Measures and prints; says whether every case did its work.
fn bench(is_json: bool) -> Result<bool> {
    let remarks = [machine::description(), machine::quieten()?].concat();
    let (paths, records) = run::measure()?;
    let rows = figures::rows(&paths, &records);
    if is_json {
        for row in &rows {
            println!("{}", serde_json::to_string(row)?);
        }
    } else {
        report::print(&rows, &figures::twins(&records), &remarks);
    }
    Ok(rows.iter().all(|row| row.valid))
}

//! tunmon under load; `cargo xtask load` runs it.

use std::process::ExitCode;
use std::thread;

use anyhow::{Result, anyhow};
use clap::Parser;
use monitor::bpf::OBJECT;
use monitor::failure::{Failure, RUNTIME};
use tests::bench::machine;
use tests::load::report::Form;
use tests::load::wire::Wire;
use tests::load::{daemon, generator, ratio, scale, scrape, verdict};

/// Sends millions of frames a second to tunmon, and says what that costs and whether anything is lost.
#[derive(Parser)]
#[command(name = "load")]
struct Options {
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 5.0, value_parser = seconds)]
    seconds: f64,
    /// Print one JSON object a line.
    #[arg(long)]
    json: bool,
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if (0.1..=600.0).contains(&seconds) => Ok(seconds),
        _ => Err("give seconds from 0.1 to 600".to_owned()),
    }
}

fn main() -> ExitCode {
    match load(&Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(RUNTIME),
        Err(error) => {
            let text = format!("{error:#}");
            eprintln!("load: {}", text.lines().next().unwrap_or_default());
            ExitCode::from(error.downcast_ref::<Failure>().map_or(RUNTIME, |failure| failure.code))
        }
    }
}

/// Measures and prints; says whether nothing was lost and every count was right. Times decide nothing.
fn load(options: &Options) -> Result<bool> {
    let form = if options.json { Form::Json } else { Form::Text };
    if form == Form::Text {
        machine::description().iter().for_each(|line| println!("{line}"));
    }
    let wire = Wire::create()?;
    let (object, dropping) = (generator::object()?, verdict::dropping(OBJECT)?);
    let objects = [object.as_slice(), dropping.as_slice()];
    let is_exact = ratios(form, &wire, objects, options.seconds)?;
    form.begin::<daemon::Row>("What tunmon costs on a processor of its own:");
    let (mut rest, mut lost) = (None, 0);
    for scenario in daemon::SCENARIOS {
        let mut row = daemon::measure(scenario, &wire, &object, options.seconds)?;
        if let Some(rest) = &rest {
            daemon::price_events(rest, &mut row);
        }
        form.line(&row)?;
        lost += row.lost;
        rest.get_or_insert(row);
    }
    form.begin::<scrape::Row>("What it costs to read all counts:");
    scrape::measure(&wire, objects)?.iter().try_for_each(|row| form.line(row))?;
    form.begin::<scale::Row>("More than the tables hold:");
    for scenario in scale::SCENARIOS {
        let row = scale::measure(scenario, &wire, &object)?;
        form.line(&row)?;
        lost += row.lost;
    }
    Ok(is_exact && lost == 0)
}

/// In a thread of its own, since what makes the machine quiet stays with the thread, and goes on to what it starts.
fn ratios(form: Form, wire: &Wire, objects: [&[u8]; 2], seconds: f64) -> Result<bool> {
    form.begin::<ratio::Row>("Time of a frame, from the generator to the end of the program that receives it:");
    let measure = || {
        let remarks = machine::quieten()?;
        remarks.iter().for_each(|remark| eprintln!("{remark}"));
        let mut is_exact = true;
        for path in ratio::paths() {
            let row = ratio::measure(&path, wire, objects, seconds)?;
            form.line(&row)?;
            is_exact &= row.exact;
        }
        Ok(is_exact)
    };
    thread::scope(|scope| {
        scope.spawn(measure).join().unwrap_or_else(|_| Err(anyhow!("the measuring thread ended by a panic")))
    })
}

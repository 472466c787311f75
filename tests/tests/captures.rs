//! Every frame of every capture in `fixtures/captures`, as tunmon reads it and as tshark reads it.
//!
//! `fixtures/captures/README.md` tells where the captures come from and what the columns of the tables are. Where the
//! two readers differ, [`divergences::DIVERGENCES`] says why; an entry that is not needed fails the test.

#[path = "captures/columns.rs"]
mod columns;
#[path = "captures/divergences.rs"]
mod divergences;
#[path = "captures/reading.rs"]
mod reading;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use divergences::DIVERGENCES;
use monitor::counts::Counts;
use monitor::export::packet::line;
use monitor::inventory::Inventory;
use monitor::read::{DEVICE, Item, Options, Reading, read};
use monitor_common::packet::Class;
use serde_json::Value;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/captures")
}

/// The captures: name without folder, path.
fn captures() -> Vec<(String, PathBuf)> {
    let mut found = vec![];
    for folder in [folder(), folder().join("public")] {
        for entry in folder.read_dir().expect("the captures are there") {
            let path = entry.expect("a folder can be listed").path();
            if path.extension().is_some_and(|extension| extension == "pcap" || extension == "pcapng") {
                let name = path.file_stem().expect("a capture has a name").to_string_lossy().into_owned();
                found.push((name, path));
            }
        }
    }
    found.sort();
    found
}

fn read_lines(path: &Path) -> (Vec<Value>, Reading) {
    let options = Options { file: path.to_owned(), packets: true, ..Options::default() };
    let (names, mut lines) = (Inventory::default(), vec![]);
    let reading = read(&options, |item| {
        if let Item::Packet { packet, record, frame } = item {
            lines.push(serde_json::to_value(line(packet, record, frame, &names)).expect("a record is JSON"));
        }
    });
    (lines, reading.expect("the capture can be read"))
}

/// Frame, field, what tshark says, what tunmon says.
type Difference = (u64, &'static str, String, String);

/// All differences, and the number of values compared.
fn compare(path: &Path, lines: &[Value]) -> (Vec<Difference>, usize) {
    let table = std::fs::read_to_string(path.with_extension("csv")).expect("a capture has a table");
    let mut rows = table.lines();
    let header: Vec<&str> = rows.next().expect("a table has a header").split(',').collect();
    let rows: Vec<columns::Row> = rows.map(|row| header.iter().copied().zip(row.split(',')).collect()).collect();
    assert_eq!(rows.len(), lines.len(), "{}: tshark's frames and ours", path.display());
    let (mut differences, mut compared) = (vec![], 0);
    for (row, line) in rows.iter().zip(lines) {
        for (field, theirs, ours) in columns::compared(row, line, &lines[0]) {
            compared += usize::from(!theirs.is_empty());
            if theirs != ours {
                differences.push((line["frame"].as_u64().expect("a frame has a number"), field, theirs, ours));
            }
        }
    }
    (differences, compared)
}

#[test]
fn every_field_of_every_frame_agrees_with_tshark() {
    let (mut unexplained, mut used, mut frames, mut compared) = (vec![], BTreeSet::new(), 0, 0);
    for (name, path) in captures() {
        let (lines, _) = read_lines(&path);
        let (differences, values) = compare(&path, &lines);
        (frames, compared) = (frames + lines.len(), compared + values);
        for (frame, field, theirs, ours) in differences {
            match divergences::find(&name, frame, field) {
                Some(place) => drop(used.insert(place)),
                None => unexplained.push(format!("{name} {frame} {field}: tshark {theirs:?}, tunmon {ours:?}")),
            }
        }
    }
    println!("{frames} frames, {compared} values, {} divergences", used.len());
    assert!(unexplained.is_empty(), "{} differences:\n{}", unexplained.len(), unexplained.join("\n"));
    assert_eq!(used, divergences::all(), "divergences that are not needed");
    assert!(frames >= 2000 && compared >= 60_000 && !DIVERGENCES.is_empty(), "captures are missing");
}

#[test]
fn every_frame_is_counted_once() {
    for (name, path) in captures() {
        let (lines, reading) = read_lines(&path);
        let totals = Counts::of(&reading.tables, DEVICE).totals;
        let by_class = |class: usize| totals.classes[0][class] + totals.classes[1][class];
        let seen: u64 = Class::ALL.into_iter().map(|class| by_class(class as usize)).sum();
        assert_eq!((seen, lines.len() as u64), (reading.frames, reading.frames), "{name}: seen = Σ classes = frames");
        for class in Class::ALL {
            let told = lines.iter().filter(|line| line["class"] == class.name()).count();
            assert_eq!(told as u64, by_class(class as usize), "{name}: {}", class.name());
        }
        let tracked: u64 =
            reading.tables.tracked().flat_map(|(_, _, counters)| counters.traffic).map(|t| t.packets).sum();
        let untracked = totals.untracked[0][0] + totals.untracked[1][0];
        assert_eq!(tracked + untracked, by_class(Class::Geneve as usize), "{name}: geneve = Σ per VNI + untracked");
        assert_eq!(totals.malformed.iter().sum::<u64>(), by_class(Class::Malformed as usize), "{name}: malformed");
    }
}

//! Names that the operator has written into a file: read before anything is attached, and anew when it changes.
//!
//! It is looked at once a second, which works where a name is switched to another file (ConfigMaps, editors), and read when
//! two looks in a row have found the same change: a file that is being written is left alone. One that says something wrong
//! changes nothing; what it said before stays, and it is read again when it changes again.

mod hosts;
mod scalar;
mod tree;

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use jiff::Timestamp;
use tokio::task::spawn_blocking;

use super::{Hub, Task};
use crate::failure::Failure;
use crate::file;
use crate::inventory::{Facts, Kind, Name, Source, State};

const ADVICE: &str =
    "write names as YAML (nodes: {192.0.2.1: node1}), as JSON, or as lines ADDRESS NAME; see docs/names.md";

/// Bytes that a file may have.
const MOST_BYTES: u64 = 16 << 20;
/// Nodes that it may have, and networks.
const MOST: usize = 1 << 16;
/// Between two looks at it.
const LOOKS: Duration = Duration::from_secs(1);

/// Reads the file once; the task follows it.
pub(super) fn open(path: &Path) -> Result<Task> {
    let (stamp, (source, facts)) = (stamp(path), once(path)?);
    let file = Followed { path: path.to_owned(), read: stamp, source };
    Ok(Box::new(|hub| Box::pin(file.follow(facts, hub))))
}

/// Reads the file, and says what there is to say of a source.
fn once(path: &Path) -> Result<(Source, Facts)> {
    let facts = read(path).map_err(|problem| Failure::usage(format!("{}: {problem}", path.display()), ADVICE))?;
    let from = Name::new(&path.to_string_lossy());
    let (entries, synced) = (facts.nodes.len() + facts.networks.len(), Some(Timestamp::now()));
    Ok((Source { kind: Kind::File, state: State::Up, from, trouble: None, entries, synced }, facts))
}

struct Followed {
    path: PathBuf,
    /// What the file was like when it was read last; `None` when it was not there.
    read: Option<Stamp>,
    source: Source,
}

impl Followed {
    async fn follow(mut self, facts: Facts, hub: Hub) {
        hub.tell(self.source.clone(), Some(facts));
        let mut before = self.read;
        loop {
            tokio::time::sleep(LOOKS).await;
            let path = self.path.clone();
            // A file system may take its time, and a long file too: other sources go on meanwhile.
            let look = move |last: Option<Stamp>, before: Option<Stamp>| {
                let now = stamp(&path);
                let is_changed = now != last && now == before;
                (now, is_changed.then(|| read(&path)))
            };
            let last = self.read;
            let Ok((now, news)) = spawn_blocking(move || look(last, before)).await else { continue };
            before = now;
            if let Some(news) = news {
                self.read = now;
                hub.tell_of(&mut self.source, news);
            }
        }
    }
}

impl Hub {
    fn tell_of(&self, source: &mut Source, news: Result<Facts, Problem>) {
        match news {
            Ok(facts) => {
                (source.state, source.trouble) = (State::Up, None);
                (source.entries, source.synced) = (facts.nodes.len() + facts.networks.len(), Some(Timestamp::now()));
                self.tell(source.clone(), Some(facts));
            }
            Err(problem) => {
                tracing::warn!("{}: {problem}; the names that it had before stay", source.from);
                (source.state, source.trouble) = (State::Down, Some(Name::new(&problem.to_string())));
                self.tell(source.clone(), None);
            }
        }
    }
}

/// All that changes when a file does, also by its name being given to another one.
type Stamp = ([u64; 3], [i64; 4]);

fn stamp(path: &Path) -> Option<Stamp> {
    let file = fs::metadata(path).ok()?;
    Some(([file.dev(), file.ino(), file.len()], [file.mtime(), file.mtime_nsec(), file.ctime(), file.ctime_nsec()]))
}

/// What is wrong with a file, and where.
#[derive(Debug, PartialEq, Eq)]
struct Problem {
    line: Option<u64>,
    text: String,
}

impl Problem {
    fn new(line: impl Into<Option<u64>>, text: impl fmt::Display) -> Self {
        // The text may quote the file.
        Self { line: line.into(), text: Name::new(&text.to_string()).to_string() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(formatter, "line {line}: {}", self.text),
            None => formatter.write_str(&self.text),
        }
    }
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        Self::new(None, error)
    }
}

fn read(path: &Path) -> Result<Facts, Problem> {
    // Opening what is no file may wait for ever.
    if !fs::metadata(path)?.is_file() {
        return Err(Problem::new(None, "no regular file"));
    }
    let text = String::from_utf8(file::read(path, MOST_BYTES)?).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        Problem::new(line_of(good), "no UTF-8")
    })?;
    parse(text.trim_start_matches('\u{feff}'))
}

/// The number of the line that comes behind these bytes.
fn line_of(before: &[u8]) -> u64 {
    before.iter().filter(|byte| **byte == b'\n').count() as u64 + 1
}

/// The form of a file shows in the first line that says something.
fn parse(text: &str) -> Result<Facts, Problem> {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let Some(first) = lines.next() else { return Err(Problem::new(None, "there is nothing in it")) };
    let is_tree = first == "---" || first.starts_with('%') || first.split_whitespace().any(|word| word.ends_with(':'));
    let facts = match first.as_bytes() {
        [b'{' | b'[', ..] => tree::json(text),
        _ if is_tree => tree::yaml(text),
        _ => hosts::parse(text),
    }?;
    match facts.nodes.len().max(facts.networks.len()) {
        ..=MOST => Ok(facts),
        _ => Err(Problem::new(None, format_args!("there are more than {MOST} nodes or networks in it"))),
    }
}

/// The address of a node's tunnel endpoint.
fn address(text: &str) -> Result<std::net::IpAddr, String> {
    let address: std::net::IpAddr = text.parse().map_err(|_| format!("{text:?} is no IP address"))?;
    let address = address.to_canonical();
    if address.is_unspecified() || address.is_multicast() {
        return Err(format!("{address} is no address of a node"));
    }
    Ok(address)
}

/// A name that says something.
fn name(text: &str) -> Result<Name, String> {
    Name::some(text.trim()).ok_or_else(|| "a name is empty".to_owned())
}

/// RFC 8926 §3.4: 24 bits.
fn vni(number: u64) -> Result<u32, String> {
    let vni = u32::try_from(number).ok().filter(|vni| *vni < 1 << 24);
    vni.ok_or_else(|| format!("{number} is no VNI: they end with 16777215"))
}

#[cfg(test)]
mod tests;

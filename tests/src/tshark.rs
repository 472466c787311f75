//! Dissection of a capture file by `tshark`, each frame by itself.
//!
//! All reassembly is off: with it, fragments and segments vanish into the frame that completes them.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::process;

const SEPARATOR: char = '\t';
const AGGREGATOR: char = ';';

const EACH_FRAME_ALONE: &[&str] = &[
    "ip.defragment:FALSE",
    "ipv6.defragment:FALSE",
    "tcp.desegment_tcp_streams:FALSE",
    "tcp.reassemble_out_of_order:FALSE",
    "ip.check_checksum:TRUE",
    "udp.check_checksum:TRUE",
    "tcp.check_checksum:TRUE",
];

/// The asked fields of one frame. A field that occurs in several headers has several values, outermost first.
#[derive(Clone, Debug, Default)]
pub struct Row {
    values: HashMap<&'static str, Vec<String>>,
}

impl Row {
    /// All values of a field; none if the frame does not have it.
    pub fn all(&self, field: &str) -> &[String] {
        self.values.get(field).map_or(&[], Vec::as_slice)
    }

    /// The outermost value.
    pub fn first(&self, field: &str) -> Option<&str> {
        self.all(field).first().map(String::as_str)
    }

    /// The outermost value as a number, decimal or `0x…`.
    pub fn number(&self, field: &str) -> Option<u64> {
        number(self.first(field)?)
    }
}

/// A number as tshark prints it.
pub fn number(text: &str) -> Option<u64> {
    text.strip_prefix("0x").map_or_else(|| text.parse().ok(), |digits| u64::from_str_radix(digits, 16).ok())
}

/// One row per frame that passes the display filter (all if it is empty).
pub fn rows(pcap: &Path, filter: &str, fields: &[&'static str]) -> Result<Vec<Row>> {
    let mut command = Command::new("tshark");
    command.arg("-n").arg("-r").arg(pcap).args(EACH_FRAME_ALONE.iter().flat_map(|setting| ["-o", setting]));
    command.args(["-T", "fields", "-E", "separator=/t", "-E", "occurrence=a", "-E", "quote=n"]);
    command.args(["-E", &format!("aggregator={AGGREGATOR}")]);
    command.args(fields.iter().flat_map(|field| ["-e", field]));
    if !filter.is_empty() {
        command.args(["-Y", filter]);
    }
    let text = process::run(&mut command)?;
    text.lines().map(|line| parse(line, fields).with_context(|| format!("tshark printed: {line}"))).collect()
}

fn parse(line: &str, fields: &[&'static str]) -> Result<Row> {
    let columns: Vec<&str> = line.split(SEPARATOR).collect();
    ensure!(columns.len() == fields.len(), "{} columns for {} fields", columns.len(), fields.len());
    let split = |column: &str| column.split(AGGREGATOR).filter(|value| !value.is_empty()).map(str::to_owned).collect();
    Ok(Row { values: fields.iter().zip(columns).map(|(field, column)| (*field, split(column))).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_nested_headers_are_kept_in_order() {
        let row = parse("7\t192.168.50.1;10.1.0.1\t\t0x000064", &["a", "ip.src", "none", "vni"]).unwrap();
        assert_eq!(row.all("ip.src"), ["192.168.50.1", "10.1.0.1"]);
        assert_eq!(row.first("none"), None);
        assert_eq!((row.number("a"), row.number("vni")), (Some(7), Some(100)));
    }

    #[test]
    fn a_line_of_the_wrong_width_is_an_error() {
        assert!(parse("1\t2", &["a", "b", "c"]).is_err());
    }
}

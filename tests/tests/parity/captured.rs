//! The frames of the captures, as a device would have shown them.

use std::fs::File;
use std::path::{Path, PathBuf};

use monitor::capture::Capture;
use monitor::read::{DEVICE, Options, read};
use monitor_common::frame::{Direction, Frame};
use monitor_common::packet::{self, Address, Packet};
use monitor_common::wire::geneve::Ports;

use super::step::{LONGEST_TC, LONGEST_XDP, Program, Step};

/// The captures in the fixtures.
pub(super) fn paths() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/captures");
    let folders = [folder.join("public"), folder];
    let entries = folders.iter().flat_map(|folder| folder.read_dir().expect("the captures are there"));
    let paths = entries.map(|entry| entry.expect("a folder can be listed").path());
    let is_capture = |path: &PathBuf| path.extension().is_some_and(|end| end == "pcap" || end == "pcapng");
    let mut paths: Vec<PathBuf> = paths.filter(is_capture).collect();
    paths.sort();
    paths
}

/// The frames of a capture, for `rx` or for TC egress, or for XDP where TC refuses them.
///
/// What was not captured the programs cannot be told of: to both sides such a frame is a short one. So is one that no
/// test run takes, which is cut.
pub(super) fn steps(path: &Path, rx: Program) -> Vec<Step> {
    let options = Options { file: path.to_owned(), ..Options::default() };
    let local = read(&options, |_| {}).expect("a capture can be read").local;
    let local: Vec<Address> = local.into_iter().map(Address::from).collect();
    let mut capture = Capture::new(File::open(path).expect("a capture can be opened")).expect("it is a capture");
    let mut steps = vec![];
    while let Some(record) = capture.next_record().expect("a capture can be read") {
        let program = if is_sent(record.bytes, &local) { Program::TcTx } else { rx };
        let program = if program.takes(record.bytes) { program } else { Program::Xdp };
        let longest = if record.bytes.len() > LONGEST_XDP { LONGEST_XDP } else { LONGEST_TC };
        let is_taken = program.takes(record.bytes);
        let length = if is_taken { record.bytes.len() } else { record.bytes.len().min(longest) };
        steps.push(Step::new(program, record.bytes[..length].to_vec()));
    }
    steps
}

fn is_sent(bytes: &[u8], local: &[Address]) -> bool {
    let (frame, mut packet) = (Frame::new(DEVICE, Direction::Rx, bytes.len() as u32), Packet::default());
    packet::parse_outer(bytes, &frame, Ports::new(&[6081]), &mut packet);
    packet.outer.version != 0 && local.contains(&packet.outer.source)
}

//! Captures from real Open vSwitch and OVN with known faults, and those of tunnels that are well.

use std::path::{Path, PathBuf};

use super::support::{found, of_summary, run};

/// Code, VNI, peer.
type Expected = (&'static str, u64, &'static str);

/// What is found in the captures in which anything is; the peer is that of the node that was captured.
const EXPECTED: [(&str, &[Expected]); 4] = [
    ("ovs_oversize_df_icmp.pcap", &[("TM102", 100, "172.31.8.2")]),
    ("ovs_outer_frags_node1.pcap", &[("TM104", 100, "172.31.8.2")]),
    ("ovs_inner_frags.pcap", &[("TM105", 100, "172.31.7.2")]),
    (
        "base_packets.pcap",
        &[
            ("TM102", 100, "172.31.7.2"),
            ("TM104", 100, "172.31.7.2"),
            ("TM105", 100, "fd00:31:7::2"),
            ("TM106", 100, "172.31.7.2"),
        ],
    ),
];

fn captures(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in directory.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(captures(&path));
        } else if path.extension().is_some_and(|extension| extension == "pcap" || extension == "pcapng") {
            found.push(path);
        }
    }
    found
}

#[test]
fn each_capture_has_the_findings_of_its_fault_and_no_other() {
    let captures = captures(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/captures"));
    assert!(captures.len() > 30, "{captures:?}");
    for path in captures {
        let name = path.file_name().unwrap().to_str().unwrap();
        let Some(records) = run(&["read", path.to_str().unwrap()], false) else { return };
        let expected = EXPECTED.iter().find(|(capture, _)| *capture == name).map_or(&[][..], |(_, found)| found);
        let expected: Vec<_> = expected
            .iter()
            .map(|(code, vni, peer)| ((*code).to_owned(), Some(*vni), Some((*peer).to_owned())))
            .collect();
        assert_eq!(of_summary(&records).iter().map(found).collect::<Vec<_>>(), expected, "{name}");
    }
}

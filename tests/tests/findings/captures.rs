//! Captures from real Open vSwitch and OVN with known faults, and those of tunnels that are well.

use std::path::{Path, PathBuf};

use super::support::{found, of_summary, run};

/// Code, VNI, peer.
type Expected = (&'static str, u64, &'static str);

/// What is found in the captures in which anything is; the peer is that of the node that was captured, or that is taken
/// for it: with two nodes it is not said which one is.
const EXPECTED: [(&str, &[Expected]); 7] = [
    ("ovs_oversize_blackhole_node1.pcap", &[("TM101", 100, "172.31.7.1")]),
    ("ovs_oversize_dropped.pcap", &[("TM101", 100, "172.31.7.1")]),
    // A transfer stalls there as well: the pods' MTU of 1442 leaves no room for what IPv6 adds.
    ("ovs_v6_underlay.pcap", &[("TM101", 100, "fd00:31:7::2")]),
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

#[test]
fn whose_capture_it_is_decides_where_the_packets_are_lost() {
    let capture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/captures/ovs_oversize_dropped.pcap");
    for (local, code) in [("172.31.7.1", "TM101"), ("172.31.7.2", "TM108")] {
        let Some(records) = run(&["read", capture.to_str().unwrap(), "--local", local], false) else { return };
        let [finding] = of_summary(&records).try_into().unwrap();
        assert_eq!(finding["code"], code, "{finding}");
        assert_eq!(finding["evidence"]["lost_length_bytes"], 1550, "{finding}");
    }
}

#[test]
fn a_long_quote_names_the_flow_inside() {
    let capture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/captures/ovs_oversize_df_icmp.pcap");
    let Some(records) = run(&["read", capture.to_str().unwrap()], false) else { return };
    let [finding] = of_summary(&records).try_into().unwrap();
    let inner = &finding["evidence"]["inner"];
    assert_eq!(
        (&inner["src"], &inner["dst"], &inner["protocol"]),
        (&"10.101.0.1".into(), &"10.101.0.2".into(), &1.into())
    );
}

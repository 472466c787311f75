//! What `read` makes of a whole file: who is local, which way frames go, events, progress, pipes, cut files.

use std::io::{Write, pipe};
use std::net::IpAddr;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use monitor::capture::Capture;
use monitor::counts::Counts;
use monitor::read::{DEVICE, Item, Options, Reading, read};
use monitor_common::event::{Any, KINDS};
use monitor_common::packet::Class;
use tests::frame::{Rng, base_packets, mutate};

use super::folder;

fn capture(name: &str) -> PathBuf {
    folder().join(name)
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("it is an address")
}

fn read_with(file: &Path, local: &[&str]) -> Reading {
    let local = local.iter().copied().map(ip).collect();
    read(&Options { file: file.to_owned(), local, ..Options::default() }, |_| {}).expect("the capture can be read")
}

/// Received and sent packets of class `geneve`.
fn directions(reading: &Reading) -> [u64; 2] {
    Counts::of(&reading.tables, DEVICE).totals.classes.map(|classes| classes[Class::Geneve as usize])
}

#[test]
fn the_endpoint_that_is_seen_most_is_local() {
    let reading = read_with(&capture("scapy_edge_cases.pcap"), &[]);
    assert_eq!((reading.local.as_slice(), directions(&reading)[1]), (&[ip("172.31.7.1")][..], 0));
    let reading = read_with(&capture("ovn_v6_underlay.pcap"), &[]);
    assert!(matches!(reading.local[..], [IpAddr::V6(_)]), "{:?}", reading.local);
}

#[test]
fn the_local_address_decides_the_direction() {
    let file = capture("ovs_tcp_http_full.pcap");
    let [one, other] = ["172.31.7.1", "172.31.7.2"].map(|local| directions(&read_with(&file, &[local])));
    assert_eq!((one[0], one[1], one[0] + one[1]), (other[1], other[0], 99));
    assert!(one[0] > 0 && one[1] > 0);
    assert_eq!(directions(&read_with(&file, &["192.0.2.1"])), [99, 0], "a frame of nobody is received");
}

#[test]
fn every_event_is_delivered_and_accounted_for() {
    let options = Options { file: capture("ovs_tcp_http_full.pcap"), ..Options::default() };
    let (mut delivered, mut shares) = ([0; KINDS], vec![]);
    let reading = read(&options, |item| match item {
        Item::Event { event, tables } => {
            delivered[event.kind() as usize] += 1;
            assert!(!matches!(event, Any::Rtt(rtt) if rtt.rtt_ns == 0 || rtt.rtt_ns >= 1_000_000_000));
            assert!(tables.tracked().any(|(slot, tunnel, _)| slot == event.head().tunnel && tunnel.vni() == 100));
        }
        Item::Progress(share) => shares.push(share),
        Item::Packet { .. } => panic!("nobody asked for packets"),
    })
    .expect("the capture can be read");
    let outcomes = reading.tables.totals_of(DEVICE).events;
    // One connection, which loses nothing.
    assert!(delivered[0] > 0 && delivered[1..] == [0, 0, 0, 1, 0], "{delivered:?}");
    for (outcome, delivered) in outcomes.iter().zip(delivered) {
        assert_eq!((outcome.submitted, outcome.ring_full), (delivered, 0));
        assert_eq!(outcome.wanted, outcome.submitted + outcome.rate_limited);
    }
    assert!(shares.is_sorted() && shares.last() == Some(&1.0), "{shares:?}");
    assert!(reading.first_ns < reading.last_ns && reading.truncated_at.is_none());
}

/// Reads what comes out of a pipe.
fn read_pipe(bytes: &[u8], local: &[&str]) -> anyhow::Result<Reading> {
    let (end, mut start) = pipe().expect("there are pipes");
    start.write_all(bytes).expect("the bytes fit into a pipe");
    drop(start);
    let file = PathBuf::from(format!("/proc/self/fd/{}", end.as_raw_fd()));
    read(&Options { file, local: local.iter().copied().map(ip).collect(), ..Options::default() }, |_| {})
}

#[test]
fn the_base_packets_are_still_the_captured_ones() {
    let bytes = std::fs::read(capture("base_packets.pcap")).expect("the capture is there");
    let mut capture = Capture::new(&bytes[..]).expect("it is a capture");
    for (name, packet) in base_packets() {
        let record = capture.next_record().expect("it is a record").expect("there are as many");
        assert!(record.bytes == packet, "{name}: its capture and table have to be made again");
    }
}

#[test]
fn a_pipe_needs_to_be_told_who_is_local() {
    let bytes = std::fs::read(capture("ovs_ping_vni100.pcap")).expect("the capture is there");
    let refusal = read_pipe(&bytes, &[]).expect_err("a pipe is read once");
    assert!(format!("{refusal:#}").contains("--local"), "{refusal:#}");
    assert_eq!(read_pipe(&bytes, &["172.31.7.1"]).expect("it is a capture").frames, 30);
}

#[test]
fn a_cut_file_counts_up_to_the_cut() {
    let bytes = std::fs::read(capture("ovs_ping_vni100.pcap")).expect("the capture is there");
    let reading = read_pipe(&bytes[..bytes.len() - 1], &["172.31.7.1"]).expect("it is a capture");
    let last = bytes.len() as u64 - reading.truncated_at.expect("it is cut");
    assert_eq!((reading.frames, last > 16 && last < 1600), (29, true));
}

#[test]
fn a_damaged_file_is_read_or_refused() {
    let (mut rng, mut refused, mut frames) = (Rng::new(3), 0, 0);
    for name in ["ovs_ping_vni100.pcap", "public/zeek_geneve-truncated.pcapng"] {
        let whole = std::fs::read(capture(name)).expect("the capture is there");
        for _ in 0..2000 {
            let mut bytes = whole.clone();
            mutate(&mut rng, &mut bytes);
            let Ok(mut capture) = Capture::new(&bytes[..]) else { continue };
            refused += loop {
                match capture.next_record() {
                    Ok(Some(record)) => frames += usize::from(record.bytes.len() <= bytes.len()),
                    Ok(None) => break 0,
                    Err(_) => break 1,
                }
            };
        }
    }
    assert!(refused > 100 && frames > 10_000, "{refused} refused, {frames} frames");
}

#[test]
fn what_cannot_be_read_is_named() {
    let error = |file: &Path| {
        let result = read(&Options { file: file.to_owned(), ..Options::default() }, |_| {});
        format!("{:#}", result.expect_err("this is no capture"))
    };
    assert!(error(Path::new("/no/such/file")).starts_with("cannot read /no/such/file: "));
    assert!(error(&folder()).ends_with("it is a directory"));
    assert!(error(&capture("README.md")).contains("this is no capture file"));
}

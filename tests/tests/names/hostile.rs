//! Servers that lie, stall or flood: tunmon says so, goes on reporting, and stays small.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;
use tests::tunmon::Tunmon;

use super::support::Pair;

/// What tunmon may grow by.
const MOST: u64 = 64 << 20;
/// How long it goes on after all was told that is to be told: some rounds of [`endless`].
const MORE: Duration = Duration::from_secs(8);

/// What a server does with a connection, until that fails.
type Behaviour = fn(&mut UnixStream) -> io::Result<()>;

/// An answer of 1 GB, all of it ports.
fn long_answer(stream: &mut UnixStream) -> io::Result<()> {
    stream.write_all(br#"{"id":1,"error":null,"result":{"Port_Binding":{"#)?;
    let mut sent = 0;
    for uuid in 0_u128.. {
        let row = format!(
            r#""{:08x}-0000-0000-0000-{uuid:012x}":{{"new":{{"logical_port":"{:0>120}","tunnel_key":{},
            "datapath":["uuid","00000000-0000-0000-0000-000000000001"],"mac":"0 10.{}.{}.{}","type":""}}}},"#,
            uuid,
            uuid,
            uuid % 32_000,
            (uuid >> 16) & 255,
            (uuid >> 8) & 255,
            uuid & 255
        );
        stream.write_all(row.as_bytes())?;
        sent += row.len();
        if sent > 1_000_000_000 {
            break;
        }
    }
    Ok(())
}

/// As many nodes, networks and ports as are kept, then updates of all of them for ever.
fn endless(stream: &mut UnixStream) -> io::Result<()> {
    let row = |uuid: u32, row: String| format!(r#""00000000-0000-0000-0000-{uuid:012}":{{"new":{row}}},"#);
    let tables = |round: u32| {
        let mut text = String::from(r#"{"Datapath_Binding":{"#);
        for uuid in 0..8192_u32 {
            text += &row(
                uuid,
                format!(r#"{{"tunnel_key":{uuid},"external_ids":["map",[["name","{:0>100}"]]]}}"#, uuid + round),
            );
        }
        text += r#""00000000-0000-0000-0000-000000099999":{"delete":null}},"Port_Binding":{"#;
        for uuid in 0..102_000_u32 {
            let (high, low) = (uuid >> 8 & 255, uuid & 255);
            let body = format!(
                r#"{{"logical_port":"{:0>45}","tunnel_key":{},"datapath":["uuid","00000000-0000-0000-0000-{:012}"],
                "mac":"0 10.{}.{high}.{low}","type":""}}"#,
                uuid + round,
                uuid % 32_000,
                uuid % 8000,
                uuid >> 16
            );
            text += &row(uuid, body);
        }
        text + r#""00000000-0000-0000-0000-000000999999":{"delete":null}}}"#
    };
    let first = tables(0);
    stream.write_all(
        format!(r#"{{"id":1,"error":null,"result":{first}}}{{"id":2,"error":null,"result":{{}}}}"#).as_bytes(),
    )?;
    for round in 1.. {
        let update = tables(round);
        stream.write_all(format!(r#"{{"id":null,"method":"update","params":["tunmon-2",{update}]}}"#).as_bytes())?;
    }
    Ok(())
}

fn deep(stream: &mut UnixStream) -> io::Result<()> {
    stream.write_all(br#"{"id":1,"result":"#)?;
    stream.write_all(&[b'['; 100_000])
}

fn drip(stream: &mut UnixStream) -> io::Result<()> {
    for byte in br#"{"id":1,"error":null,"result":{"Chassis":{"#.iter().cycle() {
        stream.write_all(&[*byte])?;
        thread::sleep(Duration::from_millis(500));
    }
    Ok(())
}

fn garbage(stream: &mut UnixStream) -> io::Result<()> {
    stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n")
}

fn silent(stream: &mut UnixStream) -> io::Result<()> {
    io::copy(stream, &mut io::sink()).map(drop)
}

/// Answers to what nobody has asked.
fn about_nothing(stream: &mut UnixStream) -> io::Result<()> {
    loop {
        stream.write_all(br#"{"id":77,"error":null,"result":{}} {"method":"odd","params":[],"id":null}"#)?;
        thread::sleep(Duration::from_millis(10));
    }
}

/// Nothing is there, and then nobody.
fn flapping(stream: &mut UnixStream) -> io::Result<()> {
    let mut bytes = [0; 1024];
    stream.read(&mut bytes).map(drop)?;
    stream.write_all(br#"{"id":1,"error":null,"result":{}}"#)
}

/// Serves a socket in this way until the test ends.
fn serve(path: &str, behave: Behaviour) {
    let listener = UnixListener::bind(path).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            // It ends when tunmon hangs up.
            thread::spawn(move || stream.and_then(|mut stream| behave(&mut stream)));
        }
    });
}

fn memory(tunmon: &Tunmon) -> u64 {
    anonymous(&fs::read_to_string(format!("/proc/{}/status", tunmon.pid())).unwrap()).unwrap()
}

/// The process's own memory, in bytes.
fn anonymous(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? << 10)
}

/// Follows the memory until it is told to stop; returns how much it was at first and at most.
fn follow_memory(tunmon: &Tunmon, stop: Receiver<()>) -> JoinHandle<[u64; 2]> {
    let (status, first) = (format!("/proc/{}/status", tunmon.pid()), memory(tunmon));
    let mut most = first;
    thread::spawn(move || {
        while stop.recv_timeout(Duration::from_millis(10)) == Err(RecvTimeoutError::Timeout) {
            most = most.max(anonymous(&fs::read_to_string(&status).unwrap_or_default()).unwrap_or_default());
        }
        [first, most]
    })
}

/// Watches with hostile servers in the place of both databases until all is said of them that is to be said: a state and a
/// word of the trouble of each.
fn suffer(servers: [(&str, Behaviour, [&str; 2]); 2]) {
    let Some(pair) = Pair::create() else { return };
    for (kind, behave, _) in servers {
        serve(&pair.path(kind), behave);
    }
    let mut tunmon = pair.watch(&format!("--ovs-db {} --ovn-sb {}", pair.unix("ovs"), pair.unix("ovn_sb")));
    let (stop, is_stopped) = mpsc::channel();
    let (began, memory) = (Instant::now(), follow_memory(&tunmon, is_stopped));
    for (kind, _, [state, word]) in servers {
        let has_word = |record: &Value| record["trouble"].as_str().unwrap_or_default().contains(word);
        let is_it = |record: &Value| record["kind"] == kind && record["state"] == state && has_word(record);
        tunmon.wait_for(&format!("that {kind} is {state} ({word})"), is_it).unwrap();
    }
    if servers.iter().any(|(_, _, [state, _])| *state == "up") {
        thread::sleep(MORE);
    }
    let watched = began.elapsed();
    drop(stop);
    let [first, most] = memory.join().unwrap();
    let grown = most.saturating_sub(first);
    assert!(grown <= MOST, "grew by {} MiB", grown >> 20);
    let report = tunmon.stop().unwrap();
    report.summary().unwrap();
    // One in 200 ms, of which a busy machine may take some: reports never wait for a server.
    let reports = report.of("tunmon.interval/v1").count();
    assert!(reports as f64 >= watched.as_secs_f64() * 5.0 / 2.0, "{reports} reports in {watched:?}");
    println!("grew by {} MiB in {watched:?}, {reports} reports", grown >> 20);
}

#[test]
fn a_long_answer_and_a_deep_one_are_cut_off() {
    suffer([("ovs", deep, ["down", "deeper"]), ("ovn_sb", long_answer, ["down", "more than"])]);
}

#[test]
fn all_that_is_kept_and_endless_updates_of_it_stay_in_bounds() {
    suffer([("ovs", garbage, ["down", "OVSDB"]), ("ovn_sb", endless, ["up", ""])]);
}

#[test]
fn who_drips_or_is_silent_is_told_apart_from_who_answers() {
    suffer([("ovs", silent, ["down", "no whole answer"]), ("ovn_sb", drip, ["down", "no whole answer"])]);
}

#[test]
fn who_answers_what_nobody_asked_or_goes_away_is_told_apart_from_who_answers() {
    suffer([("ovs", flapping, ["down", "closed"]), ("ovn_sb", about_nothing, ["down", "no whole answer"])]);
}

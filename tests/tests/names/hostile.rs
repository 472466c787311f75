//! Servers that lie, stall or flood: tunmon says so, goes on reporting, and stays small.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tests::tunmon::Tunmon;

use super::support::Pair;

/// What tunmon may grow by.
const MOST: u64 = 64 << 20;
/// How long reports and memory are watched.
const WATCHED: Duration = Duration::from_secs(18);

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
        for uuid in 0..16_384_u32 {
            text += &row(
                uuid,
                format!(r#"{{"tunnel_key":{uuid},"external_ids":["map",[["name","{:0>100}"]]]}}"#, uuid + round),
            );
        }
        text += r#""00000000-0000-0000-0000-000000099999":{"delete":null}},"Port_Binding":{"#;
        for uuid in 0..110_000_u32 {
            let (high, low) = (uuid >> 8 & 255, uuid & 255);
            let body = format!(
                r#"{{"logical_port":"{:0>60}","tunnel_key":{},"datapath":["uuid","00000000-0000-0000-0000-{:012}"],
                "mac":"0 10.{}.{high}.{low}","type":""}}"#,
                uuid + round,
                uuid % 32_000,
                uuid % 16_000,
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
    let status = fs::read_to_string(format!("/proc/{}/status", tunmon.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

/// Watches with hostile servers in the place of both databases. Returns what was said of them at last.
fn suffer(pair: &Pair, switch: Behaviour, southbound: Behaviour) -> [Value; 2] {
    serve(&pair.path("db.sock"), switch);
    serve(&pair.path("sb.sock"), southbound);
    let tunmon = pair.watch(&format!("--ovs-db {} --ovn-sb {}", pair.unix("db.sock"), pair.unix("sb.sock")));
    let (before, began, mut most) = (memory(&tunmon), Instant::now(), 0);
    while began.elapsed() < WATCHED {
        most = most.max(memory(&tunmon));
        thread::sleep(Duration::from_millis(20));
    }
    assert!(most <= before + MOST, "grew by {} MiB", (most - before) >> 20);
    eprintln!("grew by {} MiB", most.saturating_sub(before) >> 20);
    let report = tunmon.stop().unwrap();
    report.summary().unwrap();
    // Every 200 ms; the machine may be slow, the reports never wait for a server.
    let reports = report.of("tunmon.interval/v1").count();
    assert!(reports * 5 > WATCHED.as_secs() as usize * 5 * 5 / 2, "{reports} reports");
    ["ovs", "ovn_sb"].map(|kind| {
        report.of("tunmon.source/v1").filter(|record| record["kind"] == kind).last().cloned().unwrap_or_default()
    })
}

fn assert_down(record: &Value, word: &str) {
    let trouble = record["trouble"].as_str().unwrap_or_default();
    assert!(record["state"] == "down" && trouble.contains(word), "{word}: {record}");
}

#[test]
fn a_long_answer_and_a_deep_one_are_cut_off() {
    let Some(pair) = Pair::create() else { return };
    let [switch, southbound] = suffer(&pair, deep, long_answer);
    assert_down(&switch, "deeper");
    assert_down(&southbound, "more than");
}

#[test]
fn all_that_is_kept_and_endless_updates_of_it_stay_in_bounds() {
    let Some(pair) = Pair::create() else { return };
    let [switch, southbound] = suffer(&pair, garbage, endless);
    assert_down(&switch, "OVSDB");
    assert_eq!(southbound["state"], "up", "{southbound}");
}

#[test]
fn who_drips_or_is_silent_is_told_apart_from_who_answers() {
    let Some(pair) = Pair::create() else { return };
    let [switch, southbound] = suffer(&pair, silent, drip);
    assert_down(&switch, "no whole answer");
    assert_down(&southbound, "no whole answer");
}

#[test]
fn who_answers_what_nobody_asked_or_goes_away_is_told_apart_from_who_answers() {
    let Some(pair) = Pair::create() else { return };
    let [switch, southbound] = suffer(&pair, flapping, about_nothing);
    assert_down(&switch, "closed");
    assert_down(&southbound, "no whole answer");
}

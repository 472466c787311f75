//! Clients that are slow, silent or many delay no scrape and no report.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use tests::wait;

use super::support::{ADDRESS, Served};

fn connect(served: &Served) -> TcpStream {
    let _inside = served.near.enter().unwrap();
    TcpStream::connect(ADDRESS).unwrap()
}

#[test]
fn slow_clients_delay_no_scrape_and_no_report() {
    let Some(mut served) = Served::start("") else { return };
    served.echoes(77, 200);
    // Thirty that never end their headers, and thirty that ask again and again and take nothing.
    let mut idle: Vec<TcpStream> = (0..60).map(|_| connect(&served)).collect();
    for (number, client) in idle.iter_mut().enumerate() {
        client.set_nonblocking(true).unwrap();
        let request = if number % 2 == 0 { "GET /met" } else { "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" };
        for _ in 0..if number % 2 == 0 { 1 } else { 200 } {
            let _ = client.write(request.as_bytes());
        }
    }
    for _ in 0..5 {
        let before = Instant::now();
        assert!(served.metrics().contains("tunmon_build_info"));
        assert!(before.elapsed() < Duration::from_secs(3), "a scrape took {:?}", before.elapsed());
    }
    let mut slowest = 0.0f64;
    for number in 1..=10 {
        let interval = |record: &serde_json::Value| record["schema"] == "tunmon.interval/v1";
        let record = served.tunmon.wait_for_nth("an interval", number, interval).unwrap();
        slowest = slowest.max(record["interval_seconds"].as_f64().unwrap());
    }
    assert!(slowest < 2.0, "an interval of 0.2 s took {slowest} s");
    served.tunmon.stop().unwrap().summary().unwrap().check_identities().unwrap();
}

#[test]
fn headers_that_do_not_end_and_heads_that_are_too_long_end_the_connection() {
    let Some(served) = Served::start("") else { return };
    let mut slow = connect(&served);
    slow.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    let mut long = connect(&served);
    let _ = long.write_all(format!("GET / HTTP/1.1\r\nX: {}\r\n", "x".repeat(100_000)).as_bytes());
    for (what, client) in [("slow", &mut slow), ("long", &mut long)] {
        client.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
        let (before, mut answer) = (Instant::now(), Vec::new());
        // Reset is an end as well.
        let _ = client.read_to_end(&mut answer);
        assert!(before.elapsed() < Duration::from_secs(10), "{what}: {:?}", before.elapsed());
        assert!(!answer.starts_with(b"HTTP/1.1 200"), "{what}");
    }
}

#[test]
fn connections_are_bounded_and_those_that_wait_get_their_turn() {
    let Some(served) = Served::start("") else { return };
    let idle: Vec<TcpStream> = (0..80).map(|_| connect(&served)).collect();
    // The first 64 have their place until their headers are due.
    wait::until("an answer", Duration::from_secs(15), || {
        Ok(served.curl(&["-f"], "/healthz").starts_with("ok").then_some(()))
    })
    .unwrap();
    drop(idle);
}

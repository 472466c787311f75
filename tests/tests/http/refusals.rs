//! What is wrong with addresses and files is told in one line of cause and one of what to do, before anything is attached.

use std::fs;
use std::net::TcpListener;

use tests::scratch::Scratch;
use tests::tunmon;

use super::support::{ADDRESS, is_possible, node};

/// Runs it with these arguments, and returns exit code and standard error, after a look that nothing is attached.
fn refused(arguments: &str, is_taken: bool) -> (i32, String) {
    let [near, _far] = node();
    let _listener = is_taken.then(|| {
        let _inside = near.enter().unwrap();
        TcpListener::bind(ADDRESS).unwrap()
    });
    let output = tunmon::run(&near, &format!("--iface eth0 -o json --duration 1s {arguments}")).unwrap();
    assert!(output.stdout.is_empty(), "something was started: {}", String::from_utf8_lossy(&output.stdout));
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn wrong_addresses_and_files_are_refused_before_anything_is_attached() {
    if !is_possible() {
        return;
    }
    let scratch = Scratch::create("web").unwrap();
    let file = |name: &str, text: &str| {
        let path = scratch.path().join(name);
        fs::write(&path, text).unwrap();
        format!("--web-config {}", path.display())
    };
    let cases = [
        ("--listen nonsense".to_owned(), false, 2, "\"nonsense\" is no address with a port"),
        ("--listen 127.0.0.1".to_owned(), false, 2, "is no address with a port"),
        ("--listen 198.51.100.77:16081".to_owned(), false, 1, "cannot listen on 198.51.100.77:16081"),
        (format!("--listen {ADDRESS}"), true, 1, "cannot listen on 127.0.0.1:16081"),
        ("--web-config /nowhere/web.yml".to_owned(), false, 2, "/nowhere/web.yml: No such file"),
        (file("broken.yml", "tls_server_config: [\n"), false, 2, "broken.yml: "),
        (file("unknown.yml", "tls_server_confg: {}\n"), false, 2, "tls_server_confg"),
        (file("key.yml", "basic_auth_users: {a: secret}\n"), false, 2, "no bcrypt hash"),
        (file("cert.yml", "tls_server_config: {cert_file: gone.pem, key_file: gone.key}\n"), false, 2, "gone.pem"),
        (
            file("header.yml", "http_server_config: {headers: {Server: x}}\n"),
            false,
            2,
            "header \"Server\" cannot be set",
        ),
    ];
    for (arguments, is_taken, code, cause) in cases {
        let (found, stderr) = refused(&arguments, is_taken);
        assert_eq!(found, code, "{arguments}: {stderr}");
        assert!(stderr.contains(cause), "{arguments}: {stderr}");
        let lines: Vec<&str> = stderr.lines().filter(|line| !line.contains("everybody who reaches")).collect();
        assert_eq!(lines.len(), 2, "{arguments}: {stderr}");
        assert!(lines[0].starts_with("tunmon: ") && lines[1].starts_with("  "), "{arguments}: {stderr}");
    }
}

#[test]
fn a_default_port_that_is_taken_is_told_and_stops_nothing() {
    if !is_possible() {
        return;
    }
    let [near, _far] = node();
    let listener = {
        let _inside = near.enter().unwrap();
        TcpListener::bind(ADDRESS).unwrap()
    };
    let output = tunmon::run(&near, "--iface eth0 -o json --duration 300ms").unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{stderr}");
    assert!(stderr.contains("nothing is served over HTTP: cannot listen on 127.0.0.1:16081"), "{stderr}");
    drop(listener);
}

//! Wrong arguments are told before anything is attached.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use tests::tunmon;

use super::support::Pair;

#[test]
fn wrong_arguments_are_told_with_what_to_do() {
    let Some(pair) = Pair::create() else { return };
    let (key, empty) = (pair.path("key.pem"), pair.path("empty.pem"));
    fs::write(&key, "x").unwrap();
    fs::write(&empty, "x").unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    let certificate = pair.path("cert.pem");
    tests::process::run(std::process::Command::new("openssl").args([
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-subj",
        "/CN=x",
        "-keyout",
        &pair.path("any.pem"),
        "-out",
        &certificate,
    ]))
    .unwrap();
    for (arguments, words) in [
        ("--ovn-sb tpc:x".to_owned(), ["tpc:x", "unix:/PATH"]),
        ("--ovn-sb tcp:192.0.2.1".to_owned(), ["no port", "tcp:HOST:PORT"]),
        ("--ovs-db unix:db.sock".to_owned(), ["absolute", "--ovs-db"]),
        ("--ovn-ca /no/such/file".to_owned(), ["/no/such/file", "--ovn-ca"]),
        (format!("--ovn-ca {empty}"), ["no certificate", "--ovn-ca"]),
        (format!("--ovn-cert {certificate} --ovn-key {key}"), ["mode 640", "chmod 600"]),
    ] {
        let output = tunmon::run(&pair.near, &format!("--iface d0 --duration 1s {arguments}")).unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments}: {said}");
        assert!(words.iter().all(|word| said.contains(word)), "{arguments}: {said}");
        assert!(output.stdout.is_empty());
    }
}

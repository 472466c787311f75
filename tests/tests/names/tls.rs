//! TLS with certificates of `ovs-pki`, which name no host.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::Value;
use tests::process::{self, Process};

use super::support::{self, Pair};

/// Makes an authority of this name in the directory, and a certificate that it has signed: `NAME-sb`.
fn authority(pair: &Pair, name: &str) {
    let pki = |arguments: &[&str]| {
        let mut command = Command::new("ovs-pki");
        command
            .current_dir(pair.scratch.path())
            .arg(format!("--dir={}", pair.path(name)))
            .arg(format!("--log={}", pair.path("log")));
        process::run(command.args(arguments)).unwrap();
    };
    pki(&["init"]);
    pki(&["--batch", "req+sign", &format!("{name}-sb"), "switch"]);
    fs::set_permissions(key(pair, name), fs::Permissions::from_mode(0o600)).unwrap();
}

fn ca(pair: &Pair, name: &str) -> String {
    pair.path(&format!("{name}/switchca/cacert.pem"))
}

fn certificate(pair: &Pair, name: &str) -> String {
    pair.path(&format!("{name}-sb-cert.pem"))
}

fn key(pair: &Pair, name: &str) -> String {
    pair.path(&format!("{name}-sb-privkey.pem"))
}

/// A server with a certificate of the authority `a`, which wants to see one too.
fn serve(pair: &Pair) -> Process {
    let file = |option: &str, path: String| format!("--{option}={path}");
    let server = pair.southbound(&[
        "--remote=pssl:6642:127.0.0.1".to_owned(),
        file("private-key", key(pair, "a")),
        file("certificate", certificate(pair, "a")),
        file("ca-cert", ca(pair, "a")),
    ]);
    pair.transact("sb.sock", &support::blue());
    server
}

/// What is said of the source, first, when this authority is trusted and that one's certificate is shown.
fn said(pair: &Pair, trusted: &str, shown: &str, state: &str) -> Value {
    let files = format!(
        "--ovn-ca {} --ovn-cert {} --ovn-key {}",
        ca(pair, trusted),
        certificate(pair, shown),
        key(pair, shown)
    );
    let mut tunmon = pair.watch(&format!("--ovs-db off --ovn-sb ssl:[127.0.0.1]:6642 {files}"));
    support::source(&mut tunmon, "ovn_sb", state, 1)
}

#[test]
fn a_server_is_known_by_its_authority_and_so_are_we() {
    let Some(pair) = Pair::create() else { return };
    authority(&pair, "a");
    authority(&pair, "b");
    let _server = serve(&pair);
    assert_eq!(said(&pair, "a", "a", "up")["entries"], 2);
    let stranger = said(&pair, "b", "a", "down");
    assert!(stranger["trouble"].as_str().unwrap().contains("UnknownIssuer"), "{stranger}");
    let refused = said(&pair, "a", "b", "down");
    assert!(refused["trouble"].as_str().unwrap().contains("alert"), "{refused}");
}

//! TLS, client certificates, passwords and headers by exporter-toolkit's file; certificates are made by openssl.

use std::fs;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use tests::scratch::Scratch;
use tests::{certificates, wait};

use super::support::{ADDRESS, Served, is_possible};

/// Of the password `secret`, with the least cost that there is.
const HASH: &str = "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW";

fn tls(served: &Served, folder: &Path, words: &str) -> Output {
    let mut curl = served.near.command("curl");
    curl.current_dir(folder).args(["-sSi", "--max-time", "10", "--cacert", "ca.pem"]);
    curl.args(words.split_whitespace()).arg(format!("https://{ADDRESS}/healthz")).output().unwrap()
}

#[test]
fn certificates_names_and_passwords_are_asked_for() {
    if !is_possible() {
        return;
    }
    let scratch = Scratch::create("tls").unwrap();
    let folder = scratch.path();
    certificates::make(folder).unwrap();
    let file = folder.join("web.yml");
    let tls_part = "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n  min_version: TLS13\n";
    let mutual = "  client_ca_file: ca.pem\n  client_auth_type: RequireAndVerifyClientCert\n  \
                  client_allowed_sans: [prometheus.example]\n";
    let rest =
        format!("http_server_config:\n  headers: {{X-Frame-Options: deny}}\nbasic_auth_users: {{sre: \"{HASH}\"}}\n");
    fs::write(&file, format!("{tls_part}{mutual}{rest}")).unwrap();
    let Some(served) = Served::start(&format!("--web-config {}", file.display())) else { return };
    assert_eq!(served.tunmon.start_record()["listens"][0], format!("https://{ADDRESS}"));

    let text = |output: &Output| String::from_utf8_lossy(&output.stdout).into_owned();
    let client = "--cert client.pem --key client.key";
    let good = tls(&served, folder, &format!("{client} -u sre:secret"));
    assert!(text(&good).starts_with("HTTP/1.1 200"), "{good:?}");
    assert!(text(&good).contains("x-frame-options: deny"), "{good:?}");
    for wrong in ["", "-u sre:wrong", "-u nobody:secret"] {
        let answer = text(&tls(&served, folder, &format!("{client} {wrong}")));
        assert!(answer.starts_with("HTTP/1.1 401") && answer.contains("www-authenticate: Basic"), "{wrong}: {answer}");
    }
    for stranger in ["", "--cert guest.pem --key guest.key", "--cert stranger.pem --key stranger.key", "--tls-max 1.2"]
    {
        let answer = tls(&served, folder, &format!("{stranger} -u sre:secret"));
        assert!(!answer.status.success() && !text(&answer).contains("200 OK"), "{stranger}: {answer:?}");
    }

    // Another file is in force without a restart, and one that is wrong changes nothing.
    fs::write(&file, tls_part).unwrap();
    wait::until("a file without passwords", Duration::from_secs(15), || {
        Ok(text(&tls(&served, folder, "")).starts_with("HTTP/1.1 200").then_some(()))
    })
    .unwrap();
    fs::write(&file, "nonsense: 1\n").unwrap();
    for _ in 0..3 {
        std::thread::sleep(Duration::from_millis(700));
        assert!(text(&tls(&served, folder, "")).starts_with("HTTP/1.1 200"));
    }
    assert!(served.tunmon.stop().unwrap().stderr.contains("what was read before stays in force"));
}

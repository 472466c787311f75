//! Real tunnels, and files that say that they know all: who is not in them is told after a while, everybody else is not.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;
use tests::lab::{DEVICE, Lab, OVS_VNIS, Options};
use tests::scratch::Scratch;
use tests::tunmon::{Report, Tunmon};
use tests::{needs, tunmon, wait};

/// How long somebody may be unknown.
const GRACE: Duration = Duration::from_secs(30);

/// Codes, VNIs and peers of what was found about strangers.
fn strangers(report: &Report) -> Vec<(String, Option<u64>, Option<String>)> {
    let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
    let findings = report.of("tunmon.finding/v1").filter(|finding| finding["state"] == "raised");
    let all = findings
        .map(|finding| (text(&finding["code"]).unwrap(), finding["vni"].as_u64(), text(&finding["peer"]["ip"])));
    let mut all: Vec<_> = all.filter(|(code, ..)| code == "TM206" || code == "TM207").collect();
    all.sort();
    all
}

#[test]
fn strangers_are_told_after_a_while_and_who_is_listed_in_time_is_not() {
    if let Some(reason) = tunmon::missing(&[needs::NETWORK, needs::OVS]) {
        return needs::skip(&reason);
    }
    let lab = Lab::ovs(Options { bfd: true, ..Options::default() }).unwrap();
    let scratch = Scratch::create("names").unwrap();
    let [node1, node2] = [lab.outer(1), lab.outer(2)];
    let networks = OVS_VNIS.map(|vni| format!("vni {vni} net{vni}\n"));
    let complete = format!("{node1} node1\n{node2} node2\n{}complete\n", networks.concat());
    let start = |node: usize, name: &str, text: &str| -> (Tunmon, PathBuf) {
        let path = scratch.path().join(name);
        fs::write(&path, text).unwrap();
        let arguments = format!("--ingress tc --interval 500ms --names {}", path.display());
        (Tunmon::start(lab.node(node), DEVICE, &arguments).unwrap(), path)
    };
    // Who lacks all, who has all, and who gets the rest in time.
    let (mut ill, _) = start(1, "ill", &format!("{node1} node1\n{}complete\n", networks[0]));
    let (well, _) = start(2, "well", &complete);
    let (late, late_path) = start(2, "late", &format!("{node2} node2\n{}complete\n", networks[0]));
    let began = Instant::now();
    let mut is_listed = false;
    let to = lab.pod("p22").ipv4;
    wait::until("the grace to be over", 2 * GRACE, || {
        lab.pod("p12").namespace.run(&format!("ping -c 1 -W 1 {to}"))?;
        lab.pod("p11").namespace.run(&format!("ping -c 1 -W 1 {}", lab.pod("p21").ipv4))?;
        if !is_listed && began.elapsed() > GRACE / 2 {
            fs::write(&late_path, &complete)?;
            is_listed = true;
        }
        Ok((began.elapsed() > GRACE + Duration::from_secs(5)).then_some(()))
    })
    .unwrap();
    ill.wait_for("TM207", |record| record["code"] == "TM207").unwrap();
    let [ill, well, late] = [ill, well, late].map(|tunmon| tunmon.stop().unwrap());
    assert_eq!(strangers(&well), []);
    assert_eq!(strangers(&late), []);
    let found = strangers(&ill);
    assert!(found.contains(&("TM206".to_owned(), None, Some(node2.to_string()))), "{found:?}");
    assert!(found.contains(&("TM207".to_owned(), Some(u64::from(OVS_VNIS[1])), None)), "{found:?}");
    assert!(!found.contains(&("TM207".to_owned(), Some(u64::from(OVS_VNIS[0])), None)), "{found:?}");
    let finding = ill.of("tunmon.finding/v1").find(|finding| finding["code"] == "TM206").unwrap();
    assert!(finding["evidence"]["unknown_seconds"].as_f64().unwrap() >= 29.5, "{finding}");
    assert_eq!(
        (&finding["evidence"]["source"], &finding["severity"]),
        (&"file".into(), &"warning".into()),
        "{finding}"
    );
}

//! The switch of a node at its usual place, which tunmon looks at by itself.

use std::fs;
use std::os::unix::fs::chown;

use tests::process::Process;
use tests::tunmon::Tunmon;

use super::support::{self, Pair};

const NOBODY: u32 = 65_534;
const PLACE: &str = "unix:/run/openvswitch/db.sock";

/// A tunmon for which a folder of the pair is `/run/openvswitch`; there is nothing in it.
fn watch(pair: &Pair) -> Tunmon {
    let (folder, script) = (pair.path("place"), pair.path("node.sh"));
    fs::create_dir(&folder).unwrap();
    // `ip netns exec` has given the script mounts of its own.
    let text = format!(
        "set -e\nmount -t tmpfs none /run\nmkdir /run/openvswitch\nmount --bind {folder} /run/openvswitch\nexec \"$@\"\n"
    );
    fs::write(&script, text).unwrap();
    let mut tunmon = Tunmon::start_by(&pair.near, &format!("sh {script}"), "d0", "--interval 200ms").unwrap();
    tunmon.wait_for_nth("intervals", 3, |record| record["schema"] == "tunmon.interval/v1").unwrap();
    tunmon
}

/// Starts a switch's database, whose socket comes to its place as one of `user`.
fn appear(pair: &Pair, user: u32) -> Process {
    let server = pair.switch();
    chown(pair.path("db.sock"), Some(user), None).unwrap();
    fs::rename(pair.path("db.sock"), pair.path("place/db.sock")).unwrap();
    server
}

#[test]
fn a_switch_that_starts_after_tunmon_is_found() {
    let Some(pair) = Pair::create() else { return };
    let mut tunmon = watch(&pair);
    let _server = appear(&pair, 0);
    assert_eq!(support::source(&mut tunmon, "ovs", "up", 1)["from"], PLACE);
    let report = tunmon.stop().unwrap();
    let sources: Vec<_> = report.of("tunmon.source/v1").map(|record| record["state"].clone()).collect();
    assert_eq!(sources, ["up"], "nothing is said of a switch that is not there");
}

#[test]
fn a_socket_of_another_user_is_told_with_what_to_do_and_asked_again() {
    let Some(pair) = Pair::create() else { return };
    let mut tunmon = watch(&pair);
    let _server = appear(&pair, NOBODY);
    let down = support::source(&mut tunmon, "ovs", "down", 1);
    let trouble = down["trouble"].as_str().unwrap();
    assert!(trouble.contains("no right to the socket: run with the group that owns it"), "{down}");
    chown(pair.path("place/db.sock"), Some(0), None).unwrap();
    support::source(&mut tunmon, "ovs", "up", 1);
    tunmon.stop().unwrap().summary().unwrap();
}

//! Debian's own `ovsdb-server`.

use std::os::unix::net::{UnixListener, UnixStream};
use std::thread;

use serde_json::{Deserializer, Value, json};

use super::support::{self, Pair};

#[test]
fn names_of_a_real_database_come_change_and_stay_while_it_is_down() {
    let Some(pair) = Pair::create() else { return };
    let server = pair.southbound(&["--remote=ptcp:6642:127.0.0.1".to_owned()]);
    pair.transact("sb.sock", &support::blue());
    // The first of the list is not there.
    let mut tunmon = pair.watch("--ovs-db off --ovn-sb tcp:[127.0.0.1]:1,tcp:[127.0.0.1]:6642");
    let up = support::source(&mut tunmon, "ovn_sb", "up", 1);
    assert_eq!((&up["from"], &up["entries"]), (&json!("tcp:127.0.0.1:6642"), &json!(2)), "{up}");
    pair.send();
    support::named(&mut tunmon, "blue");
    pair.transact("sb.sock", &support::rename("green"));
    support::named(&mut tunmon, "green");

    drop(server);
    let down = support::source(&mut tunmon, "ovn_sb", "down", 1);
    assert!(down["age_seconds"].as_f64().unwrap() < 60.0 && down["trouble"].is_string(), "{down}");
    let intervals =
        |record: &Value| record["schema"] == "tunmon.interval/v1" && record["vnis"][0]["network"] == "green";
    tunmon.wait_for_nth("names that stay", 10, intervals).unwrap();

    let _server = pair.southbound(&["--remote=ptcp:6642:127.0.0.1".to_owned()]);
    pair.transact("sb.sock", &support::rename("red"));
    support::source(&mut tunmon, "ovn_sb", "up", 2);
    support::named(&mut tunmon, "red");
    tunmon.stop().unwrap().summary().unwrap();
}

#[test]
fn the_switch_names_the_database_and_may_name_another_later() {
    let Some(pair) = Pair::create() else { return };
    let (_southbound, _switch) = (pair.southbound(&[]), pair.switch());
    pair.transact("sb.sock", &support::blue());
    let ids = |remote: &str| json!(["map", [["system-id", "c1"], ["hostname", "node1"], ["ovn-remote", remote]]]);
    pair.transact("db.sock", &json!(["Open_vSwitch", {"op": "insert", "table": "Open_vSwitch", "row": {"external_ids": ids("tcp:127.0.0.1:1")}}]));
    let mut tunmon = pair.watch(&format!("--ovs-db {}", pair.unix("db.sock")));
    let down = support::source(&mut tunmon, "ovn_sb", "down", 1);
    assert!(down["trouble"].as_str().unwrap().contains("refused"), "{down}");
    let right = json!(["Open_vSwitch", {"op": "update", "table": "Open_vSwitch", "where": [], "row": {"external_ids": ids(&pair.unix("sb.sock"))}}]);
    pair.transact("db.sock", &right);
    support::source(&mut tunmon, "ovn_sb", "up", 1);
    pair.send();
    support::named(&mut tunmon, "blue");
    let said = |record: &Value| (record["from"].clone(), record["switch"]["remote"].clone());
    let (socket, before, after) = (json!(pair.unix("db.sock")), json!("tcp:127.0.0.1:1"), json!(pair.unix("sb.sock")));
    assert_eq!(said(&support::source(&mut tunmon, "ovs", "up", 1)), (socket.clone(), before));
    assert_eq!(said(&support::source(&mut tunmon, "ovs", "up", 2)), (socket, after));
}

/// Knows the oldest method only; says a new name when its own probe is answered; then says nothing any more.
fn old_server(stream: &UnixStream) {
    let send = |message: Value| std::io::Write::write_all(&mut &*stream, message.to_string().as_bytes()).unwrap();
    let networks = |kind: &str, name: &str| {
        let row =
            json!({"tunnel_key": support::VNI, "external_ids": ["map", [["logical-switch", "u"], ["name", name]]]});
        json!({"Datapath_Binding": {"bfa5f752-dd84-4d7e-ab11-b7e4877453f2": {kind: row}}})
    };
    for message in Deserializer::from_reader(stream).into_iter::<Value>().map_while(Result::ok) {
        match (message["method"].as_str(), &message["params"][2]) {
            (Some("monitor"), tables) if tables["Port_Binding"].is_null() => {
                send(json!({"id": message["id"], "error": null, "result": networks("new", "blue")}));
            }
            (Some("monitor"), _) => {
                send(json!({"id": message["id"], "error": null, "result": {}}));
                send(json!({"id": "echo", "method": "echo", "params": ["x"]}));
            }
            (Some("echo"), _) => {}
            (Some(_), _) => send(json!({"id": message["id"], "error": {"error": "unknown method"}, "result": null})),
            (None, _) => {
                assert_eq!((&message["id"], &message["result"]), (&json!("echo"), &json!(["x"])));
                send(json!({"id": null, "method": "update", "params": ["tunmon-3", networks("new", "green")]}));
            }
        }
    }
}

#[test]
fn an_old_server_is_asked_as_it_understands_and_a_hanging_one_is_noticed() {
    let Some(pair) = Pair::create() else { return };
    let listener = UnixListener::bind(pair.path("old.sock")).unwrap();
    thread::spawn(move || listener.incoming().map_while(Result::ok).for_each(|stream| old_server(&stream)));
    let mut tunmon = pair.watch(&format!("--ovs-db off --ovn-sb {}", pair.unix("old.sock")));
    support::source(&mut tunmon, "ovn_sb", "up", 1);
    pair.send();
    support::named(&mut tunmon, "green");
    let down = support::source(&mut tunmon, "ovn_sb", "down", 1);
    assert!(down["trouble"].as_str().unwrap().contains("not answered for 10s"), "{down}");
}

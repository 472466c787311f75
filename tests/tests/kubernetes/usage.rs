//! Kubeconfigs that are refused before anything is attached.

use std::process::Output;

use serde_json::json;
use tests::tunmon;

use super::server::TOKEN;
use super::support::Cluster;

fn refused(output: &Output, words: &[&str]) {
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(output.stdout.is_empty(), "nothing was attached");
    assert_eq!(stderr.lines().count(), 2, "one line of cause, one of what to do: {stderr}");
    for word in words {
        assert!(stderr.contains(word), "{word:?} is not in {stderr}");
    }
}

#[test]
fn users_that_run_programs_are_refused() {
    let Some(cluster) = Cluster::create() else { return };
    let marker = std::env::temp_dir().join(tests::scratch::unique("ran"));
    let exec = json!({"apiVersion": "client.authentication.k8s.io/v1", "command": "touch", "args": [marker],
        "interactiveMode": "Never"});
    let provider = json!({"name": "gcp", "config": {"cmd-path": "touch", "cmd-args": marker}});
    for (user, word) in
        [(json!({"exec": exec, "token": TOKEN}), "exec"), (json!({"auth-provider": provider}), "auth-provider")]
    {
        let path = cluster.kubeconfig(&user);
        let output = tunmon::run(&cluster.near, &format!("-i d0 -o json --kubernetes {}", path.display())).unwrap();
        refused(&output, &[word, "runs a program", "service account"]);
        assert!(!marker.exists());
    }
    assert_eq!(cluster.server.requests(), [""; 0]);
}

#[test]
fn files_that_are_no_kubeconfigs_are_refused() {
    let Some(cluster) = Cluster::create() else { return };
    let path = cluster.kubeconfig(&json!({"token": TOKEN}));
    for (text, word) in [("", "context"), ("{", ""), ("apiVersion: v1\nkind: Config\n", "context")] {
        std::fs::write(&path, text).unwrap();
        let output = tunmon::run(&cluster.near, &format!("-i d0 -o json --kubernetes {}", path.display())).unwrap();
        refused(&output, &[word, "kubeconfig"]);
    }
    refused(&tunmon::run(&cluster.near, "-i d0 -o json --kubernetes /nowhere").unwrap(), &["/nowhere: No such file"]);
    refused(&tunmon::run(&cluster.near, "-i d0 -o json --kubernetes /dev/zero").unwrap(), &["no regular file"]);
}

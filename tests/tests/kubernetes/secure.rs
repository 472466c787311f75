//! Servers that speak TLS: that of the cluster in whose pod tunmon runs, and that of a kubeconfig.

use std::fs;

use serde_json::{Value, json};

use super::server::TOKEN;
use super::support::{Cluster, intervals, node, wait_for};

/// The words that start a program as in a pod: with its variables, and a service account of this token.
fn pod(cluster: &Cluster, token: Option<&str>) -> String {
    let account = cluster.folder().join("account");
    fs::create_dir(&account).unwrap();
    fs::copy(cluster.folder().join("ca.pem"), account.join("ca.crt")).unwrap();
    fs::write(account.join("namespace"), "kube-system").unwrap();
    if let Some(token) = token {
        fs::write(account.join("token"), token).unwrap();
    }
    // `ip netns exec` has given the script mounts of its own.
    let script = format!(
        "set -e\nexport KUBERNETES_SERVICE_HOST={} KUBERNETES_SERVICE_PORT={}\nmount -t tmpfs none /run\n\
         mkdir -p /run/secrets/kubernetes.io\ncp -r {} /run/secrets/kubernetes.io/serviceaccount\nexec \"$@\"\n",
        cluster.server.address.ip(),
        cluster.server.address.port(),
        account.display()
    );
    let path = cluster.folder().join("pod.sh");
    fs::write(&path, script).unwrap();
    format!("sh {}", path.display())
}

#[test]
fn in_a_pod_its_cluster_is_asked_without_an_option() {
    let Some(cluster) = Cluster::secure("server") else { return };
    cluster.server.apply("first", node("first"));
    let mut tunmon = cluster.watch_by(&pod(&cluster, Some(TOKEN)), "");
    wait_for(&mut tunmon, "first");
    cluster.server.delete("first");
    cluster.server.apply("second", node("second"));
    wait_for(&mut tunmon, "second");
    let is_it = |record: &Value| record["schema"] == "tunmon.source/v1" && record["state"] == "up";
    let source = tunmon.wait_for("its source", is_it).unwrap();
    assert_eq!(source["kind"], "kubernetes", "{source}");
    assert_eq!(source["from"], format!("https://{}/", cluster.server.address), "{source}");
    let stderr = tunmon.stop().unwrap().stderr;
    assert!(!stderr.contains("names from"), "no trouble: {stderr}");
}

#[test]
fn a_pod_without_a_token_has_no_names_and_is_watched() {
    let Some(cluster) = Cluster::secure("server") else { return };
    cluster.server.apply("first", node("first"));
    let mut tunmon = cluster.watch_by(&pod(&cluster, None), "");
    intervals(&mut tunmon, 5);
    let stderr = tunmon.stop().unwrap().stderr;
    assert!(stderr.contains("the pod's service account: "), "{stderr}");
    assert_eq!(cluster.server.requests(), [""; 0]);
}

#[test]
fn a_kubeconfig_may_show_a_client_certificate() {
    let Some(cluster) = Cluster::secure("server") else { return };
    cluster.server.apply("first", node("first"));
    let path = |name: &str| cluster.folder().join(name).display().to_string();
    let server =
        json!({"server": format!("https://{}", cluster.server.address), "certificate-authority": path("ca.pem")});
    let user = json!({"client-certificate": path("client.pem"), "client-key": path("client.key")});
    let file = cluster.kubeconfig_of(&server, &user);
    let mut tunmon = cluster.watch_by("", &format!("--kubernetes {}", file.display()));
    wait_for(&mut tunmon, "first");
    tunmon.stop().unwrap().summary().unwrap();
}

#[test]
fn a_server_that_the_authority_does_not_know_is_told_nothing() {
    let Some(cluster) = Cluster::secure("impostor") else { return };
    cluster.server.apply("first", node("first"));
    let mut tunmon = cluster.watch_by(&pod(&cluster, Some(TOKEN)), "");
    let is_down = |record: &Value| record["schema"] == "tunmon.source/v1" && record["state"] == "down";
    let source = tunmon.wait_for("a source that is down", is_down).unwrap();
    assert!(source["trouble"].as_str().unwrap().contains("certificate"), "{source}");
    intervals(&mut tunmon, 10);
    tunmon.stop().unwrap().summary().unwrap();
    assert_eq!(cluster.server.requests(), [""; 0], "it has the token");
}

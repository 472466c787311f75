//! The manifests, as `kubectl kustomize` makes them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tests::needs;

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy")
}

/// What kubectl makes of a folder; none where there is no kubectl that knows components (1.21).
fn built(folder: &str) -> Option<String> {
    let output = Command::new("kubectl").arg("kustomize").arg(deploy().join("kustomize").join(folder)).output();
    let Ok(output) = output else {
        needs::skip("not installed: kubectl");
        return None;
    };
    assert!(output.status.success(), "{folder}: {}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn every_overlay_is_unprivileged_with_three_capabilities() {
    for folder in ["base", "overlays/kube-ovn", "overlays/ovn-kubernetes", "overlays/openshift", "overlays/old-kernel"]
    {
        let Some(text) = built(folder) else { return };
        for line in [
            "          allowPrivilegeEscalation: false",
            "          privileged: false",
            "          readOnlyRootFilesystem: true",
            "            drop:\n            - ALL",
            "            add:\n            - BPF\n            - PERFMON\n            - NET_ADMIN\n",
            "            path: /readyz",
            "            path: /healthz",
            "      - effect: NoExecute\n        operator: Exists",
        ] {
            assert!(text.contains(line), "{folder} has no {line:?}:\n{text}");
        }
        for none in ["hostPID: true", "SYS_ADMIN", "privileged: true", "secrets\n"] {
            assert!(!text.contains(none), "{folder} has {none:?}");
        }
        assert_eq!(text.contains("SYS_RESOURCE"), folder.ends_with("old-kernel"), "{folder}");
    }
}

#[test]
fn overlays_add_what_their_clusters_have() {
    let Some(kube_ovn) = built("overlays/kube-ovn") else { return };
    assert!(kube_ovn.contains("secretName: kube-ovn-tls") && kube_ovn.contains("mountPath: /var/run/tls"));
    let openshift = built("overlays/openshift").unwrap();
    assert!(openshift.contains("type: spc_t") && openshift.contains("kind: SecurityContextConstraints"));
    assert!(openshift.contains("mountPath: /var/run/ovn-ic"));
}

#[test]
fn the_operators_rules_are_prometheus_rules() {
    let rules = fs::read_to_string(deploy().join("prometheus/tunmon-rules.yaml")).unwrap();
    let groups = &rules[rules.find("groups:").unwrap()..];
    let indented: String =
        groups.lines().map(|line| if line.is_empty() { "\n".to_owned() } else { format!("  {line}\n") }).collect();
    let component = fs::read_to_string(deploy().join("kustomize/components/rules/prometheusrule.yaml")).unwrap();
    assert!(component.ends_with(&format!("spec:\n{indented}")), "make prometheusrule.yaml of tunmon-rules.yaml anew");
}

//! What stands in `deploy` for Prometheus and Grafana: rules and dashboard are well-formed, and name what there is.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use monitor::export::metrics::catalogue;
use serde_json::Value;

use super::server::{is_possible, repository};

fn promtool(arguments: &[&str]) {
    let folder = repository("deploy/prometheus");
    let output = Command::new("promtool").args(arguments).current_dir(folder).output().unwrap();
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(output.status.success(), "{arguments:?}: {said}");
}

#[test]
fn rules_are_right_by_promtool() {
    if !is_possible(&[]) {
        return;
    }
    promtool(&["check", "rules", "tunmon-rules.yaml"]);
    promtool(&["test", "rules", "tunmon-rules-test.yaml"]);
}

/// All names that begin with `tunmon_` or `tunmon:` in a text.
fn names(text: &str) -> BTreeSet<String> {
    let is_part = |char: char| char.is_ascii_alphanumeric() || char == '_' || char == ':';
    text.split(|char| !is_part(char))
        .filter(|word| word.starts_with("tunmon_") || word.starts_with("tunmon:"))
        .map(|word| word.trim_end_matches(':').to_owned())
        .collect()
}

/// Metrics that there are, as they are queried, and records of the rules.
fn known(rules: &str) -> BTreeSet<String> {
    let mut known: BTreeSet<String> =
        rules.lines().filter_map(|line| line.trim().strip_prefix("- record: ")).map(str::to_owned).collect();
    for metric in catalogue::ALL.iter().flat_map(|(_, metrics)| *metrics) {
        let suffixes =
            if metric.kind == catalogue::Kind::Histogram { &["", "_bucket", "_sum", "_count"][..] } else { &[""] };
        known.extend(suffixes.iter().map(|suffix| format!("{}{suffix}", metric.name)));
    }
    known
}

#[test]
fn rules_name_only_what_there_is() {
    let rules = fs::read_to_string(repository("deploy/prometheus/tunmon-rules.yaml")).unwrap();
    let unknown: Vec<_> = names(&rules).difference(&known(&rules)).cloned().collect();
    assert_eq!(unknown, [""; 0]);
}

/// All strings under the key `expr`, and all values of `type` of panels.
fn walk(value: &Value, expressions: &mut Vec<String>, kinds: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            expressions.extend(fields.get("expr").and_then(Value::as_str).map(str::to_owned));
            if fields.contains_key("gridPos") {
                kinds.extend(fields.get("type").and_then(Value::as_str).map(str::to_owned));
            }
            fields.values().for_each(|field| walk(field, expressions, kinds));
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, expressions, kinds)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn the_dashboard_has_current_panels_and_expressions_that_prometheus_understands() {
    if !is_possible(&[]) {
        return;
    }
    let text = fs::read_to_string(repository("deploy/grafana/tunmon.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    assert!(dashboard["schemaVersion"].as_u64().unwrap() >= 39);
    let (mut expressions, mut kinds) = (Vec::new(), BTreeSet::new());
    walk(&dashboard, &mut expressions, &mut kinds);
    let current = ["timeseries", "heatmap", "stat", "table", "state-timeline", "row", "text"];
    assert!(kinds.iter().all(|kind| current.contains(&kind.as_str())), "{kinds:?}");
    assert!(expressions.len() > 15, "{} expressions", expressions.len());
    let rules = fs::read_to_string(repository("deploy/prometheus/tunmon-rules.yaml")).unwrap();
    let unknown: Vec<_> = names(&expressions.join(" ")).difference(&known(&rules)).cloned().collect();
    assert_eq!(unknown, [""; 0]);
    // promtool parses expressions as those of rules.
    let rules: String = expressions
        .iter()
        .enumerate()
        .map(|(number, expression)| {
            let plain =
                expression.replace("$__rate_interval", "5m").replace("$__range", "1h").replace("$__interval", "1m");
            format!("      - {{record: \"dashboard:{number}\", expr: {}}}\n", Value::String(plain))
        })
        .collect();
    let scratch = tests::scratch::Scratch::create("dashboard").unwrap();
    let file = scratch.path().join("rules.yaml");
    fs::write(&file, format!("groups:\n  - name: dashboard\n    rules:\n{rules}")).unwrap();
    promtool(&["check", "rules", "--lint=none", file.to_str().unwrap()]);
}

//! A Prometheus in a namespace, with its data in a directory of its own.

use std::fs::{self, File};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;
use tests::needs;
use tests::netns::{End, Namespace, veth};
use tests::process::{self, Process};
use tests::scratch::Scratch;
use tests::tunmon;
use tests::wait;

/// The programs that it takes.
pub(super) const PROGRAMS: &[&str] = &["prometheus", "promtool", "curl"];
/// Time for something to be scraped and evaluated.
pub(super) const SOON: Duration = Duration::from_secs(40);

/// Whether all that is needed is there; says what is not.
pub(super) fn is_possible(programs: &[&[&str]]) -> bool {
    let missing = tunmon::missing(&[&[needs::NETWORK, PROGRAMS], programs].concat());
    if let Some(reason) = &missing {
        needs::skip(reason);
    }
    missing.is_none()
}

/// Joins a node to `watcher` by a cable of its own; returns the node's address on it, with the port that tunmon serves.
pub(super) fn connect(watcher: &Namespace, node: &Namespace, number: usize) -> String {
    let [here, there] = [1, 2].map(|end| [format!("10.98.{number}.{end}/24")]);
    let device = format!("m{number}");
    let near = End { addresses: &here, ..End::bare(watcher, &device) };
    let far = End { addresses: &there, ..End::bare(node, "mgmt") };
    veth(near, far, 1500).unwrap();
    format!("10.98.{number}.2:16081")
}

/// A running Prometheus.
pub(super) struct Server<'a> {
    _process: Process,
    namespace: &'a Namespace,
    port: u16,
    _data: Scratch,
}

impl<'a> Server<'a> {
    /// Scrapes these targets every second, with these feature flags and rules.
    pub(super) fn start(
        namespace: &'a Namespace,
        port: u16,
        targets: &[String],
        features: &str,
        rules: Option<&str>,
    ) -> Self {
        let data = Scratch::create("prometheus").unwrap();
        let folder = data.path();
        let rule_files = rules.map_or("[]", |rules| {
            fs::write(folder.join("rules.yaml"), rules).unwrap();
            "[rules.yaml]"
        });
        let targets: Vec<String> = targets.iter().map(|target| format!("\"{target}\"")).collect();
        let config = format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}\nrule_files: {rule_files}\n\
             scrape_configs: [{{job_name: tunmon, static_configs: [{{targets: [{}]}}]}}]\n",
            targets.join(", ")
        );
        let file = folder.join("prometheus.yaml");
        fs::write(&file, config).unwrap();
        let mut command = namespace.command("prometheus");
        command.arg(format!("--config.file={}", file.display()));
        command.arg(format!("--storage.tsdb.path={}", folder.join("data").display()));
        command.args([&format!("--web.listen-address=127.0.0.1:{port}"), &format!("--enable-feature={features}")]);
        let log = File::create(folder.join("log")).unwrap();
        let process = Process::spawn(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log)).unwrap();
        let server = Self { _process: process, namespace, port, _data: data };
        wait::until("Prometheus", SOON, || Ok(server.get("-/ready", &[]).ok())).unwrap();
        server
    }

    fn get(&self, path: &str, parameters: &[(&str, &str)]) -> anyhow::Result<String> {
        let mut curl = self.namespace.command("curl");
        curl.args(["-sSfG", "--max-time", "10"]);
        for (name, value) in parameters {
            curl.arg("--data-urlencode").arg(format!("{name}={value}"));
        }
        process::run(curl.arg(format!("http://127.0.0.1:{}/{path}", self.port)))
    }

    /// What an API answers.
    pub(super) fn api(&self, path: &str, parameters: &[(&str, &str)]) -> Value {
        let text = self.get(&format!("api/v1/{path}"), parameters).unwrap();
        let answer: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(answer["status"], "success", "{answer}");
        answer["data"].clone()
    }

    /// The rows of an expression as of now: labels and value.
    pub(super) fn query(&self, expression: &str) -> Vec<(Value, f64)> {
        let data = self.api("query", &[("query", expression)]);
        let rows = data["result"].as_array().unwrap().iter();
        rows.map(|row| (row["metric"].clone(), number(expression, row))).collect()
    }

    /// The only row of an expression.
    pub(super) fn value(&self, expression: &str) -> anyhow::Result<f64> {
        match self.query(expression).as_slice() {
            [(_, value)] => Ok(*value),
            rows => Err(anyhow::anyhow!("{expression} has {} rows: {rows:?}", rows.len())),
        }
    }

    /// Waits until an expression has this value.
    pub(super) fn until(&self, expression: &str, wanted: f64) {
        let what = format!("{expression} == {wanted}");
        let found = wait::until(&what, SOON, || {
            let rows = self.query(expression);
            Ok(rows.iter().any(|(_, value)| (value - wanted).abs() < 1e-9).then_some(()))
        });
        found.with_context(|| format!("it is {:?}", self.query(expression))).unwrap();
    }
}

fn number(expression: &str, row: &Value) -> f64 {
    let value = row["value"][1].as_str().unwrap_or_else(|| panic!("{expression} is no number: {row}"));
    value.parse().unwrap()
}

/// A file of the repository.
pub(super) fn repository(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

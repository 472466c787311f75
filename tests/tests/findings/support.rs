//! What tunmon has found.

use std::process::Command;

use serde_json::Value;
use tests::{needs, process, tunmon};

/// Code, VNI, peer.
pub(super) type Found = (String, Option<u64>, Option<String>);

/// The findings of a record, without what they say.
pub(super) fn found(finding: &Value) -> Found {
    let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
    (text(&finding["code"]).unwrap(), finding["vni"].as_u64(), text(&finding["peer"]["ip"]))
}

/// The records that tunmon prints with these arguments, or `None` after having said why it cannot be run.
pub(super) fn run(arguments: &[&str], needs_root: bool) -> Option<Vec<Value>> {
    let reason = if needs_root { tunmon::missing(&[]) } else { tunmon::not_built() };
    if let Some(reason) = reason {
        needs::skip(&reason);
        return None;
    }
    let mut command = Command::new(tunmon::binary().unwrap());
    let text = process::run(command.args(arguments).args(["-o", "json"])).unwrap();
    Some(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// The findings of the summary, which is the last record.
pub(super) fn of_summary(records: &[Value]) -> Vec<Value> {
    records.last().unwrap()["findings"].as_array().unwrap().clone()
}

//! What has become of a source of names, in a line.

use crate::export::json::SourceRecord;
use crate::inventory::State;

/// The line.
pub(crate) fn text(change: &SourceRecord<'_>) -> String {
    let source = change.source;
    let trouble = source.trouble.as_ref().map(|trouble| format!(": {trouble}")).unwrap_or_default();
    let (kind, from) = (source.kind.name(), &source.from);
    match (source.state, change.age_seconds) {
        (State::Up, _) => format!("names of {kind} ({from}): {} entries{trouble}", source.entries),
        (State::Starting, _) => format!("names of {kind} ({from}): no answer yet{trouble}"),
        (State::Down, Some(age)) => format!("no names of {kind} ({from}){trouble}; those of {age:.0} s ago stay"),
        (State::Down, None) => format!("no names of {kind} ({from}){trouble}"),
    }
}

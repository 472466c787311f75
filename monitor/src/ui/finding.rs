//! A finding, for people.

use std::fmt::Write;

use crate::findings::{Finding, Severity, State};
use crate::inventory::Name;

/// Its lines, under a clock time such as `14:03:23`, or none.
pub(crate) fn text(finding: &Finding, clock: &str) -> String {
    let Finding { code, kind, device, count, cause, fix, test, .. } = finding;
    let mark = match (finding.state, finding.severity) {
        (State::Cleared, _) => "cleared ",
        (_, Severity::Critical) => "CRITICAL",
        (_, Severity::Warning) => "WARNING ",
        (_, Severity::Info) => "INFO    ",
    };
    let name = |name: &Option<Name>| name.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
    let vni = finding.vni.map(|vni| format!(" VNI {vni}{}", name(&finding.network))).unwrap_or_default();
    let peer = finding.peer.as_ref().map(|peer| format!(" peer {}{}", peer.ip, name(&peer.node))).unwrap_or_default();
    let mut text = String::new();
    let clock = if clock.is_empty() { String::new() } else { format!("{clock}  ") };
    let _ = writeln!(text, "{clock}{mark} {code} {kind} on {device}{vni}{peer} ({count})");
    if finding.state == State::Raised {
        let _ = writeln!(text, "    {cause}");
        let _ = writeln!(text, "    fix:  {fix}");
        let _ = writeln!(text, "    test: {test}");
        let _ = writeln!(text, "    more: tunmon explain {code}");
    }
    text
}

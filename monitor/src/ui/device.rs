//! What has become of a device, in a line.

use crate::export::json::DeviceChange;

/// The line.
pub(crate) fn text(change: &DeviceChange<'_>) -> String {
    let DeviceChange { device, detail, blind_seconds, .. } = change;
    let detail = detail.unwrap_or_default();
    match change.state {
        "lost" => format!("{device}: {detail}; what was counted stays, and tunmon waits for it"),
        "renamed" => format!("{device} is called {detail} now"),
        "resized" => format!("{device} has MTU {} now", change.mtu_bytes),
        "refused" => format!("{device} is there and cannot be watched: {detail}"),
        _ => {
            let [ingress, egress] = [change.ingress, change.egress].map(Option::unwrap_or_default);
            format!("{device} is watched (in {ingress}, out {egress}); nothing was seen of it for {blind_seconds:.1} s")
        }
    }
}

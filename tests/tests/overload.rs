//! Under load: a flood of one kind of events hides no other, a reader that stands still costs no packet its count, and
//! what watching costs is what the kernel measured.

#![expect(clippy::unwrap_used, reason = "tests unwrap, and so do their helpers")]

#[path = "overload/floods.rs"]
mod floods;
#[path = "overload/overhead.rs"]
mod overhead;
#[path = "overload/sources.rs"]
mod sources;
#[path = "overload/stuck.rs"]
mod stuck;
#[path = "overload/virtual_time.rs"]
mod virtual_time;

use tests::needs;

/// Whether programs can be loaded and namespaces made; says so if not.
fn has_rights() -> bool {
    let reason = needs::missing(&[]);
    if let Some(reason) = &reason {
        needs::skip(reason);
    }
    reason.is_none()
}

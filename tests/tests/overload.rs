//! Under load: a flood of one kind of events hides no other, a reader that stands still costs no packet, full rings and
//! full tables no count, and what watching costs is what the kernel measured.

#![expect(clippy::unwrap_used, reason = "tests unwrap, and so do their helpers")]

#[path = "overload/floods.rs"]
mod floods;
#[path = "overload/full_speed.rs"]
mod full_speed;
#[path = "overload/overhead.rs"]
mod overhead;
#[path = "overload/programs.rs"]
mod programs;
#[path = "overload/small_flows.rs"]
mod small_flows;
#[path = "overload/small_rings.rs"]
mod small_rings;
#[path = "overload/sources.rs"]
mod sources;
#[path = "overload/strangers.rs"]
mod strangers;
#[path = "overload/stuck.rs"]
mod stuck;
#[path = "overload/virtual_time.rs"]
mod virtual_time;

use std::env;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tests::needs;

/// Whether programs can be loaded and namespaces made; says so if not.
fn has_rights() -> bool {
    let reason = needs::missing(&[]);
    if let Some(reason) = &reason {
        needs::skip(reason);
    }
    reason.is_none()
}

/// Keeps other tests that load a whole processor away while it lives: they say how soon something is to happen.
fn alone() -> MutexGuard<'static, ()> {
    static LOAD: Mutex<()> = Mutex::new(());
    LOAD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a test of every day takes, or where TUNMON_FULL is set, what takes minutes.
fn choose<T>(daily: T, long: T) -> T {
    if env::var_os("TUNMON_FULL").is_some() { long } else { daily }
}

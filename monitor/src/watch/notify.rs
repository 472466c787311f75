//! What the service manager is told (sd_notify(3)): ready, alive, how it goes. Without one, nothing is.

use std::future::pending;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::{Instant, sleep_until};

use super::watched::Watched;
use crate::snapshot::Snapshot;

/// Tells the manager, if there is one.
pub(super) struct Notifier {
    is_there: bool,
    /// Twice as often as the manager's watchdog asks for.
    every: Option<Duration>,
    due: Instant,
}

impl Notifier {
    /// Says that everything is attached.
    pub(super) fn new() -> Self {
        let is_there = std::env::var_os("NOTIFY_SOCKET").is_some();
        let every = sd_notify::watchdog_enabled().map(|limit| limit / 2);
        tell(is_there, &[NotifyState::Ready]);
        Self { is_there, every, due: Instant::now() }
    }

    /// Returns when the watchdog is to be told again.
    pub(super) async fn is_due(&self) {
        if self.every.is_some() { sleep_until(self.due).await } else { pending().await }
    }

    /// Says that the event loop goes round. It is told from there, so a loop that stands still is found out.
    pub(super) fn alive(&mut self) {
        tell(self.is_there, &[NotifyState::Watchdog]);
        self.due = Instant::now() + self.every.unwrap_or_default();
    }

    /// Says in one line how it goes.
    pub(super) fn status(&self, text: impl FnOnce() -> String) {
        if self.is_there {
            tell(true, &[NotifyState::Status(&text())]);
        }
    }

    /// Says that the end has begun.
    pub(super) fn stopping(&self) {
        tell(self.is_there, &[NotifyState::Stopping]);
    }
}

fn tell(is_there: bool, states: &[NotifyState<'_>]) {
    if is_there && let Err(error) = sd_notify::notify(states) {
        tracing::debug!("the service manager: {error}");
    }
}

/// How it goes, in a line.
pub(super) fn status(devices: &[Watched], intervals: &[Snapshot]) -> String {
    let one = |(device, snapshot): (&Watched, &Snapshot)| {
        let findings = device.findings.active().len();
        let (vnis, peers) = (snapshot.vnis.len(), snapshot.peers.len());
        format!("{}: {vnis} VNIs, {peers} peers, {findings} findings", device.device.name)
    };
    devices.iter().zip(intervals).map(one).collect::<Vec<_>>().join("; ")
}

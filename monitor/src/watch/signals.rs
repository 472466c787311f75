//! The signals that end a run in order.

use anyhow::{Context, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// From when it is made, SIGINT and SIGTERM do not end the process any more.
pub(super) struct Signals {
    interrupted: Signal,
    terminated: Signal,
}

impl Signals {
    /// Begins to wait for them; to be called inside of the event loop.
    pub(super) fn new() -> Result<Self> {
        let [interrupted, terminated] =
            [SignalKind::interrupt(), SignalKind::terminate()].map(|kind| signal(kind).context("signal handler"));
        Ok(Self { interrupted: interrupted?, terminated: terminated? })
    }

    /// Returns when one of them has come.
    pub(super) async fn received(&mut self) {
        tokio::select! {
            _ = self.interrupted.recv() => {}
            _ = self.terminated.recv() => {}
        }
    }
}

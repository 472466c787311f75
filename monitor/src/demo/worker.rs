//! The demo's threads: all stop when their `Workers` is dropped, and are waited for.

use std::{
    io,
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context, Result};

/// How long a thread may wait in the kernel before it looks whether it shall stop.
pub(super) const STOP_CHECK: Duration = Duration::from_millis(100);

/// Tells threads to stop, and wakes those that pause.
#[derive(Default)]
pub(super) struct Stop {
    stopped: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    pub(super) fn is_stopped(&self) -> bool {
        *self.stopped.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for `duration`, or less when the demo stops.
    pub(super) fn pause(&self, duration: Duration) {
        let stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        // Neither a poisoned lock nor the guard matters: the callers ask `is_stopped` next.
        drop(self.changed.wait_timeout_while(stopped, duration, |stopped| !*stopped));
    }

    fn stop(&self) {
        *self.stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }
}

/// Threads that live as long as this value.
#[derive(Default)]
pub(super) struct Workers {
    stop: Arc<Stop>,
    threads: Vec<JoinHandle<()>>,
}

impl Workers {
    /// Starts a thread in the caller's network namespace; `work` returns when it is stopped.
    pub(super) fn spawn(
        &mut self,
        name: &'static str,
        work: impl FnOnce(&Stop) -> io::Result<()> + Send + 'static,
    ) -> Result<()> {
        let stop = Arc::clone(&self.stop);
        let body = move || {
            if let Err(error) = work(&stop) {
                tracing::warn!("the demo's {name} thread ended: {error}");
            }
        };
        let thread = thread::Builder::new().name(format!("demo {name}")).spawn(body);
        self.threads.push(thread.with_context(|| format!("starting the demo's {name} thread"))?);
        Ok(())
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.stop.stop();
        for thread in self.threads.drain(..) {
            // A panic has been printed by the thread itself, and there is nothing left to save.
            drop(thread.join());
        }
    }
}

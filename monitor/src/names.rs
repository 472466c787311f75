//! Where names come from: a thread of its own asks the sources and publishes what they say together.
//!
//! ```text
//! sources (tasks) ─▶ Hub: merges ─▶ Arc<Inventory> ─▶ whoever reports
//! ```
//! Nobody who counts or reports waits for a source: they take the newest [`Inventory`] that is there. A source that is
//! down keeps what it said, and says since when. What it takes in is bounded by itself.

mod file;
mod kubernetes;

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result};
use tokio::sync::{oneshot, watch};

use crate::cli::NameOptions;
use crate::inventory::{Facts, Inventory, Source};

/// Sources that are to be asked, after their files were read and found good.
pub(crate) struct Plan(Vec<Task>);

type Task = Box<dyn FnOnce(Hub) -> Pin<Box<dyn Future<Output = ()>>> + Send>;

impl Plan {
    /// Reads the files that the options name; asks nobody yet.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, or says something wrong.
    pub(crate) fn open(options: &NameOptions) -> Result<Self> {
        // Whoever needs TLS uses this provider; one that is there already is the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let sources = [
            options.file.as_deref().map(file::open).transpose()?,
            // One line a source.
            kubernetes::open(&options.kubernetes)?,
        ];
        Ok(Self(sources.into_iter().flatten().collect()))
    }
}

/// The names in a file alone, as it is now.
pub(crate) fn of_file(path: Option<&Path>) -> Result<Arc<Inventory>> {
    let mut inventory = Inventory::default();
    if let Some(path) = path {
        let (source, facts) = file::once(path)?;
        inventory.tell(source.kind, facts);
        inventory.is(source);
    }
    Ok(Arc::new(inventory))
}

/// The newest names, kept new in the background until this is dropped.
pub(crate) struct Names {
    inventory: watch::Receiver<Arc<Inventory>>,
    /// Its end ends the thread.
    _stop: oneshot::Sender<()>,
}

impl Names {
    /// Begins to ask. The thread has the rights of this one.
    pub(crate) fn start(plan: Plan) -> Result<Self> {
        let (sender, inventory) = watch::channel(Arc::default());
        let (stop, is_stopped) = oneshot::channel();
        let hub = Hub { inventory: Arc::default(), published: sender.into() };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("names")?;
        let run = move || {
            let tasks = tokio::task::LocalSet::new();
            plan.0.into_iter().for_each(|task| drop(tasks.spawn_local(task(hub.clone()))));
            // A source that is being asked is left alone: nothing of it has to be ended in order.
            runtime.block_on(tasks.run_until(async { drop(is_stopped.await) }));
        };
        thread::Builder::new().name("names".into()).spawn(run).context("a thread for names")?;
        Ok(Self { inventory, _stop: stop })
    }

    /// What is known now.
    pub(crate) fn current(&self) -> Arc<Inventory> {
        self.inventory.borrow().clone()
    }
}

/// Where sources tell what they know.
#[derive(Clone)]
pub(crate) struct Hub {
    inventory: Arc<Mutex<Inventory>>,
    published: Arc<watch::Sender<Arc<Inventory>>>,
}

impl Hub {
    /// Takes how a source is, and all that it says if that has changed. A source that changes often does this at most once
    /// a second: everything is merged anew.
    pub(crate) fn tell(&self, source: Source, facts: Option<Facts>) {
        let mut inventory = self.inventory.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(facts) = facts {
            inventory.tell(source.kind, facts);
        }
        inventory.is(source);
        self.published.send_replace(Arc::new(inventory.clone()));
    }

    /// What is known, and when that changes.
    pub(crate) fn watch(&self) -> watch::Receiver<Arc<Inventory>> {
        self.published.subscribe()
    }
}

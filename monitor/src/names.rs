//! Where names come from: a thread of its own asks the sources and publishes what they say together.
//!
//! ```text
//! sources (tasks) ─▶ Hub: merges ─▶ Arc<Inventory> ─▶ whoever reports
//! ```
//! Nobody who counts or reports waits for a source: they take the newest [`Inventory`] that is there. A source that is
//! down keeps what it said, and says since when. What it takes in is bounded by itself.

mod file;
mod iface;
mod kubernetes;
mod ovs;
mod ovsdb;
mod southbound;

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use jiff::Timestamp;
use tokio::sync::{oneshot, watch};

use crate::cli::NameOptions;
use crate::failure::Failure;
use crate::inventory::{Facts, Inventory, Kind, Name, Source, State};
use ovs::Place;
use ovsdb::{Paths, Remote};

pub(crate) use iface::tunnel_devices;

/// For sources that are asked once.
const ANSWER: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(10);

/// Sources that are to be asked, after their files were read and found good.
pub(crate) struct Plan(Vec<Task>);

type Task = Box<dyn FnOnce(Hub) -> Pin<Box<dyn Future<Output = ()>>> + Send>;

impl Plan {
    /// Nobody is asked.
    fn none() -> Self {
        Self(Vec::new())
    }

    /// Nobody is asked: this is what there is to know.
    pub(crate) fn fixed(facts: Facts) -> Self {
        let entries = facts.nodes.len() + facts.networks.len();
        let from = Name::new("the demo");
        let (trouble, synced) = (None, Some(Timestamp::now()));
        let source = Source { kind: Kind::File, state: State::Up, from, trouble, entries, synced };
        Self(vec![Box::new(move |hub| Box::pin(async move { hub.tell(source, Some(facts)) }))])
    }

    /// Reads the files that the options name; asks nobody yet.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, or says something wrong.
    pub(crate) fn open(options: &NameOptions) -> Result<Self> {
        // Whoever needs TLS uses this provider; one that is there already is the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let paths = tls_paths(options)?;
        let (ovn, is_told) = watch::channel(None);
        let mut plan = Self::none();
        plan.0.extend(options.file.as_deref().map(file::open).transpose()?);
        plan.southbound(options, paths.clone(), is_told)?;
        plan.ovs(options, &paths, ovn)?;
        plan.0.extend(kubernetes::open(&options.kubernetes)?);
        Ok(plan)
    }

    fn ovs(&mut self, options: &NameOptions, paths: &Paths, ovn: watch::Sender<Option<ovs::Ovn>>) -> Result<()> {
        if let Some(place) = ovs_place(options)? {
            let paths = paths.clone();
            self.0.push(Box::new(move |hub| Box::pin(ovs::run(hub, place, paths, ovn))));
        }
        Ok(())
    }

    fn southbound(
        &mut self,
        options: &NameOptions,
        paths: Paths,
        ovn: watch::Receiver<Option<ovs::Ovn>>,
    ) -> Result<()> {
        match options.ovn_sb.as_str() {
            "off" => {}
            "auto" => self.0.push(Box::new(move |hub| Box::pin(southbound::run_auto(hub, paths, ovn)))),
            text => {
                let remotes = remotes("--ovn-sb", text)?;
                self.0.push(Box::new(move |hub| Box::pin(southbound::run(hub, remotes, paths, ovn))));
            }
        }
        Ok(())
    }
}

/// Where the options say that the switch's database is, unless it is off.
fn ovs_place(options: &NameOptions) -> Result<Option<Place>> {
    Ok(match options.ovs_db.as_str() {
        "off" => None,
        "auto" => Some(Place::Usual),
        text => Some(Place::Remotes(remotes("--ovs-db", text)?)),
    })
}

fn remotes(option: &str, text: &str) -> Result<Vec<Remote>> {
    let advice =
        "write auto, off, or remotes as OVN does: unix:/PATH, tcp:HOST:PORT, ssl:HOST:PORT, separated by commas";
    Remote::list(text).map_err(|error| Failure::usage(format!("{option}: {error}"), advice).into())
}

/// Files of TLS that the options name, after they were read once; they are read again at each connection.
fn tls_paths(options: &NameOptions) -> Result<Paths> {
    let paths = Paths { authority: options.ovn_ca.clone(), own: options.ovn_cert.clone().zip(options.ovn_key.clone()) };
    paths.check()?;
    Ok(paths)
}

/// What the options name, asked once: who does not answer within [`ANSWER`] is not waited for. What they leave to tunmon is
/// not asked, for what was captured need not be of this node.
///
/// # Errors
///
/// Those of [`Plan::open`].
pub(crate) fn once(options: &NameOptions) -> Result<Arc<Inventory>> {
    let or_off = |option: &str| if option == "auto" { "off".to_owned() } else { option.to_owned() };
    let (ovs_db, kubernetes) = (or_off(&options.ovs_db), or_off(&options.kubernetes));
    // A switch that is named says where its Southbound database is.
    let ovn_sb = if ovs_db == "off" { or_off(&options.ovn_sb) } else { options.ovn_sb.clone() };
    let named = NameOptions { ovs_db, ovn_sb, kubernetes, ..options.clone() };
    let asked = [
        (Kind::File, named.file.is_some()),
        (Kind::OvnSb, named.ovn_sb != "off"),
        (Kind::Ovs, named.ovs_db != "off"),
        (Kind::Kubernetes, named.kubernetes != "off"),
    ];
    let asked: Vec<Kind> = asked.into_iter().filter_map(|(kind, is_asked)| is_asked.then_some(kind)).collect();
    if asked.is_empty() {
        return Ok(Arc::default());
    }
    let names = Names::start(Plan::open(&named)?)?;
    let begun = Instant::now();
    loop {
        let inventory = names.current();
        if begun.elapsed() > ANSWER || asked.iter().all(|kind| has_answered(&inventory, *kind)) {
            return Ok(inventory);
        }
        thread::sleep(POLL);
    }
}

/// Whether a source has said what it knows, or why it cannot; a switch may know of no Southbound database.
fn has_answered(inventory: &Inventory, kind: Kind) -> bool {
    let state = |kind| inventory.sources().find(|source| source.kind == kind).map(|source| source.state);
    match (kind, state(kind)) {
        (Kind::OvnSb, None) => {
            state(Kind::Ovs) == Some(State::Down) || inventory.switch().is_some_and(|switch| switch.remote.is_none())
        }
        (_, state) => state.is_some_and(|state| state != State::Starting),
    }
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
        give_back_memory();
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

/// Lets tables that have been replaced go back to the kernel at once: glibc would rather keep what has once been freed, up
/// to 32 MiB of it at a time.
fn give_back_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: sets a number of the allocator, which is the default that it starts with.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 128 << 10);
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

    /// When what a source has told was last known to be so.
    fn synced(&self, kind: Kind) -> Option<Timestamp> {
        let inventory = self.inventory.lock().unwrap_or_else(PoisonError::into_inner);
        inventory.sources().find(|source| source.kind == kind)?.synced
    }
}

//! Nodes of a Kubernetes cluster: listed once, then watched.
//!
//! ```text
//! API server ─▶ Bounded: time and length ─▶ kube's watcher ─▶ Table ─▶ Hub
//! ```
//! Names only: a node's tunnels may have another address than those that the cluster knows, so what it does not know is not
//! unknown. Whoever answers is not trusted: replies, events, nodes and the time for a list are bounded.

mod bounded;
mod config;
mod node;
mod table;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use futures_util::StreamExt;
use jiff::Timestamp;
use kube::Api;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

use super::{Hub, Task};
use crate::inventory::{Kind, Name, Source, State};
use bounded::Bounding;
use config::Server;
use node::Node;
use table::Table;

/// Nodes in one reply.
const PAGE: u32 = 25;
/// A watch is asked for so many seconds; without an end 5 s later, the connection is dead.
const WATCH_SECONDS: u32 = 120;
/// All pages of a list take no longer.
const LIST: Duration = Duration::from_secs(60);
/// Between two lists when one had too much.
const REST: Duration = Duration::from_secs(300);
/// Between two times that something is told.
const TELL: Duration = Duration::from_secs(1);
/// Between two times that nothing is told but that it is still so.
const TELL_AGE: Duration = Duration::from_secs(10);
/// Events that are read in a second; the server waits with others.
const EVENTS: u32 = 5000;

/// The source that the option names: `auto`, `off`, or a kubeconfig.
pub(super) fn open(option: &str) -> Result<Option<Task>> {
    let Some(server) = config::open(option)? else { return Ok(None) };
    Ok(Some(Box::new(|hub| Box::pin(follow(server, hub)))))
}

async fn follow(server: Server, hub: Hub) {
    let from = Name::new(&server.url);
    let source =
        Source { kind: Kind::Kubernetes, state: State::Starting, from, trouble: None, entries: 0, synced: None };
    let mut follower = Follower::new(source, hub);
    follower.tell();
    let builder = match server.client {
        Ok(builder) => builder,
        Err(trouble) => return follower.fail(&trouble),
    };
    let answers = Arc::new(Notify::new());
    let client = builder.with_layer(&Bounding::new(answers.clone())).build();
    loop {
        let rest = follower.run(Api::all(client.clone()), &answers).await;
        sleep(rest).await;
    }
}

struct Follower {
    hub: Hub,
    source: Source,
    table: Table,
    /// What is listed anew, until it is whole, and since when.
    listed: Option<(Table, Instant)>,
    is_changed: bool,
    told: Instant,
    /// When events are counted since, and how many there were.
    events: (Instant, u32),
}

impl Follower {
    fn new(source: Source, hub: Hub) -> Self {
        let now = Instant::now();
        let (table, listed, is_changed) = (Table::default(), None, false);
        Self { hub, source, table, listed, is_changed, told: now, events: (now, 0) }
    }

    /// Lists and watches until it has to begin anew; returns how long it waits before.
    async fn run(&mut self, api: Api<Node>, answers: &Notify) -> Duration {
        let config = watcher::Config::default().page_size(PAGE).timeout(WATCH_SECONDS);
        let mut events = watcher(api, config).default_backoff().boxed();
        self.listed = None;
        loop {
            let deadline = self.listed.as_ref().map(|(_, since)| *since + LIST);
            let is_due = if self.is_changed { TELL } else { TELL_AGE };
            tokio::select! {
                event = events.next() => {
                    let Some(event) = event else { return LIST };
                    if !self.take(event) {
                        return REST;
                    }
                    self.pace().await;
                }
                () = answers.notified() => self.is_alive(),
                () = sleep_until(self.told + is_due), if self.is_changed || self.source.state == State::Up => self.tell(),
                () = sleep_until(deadline.unwrap_or(self.told)), if deadline.is_some() => {
                    self.fail(&format!("no whole list of nodes in {LIST:?}"));
                    return Duration::ZERO;
                }
            }
        }
    }

    /// Takes what has come; says whether there is room for more.
    fn take(&mut self, event: Result<Event<Node>, watcher::Error>) -> bool {
        let result = match event {
            Ok(Event::Init) => {
                self.listed = Some((Table::default(), Instant::now()));
                Ok(())
            }
            Ok(Event::InitApply(node)) => self.listed.as_mut().map_or(Ok(()), |(table, _)| table.apply(node)),
            Ok(Event::InitDone) => {
                self.table = self.listed.take().unwrap_or_else(|| (Table::default(), Instant::now())).0;
                self.is_changed = true;
                self.is_alive();
                self.tell();
                Ok(())
            }
            Ok(Event::Apply(node)) => {
                self.is_changed = true;
                self.is_alive();
                self.table.apply(node)
            }
            Ok(Event::Delete(node)) => {
                self.is_changed = true;
                self.is_alive();
                self.table.delete(&node);
                Ok(())
            }
            // What it knows has grown too old to go on from there; it lists anew at once.
            Err(watcher::Error::WatchError(status)) if status.code == 410 => Ok(()),
            Err(error) => {
                self.listed = None;
                self.fail(&trouble(&error));
                Ok(())
            }
        };
        if let Err(text) = result {
            self.fail(text);
        }
        result.is_ok()
    }

    /// Waits when there were too many events in this second.
    async fn pace(&mut self) {
        let (since, count) = &mut self.events;
        *count += 1;
        if since.elapsed() >= TELL {
            self.events = (Instant::now(), 0);
        } else if *count >= EVENTS {
            sleep_until(*since + TELL).await;
        }
    }

    /// The server has answered. That says something of the nodes once they are known.
    fn is_alive(&mut self) {
        let is_watching = self.listed.is_none() && (self.source.synced.is_some() || self.is_changed);
        if is_watching {
            self.is_changed |= self.source.state != State::Up;
            (self.source.state, self.source.trouble) = (State::Up, None);
            self.source.synced = Some(Timestamp::now());
        }
    }

    fn fail(&mut self, trouble: &str) {
        let trouble = Some(Name::new(trouble));
        if self.source.trouble != trouble {
            tracing::warn!("names from {}: {}", self.source.from, trouble.clone().unwrap_or_default());
        }
        (self.source.state, self.source.trouble) = (State::Down, trouble);
        self.tell();
    }

    /// Tells all that has changed.
    fn tell(&mut self) {
        let facts = self.is_changed.then(|| self.table.facts());
        self.source.entries = self.table.len();
        (self.is_changed, self.told) = (false, Instant::now());
        self.hub.tell(self.source.clone(), facts);
    }
}

/// An error in one line: its HTTP code and what to do about it, or its causes.
fn trouble(error: &watcher::Error) -> String {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    let mut deepest = error.to_string();
    while let Some(error) = cause {
        if let Some(kube::Error::Api(status)) = error.downcast_ref() {
            return http(status.code, &status.message);
        }
        if let Some(watcher::Error::WatchError(status)) = error.downcast_ref() {
            return http(status.code, &status.message);
        }
        deepest = error.to_string();
        cause = error.source();
    }
    deepest
}

fn http(code: u16, message: &str) -> String {
    match code {
        401 => "HTTP 401: the token or certificate is not accepted".to_owned(),
        403 => "HTTP 403: RBAC forbids it; grant get, list, watch of nodes (ClusterRole)".to_owned(),
        _ => format!("HTTP {code}: {message}"),
    }
}

//! Between the server and the run that it tells of: questions one way, answers and events the other.
//!
//! The run answers between two other things that it does, from what it has at that moment. It never waits for a client:
//! answers go into channels of one place, events into one that forgets the oldest.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, mpsc, oneshot};

use crate::export::metrics::Moment;
use crate::findings::Finding;
use crate::inventory::Inventory;
use crate::snapshot::Snapshot;

/// Questions that wait at most: more than there are connections.
const WAITING: usize = 128;
/// Events that a stream may be behind.
const BEHIND: usize = 1024;
/// A run that has not answered by then does not work.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// What is asked.
pub(crate) enum Question {
    /// Everything that is exported.
    Moment(oneshot::Sender<Arc<Moment>>),
    /// The last interval of each device.
    Intervals(oneshot::Sender<Vec<Arc<Snapshot>>>),
    /// The whole run until now, of each device.
    Summaries(oneshot::Sender<Summaries>),
    /// Findings of the run.
    Findings(oneshot::Sender<Vec<Finding>>),
    /// The last events as records, the newest last.
    Events(oneshot::Sender<Records>),
    /// Whether everything is as it should be.
    Health(oneshot::Sender<Health>),
}

/// The whole run of each device, and its findings.
pub(crate) type Summaries = Arc<Vec<(Snapshot, Vec<Finding>)>>;

/// Records, the newest last.
pub(crate) type Records = Arc<Vec<Arc<str>>>;

/// How the run is.
pub(crate) struct Health {
    /// Names of the devices, and whether they are watched.
    pub(crate) devices: Vec<(String, bool)>,
    /// How long it has been running.
    pub(crate) age: Duration,
    /// Names.
    pub(crate) names: Arc<Inventory>,
}

/// A record for streams.
#[derive(Clone)]
pub(crate) struct Line {
    /// Its schema.
    pub(crate) schema: &'static str,
    /// The record.
    pub(crate) record: Arc<str>,
}

/// The server's side.
#[derive(Clone)]
pub(crate) struct Desk {
    questions: mpsc::Sender<Question>,
    events: broadcast::Sender<Line>,
}

/// The run's side.
pub(crate) struct Counter {
    pub(crate) questions: mpsc::Receiver<Question>,
    pub(crate) events: broadcast::Sender<Line>,
}

/// Both sides.
pub(crate) fn desk() -> (Desk, Counter) {
    let (sender, questions) = mpsc::channel(WAITING);
    let (events, _) = broadcast::channel(BEHIND);
    (Desk { questions: sender, events: events.clone() }, Counter { questions, events })
}

/// Whether a device is watched, in words.
pub(super) fn state(is_watched: bool) -> &'static str {
    if is_watched { "watched" } else { "not there, waited for" }
}

impl Desk {
    /// The answer to a question; none when the run does not answer in time.
    pub(super) async fn ask<T>(&self, question: impl FnOnce(oneshot::Sender<T>) -> Question) -> Option<T> {
        let (sender, answer) = oneshot::channel();
        self.questions.try_send(question(sender)).ok()?;
        tokio::time::timeout(PATIENCE, answer).await.ok()?.ok()
    }

    /// Records from now on.
    pub(super) fn events(&self) -> broadcast::Receiver<Line> {
        self.events.subscribe()
    }
}

//! Follows a database: asks, takes updates, probes when it is quiet, comes back when it is lost.

use std::convert::Infallible;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, sleep, sleep_until};

use super::connection::{Connection, Heard, Request};
use super::{Change, Paths, Remote, Trouble};
use crate::inventory::{Facts, Kind, Name, Source, State};
use crate::names::Hub;

/// What is wanted of a database.
pub(in crate::names) trait Subject {
    /// Its name.
    fn database(&self) -> &'static str;
    /// What is asked for, one after another; after each answer what is known is told.
    fn requests(&self) -> Vec<Request>;
    /// Forgets all rows.
    fn clear(&mut self);
    /// Takes what has become of a row.
    fn take(&mut self, table: &str, uuid: u128, change: &Change) -> Result<(), Trouble>;
    /// What is known now, and what is missing in it.
    fn facts(&self) -> (Facts, Option<String>);
    /// There was too much: asks for less from now on, if it can.
    fn lessen(&mut self, trouble: &Trouble) -> bool;
}

/// Where a database is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::names) struct Target {
    /// Its servers.
    pub(in crate::names) remotes: Vec<Remote>,
    /// Files of TLS.
    pub(in crate::names) paths: Paths,
}

/// Between two tells.
const TELL: Duration = Duration::from_secs(1);
/// A tell may take this part of the time.
const SHARE: u32 = 20;
/// Without a word for so long, the server is asked whether it is there.
const QUIET: Duration = Duration::from_secs(5);
/// So long it may think about that.
const PATIENCE: Duration = Duration::from_secs(5);
/// A connection that has lasted so long was a good one.
const GOOD: Duration = Duration::from_secs(30);
/// Before the first attempt to come back, and the most before a later one.
const BACK_OFF: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(60)];

/// Asks once; what is known then is with the subject.
pub(in crate::names) async fn once(subject: &mut impl Subject, target: &Target) -> Result<(), Trouble> {
    let mut trouble = Trouble::new("no remote");
    for remote in &target.remotes {
        let asked = async {
            let mut connection = Connection::open(remote, &target.paths).await?;
            for request in subject.requests() {
                connection.ask(subject, &request).await?;
            }
            Ok(())
        };
        match asked.await {
            Ok(()) => return Ok(()),
            Err(error) => trouble = error,
        }
    }
    Err(trouble)
}

/// Follows the database of this target, for ever.
pub(in crate::names) async fn follow(hub: Hub, kind: Kind, subject: &mut impl Subject, target: &Target) -> Infallible {
    let Some(first) = target.remotes.first() else { return std::future::pending().await };
    let (from, state) = (Name::new(&first.to_string()), State::Starting);
    let source = Source { kind, state, from, trouble: None, entries: 0, synced: None };
    let mut teller = Teller { hub, source };
    teller.tell(State::Starting, first, None, None);
    let mut back_off = BACK_OFF[0];
    loop {
        let mut failed = None;
        for remote in &target.remotes {
            let began = Instant::now();
            let mut trouble = converse(&mut teller, subject, remote, &target.paths).await;
            while trouble.is_excess && subject.lessen(&trouble) {
                trouble = converse(&mut teller, subject, remote, &target.paths).await;
            }
            if teller.source.state == State::Up {
                failed = None;
                teller.tell(State::Down, remote, Some(&trouble.text), None);
                back_off = if began.elapsed() > GOOD { BACK_OFF[0] } else { back_off };
            }
            failed = failed.or(Some((remote, trouble)));
        }
        if let Some((remote, trouble)) = failed {
            teller.tell(State::Down, remote, Some(&trouble.text), None);
        }
        sleep(jittered(back_off)).await;
        back_off = BACK_OFF[1].min(back_off * 2);
    }
}

/// Up to a quarter more or less: servers that come back are not met by all of their clients at once.
fn jittered(time: Duration) -> Duration {
    let random = RandomState::new().hash_one(0) as u32;
    time.mul_f64(0.75 + f64::from(random) / f64::from(u32::MAX) / 2.0)
}

async fn converse(teller: &mut Teller, subject: &mut impl Subject, remote: &Remote, paths: &Paths) -> Trouble {
    match try_converse(teller, subject, remote, paths).await {
        Ok(never) => match never {},
        Err(trouble) => trouble,
    }
}

async fn try_converse(
    teller: &mut Teller,
    subject: &mut impl Subject,
    remote: &Remote,
    paths: &Paths,
) -> Result<Infallible, Trouble> {
    subject.clear();
    let mut connection = Connection::open(remote, paths).await?;
    for (number, request) in subject.requests().iter().enumerate() {
        if number != 0 {
            // Names of a part are names already, but up is a source that has answered all.
            teller.hub.tell(teller.source.clone(), Some(subject.facts().0));
        }
        connection.ask(subject, request).await?;
    }
    teller.up(remote, Some(subject));
    let mut due = Instant::now() + TELL;
    let (mut is_changed, mut is_alive, mut probed) = (false, false, None);
    loop {
        let quiet = connection.heard + QUIET;
        let is_probed = probed == Some(connection.heard);
        tokio::select! {
            heard = connection.next(subject) => match heard? {
                Heard::Update => is_changed = true,
                Heard::Alive => is_alive = true,
                Heard::Answer(..) | Heard::Nothing => {}
            },
            () = sleep_until(due), if is_changed || is_alive => {
                let began = Instant::now();
                teller.up(remote, is_changed.then_some(subject));
                (is_changed, is_alive) = (false, false);
                due = Instant::now() + TELL.max(began.elapsed() * SHARE);
            }
            () = sleep_until(quiet), if !is_probed => {
                connection.probe()?;
                probed = Some(connection.heard);
            }
            () = sleep_until(quiet + PATIENCE), if is_probed => {
                return Err(Trouble::new(format!("the server has not answered for {:?}", QUIET + PATIENCE)));
            }
        }
    }
}

/// What the hub is told of one source.
struct Teller {
    hub: Hub,
    source: Source,
}

impl Teller {
    /// That it is up, with what it says if that may have changed.
    fn up(&mut self, remote: &Remote, subject: Option<&mut impl Subject>) {
        self.source.synced = Some(Timestamp::now());
        let Some(subject) = subject else { return self.hub.tell(self.source.clone(), None) };
        let (facts, missing) = subject.facts();
        self.source.entries = facts.nodes.len() + facts.networks.len() + facts.ports.len();
        self.tell(State::Up, remote, missing.as_deref(), Some(facts));
    }

    fn tell(&mut self, state: State, remote: &Remote, trouble: Option<&str>, facts: Option<Facts>) {
        (self.source.state, self.source.from) = (state, Name::new(&remote.to_string()));
        self.source.trouble = trouble.map(Name::new);
        self.hub.tell(self.source.clone(), facts);
    }
}

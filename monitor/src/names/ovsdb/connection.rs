//! One conversation with a server: bytes in, messages out. It can be left at any await and gone on with.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::scan::{Item, Scanner};
use super::{Paths, Remote, Subject, Trouble, tls};
use crate::failure::Failure;

/// How long a connection, with TLS, may take to be there.
const CONNECT: Duration = Duration::from_secs(5);
/// Bytes that are read at once.
const READ: usize = 16 << 10;
/// Bytes that may come at once: an honest first answer is smaller. Later ones come no faster than [`RATE`].
const BURST: f64 = (96 << 20) as f64;
/// Bytes a second.
const RATE: f64 = (2 << 20) as f64;
/// Bytes that wait to be sent.
const OUTGOING_MOST: usize = 1 << 20;

/// What can be read and written.
trait Stream: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Stream for T {}

/// A conversation.
pub(in crate::names) struct Connection {
    stream: Box<dyn Stream>,
    scanner: Scanner,
    messages: VecDeque<Value>,
    outgoing: Vec<u8>,
    /// When the server last said something that made sense.
    pub(super) heard: Instant,
    allowance: f64,
    refilled: Instant,
    asked: u64,
}

/// Tables that are to be monitored.
pub(in crate::names) struct Request {
    /// Tables and columns.
    pub(in crate::names) tables: Map<String, Value>,
    /// By which methods, best first; the server need not know all.
    pub(in crate::names) methods: &'static [&'static str],
    /// How long the whole answer may take.
    pub(in crate::names) patience: Duration,
}

/// What was heard.
pub(super) enum Heard {
    /// Rows have changed.
    Update,
    /// The server is there.
    Alive,
    /// The answer to a question, or why there is none.
    Answer(u64, Result<(), String>),
    /// Something else.
    Nothing,
}

/// The methods of monitors, from the newest on; differences in updates are those of the first two.
pub(in crate::names) const METHODS: &[&str] = &["monitor_cond_since", "monitor_cond", "monitor"];
/// The transaction that is older than all.
const NONE: &str = "00000000-0000-0000-0000-000000000000";
/// What a probe is called.
const PROBE: &str = "echo";

impl Connection {
    /// Connects to a remote.
    pub(super) async fn open(remote: &Remote, paths: &Paths) -> Result<Self, Trouble> {
        let stream = timeout(CONNECT, connect(remote, paths)).await;
        let stream = stream.map_err(|_| Trouble::new(format!("no connection in {CONNECT:?}")))??;
        let now = Instant::now();
        Ok(Self {
            stream,
            scanner: Scanner::default(),
            messages: VecDeque::new(),
            outgoing: Vec::new(),
            heard: now,
            allowance: BURST,
            refilled: now,
            asked: 0,
        })
    }

    /// Asks for tables and takes all of the answer.
    pub(super) async fn ask(&mut self, subject: &mut impl Subject, request: &Request) -> Result<(), Trouble> {
        let mut refusal = String::new();
        let deadline = Instant::now() + request.patience;
        for method in request.methods {
            self.asked += 1;
            let id = self.asked;
            let mut params = vec![json!(subject.database()), json!(format!("tunmon-{id}")), json!(request.tables)];
            params.extend((*method == "monitor_cond_since").then(|| json!(NONE)));
            self.send(&json!({"id": id, "method": method, "params": params}))?;
            loop {
                let heard = timeout_at(deadline, self.next(subject)).await;
                let late = |_| Trouble::excess(format!("no whole answer in {:?}", request.patience));
                match heard.map_err(late)?? {
                    Heard::Answer(answered, Ok(())) if answered == id => return Ok(()),
                    Heard::Answer(answered, Err(error)) if answered == id => {
                        refusal = error;
                        break;
                    }
                    Heard::Answer(..) | Heard::Update | Heard::Alive | Heard::Nothing => {}
                }
            }
        }
        Err(Trouble::new(format!("the database refuses: {refusal}")))
    }

    /// Asks whether the server is there.
    pub(super) fn probe(&mut self) -> Result<(), Trouble> {
        self.send(&json!({"id": PROBE, "method": "echo", "params": []}))
    }

    /// The next message; its rows are given to `subject` as they come.
    pub(super) async fn next(&mut self, subject: &mut impl Subject) -> Result<Heard, Trouble> {
        loop {
            self.flush().await;
            if let Some(message) = self.messages.pop_front() {
                return self.hear(&message);
            }
            self.wait_for_allowance().await;
            let mut bytes = [0; READ];
            let read = self.stream.read(&mut bytes).await.map_err(|error| lost(&error))?;
            if read == 0 {
                return Err(Trouble::new("the server has closed the connection"));
            }
            self.allowance -= read as f64;
            let messages = &mut self.messages;
            self.scanner.push(&bytes[..read], |item| match item {
                Item::Row(table, uuid, change) => subject.take(table, uuid, &change),
                Item::Message(message) => {
                    messages.push_back(message);
                    Ok(())
                }
            })?;
        }
    }

    fn hear(&mut self, message: &Value) -> Result<Heard, Trouble> {
        let heard = match (message["method"].as_str(), &message["id"]) {
            (Some("echo"), id) if !id.is_null() => {
                self.send(&json!({"id": id, "result": message["params"], "error": null}))?;
                Heard::Alive
            }
            (Some("update" | "update2" | "update3"), _) => Heard::Update,
            (None, Value::String(id)) if id == PROBE => Heard::Alive,
            (None, Value::Number(id)) => {
                let id = id.as_u64().filter(|id| *id != 0 && *id <= self.asked);
                let error = &message["error"];
                let answer = if error.is_null() { Ok(()) } else { Err(refusal(error)) };
                id.map_or(Heard::Nothing, |id| Heard::Answer(id, answer))
            }
            _ => Heard::Nothing,
        };
        if !matches!(heard, Heard::Nothing) {
            self.heard = Instant::now();
        }
        Ok(heard)
    }

    fn send(&mut self, message: &Value) -> Result<(), Trouble> {
        self.outgoing.extend(message.to_string().bytes());
        let is_much = self.outgoing.len() > OUTGOING_MOST;
        if is_much { Err(Trouble::new("the server asks and does not take the answers")) } else { Ok(()) }
    }

    /// Sends what waits. A server that takes nothing more may have said why: that is read next.
    async fn flush(&mut self) {
        while !self.outgoing.is_empty() {
            match self.stream.write(&self.outgoing).await {
                Ok(written) => drop(self.outgoing.drain(..written)),
                Err(_) => self.outgoing.clear(),
            }
            if self.outgoing.is_empty() {
                let _ = self.stream.flush().await;
            }
        }
    }

    async fn wait_for_allowance(&mut self) {
        let now = Instant::now();
        self.allowance = BURST.min(self.allowance + (now - self.refilled).as_secs_f64() * RATE);
        self.refilled = now;
        if self.allowance < 0.0 {
            sleep(Duration::from_secs_f64(-self.allowance / RATE)).await;
        }
    }
}

async fn connect(remote: &Remote, paths: &Paths) -> Result<Box<dyn Stream>, Trouble> {
    match remote {
        Remote::Unix(path) => {
            let stream = UnixStream::connect(path).await.map_err(|error| unreachable(&error))?;
            Ok(Box::new(stream))
        }
        Remote::Host { host, port, is_tls } => {
            let stream = TcpStream::connect((host.as_str(), *port)).await.map_err(|error| unreachable(&error))?;
            if !is_tls {
                return Ok(Box::new(stream));
            }
            let connector = paths.read().map_err(|error| Trouble::new(said(&error)))?;
            let name = tls::server_name(host).map_err(|error| Trouble::new(error.to_string()))?;
            let stream =
                connector.connect(name, stream).await.map_err(|error| Trouble::new(format!("TLS: {error}")))?;
            Ok(Box::new(stream))
        }
    }
}

/// In one line.
fn said(error: &anyhow::Error) -> String {
    let text = error.to_string();
    if error.is::<Failure>() { text.lines().map(str::trim).collect::<Vec<_>>().join("; ") } else { text }
}

/// Sockets of daemons belong to their user: root without rights is a stranger there.
fn unreachable(error: &io::Error) -> Trouble {
    if error.kind() == io::ErrorKind::PermissionDenied {
        return Trouble::new(
            "no right to the socket: run with the group that owns it, or with CAP_DAC_OVERRIDE (docs/names.md)",
        );
    }
    Trouble::new(format!("cannot connect: {error}"))
}

fn lost(error: &io::Error) -> Trouble {
    Trouble::new(format!("the connection is lost: {error}"))
}

fn refusal(error: &Value) -> String {
    let part = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
    let parts = [part("error"), part("details"), error.as_str().unwrap_or_default().to_owned()];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": ")
}

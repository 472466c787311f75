//! An API server for nodes: `GET /api/v1/nodes`, listed and watched.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Error, Read, Result, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};
use tests::netns::Namespace;

pub(super) const TOKEN: &str = "let-me-in";

/// How it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// As it should.
    Good,
    /// With a status code.
    Status(u16),
    /// Never.
    Silent,
    /// With this, and then with this again and again, in chunks without end.
    Endless(&'static str, &'static str),
    /// The same for watches; lists are good.
    EndlessWatch(&'static str, &'static str),
    /// With new nodes, and always more of them.
    EndlessPages,
    /// It ends every connection at once.
    Down,
}

#[derive(Default)]
struct State {
    nodes: BTreeMap<String, Value>,
    /// Lines of a watch, each with its version.
    events: Vec<(u64, Value)>,
    version: u64,
    /// Watches from before are too old.
    oldest: u64,
    mode: Option<Mode>,
    requests: Vec<String>,
    sent_bytes: u64,
}

struct Shared {
    state: Mutex<State>,
    is_changed: Condvar,
}

/// A running server; it ends with the test.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    shared: Arc<Shared>,
}

impl Server {
    /// Listens on the loopback of a namespace, by TLS if there is a configuration of it.
    pub(super) fn start(namespace: &Namespace, tls: Option<Arc<ServerConfig>>) -> Self {
        let inside = namespace.enter().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        drop(inside);
        let address = listener.local_addr().unwrap();
        let state = Mutex::new(State { version: 100, ..State::default() });
        let shared = Arc::new(Shared { state, is_changed: Condvar::new() });
        let of_thread = shared.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (shared, tls) = (of_thread.clone(), tls.clone());
                // A client that goes away is no failure of the server.
                thread::spawn(move || match tls {
                    None => serve(&shared, stream, false),
                    Some(tls) => secure(&shared, tls, stream),
                });
            }
        });
        Self { address, shared }
    }

    /// A node appears or changes.
    pub(super) fn apply(&self, name: &str, node: Value) {
        let mut state = self.shared.state();
        let kind = if state.nodes.contains_key(name) { "MODIFIED" } else { "ADDED" };
        state.put(name, Some(node), Some(kind));
        self.shared.is_changed.notify_all();
    }

    /// A node goes.
    pub(super) fn delete(&self, name: &str) {
        self.shared.state().put(name, None, Some("DELETED"));
        self.shared.is_changed.notify_all();
    }

    /// What happens is told to no watch, all of which are too old from now on.
    pub(super) fn forget(&self, change: impl Fn(&mut dyn FnMut(&str, Option<Value>))) {
        let mut state = self.shared.state();
        change(&mut |name, node| state.put(name, node, None));
        state.version += 1;
        (state.oldest, state.events) = (state.version, Vec::new());
        self.shared.is_changed.notify_all();
    }

    /// Nothing has changed, but the version has.
    pub(super) fn bookmark(&self) {
        let mut state = self.shared.state();
        state.version += 1;
        let version = state.version;
        let object = json!({"kind": "Node", "apiVersion": "v1", "metadata": {"resourceVersion": version.to_string()}});
        state.events.push((version, json!({"type": "BOOKMARK", "object": object})));
        self.shared.is_changed.notify_all();
    }

    /// Answers in this way from now on; watches end.
    pub(super) fn is(&self, mode: Mode) {
        self.shared.state().mode = Some(mode);
        self.shared.is_changed.notify_all();
    }

    /// What it was asked.
    pub(super) fn requests(&self) -> Vec<String> {
        self.shared.state().requests.clone()
    }

    /// Bytes that it could send in endless answers.
    pub(super) fn sent_bytes(&self) -> u64 {
        self.shared.state().sent_bytes
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl State {
    fn mode(&self) -> Mode {
        self.mode.unwrap_or(Mode::Good)
    }

    fn put(&mut self, name: &str, node: Option<Value>, event: Option<&str>) {
        self.version += 1;
        let before = self.nodes.remove(name);
        let mut object = node.clone().or(before).unwrap();
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        if node.is_some() {
            self.nodes.insert(name.to_owned(), object.clone());
        }
        if let Some(kind) = event {
            self.events.push((self.version, json!({"type": kind, "object": object})));
        }
    }

    /// A page of the list.
    fn page(&self, limit: usize, from: usize) -> Value {
        let items: Vec<&Value> = self.nodes.values().skip(from).take(limit).collect();
        let next = from + items.len();
        let mut metadata = json!({"resourceVersion": self.version.to_string()});
        if next < self.nodes.len() {
            metadata["continue"] = next.to_string().into();
        }
        json!({"kind": "NodeList", "apiVersion": "v1", "metadata": metadata, "items": items})
    }
}

/// By TLS; a client with a certificate needs no token.
fn secure(shared: &Shared, tls: Arc<ServerConfig>, mut stream: TcpStream) -> Result<()> {
    let mut connection = ServerConnection::new(tls).map_err(Error::other)?;
    connection.complete_io(&mut stream)?;
    let is_known = connection.peer_certificates().is_some();
    serve(shared, StreamOwned::new(connection, stream), is_known)
}

fn serve(shared: &Shared, stream: impl Read + Write, is_known: bool) -> Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let (mut request, mut has_token) = (String::new(), is_known);
        reader.read_line(&mut request)?;
        if request.is_empty() {
            return Ok(());
        }
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            has_token |= line.trim_end().eq_ignore_ascii_case(&format!("authorization: bearer {TOKEN}"));
            if line.trim_end().is_empty() {
                break;
            }
        }
        let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
        let mode = shared.state().mode();
        if mode == Mode::Down {
            return Ok(());
        }
        shared.state().requests.push(path.clone());
        answer(shared, reader.get_mut(), &path, if has_token { mode } else { Mode::Status(401) })?;
    }
}

fn answer(shared: &Shared, stream: &mut impl Write, path: &str, mode: Mode) -> Result<()> {
    let (_, query) = path.split_once('?').unwrap_or((path, ""));
    let value = |name: &str| query.split('&').find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
    let number = |name: &str| value(name).and_then(|text| text.parse::<usize>().ok());
    let is_watch = value("watch") == Some("true");
    match mode {
        Mode::Silent => {
            thread::park();
            Ok(())
        }
        Mode::Status(code) => whole(stream, code, &status(code)),
        Mode::Endless(first, again) => endless(shared, stream, first, again),
        Mode::EndlessWatch(first, again) if is_watch => endless(shared, stream, first, again),
        Mode::EndlessPages => {
            let from = number("continue").unwrap_or_default();
            let node = |number: usize| json!({"metadata": {"name": format!("n{number}"), "resourceVersion": "1"}});
            let items: Vec<Value> = (from..from + 1000).map(node).collect();
            let metadata = json!({"resourceVersion": "1", "continue": (from + 1000).to_string()});
            whole(stream, 200, &json!({"kind": "NodeList", "apiVersion": "v1", "metadata": metadata, "items": items}))
        }
        _ if is_watch => watch(shared, stream, number("resourceVersion").unwrap_or_default() as u64),
        Mode::Good | Mode::EndlessWatch(..) | Mode::Down => {
            let page =
                shared.state().page(number("limit").unwrap_or(usize::MAX), number("continue").unwrap_or_default());
            whole(stream, 200, &page)
        }
    }
}

fn status(code: u16) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": "nodes is forbidden",
        "reason": "Forbidden", "code": code})
}

fn whole(stream: &mut impl Write, code: u16, body: &Value) -> Result<()> {
    let body = format!("{body}\n");
    let head = format!("HTTP/1.1 {code} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all((head + &body).as_bytes())
}

fn chunk(stream: &mut impl Write, text: &str) -> Result<()> {
    stream.write_all(format!("{:x}\r\n{text}\r\n", text.len()).as_bytes())
}

const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";

fn endless(shared: &Shared, stream: &mut impl Write, first: &str, again: &str) -> Result<()> {
    stream.write_all(CHUNKED)?;
    chunk(stream, first)?;
    let part = again.repeat(65_536 / again.len());
    loop {
        chunk(stream, &part)?;
        shared.state().sent_bytes += part.len() as u64;
    }
}

/// All events after a version as they come, until the way of answering changes.
fn watch(shared: &Shared, stream: &mut impl Write, mut version: u64) -> Result<()> {
    stream.write_all(CHUNKED)?;
    loop {
        let mut state = shared.state();
        let is_old = version < state.oldest;
        let lines: Vec<(u64, Value)> = state.events.iter().filter(|(at, _)| *at > version).cloned().collect();
        let is_over = !matches!(state.mode(), Mode::Good | Mode::EndlessWatch(..));
        if lines.is_empty() && !is_old && !is_over {
            state = shared.is_changed.wait_timeout(state, Duration::from_secs(1)).unwrap().0;
        }
        drop(state);
        if is_over {
            return Err(std::io::ErrorKind::ConnectionReset.into());
        }
        if is_old {
            chunk(stream, &format!("{}\n", json!({"type": "ERROR", "object": status(410)})))?;
            return stream.write_all(b"0\r\n\r\n");
        }
        for (at, line) in lines {
            chunk(stream, &format!("{line}\n"))?;
            version = at;
        }
    }
}

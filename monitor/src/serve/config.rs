//! The file of `--web-config`, in the form of Prometheus's exporter-toolkit.
//! <https://github.com/prometheus/exporter-toolkit/blob/v0.13.0/docs/web-configuration.md>

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use anyhow::Result;
use hyper::header::{HeaderName, HeaderValue};
use rustls::pki_types::ServerName;
use serde::Deserialize;
use tokio_rustls::TlsAcceptor;

use super::tls;
use crate::failure::Failure;
use crate::file;

/// What the file says.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    pub(super) tls_server_config: Option<Tls>,
    http_server_config: Http,
    pub(super) basic_auth_users: BTreeMap<String, String>,
}

/// TLS.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Tls {
    pub(super) cert_file: PathBuf,
    pub(super) key_file: PathBuf,
    pub(super) client_ca_file: Option<PathBuf>,
    pub(super) client_auth_type: String,
    pub(super) client_allowed_sans: Vec<String>,
    pub(super) min_version: String,
    pub(super) max_version: String,
}

/// HTTP. Versions before 2 are spoken whatever `http2` says.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Http {
    #[serde(rename = "http2")]
    _http2: Option<bool>,
    headers: BTreeMap<String, String>,
}

/// What is in force.
pub(super) struct Rules {
    /// TLS, if it is spoken.
    pub(super) tls: Option<TlsAcceptor>,
    /// Names of which a client's certificate must have one; none: it need not.
    pub(super) allowed_sans: Vec<ServerName<'static>>,
    /// Users and the bcrypt hashes of their passwords; none: everybody may.
    pub(super) users: BTreeMap<String, String>,
    /// Headers of every answer.
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
}

/// The file, and what it said when it was last right.
pub(super) struct Web {
    path: PathBuf,
    state: Mutex<State>,
}

struct State {
    rules: Arc<Rules>,
    looked: Instant,
    /// When the files were changed that it was made of.
    stamps: Vec<(PathBuf, Option<SystemTime>)>,
}

/// Between two looks whether it has changed.
const LOOK: Duration = Duration::from_secs(1);
/// Headers that may be set, as exporter-toolkit has them.
const HEADERS: [&str; 5] = [
    "content-security-policy",
    "strict-transport-security",
    "x-content-type-options",
    "x-frame-options",
    "x-xss-protection",
];

impl Web {
    /// Reads the file and all that it names.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let (rules, stamps) = load(path)?;
        let state = State { rules: Arc::new(rules), looked: Instant::now(), stamps };
        Ok(Self { path: path.to_owned(), state: Mutex::new(state) })
    }

    /// Whether TLS is spoken.
    pub(super) fn has_tls(&self) -> bool {
        self.rules().tls.is_some()
    }

    /// What is in force. A file that has become wrong changes nothing, and is told of.
    pub(super) fn rules(&self) -> Arc<Rules> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.looked.elapsed() >= LOOK {
            state.looked = Instant::now();
            if state.stamps.iter().any(|(path, stamp)| changed(path) != *stamp) {
                match load(&self.path) {
                    Ok((rules, stamps)) => (state.rules, state.stamps) = (Arc::new(rules), stamps),
                    Err(failure) => {
                        tracing::warn!("what was read before stays in force: {failure}");
                        state.stamps.iter_mut().for_each(|(path, stamp)| *stamp = changed(path));
                    }
                }
            }
        }
        state.rules.clone()
    }
}

fn changed(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}

type Stamps = Vec<(PathBuf, Option<SystemTime>)>;

fn load(path: &Path) -> Result<(Rules, Stamps), Failure> {
    let advice = "the file of --web-config has the form of exporter-toolkit: tls_server_config, http_server_config, \
                  basic_auth_users; see docs/http.md";
    let wrong = |cause: String| Failure::usage(format!("{}: {cause}", path.display()), advice);
    let bytes = file::read(path, file::SMALL).map_err(|error| wrong(error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|error| wrong(error.to_string()))?;
    let file: File = if text.trim().is_empty() {
        File::default()
    } else {
        serde_saphyr::from_str(&text).map_err(|error| wrong(first_line(&error.to_string())))?
    };
    let folder = path.parent().unwrap_or(Path::new("")).to_owned();
    let tls = file.tls_server_config.as_ref().map(|tls| tls::acceptor(tls, &folder)).transpose();
    let (tls, mut files) = tls.map_err(|failure| wrong(failure.to_string()))?.unzip();
    let mut headers = Vec::new();
    for (name, value) in file.http_server_config.headers.iter().filter(|(_, value)| !value.is_empty()) {
        let known = HEADERS.into_iter().find(|known| name.eq_ignore_ascii_case(known));
        let known = known.ok_or_else(|| wrong(format!("header {name:?} cannot be set")))?;
        let value = HeaderValue::from_str(value).map_err(|_| wrong(format!("no value of a header: {value:?}")))?;
        headers.push((HeaderName::from_static(known), value));
    }
    for (user, hash) in &file.basic_auth_users {
        if hash.parse::<bcrypt::HashParts>().is_err() {
            return Err(wrong(format!(
                "the password of {user:?} is no bcrypt hash (htpasswd -nBC 10 {user} makes one)"
            )));
        }
    }
    let sans = file.tls_server_config.map(|tls| tls.client_allowed_sans).unwrap_or_default();
    let sans = sans.into_iter().map(|san| {
        ServerName::try_from(san.clone()).map_err(|_| wrong(format!("{san:?} is neither a DNS name nor an address")))
    });
    let rules = Rules { tls, allowed_sans: sans.collect::<Result<_, _>>()?, users: file.basic_auth_users, headers };
    files.get_or_insert_default().push(path.to_owned());
    let stamps = files.unwrap_or_default().into_iter().map(|path| (path.clone(), changed(&path))).collect();
    Ok((rules, stamps))
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

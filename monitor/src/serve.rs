//! HTTP: metrics, health, and what is known as JSON. A thread of its own with an event loop of its own, so no client delays
//! the run, and no run delays a client for long: what is served comes over the [`desk`].
//!
//! HTTP/1.1, GET and HEAD. Everything is bounded: connections, streams, headers, the time for each.

mod api;
mod auth;
mod config;
pub(crate) mod desk;
mod landing;
mod patience;
mod routes;
mod stream;
mod tls;

use std::io::ErrorKind;
use std::net::{Ipv6Addr, SocketAddr, TcpListener};
use std::os::fd::FromRawFd;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::cli::ServeOptions;
use crate::failure::Failure;
use config::Web;
use desk::Desk;
use patience::Patient;
use routes::Server;

/// Where it is served unless an address is given.
const DEFAULT: &str = "127.0.0.1:16081";
/// Connections at a time; more wait in the kernel.
const CONNECTIONS: usize = 64;
/// For the headers of a request, and between two requests.
const HEADERS: Duration = Duration::from_secs(5);
/// For a TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// The most bytes of a request's head.
const HEAD: usize = 16 << 10;

/// Sockets that are bound, and the configuration that was read: all that can be wrong with either is known.
pub(crate) struct Bound {
    listeners: Vec<TcpListener>,
    web: Option<Web>,
}

/// Binds what the options ask for; nothing, if that is nothing.
///
/// # Errors
///
/// An address that is none or is in use, or a configuration that is wrong. The default address may be in use: then
/// nothing is served, and that is told.
pub(crate) fn open(options: &ServeOptions) -> Result<Option<Bound>> {
    let web = options.web_config.as_deref().map(Web::open).transpose()?;
    if options.no_listen {
        return Ok(None);
    }
    let mut listeners = inherited()?;
    if listeners.is_empty() && options.listen.is_empty() {
        match bind(DEFAULT) {
            Ok(listener) => listeners.push(listener),
            Err(failure) => {
                eprintln!("nothing is served over HTTP: {failure}");
                return Ok(None);
            }
        }
    }
    for address in &options.listen {
        listeners.push(bind(address)?);
    }
    let is_open = listeners.iter().filter_map(|listener| listener.local_addr().ok()).find(|it| !it.ip().is_loopback());
    if let (Some(address), None) = (is_open, &web) {
        eprintln!("everybody who reaches {address} can read what is served; --web-config has TLS and passwords");
    }
    Ok(Some(Bound { listeners, web }))
}

/// Sockets that the service manager has opened (socket activation).
fn inherited() -> Result<Vec<TcpListener>> {
    let sockets = sd_notify::listen_fds().context("sockets of the service manager")?;
    // SAFETY: the manager has opened them for this process, and nobody else here takes them.
    let listeners = sockets.map(|socket| unsafe { TcpListener::from_raw_fd(socket) });
    listeners
        .map(|listener| {
            let cause = "a socket of the service manager listens to nothing";
            let advice = "give tunmon.socket a ListenStream=ADDRESS:PORT";
            listener.local_addr().map_err(|_| Failure::usage(cause, advice))?;
            listener.set_nonblocking(true).context("a socket of the service manager")?;
            Ok(listener)
        })
        .collect()
}

fn bind(address: &str) -> Result<TcpListener, Failure> {
    let advice = "give --listen an address and a port, such as 127.0.0.1:16081, [::1]:16081 or :16081";
    let parsed = socket_address(address);
    let parsed = parsed.ok_or_else(|| Failure::usage(format!("{address:?} is no address with a port"), advice))?;
    let listener = TcpListener::bind(parsed).map_err(|error| {
        let advice = if error.kind() == ErrorKind::AddrInUse {
            "another program listens there; give another one with --listen, or --no-listen"
        } else if error.kind() == ErrorKind::AddrNotAvailable {
            "no device of this network namespace has that address"
        } else if error.kind() == ErrorKind::PermissionDenied {
            "ports below 1024 take more rights; give a higher one with --listen"
        } else {
            advice
        };
        Failure::runtime(format!("cannot listen on {address}: {error}"), advice)
    })?;
    listener.set_nonblocking(true).map_err(|error| Failure::runtime(format!("{address}: {error}"), advice))?;
    Ok(listener)
}

/// An address with a port; without an address, all of them, as Go's tools have it. An IPv6 address may be without brackets,
/// for such is what fills a template.
fn socket_address(text: &str) -> Option<SocketAddr> {
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    let (address, port) = text.rsplit_once(':')?;
    let port = port.parse().ok()?;
    if address.is_empty() {
        return Some((Ipv6Addr::UNSPECIFIED, port).into());
    }
    address.parse::<Ipv6Addr>().ok().map(|address| (address, port).into())
}

/// The server; it ends when this is dropped.
pub(crate) struct Serving {
    _stop: oneshot::Sender<()>,
}

impl Bound {
    /// Where it is served.
    pub(crate) fn addresses(&self) -> Vec<String> {
        let scheme = if self.web.as_ref().is_some_and(Web::has_tls) { "https" } else { "http" };
        let addresses = self.listeners.iter().filter_map(|listener| listener.local_addr().ok());
        addresses.map(|address| format!("{scheme}://{address}")).collect()
    }

    /// Begins to serve. The thread has the rights of this one.
    pub(crate) fn start(self, desk: Desk) -> Result<Serving> {
        let (stop, is_stopped) = oneshot::channel::<()>();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("HTTP")?;
        let run = move || {
            runtime.block_on(async {
                let web = self.web.map(Arc::new);
                let server = Arc::new(Server::new(desk, web));
                let connections = Arc::new(Semaphore::new(CONNECTIONS));
                for listener in self.listeners {
                    match tokio::net::TcpListener::from_std(listener) {
                        Ok(listener) => drop(tokio::spawn(accept(listener, server.clone(), connections.clone()))),
                        Err(error) => tracing::error!("HTTP: {error}"),
                    }
                }
                // An error says that the other end is gone, which is what is waited for.
                drop(is_stopped.await);
            });
            // A password that is being compared is not waited for.
            runtime.shutdown_background();
        };
        thread::Builder::new().name("http".into()).spawn(run).context("a thread for HTTP")?;
        Ok(Serving { _stop: stop })
    }
}

async fn accept(listener: tokio::net::TcpListener, server: Arc<Server>, connections: Arc<Semaphore>) {
    while let Ok(permit) = connections.clone().acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(connection(stream, server.clone(), permit))),
            Err(error) => {
                // Out of descriptors, mostly: time makes it better, haste does not.
                tracing::warn!("HTTP: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// One connection to its end.
async fn connection(stream: TcpStream, server: Arc<Server>, permit: OwnedSemaphorePermit) {
    let _ = stream.set_nodelay(true);
    match server.tls() {
        None => converse(stream, server).await,
        Some(tls) => match tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await {
            Ok(Ok(stream)) if server.takes(&stream) => converse(stream, server).await,
            Ok(Ok(_)) => tracing::debug!("HTTP: a client certificate with none of the names that are allowed"),
            Ok(Err(error)) => tracing::debug!("HTTP: {error}"),
            Err(_) => tracing::debug!("HTTP: a client does not finish its handshake"),
        },
    }
    drop(permit);
}

async fn converse(stream: impl AsyncRead + AsyncWrite + Unpin, server: Arc<Server>) {
    let answer = service_fn(move |request| {
        let server = server.clone();
        async move { Ok::<_, std::convert::Infallible>(server.answer(&request).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .max_buf_size(HEAD)
        .serve_connection(TokioIo::new(Patient::new(stream)), answer)
        .await;
    if let Err(error) = served {
        tracing::debug!("HTTP: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_as_people_and_templates_write_them() {
        for (text, address) in [
            ("127.0.0.1:16081", Some("127.0.0.1:16081")),
            ("[::1]:16081", Some("[::1]:16081")),
            ("fd00::1:2:16081", Some("[fd00::1:2]:16081")),
            (":16081", Some("[::]:16081")),
            ("localhost:16081", None),
            ("127.0.0.1", None),
            ("127.0.0.1:x", None),
            ("", None),
        ] {
            assert_eq!(socket_address(text), address.map(|address| address.parse().unwrap()), "{text}");
        }
    }
}

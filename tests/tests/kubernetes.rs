//! Names from a Kubernetes cluster, and what a server may do that lies, breaks or is silent.
//!
//! Debian has no API server, so the one here speaks the protocol for nodes as the real one does (`server`): lists in pages with
//! a version, watches of one JSON object a line in chunks, events of all types, `410 Gone`, `Status` objects for errors, a
//! bearer token or a client certificate, with TLS or without. What it is asked is recorded.

#![expect(clippy::unwrap_used, reason = "tests unwrap, and so do their helpers")]

mod kubernetes {
    mod bounds;
    mod cluster;
    mod secure;
    mod server;
    mod support;
    mod tls;
    mod usage;
}

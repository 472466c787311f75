//! What is served over HTTP: forms, pages, passwords and certificates, and that no client disturbs anybody. The clients are
//! curl, promtool and openssl, and bare sockets that behave badly.
//!
//! ```text
//!   near: eth0 (tunmon, HTTP on 127.0.0.1) ── eth0 :far
//! ```

#![expect(clippy::unwrap_used, reason = "tests unwrap, and so do their helpers")]

mod http {
    mod forms;
    mod locks;
    mod pages;
    mod patience;
    mod refusals;
    mod support;
}

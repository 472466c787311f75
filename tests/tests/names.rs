//! Names from the node's own switch and from OVN's Southbound database: real servers, hostile ones, and a real lab.
//!
//! They need root; without, they say `SKIPPED` and pass.

#![expect(clippy::unwrap_used, reason = "tests unwrap, and so do their helpers")]

mod names {
    mod hostile;
    mod lab;
    mod node;
    mod server;
    mod support;
    mod tls;
    mod usage;
}

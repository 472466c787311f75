//! A client of OVSDB (RFC 7047 and the monitors of ovsdb-server(7)), as small as reading a few columns allows.
//!
//! ```text
//! remote ─▶ connection ─▶ scan: rows and messages ─▶ table: what is kept ─▶ a source's facts
//!                 └──────────── follow: asks, probes, comes back ────────────┘
//! ```
//! A server may be anybody: no message is held, only a row at a time; what is kept is bounded by numbers of rows and of
//! bytes; how much is read in a time, and how long an answer may take, are bounded too.

mod connection;
mod follow;
mod remote;
mod scan;
mod table;
mod tls;

use std::fmt;

pub(super) use connection::{METHODS, Request};
pub(super) use follow::{Subject, Target, follow, once};
pub(super) use remote::Remote;
pub(super) use scan::Change;
pub(super) use table::{Column, Kind, Row, Rows, Schema, atoms, keys};
pub(super) use tls::Paths;

/// Why a conversation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    /// In words.
    pub(super) text: String,
    /// Whether there was more than fits, or it took too long, so that less should be asked for.
    pub(super) is_excess: bool,
}

impl Trouble {
    /// One that may be over when it is tried again.
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_excess: false }
    }

    /// That there was too much.
    pub(super) fn excess(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_excess: true }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

//! Who and what no inventory knows, though one knows all.

use serde::Serialize;

use crate::inventory::{Kind, Name};

/// Ends of tunnels, or networks, that have sent for longer than a new one may be unknown.
#[derive(Clone, Debug, PartialEq)]
pub struct Strangers<T> {
    /// Who says so; without, there are none.
    pub judge: Option<Judge>,
    /// Those that are told one by one.
    pub single: Vec<Stranger<T>>,
    /// All others.
    pub others: Vec<Stranger<T>>,
}

/// One of them that has sent in this interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stranger<T> {
    /// The end's address, or the VNI.
    pub id: T,
    /// For how long it has been unknown.
    pub seconds: f64,
    /// Tunnel packets received in the interval.
    pub rx_packets: u64,
}

/// The source of names that knows all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Judge {
    /// Which it is.
    pub source: Kind,
    /// Where it is.
    pub from: Name,
    /// What it knows.
    pub entries: usize,
    /// How long ago that was last known to be so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age_seconds: Option<u64>,
}

impl<T> Default for Strangers<T> {
    fn default() -> Self {
        Self { judge: None, single: Vec::new(), others: Vec::new() }
    }
}

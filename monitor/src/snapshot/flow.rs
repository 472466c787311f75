//! Who sends to whom inside a tunnel.

use std::net::IpAddr;

use monitor_common::event::IcmpError;
use serde::Serialize;

/// Who sends to whom inside a tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Flow {
    /// Sender.
    pub src: IpAddr,
    /// Its port, or 0.
    pub src_port: u16,
    /// Receiver.
    pub dst: IpAddr,
    /// Its port, or 0.
    pub dst_port: u16,
    /// IP protocol.
    pub protocol: u8,
}

impl Flow {
    /// That of the packet which an error quotes, when the quote reaches it.
    pub(crate) fn quoted(error: &IcmpError) -> Option<Self> {
        (error.has_flow != 0).then(|| Self {
            src: error.inner_source.ip(),
            src_port: error.inner_source_port,
            dst: error.inner_destination.ip(),
            dst_port: error.inner_destination_port,
            protocol: error.inner_protocol,
        })
    }
}

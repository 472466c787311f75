//! Snapshots, events and packets in the forms that other programs read.

pub mod json;
pub mod metrics;
pub(crate) mod mtu;
pub mod packet;

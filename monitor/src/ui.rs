//! What people read on a terminal.

pub(crate) mod device;
pub(crate) mod finding;
pub(crate) mod mtu;
pub(crate) mod overhead;
mod path;
pub(crate) mod report;
pub(crate) mod source;
pub(crate) mod units;

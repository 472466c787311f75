//! What people read on a terminal.

pub(crate) mod device;
pub(crate) mod finding;
pub(crate) mod overhead;
pub(crate) mod report;
pub(crate) mod units;

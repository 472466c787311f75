//! What people read on a terminal.

pub(crate) mod overhead;
pub(crate) mod report;
mod units;

//! What people read on a terminal.

pub(crate) mod report;
mod units;

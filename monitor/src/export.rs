//! Snapshots and events in the forms that other programs read.

pub mod json;

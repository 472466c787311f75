//! tests

pub mod frame;

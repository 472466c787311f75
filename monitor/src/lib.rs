//! daemon

pub mod demo;

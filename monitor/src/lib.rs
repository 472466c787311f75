//! daemon

pub mod capture;
pub mod demo;

//! daemon

pub mod capture;
pub mod demo;
pub mod export;
pub mod read;

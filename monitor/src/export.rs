//! What leaves the process.

pub mod packet;

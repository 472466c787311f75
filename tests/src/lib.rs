//! Tests and measurements of tunmon that need more than one crate, and what they are made of.

pub mod bench;
pub mod bytecode;

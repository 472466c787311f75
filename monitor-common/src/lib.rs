//! The wire parser and the packet pipeline of tunmon, one source for the kernel and for user space.
//!
//! ```text
//! {wire, layout} ← frame ← packet ← {tunnel, flow, rtt, fragment} ← {event, histogram, count} ← tables ←
//! report ← {account, loss, round_trip, fast} ← observe
//! ```
//!
//! A module uses only what stands to its left. Packet memory is a trait ([`wire::Bytes`]), so are the maps
//! ([`tables::Tables`]), and the time is an argument: there is no clock, no I/O and no unsafe code here.
//!
//! Shared structs are `repr(C)` without padding. Addresses hold network-order bytes; every other number is in
//! host order.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

#[cfg(feature = "heap")]
extern crate std;

pub mod account;
pub mod count;
pub mod event;
pub mod fast;
pub mod flow;
pub mod fragment;
pub mod frame;
#[cfg(feature = "heap")]
pub mod heap;
pub mod histogram;
pub mod layout;
pub mod loss;
pub mod observe;
pub mod packet;
pub mod report;
pub mod round_trip;
pub mod rtt;
pub mod tables;
pub mod tunnel;
pub mod wire;

//! What shows that tunmon stays out of the way of others: of their packets, of their devices, of their programs.
//!
//! Streams know each of their packets, and say which did not arrive as it was sent while [`Cycles`] run. A [`Snapshot`] is all that the
//! usual tools say of a device. A [`Foreign`] program does what one can see. [`Pair`] is a wire to have these on, and
//! [`Mode`] what tunmon is told to attach.

mod foreign;
mod mode;
mod packets;
mod pair;
mod snapshot;
mod stream;
mod streams;

pub use foreign::{Foreign, Way};
pub use mode::{Mode, has_tcx};
pub use pair::{Attached, DEVICE, Pair, Place};
pub use snapshot::{Snapshot, around};
pub use stream::Outcome;
pub use streams::{Cycles, Streams};

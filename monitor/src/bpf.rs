//! The kernel side, seen from user space: load, attach, read. The only modules that name aya.

pub mod attach;
mod bulk;
mod clsact;
pub mod cost;
pub mod counters;
#[cfg(feature = "diagnostics")]
mod diagnostics;
pub mod drops;
pub mod events;
pub mod features;
mod histograms;
pub mod load;
mod pinned;
mod pins;
mod plain;
pub(crate) mod residue;
mod rings;
mod sizes;
mod syscall;
pub mod trial;

pub use attach::{Attachment, Ingress};
pub use features::Features;
pub use load::{Kernel, OBJECT};
pub use pins::Pins;
pub use sizes::Sizes;

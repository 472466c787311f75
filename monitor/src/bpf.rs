//! The kernel side, seen from user space: load, attach, read. The only modules that name aya.

pub mod attach;
mod bulk;
pub mod counters;
#[cfg(feature = "diagnostics")]
mod diagnostics;
pub mod events;
pub mod load;
mod plain;
pub mod trial;

pub use attach::{Attachment, Ingress};
pub use load::{Kernel, OBJECT, Sizes};

//! Frames made by hand and by chance, for the parser and for the kernel programs.
//!
//! [`parts`] builds a frame from the inside out, header by header. [`base_packets`] are the named ones that every
//! reader of frames should be shown; [`random_frame`] and [`mutate`] make any number more, the same ones for the same
//! seed. Checksums of the layers above IPv4 are left 0: nothing here goes through a network stack.

mod base;
pub mod parts;
mod random;
mod rng;

pub use base::base_packets;
pub use random::{mutate, random_frame};
pub use rng::Rng;

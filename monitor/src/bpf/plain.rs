//! Shared structs as map values.

use zerocopy::FromBytes;

/// A shared struct that aya may copy out of a map.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Plain<T>(pub(crate) T);

// SAFETY: `FromBytes` says that any bytes are a valid `T`, `Copy` that it owns nothing.
unsafe impl<T: FromBytes + Copy + 'static> aya::Pod for Plain<T> {}

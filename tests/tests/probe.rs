//! `tunmon probe` through real kernels that route: what it finds, what it sends, how it ends.
//!
//! They need root; without, they say `SKIPPED` and pass.

#![expect(clippy::unwrap_used, reason = "tests unwrap, and so do their helpers")]

mod probe {
    mod bounds;
    mod paths;
    mod silence;
    mod support;
    mod usage;
}

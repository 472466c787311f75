//! The life of a run: its devices come and go, its rights are given up, its pins outlive it.
//!
//! They need root; without, they say `SKIPPED` and pass.

#![expect(clippy::unwrap_used, reason = "tests unwrap, and so do their helpers")]

mod life {
    mod devices;
    mod ladder;
    mod leftovers;
    mod pins;
    mod rights;
    mod support;
}

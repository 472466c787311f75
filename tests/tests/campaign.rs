//! A campaign: faults of the path are injected into networks of real switches, and what tunmon says of them is held against
//! what was done; as many healthy networks, and bad ones of other kinds, must be told nothing of the path.
//!
//! Each case runs once; with `TUNMON_FULL` ten times, and then nineteen of twenty runs have to be right.

#![expect(clippy::unwrap_used, reason = "tests unwrap, and so do their helpers")]

mod campaign {
    mod case;
    mod faults;
    mod healthy;
    mod traffic;
}

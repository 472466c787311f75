//! tunmon stays out of the way: of packets, of devices, of other programs, and of everybody once it has gone.

#![expect(clippy::unwrap_used, reason = "tests unwrap, and so do their helpers")]

mod disturbance {
    mod foreign;
    mod killed;
    mod snapshots;
    mod stream;
    mod support;
}

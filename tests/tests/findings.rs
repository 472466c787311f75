//! What is found where something is wrong, and that nothing is found where all is well: on captures with known faults,
//! and in the demo, whose cable makes them.

#![expect(clippy::unwrap_used, reason = "tests unwrap, and so do their helpers")]

mod findings {
    mod captures;
    mod demo;
    mod dropped;
    mod forged;
    mod pieces;
    mod support;
}

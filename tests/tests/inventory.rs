//! Names from a file, and strangers that a complete one does not know.

#![expect(clippy::unwrap_used, reason = "tests unwrap, and so do their helpers")]

mod inventory {
    mod file;
    mod strangers;
}

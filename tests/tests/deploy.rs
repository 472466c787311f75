//! What `deploy` has for service managers and clusters: that the program does what the unit counts on, and that the
//! manifests ask for what the documents say and no more.

#![expect(clippy::unwrap_used, reason = "tests unwrap, and so do their helpers")]

mod deploy {
    mod kustomize;
    mod manager;
}

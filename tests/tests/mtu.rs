//! What fits through to a peer: by the device, by the route, by what the kernel has learned from a router, and by what a
//! router says that the kernel does not believe. The oracle is iproute2.

#![expect(clippy::unwrap_used, reason = "tests unwrap, and so do their helpers")]

mod mtu {
    mod announced;
    mod command;
    mod paths;
    mod support;
}

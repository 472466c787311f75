//! What differs between kernels, on whichever kernel this runs: loading, hooks, the kernel's own Geneve and Open vSwitch.
//!
//! `cargo test` runs it on this machine's kernel, `cargo xtask test --kernels …` on stock kernels in virtual machines,
//! where processors are emulated: traffic is small, patience is long. What a kernel lacks is skipped, and said. It needs
//! root, and in parts tcpdump, ethtool and Open vSwitch.

#![expect(clippy::unwrap_used, reason = "tests unwrap, and so do their helpers")]

mod kernel {
    mod black_hole;
    mod delay;
    mod disturbance;
    mod features;
    mod hooks;
    mod load;
    mod nodes;
    mod ovs;
    mod segments;
    mod support;
    mod translated;
}

//! Compiles the kernel programs, so that the binary carries them.

use aya_build::{Package, Toolchain};

fn main() -> anyhow::Result<()> {
    let features: &[&str] =
        if std::env::var_os("CARGO_FEATURE_DIAGNOSTICS").is_some() { &["diagnostics"] } else { &[] };
    // The shared crate is no dependency of this script, so a change to it has to be named.
    println!("cargo:rerun-if-changed=../monitor-common/src");
    let package = Package { name: "monitor-ebpf", root_dir: "../monitor-ebpf", features, ..Package::default() };
    aya_build::build_ebpf([package], Toolchain::Custom("nightly-2026-05-20"))
}

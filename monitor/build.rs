//! Compiles the kernel programs, so that the binary carries them.

use aya_build::{Package, Toolchain};

fn main() -> anyhow::Result<()> {
    let features: &[&str] =
        if std::env::var_os("CARGO_FEATURE_DIAGNOSTICS").is_some() { &["diagnostics"] } else { &[] };
    // The shared crate is no dependency of this script, so a change to it has to be named.
    println!("cargo:rerun-if-changed=../monitor-common/src");
    instruction_set();
    let package = Package { name: "monitor-ebpf", root_dir: "../monitor-ebpf", features, ..Package::default() };
    aya_build::build_ebpf([package], Toolchain::Custom("nightly-2026-05-20"))
}

/// Chooses version 3 of the instruction set (Linux 5.1), which computes and compares in 32 bits. aya-build passes no
/// flags, and bpf-linker takes one `--cpu`, which is the compiler's; so the inner cargo finds it in its environment.
fn instruction_set() {
    let settings = [
        ("CARGO_UNSTABLE_PROFILE_RUSTFLAGS", "true"),
        ("CARGO_PROFILE_RELEASE_RUSTFLAGS", "-Ctarget-cpu=v3"),
        // What runs on this machine while it compiles is not meant.
        ("CARGO_PROFILE_RELEASE_BUILD_OVERRIDE_RUSTFLAGS", "-Cdebuginfo=0"),
    ];
    for (name, value) in settings {
        // SAFETY: this process has one thread.
        unsafe { std::env::set_var(name, value) };
    }
}

//! The compilers and the linker of the BPF programs: one place for their versions.
//!
//! They belong together. bpf-linker reads bitcode of its own LLVM and older ones, so the nightly must not be newer than
//! the LLVM that Debian has. A floating `nightly` passed LLVM 22 in 2026; a date also keeps verifier costs comparable.

/// The nightly that compiles `monitor-ebpf`: rustc 1.97, LLVM 22. `monitor/build.rs` names it too, and `lint` compares.
pub(crate) const NIGHTLY: &str = "nightly-2026-05-20";

/// What the nightly needs besides the compiler: `core` is built from source for the BPF target.
pub(crate) const NIGHTLY_COMPONENTS: [&str; 2] = ["rust-src", "clippy"];

/// What the workspace's own toolchain needs besides the compiler.
pub(crate) const HOST_COMPONENTS: [&str; 2] = ["clippy", "rustfmt"];

/// The LLVM that bpf-linker is built with.
pub(crate) const LLVM: u32 = 22;

/// The release of bpf-linker that is installed, and the oldest that is taken.
pub(crate) const BPF_LINKER: (u32, u32) = (0, 13);

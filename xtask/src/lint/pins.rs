//! The nightly has two places, `toolchain.rs` here and `monitor/build.rs`: they say the same.

use std::fs;

use anyhow::Result;

use crate::{command::workspace, toolchain::NIGHTLY};

const BUILD_SCRIPT: &str = "monitor/build.rs";

/// A build script that compiles with another nightly than `setup` installs.
pub(super) fn offences() -> Result<Vec<String>> {
    let script = fs::read_to_string(workspace().join(BUILD_SCRIPT)).unwrap_or_default();
    Ok(offence(&script).into_iter().collect())
}

fn offence(script: &str) -> Option<String> {
    let compiles = script.contains("aya_build");
    (compiles && !script.contains(NIGHTLY))
        .then(|| format!("{BUILD_SCRIPT}: does not name {NIGHTLY}, which setup installs"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_script_with_another_nightly_is_named() {
        assert!(offence("aya_build::build_ebpf(…, Toolchain::default())").is_some());
        assert!(offence(&format!("aya_build::build_ebpf(…, Toolchain::Custom(\"{NIGHTLY}\"))")).is_none());
        assert!(offence("fn main() {}").is_none());
    }
}

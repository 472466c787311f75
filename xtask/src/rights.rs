//! Root's rights, for the single steps that need them.

use std::{env, fs, os::unix::fs::MetadataExt as _, process::Command};

use anyhow::{Result, bail};

use crate::{
    command::{command, describe, say},
    setup::programs,
};

/// How the caller can do what only root may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rights {
    /// The caller is root.
    Root,
    /// The caller is not root, but sudo is there.
    Sudo,
    /// Neither.
    None,
}

impl Rights {
    /// The rights of this process.
    pub(crate) fn of_caller() -> Self {
        // The owner of a process's folder in /proc is its effective user.
        let is_root = fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
        match (is_root, programs::exists("sudo")) {
            (true, _) => Self::Root,
            (false, true) => Self::Sudo,
            (false, false) => Self::None,
        }
    }

    /// The command with root's rights; says so where that means sudo.
    pub(crate) fn raise(self, wanted: Command) -> Result<Command> {
        match self {
            Self::Root => Ok(wanted),
            Self::Sudo => {
                say("the next step needs root, so it alone runs under sudo");
                let mut sudo = command("sudo", sudo_options());
                sudo.arg(wanted.get_program()).args(wanted.get_args());
                if let Some(folder) = wanted.get_current_dir() {
                    sudo.current_dir(folder);
                }
                Ok(sudo)
            }
            Self::None => bail!("`{}` needs root: run this as root or install sudo", describe(&wanted)),
        }
    }
}

/// Keeps the variables that our own programs and tests read; sudo drops the rest.
pub(crate) fn sudo_options() -> Vec<String> {
    let names = env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let mut kept: Vec<_> = names.filter(|name| is_ours(name)).collect();
    kept.sort();
    if kept.is_empty() { Vec::new() } else { vec![format!("--preserve-env={}", kept.join(","))] }
}

fn is_ours(variable: &str) -> bool {
    let exact = ["CARGO_MANIFEST_DIR", "RUST_BACKTRACE", "RUST_LOG", "RUST_TEST_THREADS"];
    exact.contains(&variable) || ["PROPTEST_", "TUNMON_"].iter().any(|prefix| variable.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_runs_the_command_itself() {
        let raised = Rights::Root.raise(command("ip", ["link"])).unwrap();
        assert_eq!(describe(&raised), "ip link");
    }

    #[test]
    fn others_run_it_under_sudo() {
        let raised = Rights::Sudo.raise(command("ip", ["link"])).unwrap();
        let shown = describe(&raised);
        assert!(shown.starts_with("sudo ") && shown.ends_with(" ip link"), "{shown}");
    }

    #[test]
    fn without_either_the_command_is_named() {
        let error = Rights::None.raise(command("ip", ["link"])).unwrap_err().to_string();
        assert_eq!(error, "`ip link` needs root: run this as root or install sudo");
    }

    #[test]
    fn only_our_variables_pass_sudo() {
        assert!(is_ours("TUNMON_LISTEN") && is_ours("CARGO_MANIFEST_DIR") && is_ours("RUST_LOG"));
        assert!(!is_ours("PATH") && !is_ours("LD_LIBRARY_PATH") && !is_ours("HOME"));
    }
}

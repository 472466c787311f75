//! From what is on a machine to the steps that bring the rest: no look at the machine here, so every case is tested.

use std::process::Command;

use anyhow::{Result, bail};

use super::machine::Machine;
use crate::{
    command::command,
    rights::Rights,
    toolchain::{BPF_LINKER, LLVM, NIGHTLY, NIGHTLY_COMPONENTS},
};

/// Installs packages with no service started; see the script.
const APT: &str = include_str!("apt.sh");

/// One thing to install.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Debian packages, in one call.
    Packages(Vec<&'static str>),
    /// The nightly with all its components.
    Nightly,
    /// Components that an existing nightly lacks.
    NightlyComponents(Vec<&'static str>),
    /// Components that the workspace's own toolchain lacks.
    HostComponents(Vec<&'static str>),
    /// bpf-linker, compiled here.
    Linker,
}

/// The steps that are needed, in order; an error where packages are needed and cannot be had.
pub(super) fn plan(machine: &Machine) -> Result<Vec<Step>> {
    let mut steps = Vec::new();
    if !machine.packages_lacking.is_empty() {
        check_packages_can_be_had(machine)?;
        steps.push(Step::Packages(machine.packages_lacking.clone()));
    }
    if !machine.has_nightly {
        steps.push(Step::Nightly);
    } else if !machine.nightly_lacks.is_empty() {
        steps.push(Step::NightlyComponents(machine.nightly_lacks.clone()));
    }
    if !machine.host_lacks.is_empty() {
        steps.push(Step::HostComponents(machine.host_lacks.clone()));
    }
    if !machine.has_linker {
        steps.push(Step::Linker);
    }
    Ok(steps)
}

fn check_packages_can_be_had(machine: &Machine) -> Result<()> {
    let names = machine.packages_lacking.join(" ");
    if !machine.has_apt {
        bail!("no apt-get here: install by hand what Debian calls {names}, then run this again");
    }
    if machine.rights == Rights::None {
        bail!(
            "neither root nor sudo: have root run `apt-get install --no-install-recommends {names}`, then run this again"
        );
    }
    Ok(())
}

impl Step {
    /// What is installed and how long it takes.
    pub(super) fn summary(&self) -> String {
        match self {
            Self::Packages(names) => format!(
                "installing {} Debian packages, about {} (their services stay stopped): {}",
                names.len(),
                if names.len() < 4 { "half a minute" } else { "1 to 3 minutes" },
                names.join(" ")
            ),
            Self::Nightly => format!("installing the toolchain {NIGHTLY} for the BPF programs, about half a minute"),
            Self::NightlyComponents(names) => format!("adding {} to {NIGHTLY}, some seconds", names.join(" ")),
            Self::HostComponents(names) => format!("adding {} to the toolchain, some seconds", names.join(" ")),
            Self::Linker => "compiling bpf-linker, about a minute".to_owned(),
        }
    }

    /// True for what only root may do.
    pub(super) fn needs_root(&self) -> bool {
        matches!(self, Self::Packages(_))
    }

    /// What to do when the step fails.
    pub(super) fn advice(&self) -> String {
        match self {
            Self::Packages(names) => {
                format!(
                    "could not install Debian packages, by hand they are: {} (no network, no sudo?)",
                    names.join(" ")
                )
            }
            Self::Nightly | Self::NightlyComponents(_) | Self::HostComponents(_) => {
                "could not get a part of the Rust toolchain (no network?)".to_owned()
            }
            Self::Linker => "could not install bpf-linker (no network?)".to_owned(),
        }
    }

    /// The command that does it.
    pub(super) fn command(&self) -> Command {
        match self {
            Self::Packages(names) => {
                let mut apt = command("sh", ["-c", APT, "apt.sh"]);
                apt.args(names);
                apt
            }
            Self::Nightly => {
                let mut install = command("rustup", ["toolchain", "install", NIGHTLY, "--profile", "minimal"]);
                install.arg("--no-self-update").args(NIGHTLY_COMPONENTS.map(|name| format!("--component={name}")));
                install
            }
            Self::NightlyComponents(names) => {
                let mut add = command("rustup", ["component", "add", "--toolchain", NIGHTLY]);
                add.args(names);
                add
            }
            Self::HostComponents(names) => {
                let mut add = command("rustup", ["component", "add"]);
                add.args(names);
                add
            }
            Self::Linker => install_linker(),
        }
    }
}

fn install_linker() -> Command {
    let (major, minor) = BPF_LINKER;
    let mut install = command("cargo", ["install", "bpf-linker", "--locked", "--force", "--no-default-features"]);
    install.arg(format!("--version={major}.{minor}.0")).arg(format!("--features=llvm-{LLVM}"));
    install.env("LLVM_PREFIX", format!("/usr/lib/llvm-{LLVM}"));
    install
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::describe;

    fn complete() -> Machine {
        Machine {
            rights: Rights::Root,
            has_apt: true,
            has_nightly: true,
            nightly_lacks: Vec::new(),
            host_lacks: Vec::new(),
            has_linker: true,
            packages_lacking: Vec::new(),
        }
    }

    #[test]
    fn a_complete_machine_needs_nothing() {
        assert_eq!(plan(&complete()).unwrap(), []);
    }

    #[test]
    fn a_bare_machine_gets_packages_before_the_linker_that_needs_them() {
        let bare = Machine {
            has_nightly: false,
            has_linker: false,
            host_lacks: vec!["clippy"],
            packages_lacking: vec!["g++", "llvm-22-dev"],
            ..complete()
        };
        let wanted = [
            Step::Packages(vec!["g++", "llvm-22-dev"]),
            Step::Nightly,
            Step::HostComponents(vec!["clippy"]),
            Step::Linker,
        ];
        assert_eq!(plan(&bare).unwrap(), wanted);
    }

    #[test]
    fn an_existing_nightly_gets_only_what_it_lacks() {
        let machine = Machine { nightly_lacks: vec!["rust-src"], ..complete() };
        let steps = plan(&machine).unwrap();
        assert_eq!(describe(&steps[0].command()), format!("rustup component add --toolchain {NIGHTLY} rust-src"));
        assert_eq!(steps.len(), 1);
    }

    #[test]
    fn packages_that_are_there_need_neither_apt_nor_root() {
        let machine = Machine { rights: Rights::None, has_apt: false, has_linker: false, ..complete() };
        assert_eq!(plan(&machine).unwrap(), [Step::Linker]);
    }

    #[test]
    fn without_root_and_sudo_the_packages_are_listed_for_root() {
        let machine = Machine { rights: Rights::None, packages_lacking: vec!["tshark", "iperf3"], ..complete() };
        let error = plan(&machine).unwrap_err().to_string();
        assert!(error.contains("neither root nor sudo") && error.contains("tshark iperf3"), "{error}");
        assert!(!error.contains('\n'));
    }

    #[test]
    fn elsewhere_than_on_debian_the_packages_are_listed() {
        let machine = Machine { has_apt: false, packages_lacking: vec!["tshark"], ..complete() };
        let error = plan(&machine).unwrap_err().to_string();
        assert!(error.starts_with("no apt-get here") && error.contains("tshark"), "{error}");
    }

    #[test]
    fn only_packages_need_root() {
        assert!(Step::Packages(vec!["tshark"]).needs_root());
        assert!(![Step::Nightly, Step::HostComponents(vec![]), Step::Linker].iter().any(Step::needs_root));
    }

    #[test]
    fn the_nightly_comes_with_its_components() {
        assert_eq!(
            describe(&Step::Nightly.command()),
            format!(
                "rustup toolchain install {NIGHTLY} --profile minimal --no-self-update --component=rust-src --component=clippy"
            )
        );
    }

    #[test]
    fn the_linker_is_built_with_debians_llvm() {
        let command = Step::Linker.command();
        assert!(describe(&command).contains("--features=llvm-22"));
        assert!(
            command.get_envs().any(|(name, value)| name == "LLVM_PREFIX" && value == Some("/usr/lib/llvm-22".as_ref()))
        );
    }
}

//! The daemon: what the kernel counts and reports, summed up and shown.
//!
//! ```text
//! bpf (live) ─┐
//! read (file) ─┴▶ events, counts ─▶ aggregate ─▶ snapshot ─▶ export, ui
//! ```
//! Only `bpf` names aya.

pub mod aggregate;
pub mod bpf;
mod btf;
pub mod capture;
pub mod cli;
mod clock;
pub mod counts;
pub mod demo;
mod detach;
pub mod device;
mod explain;
pub mod export;
pub mod failure;
mod file;
pub mod findings;
pub mod inventory;
mod kallsyms;
pub mod log;
mod names;
mod netlink;
mod offline;
mod output;
mod privileges;
mod probe;
pub mod read;
mod serve;
pub mod snapshot;
mod sniff;
mod strangers;
mod ui;
mod watch;

use std::process::ExitCode;

use anyhow::Result;

use cli::{Cli, Command};

/// Does what the command line says.
pub fn run(cli: &Cli) -> Result<ExitCode> {
    match &cli.command {
        None => watch::devices(cli),
        Some(Command::Read(read)) => offline::read(read, cli),
        Some(Command::Detach) => detach::run(cli),
        Some(Command::Explain { code }) => explain::run(code.as_deref()),
        Some(Command::Mtu { peer }) => watch::mtu(cli, peer.as_deref()),
        Some(Command::Demo { fault }) => watch::demo(cli, *fault),
        Some(Command::Probe(probe)) => return probe::run(probe, &cli.common),
    }?;
    Ok(ExitCode::SUCCESS)
}

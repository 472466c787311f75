//! `lab ovs|ovn`: brings a laboratory up, shows it, and takes it down at Ctrl-C or after `--duration`.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use clap::{Args, Parser, Subcommand};
use tests::lab::{Lab, Options};
use tests::needs;

/// Two nodes with real Geneve tunnels, in network namespaces, to watch with tunmon
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    kind: Kind,
}

#[derive(Subcommand)]
enum Kind {
    /// Two Open vSwitch nodes, VNIs 100, 200 and 16777215
    Ovs(Knobs),
    /// Two OVN chassis, VNIs 1000 and 70000 joined by a router
    Ovn(Knobs),
}

#[derive(Args)]
struct Knobs {
    /// Tunnel endpoints are IPv6 addresses
    #[arg(long)]
    ipv6: bool,
    /// Tag the underlay
    #[arg(long, value_name = "ID", value_parser = clap::value_parser!(u16).range(1..4095))]
    vlan: Option<u16>,
    /// Outer UDP checksums [default: off with OVS, on with OVN]
    #[arg(long, value_name = "BOOL")]
    udp_checksum: Option<bool>,
    #[arg(long, value_name = "BYTES", default_value_t = Options::default().underlay_mtu)]
    underlay_mtu: u16,
    #[arg(long, value_name = "BYTES", default_value_t = Options::default().pod_mtu)]
    pod_mtu: u16,
    /// BFD in every tunnel
    #[arg(long)]
    bfd: bool,
    /// Take the lab down after so many seconds
    #[arg(long, value_name = "SECONDS")]
    duration: Option<u64>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let (programs, knobs) = match &arguments.kind {
        Kind::Ovs(knobs) => (vec![needs::NETWORK, needs::OVS], knobs),
        Kind::Ovn(knobs) => (vec![needs::NETWORK, needs::OVS, needs::OVN], knobs),
    };
    if let Some(reason) = needs::missing(&programs) {
        bail!(reason);
    }
    let signals = block_signals()?;
    let start = Instant::now();
    let lab = match &arguments.kind {
        Kind::Ovs(knobs) => Lab::ovs(knobs.options())?,
        Kind::Ovn(knobs) => Lab::ovn(knobs.options())?,
    };
    writeln!(io::stdout(), "up in {:.1} s, {lab}\nCtrl-C takes it down", start.elapsed().as_secs_f64())?;
    wait_for(&signals, knobs.duration.map(Duration::from_secs));
    eprintln!("taking it down");
    Ok(())
}

impl Knobs {
    fn options(&self) -> Options {
        let &Self { ipv6, vlan, udp_checksum, underlay_mtu, pod_mtu, bfd, duration: _ } = self;
        Options { ipv6, vlan, udp_checksum, underlay_mtu, pod_mtu, bfd, ..Options::default() }
    }
}

/// From here on, Ctrl-C and SIGTERM wait until [`wait_for`] asks for them: a lab half built is taken down in order too.
fn block_signals() -> Result<libc::sigset_t> {
    // SAFETY: an all-zero set is a valid argument to sigemptyset, which initialises it; the pointers are to a live local.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGINT);
        libc::sigaddset(&raw mut set, libc::SIGTERM);
        ensure!(libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) == 0, "cannot block signals");
        Ok(set)
    }
}

fn wait_for(signals: &libc::sigset_t, duration: Option<Duration>) {
    // Without a duration: a year, which is longer than anybody waits.
    let seconds = duration.map_or(365 * 86_400, |duration| duration.as_secs().cast_signed());
    let timeout = libc::timespec { tv_sec: seconds, tv_nsec: 0 };
    // SAFETY: both pointers are to live values; no information about the signal is asked for.
    unsafe { libc::sigtimedwait(signals, std::ptr::null_mut(), &raw const timeout) };
}

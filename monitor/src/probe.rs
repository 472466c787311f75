//! `tunmon probe PEER`: how long a packet the underlay takes to another tunnel endpoint, found by sending some.
//!
//! ```text
//! wire (sockets) ──heard──▶ campaign (which packet when) ──▶ search (which size) ──▶ verdict ──▶ text, record
//!                ◀──send───
//! ```
//! `campaign`, `search` and `pace` are pure, and tested in virtual time. Nothing is ever sent to a tunnel's port.

mod campaign;
mod echo;
mod pace;
mod search;
mod sys;
mod text;
mod verdict;
mod wire;

#[cfg(test)]
mod tests;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::cli::{Common, Method, Probe};
use crate::failure::{FINDINGS, Failure, RUNTIME, UNABLE};
use crate::netlink::Route;
use crate::output::Printer;
use campaign::{Action, Bounds, Campaign, Heard, Reason};
use pace::Pace;
use search::Sizes;
use verdict::{Peer, Spent, State, Target, Verdict};
use wire::{Kind, Wire};

/// IANA's port of Geneve, which is a tunnel's whatever `--port` says.
const GENEVE: u16 = 6081;
/// What every IPv4 host takes (RFC 1122 §3.3.2), and every IPv6 link (RFC 8200 §5): these pass, or nothing does.
const BASE: [u32; 2] = [576, 1280];
/// IP, UDP and Geneve with OVN's option of 8 bytes, and the inner Ethernet header.
const OVERHEAD: [u32; 2] = [58, 78];
/// How often Linux sends "port unreachable" to one address, and a little more (`icmp_ratelimit`): IPv4, IPv6.
const ANSWERS_EVERY: [Duration; 2] = [Duration::from_millis(1050), Duration::from_millis(105)];
/// The longest IP packet that a length field holds.
const SIZE_MAX: u32 = 65_535;

/// Probes, tells, and gives the exit code.
pub(crate) fn run(probe: &Probe, common: &Common) -> Result<ExitCode> {
    let target = target(probe, common)?;
    let mut printer = Printer::new(common.output);
    printer.text(&text::title(&target))?;
    let session = Session { probe, target, signals: sys::signals().context("signals")?, started: Instant::now() };
    let verdict = session.verdict()?;
    printer.record(verdict::PROBE, &verdict)?;
    printer.text(&text::text(&verdict))?;
    Ok(match verdict.state {
        State::Whole => ExitCode::SUCCESS,
        State::Smaller => ExitCode::from(FINDINGS),
        State::Unknown | State::NoAnswer => ExitCode::from(RUNTIME),
    })
}

/// Checks what was asked for, and asks the kernel for the way to the peer.
fn target(probe: &Probe, common: &Common) -> Result<Target> {
    let ip = probe.peer.to_canonical();
    if probe.udp_port == GENEVE || common.ports.contains(&probe.udp_port) {
        let cause = format!("{} is a tunnel's port, to which nothing is sent", probe.udp_port);
        return Err(Failure::usage(cause, "name a port on which nothing listens: --udp-port 33434").into());
    }
    if ip.is_unspecified() || ip.is_multicast() || ip == IpAddr::V4(Ipv4Addr::BROADCAST) || is_link_local(ip) {
        let cause = format!("{ip} is not the address of one node that can be reached from here");
        return Err(Failure::usage(cause, "name the other tunnel endpoint, as in options:remote_ip").into());
    }
    let mut route = Route::open().context("netlink")?;
    let hop = route.hop(ip, None).map_err(|error| {
        Failure::runtime(format!("no route to {ip}: {error}"), format!("see what the kernel says: ip route get {ip}"))
    })?;
    if hop.is_own {
        return Err(Failure::usage(format!("{ip} is this node's own address"), "name the other tunnel endpoint").into());
    }
    let links = route.links().context("the list of devices")?;
    let link = links.iter().find(|link| link.index == hop.device).context("the route's device is gone")?;
    let max = probe.max.unwrap_or(link.mtu).min(SIZE_MAX);
    if max > link.mtu {
        let cause = format!("--max {max} is more than the MTU of {}, {}", link.name, link.mtu);
        return Err(Failure::usage(cause, format!("no packet of this size leaves: --max {}", link.mtu)).into());
    }
    let version = usize::from(ip.is_ipv6());
    Ok(Target {
        peer: Peer { ip },
        device: link.name.clone(),
        device_mtu_bytes: link.mtu,
        sizes: Sizes { base: BASE[version].min(max), max },
        overhead_bytes: probe.overhead.unwrap_or(OVERHEAD[version]),
    })
}

fn is_link_local(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local())
}

/// A run.
struct Session<'a> {
    probe: &'a Probe,
    target: Target,
    signals: OwnedFd,
    started: Instant,
}

impl Session<'_> {
    /// Probes by the methods that were asked for; by the second one if the first gets no answer.
    fn verdict(&self) -> Result<Verdict> {
        let first = match self.probe.method {
            Method::Auto | Method::Udp => self.by(Kind::Udp, None)?,
            Method::Icmp => return self.by(Kind::Icmp, None),
        };
        if self.probe.method == Method::Udp || first.ended != Reason::Silent {
            return Ok(first);
        }
        match self.by(Kind::Icmp, Some(&first)) {
            // Who has no right to send echo requests has an answer all the same.
            Err(error) if error.downcast_ref::<Failure>().is_some_and(|failure| failure.code == UNABLE) => Ok(first),
            second => second,
        }
    }

    /// Probes by one method, with the time and packets that another one has left.
    fn by(&self, kind: Kind, before: Option<&Verdict>) -> Result<Verdict> {
        let spent = before.map_or(0, |before| before.packets);
        let ip = self.target.peer.ip;
        let (wire, every) = match kind {
            Kind::Udp => {
                let wire = Wire::udp(SocketAddr::new(ip, self.probe.udp_port), self.probe.flows.into());
                (wire, ANSWERS_EVERY[usize::from(ip.is_ipv6())])
            }
            Kind::Icmp => (Wire::icmp(ip), Duration::ZERO),
        };
        let mut wire = wire.map_err(|error| unopened(kind, ip, error))?;
        wire.refusal = before.and_then(|before| before.refusal);
        let bounds = Bounds { packets: self.probe.max_packets - spent, time: self.probe.timeout };
        let mut campaign = Campaign::new(wire.flows(), self.target.sizes, bounds, Pace::new(every));
        let ended = self.drive(&mut campaign, &mut wire)?;
        let packets = spent + campaign.packets();
        let spent = Spent { packets, time: self.started.elapsed(), ended };
        Ok(Verdict::new(self.target.clone(), kind, &campaign, &wire, spent))
    }

    /// Sends and listens until it is over.
    fn drive(&self, campaign: &mut Campaign, wire: &mut Wire) -> Result<Reason> {
        loop {
            match campaign.next(self.started.elapsed()) {
                Action::End(reason) => return Ok(reason),
                Action::Send(packet) => match wire.send(packet) {
                    Ok(()) => {}
                    Err(error) => {
                        if let Some(heard) = self.unsent(packet.number, wire, error)? {
                            campaign.heard(heard, self.started.elapsed());
                        }
                    }
                },
                Action::Wait(until) => {
                    let gathered = wire.gather(&self.signals, until.saturating_sub(self.started.elapsed()));
                    let gathered = gathered.context("the sockets of the probe")?;
                    let now = self.started.elapsed();
                    gathered.heard.into_iter().for_each(|heard| campaign.heard(heard, now));
                    if gathered.is_interrupted {
                        return Ok(Reason::Interrupted);
                    }
                }
            }
        }
    }

    /// What it means that a packet did not leave: another route's device takes less, or it is as good as lost.
    fn unsent(&self, number: u32, wire: &Wire, error: io::Error) -> Result<Option<Heard>> {
        let ip = self.target.peer.ip;
        match error.raw_os_error() {
            Some(libc::EMSGSIZE) => Ok(wire.local().map(|reporter| Heard::TooBig { number, reporter, mtu: 0 })),
            Some(libc::EHOSTUNREACH | libc::ENOBUFS | libc::EAGAIN | libc::ECONNREFUSED) => Ok(None),
            Some(libc::EPERM | libc::EACCES) => {
                let cause = format!("this node's own filter forbids packets to {ip}");
                Err(Failure::runtime(cause, "look at its output rules: nft list ruleset").into())
            }
            _ => Err(error).with_context(|| format!("sending to {ip}")),
        }
    }
}

/// Why there is no socket.
fn unopened(kind: Kind, ip: IpAddr, error: io::Error) -> anyhow::Error {
    match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) if kind == Kind::Icmp => Failure::kernel(
            "no right to send echo requests (needs CAP_NET_RAW, or a group in net.ipv4.ping_group_range)",
            "run it as root: sudo tunmon probe …; without rights: --method udp",
        )
        .into(),
        Some(libc::ENETUNREACH | libc::EHOSTUNREACH | libc::EACCES) => {
            let advice = format!("see what the kernel says: ip route get {ip}");
            Failure::runtime(format!("no route to {ip}: {error}"), advice).into()
        }
        _ => anyhow::Error::from(error).context(format!("a socket to {ip}")),
    }
}

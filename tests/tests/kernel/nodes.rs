//! Two nodes with a Geneve device of the kernel each.
//!
//! ```text
//!   node1                                       node2
//!   gen0  10.60.0.1  ═══════ VNI 5001 ═══════  10.60.0.2  gen0
//!   eth0  192.168.60.1 ──── veth, virtio ──── 192.168.60.2  eth0
//! ```
//!
//! Neighbours are fixed and there is no IPv6, so that nothing passes that a test has not sent.

use std::fs;
use std::net::Ipv4Addr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use tests::netns::{self, End, Namespace};
use tests::{needs, wait};

use super::support::skip_for;

pub(super) const DEVICE: &str = "eth0";
pub(super) const TUNNEL: &str = "gen0";
pub(super) const VNI: u32 = 5001;
/// Ethernet addresses of the two cards that virtual machines have (`xtask/src/vm/machine.rs`).
const CARDS: [&str; 2] = ["52:54:00:74:6d:01", "52:54:00:74:6d:02"];
/// There is one pair of cards.
static CARDS_IN_USE: Mutex<()> = Mutex::new(());

/// What joins the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wire {
    /// A pair of veth.
    Veth,
    /// Two virtio network cards on one segment, as virtual machines have them.
    Virtio,
}

pub(super) struct Nodes {
    pub(super) one: Namespace,
    pub(super) two: Namespace,
    _cards: Option<MutexGuard<'static, ()>>,
}

impl Nodes {
    /// The nodes, or `None` after having said what is missing here.
    pub(super) fn create(wire: Wire) -> Option<Self> {
        let cards = wire == Wire::Virtio;
        let missing = needs::missing(&[needs::NETWORK, &["tcpdump", "tc"]]).or_else(|| needs::missing_module("geneve"));
        if skip_for(missing.or_else(|| if cards { missing_cards() } else { None })) {
            return None;
        }
        Some(Self::build(cards).unwrap())
    }

    fn build(is_virtio: bool) -> Result<Self> {
        let guard = is_virtio.then(|| CARDS_IN_USE.lock().unwrap_or_else(PoisonError::into_inner));
        let nodes = Self { one: bare("node1")?, two: bare("node2")?, _cards: guard };
        if is_virtio {
            for (namespace, card) in [&nodes.one, &nodes.two].into_iter().zip(CARDS) {
                plug(namespace, card)?;
            }
        } else {
            let ends = [(&nodes.one, CARDS[0]), (&nodes.two, CARDS[1])]
                .map(|(namespace, mac)| End { mac: Some(mac), ..End::bare(namespace, DEVICE) });
            netns::veth(ends[0], ends[1], 1500)?;
        }
        for (namespace, own, far) in [(&nodes.one, 1, 2), (&nodes.two, 2, 1)] {
            configure(namespace, own, far)?;
        }
        Ok(nodes)
    }

    pub(super) fn node(&self, index: u8) -> &Namespace {
        if index == 1 { &self.one } else { &self.two }
    }
}

/// The underlay address of a node.
pub(super) fn outer(index: u8) -> Ipv4Addr {
    Ipv4Addr::new(192, 168, 60, index)
}

/// The address of a node in the tunnel.
pub(super) fn inner(index: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 60, 0, index)
}

fn bare(label: &str) -> Result<Namespace> {
    let namespace = Namespace::create(label)?;
    namespace.sysctl(&[("ipv6/conf/all/disable_ipv6", "1"), ("ipv6/conf/default/disable_ipv6", "1")])?;
    Ok(namespace)
}

fn configure(namespace: &Namespace, own: u8, far: u8) -> Result<()> {
    let mac = |index: u8| format!("02:60:00:00:00:{index:02x}");
    namespace.ip(&[
        format!("addr add {}/24 dev {DEVICE}", outer(own)),
        format!("link set {DEVICE} up"),
        format!("neigh replace {} lladdr {} dev {DEVICE} nud permanent", outer(far), CARDS[usize::from(far) - 1]),
        format!("link add {TUNNEL} address {} type geneve id {VNI} remote {}", mac(own), outer(far)),
        format!("addr add {}/24 dev {TUNNEL}", inner(own)),
        // What fits the underlay; older kernels do not find it by themselves.
        format!("link set {TUNNEL} mtu 1450 up"),
        format!("neigh replace {} lladdr {} dev {TUNNEL} nud permanent", inner(far), mac(far)),
    ])
}

/// Moves a card into the namespace. It comes back to the machine's own when the namespace has gone.
fn plug(namespace: &Namespace, card: &str) -> Result<()> {
    let name = wait::until(&format!("the card {card}"), Duration::from_secs(30), || Ok(find(card)))?;
    tests::process::run(std::process::Command::new("ip").args(["link", "set", &name, "down"]))?;
    let arguments = ["link", "set", &name, "netns", namespace.name(), "name", DEVICE];
    tests::process::run(std::process::Command::new("ip").args(arguments)).context("cannot move a card").map(drop)
}

fn missing_cards() -> Option<String> {
    let guard = CARDS_IN_USE.lock().unwrap_or_else(PoisonError::into_inner);
    // One that was in use a moment ago is on its way back.
    let here = |card| wait::until("a card", Duration::from_secs(if in_guest() { 30 } else { 0 }), || Ok(find(card)));
    let missing = CARDS.into_iter().any(|card| here(card).is_err());
    drop(guard);
    missing.then(|| "no pair of virtio network cards, which virtual machines of `cargo xtask vm` have".to_owned())
}

fn in_guest() -> bool {
    fs::read_to_string("/proc/cmdline").is_ok_and(|line| line.contains("tunmon.run="))
}

/// The name of the device with this address.
fn find(card: &str) -> Option<String> {
    let devices = fs::read_dir("/sys/class/net").ok()?;
    let mut names = devices.flatten().filter_map(|device| device.file_name().into_string().ok());
    names.find(|name| {
        let address = fs::read_to_string(format!("/sys/class/net/{name}/address"));
        address.is_ok_and(|address| address.trim() == card)
    })
}

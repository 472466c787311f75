//! Whether native XDP can be attached to a device without disturbing it, judged before anything is touched.
//!
//! Attaching native XDP makes most drivers of physical cards reset their rings, which loses packets: i40e rebuilds the
//! whole function (`i40e_xdp_setup`), and so do ice, ixgbe, mlx5, bnxt, ena and others in their own ways. So the choice is
//! made for drivers only of which it is known that they do not; with any other one TC sees the same packets.

use super::Device;
use super::ethtool::Ethtool;
use crate::netlink::Link;

/// Receive queues of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queues {
    /// Those in use.
    pub used: u32,
    /// The most that it can have.
    pub most: u32,
}

/// What decides whether native XDP is safe.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Name of the driver.
    pub driver: String,
    /// Kind of a virtual device: `veth`, `vlan`, `bond`, …
    pub kind: Option<String>,
    /// MTU, in bytes.
    pub mtu: u32,
    /// Its queues, if the driver tells.
    pub queues: Option<Queues>,
    /// Received packets are merged by the card, in a way that XDP excludes: the names of such features that are on.
    pub merging: Vec<&'static str>,
    /// Id of an XDP program that is attached already, and what is known of it.
    pub program: Option<(u32, Option<String>)>,
}

/// Features that attaching native XDP turns off, or that keep it away.
const MERGING: [&str; 2] = ["rx-lro", "rx-gro-hw"];

impl Facts {
    /// Asks for everything. What the driver does not tell is left out.
    pub(crate) fn of(link: &Link, name_of_program: impl Fn(u32) -> Option<String>) -> Self {
        let ethtool = Ethtool::new(&link.name).ok();
        let driver = ethtool.as_ref().and_then(|ethtool| ethtool.driver().ok()).unwrap_or_default();
        let queues = ethtool.as_ref().and_then(|ethtool| ethtool.queues().ok());
        let are_on = ethtool.and_then(|ethtool| ethtool.are_on(MERGING).ok()).unwrap_or_default();
        Self {
            driver,
            kind: link.kind.clone(),
            mtu: link.mtu,
            queues,
            merging: MERGING.into_iter().zip(are_on).filter(|(_, is_on)| *is_on).map(|(name, _)| name).collect(),
            program: link.xdp.map(|id| (id, name_of_program(id))),
        }
    }

    /// Why native XDP is not attached to the device unless it is asked for by name; `processors` are those that may run.
    ///
    /// # Errors
    ///
    /// The reason, in words for the operator.
    pub fn native_xdp(&self, has_frags: bool, processors: u32) -> Result<(), String> {
        self.free()?;
        if let Some(kind @ ("vlan" | "bond" | "team" | "bridge" | "macvlan" | "ipvlan")) = self.kind.as_deref() {
            return Err(format!("a {kind} device has no native XDP of its own"));
        }
        let Some(driver) = QUIET.iter().find(|driver| driver.name == self.driver) else {
            let driver = if self.driver.is_empty() { "of unknown name" } else { &self.driver };
            return Err(format!("the driver {driver} may reset the card when XDP is attached; --ingress xdp does it"));
        };
        if self.mtu > driver.one_buffer && !has_frags {
            return Err(format!("packets of MTU {} do not fit into one buffer of {}", self.mtu, self.driver));
        }
        if let Some(feature) = self.merging.first() {
            return Err(format!("it would turn {feature} off"));
        }
        match self.queues {
            Some(Queues { used, most }) if driver.wants_queues && used + processors > most => Err(format!(
                "{used} of {most} queues are in use, and {} wants one more for each of {processors} processors",
                self.driver
            )),
            _ => Ok(()),
        }
    }

    /// Whether the device's only place for an XDP program is free.
    ///
    /// # Errors
    ///
    /// Who has it, in words for the operator.
    pub fn free(&self) -> Result<(), String> {
        match &self.program {
            None => Ok(()),
            Some((id, Some(name))) if name == "xdp_dispatcher" => {
                Err(format!("another XDP program is attached: the dispatcher of libxdp (id {id})"))
            }
            Some((id, Some(name))) if !name.is_empty() => {
                Err(format!("another XDP program is attached: {name} (id {id})"))
            }
            Some((id, _)) => Err(format!("another XDP program is attached: id {id}")),
        }
    }

    /// The longest MTU of which each packet fits into one buffer.
    pub(crate) fn one_buffer(&self) -> u32 {
        QUIET.iter().find(|driver| driver.name == self.driver).map_or(Device::ETHERNET_MTU, |driver| driver.one_buffer)
    }
}

impl Device {
    /// An MTU up to which every driver with native XDP takes programs that see one buffer.
    const ETHERNET_MTU: u32 = 1500;
}

/// A driver that takes native XDP without losing a packet.
struct Quiet {
    name: &'static str,
    /// The longest MTU of which each packet fits into one buffer: a page less headroom, shared info and header.
    one_buffer: u32,
    /// Whether it wants a transmit queue more for each processor.
    wants_queues: bool,
}

/// Read in `veth_xdp_set`, `virtnet_xdp_set` and `tun_xdp_set` (Linux 5.10 to 6.12), and seen: `tests/tests/disturbance.rs`.
const QUIET: [Quiet; 3] = [
    Quiet { name: "veth", one_buffer: 3506, wants_queues: false },
    // Too few queues were an error up to 5.12; since, the kernel warns.
    Quiet { name: "virtio_net", one_buffer: 3506, wants_queues: true },
    Quiet { name: "tun", one_buffer: 3506, wants_queues: false },
];

#[cfg(test)]
mod tests {
    use super::*;

    fn veth() -> Facts {
        Facts { driver: "veth".into(), kind: Some("veth".into()), mtu: 1500, ..Facts::default() }
    }

    fn virtio() -> Facts {
        Facts { driver: "virtio_net".into(), kind: None, queues: Some(Queues { used: 2, most: 4 }), ..veth() }
    }

    #[test]
    fn native_xdp_is_chosen_where_it_disturbs_nothing() {
        for (facts, processors) in [(veth(), 2), (virtio(), 2), (Facts { driver: "tun".into(), ..veth() }, 64)] {
            assert_eq!(facts.native_xdp(false, processors), Ok(()), "{facts:?}");
        }
        assert_eq!(Facts { mtu: 9000, ..veth() }.native_xdp(true, 2), Ok(()));
        // The feature's owner does not tell of its queues.
        assert_eq!(Facts { queues: None, ..virtio() }.native_xdp(true, 2), Ok(()));
    }

    #[test]
    fn each_reason_against_it_is_named() {
        let program = |name: Option<&str>| Facts { program: Some((7, name.map(Into::into))), ..veth() };
        for (facts, processors, words) in [
            (Facts { driver: "i40e".into(), kind: None, ..veth() }, 2, "the driver i40e may reset the card"),
            (Facts { driver: String::new(), ..veth() }, 2, "of unknown name"),
            (Facts { mtu: 9000, ..veth() }, 2, "packets of MTU 9000"),
            (virtio(), 3, "2 of 4 queues are in use"),
            (Facts { merging: vec!["rx-gro-hw"], ..virtio() }, 2, "it would turn rx-gro-hw off"),
            (Facts { kind: Some("vlan".into()), driver: "802.1Q VLAN Support".into(), ..veth() }, 2, "a vlan device"),
            (Facts { kind: Some("bond".into()), driver: "bonding".into(), ..veth() }, 2, "a bond device"),
            (program(Some("xdp_dispatcher")), 2, "the dispatcher of libxdp (id 7)"),
            (program(Some("cil_xdp_entry")), 2, "cil_xdp_entry (id 7)"),
            (program(None), 2, "another XDP program is attached: id 7"),
        ] {
            let reason = facts.native_xdp(false, processors).unwrap_err();
            assert!(reason.contains(words), "{reason}");
        }
    }

    #[test]
    fn the_loopback_tells_no_driver() {
        let link = Link { index: 1, name: "lo".into(), mtu: 65_536, ..Link::default() };
        let facts = Facts::of(&link, |_| None);
        assert_eq!((facts.queues, facts.program.clone()), (None, None));
        assert!(facts.native_xdp(true, 1).is_err());
    }
}

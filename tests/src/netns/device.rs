//! Devices in namespaces: veth pairs, offloads, packet counters.

use std::fs;

use anyhow::{Context, Result};

use super::Namespace;

/// One end of a veth pair.
#[derive(Clone, Copy, Debug)]
pub struct End<'a> {
    pub namespace: &'a Namespace,
    pub device: &'a str,
    /// The kernel chooses one if this is `None`.
    pub mac: Option<&'a str>,
    /// With prefix length, IPv4 or IPv6.
    pub addresses: &'a [String],
}

impl<'a> End<'a> {
    /// An end without addresses, with the kernel's choice of MAC.
    pub fn bare(namespace: &'a Namespace, device: &'a str) -> Self {
        Self { namespace, device, mac: None, addresses: &[] }
    }
}

/// Joins two namespaces by a veth pair; both ends are up and have `mtu` (layer-3 bytes).
pub fn veth(a: End<'_>, b: End<'_>, mtu: u16) -> Result<()> {
    let mac = |end: &End<'_>| end.mac.map(|mac| format!(" address {mac}")).unwrap_or_default();
    a.namespace.ip(&[format!(
        "link add {} mtu {mtu}{} type veth peer name {} netns {} mtu {mtu}{}",
        a.device,
        mac(&a),
        b.device,
        b.namespace.name(),
        mac(&b),
    )])?;
    for end in [a, b] {
        let addresses = end.addresses.iter().map(|address| format!("addr add {address} dev {}", end.device));
        let lines: Vec<String> = addresses.chain([format!("link set {} up", end.device)]).collect();
        end.namespace.ip(&lines)?;
    }
    Ok(())
}

/// Two namespaces, `near` and `far`, without IPv6 and its chatter, and a bare cable between a device of this name in each.
pub fn cable(device: &str) -> Result<[Namespace; 2]> {
    let pair = [Namespace::create("near")?, Namespace::create("far")?];
    for namespace in &pair {
        namespace.sysctl(&[("ipv6/conf/default/disable_ipv6", "1")])?;
    }
    veth(End::bare(&pair[0], device), End::bare(&pair[1], device), 1500)?;
    Ok(pair)
}

/// Turns off what would let a frame leave with an unfinished checksum or longer than the MTU.
///
/// Open vSwitch's user-space datapath reads such frames from the device as they are and forwards them broken: ping works,
/// TCP never connects.
pub fn offloads_off(namespace: &Namespace, device: &str) -> Result<()> {
    namespace.run(&format!("ethtool -K {device} tx off tso off gso off sg off")).map(drop)
}

/// Packets that a device has received and sent since it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traffic {
    pub rx_packets: u64,
    pub tx_packets: u64,
}

impl Traffic {
    /// What came since an earlier reading.
    pub fn since(self, before: Self) -> Self {
        Self { rx_packets: self.rx_packets - before.rx_packets, tx_packets: self.tx_packets - before.tx_packets }
    }
}

/// Reads the device's own counters.
pub fn traffic(namespace: &Namespace, device: &str) -> Result<Traffic> {
    let table = {
        let _inside = namespace.enter()?;
        fs::read_to_string("/proc/thread-self/net/dev").context("cannot read the table of devices")?
    };
    parse_traffic(&table, device).with_context(|| format!("no {device} in {}", namespace.name()))
}

/// IPv4 packets for this namespace that have entered its stack, behind all programs of its devices.
pub fn ip_received(namespace: &Namespace) -> Result<u64> {
    let table = {
        let _inside = namespace.enter()?;
        fs::read_to_string("/proc/thread-self/net/snmp").context("cannot read the table of protocols")?
    };
    parse_ip_received(&table).with_context(|| format!("no count of packets in {}", namespace.name()))
}

fn parse_ip_received(table: &str) -> Option<u64> {
    let [names, numbers] = [0, 1].map(|n| table.lines().filter(|line| line.starts_with("Ip:")).nth(n));
    let column = names?.split_whitespace().position(|name| name == "InReceives")?;
    numbers?.split_whitespace().nth(column)?.parse().ok()
}

fn parse_traffic(table: &str, device: &str) -> Option<Traffic> {
    let (_, numbers) = table.lines().filter_map(|line| line.split_once(':')).find(|(name, _)| name.trim() == device)?;
    let column = |n| numbers.split_whitespace().nth(n)?.parse().ok();
    Some(Traffic { rx_packets: column(1)?, tx_packets: column(9)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_of_packets_are_read() {
        let table = "Inter-|   Receive  |  Transmit\n face |bytes packets\n  eth0: 10 2 0 0 0 0 0 0 30 4 0 0 0 0 0 0\n";
        assert_eq!(parse_traffic(table, "eth0"), Some(Traffic { rx_packets: 2, tx_packets: 4 }));
        assert_eq!(parse_traffic(table, "eth1"), None);
    }

    #[test]
    fn the_column_of_ip_packets_is_found_by_its_name() {
        let table = "Ip: Forwarding DefaultTTL InReceives\nIp: 1 64 7\nIcmp: InMsgs\nIcmp: 3\n";
        assert_eq!(parse_ip_received(table), Some(7));
        assert_eq!(parse_ip_received("Ip: Forwarding\nIp: 1\n"), None);
    }
}

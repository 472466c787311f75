//! How long packets are, and what the tunnel adds to them. Maxima and minima are since the start.

use std::fmt;
use std::net::IpAddr;

use monitor_common::count::Counters;
use serde::Serialize;

use super::Traffic;

/// Sizes of the packets of a tunnel, or of several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sizes {
    /// Least overhead: from the outer IP header to the inner one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overhead_min_bytes: Option<u16>,
    /// Most overhead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overhead_max_bytes: Option<u16>,
    /// What the most consists of; absent when there are tunnels over IPv4 and over IPv6.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overhead_parts: Option<Parts>,
    /// Longest outer IP packet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outer_length_max_bytes: Option<u32>,
    /// Longest inner IP packet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inner_length_max_bytes: Option<u32>,
    /// Longest outer IP packet that was received.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rx_outer_length_max_bytes: Option<u32>,
    /// Longest outer IP packet that was transmitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tx_outer_length_max_bytes: Option<u32>,
    /// Longest inner IP packet that was received.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rx_inner_length_max_bytes: Option<u32>,
    /// Longest inner IP packet that was transmitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tx_inner_length_max_bytes: Option<u32>,
}

impl Sizes {
    /// Sizes that were counted; `is_ipv4` tells the underlay, if it is one for all.
    pub(crate) fn new(counters: &Counters, is_ipv4: Option<bool>) -> Self {
        let [rx, tx] = &counters.traffic;
        let least = [rx.overhead_least, tx.overhead_least].into_iter().filter(|least| *least != 0).min();
        let most = known(rx.overhead_most.max(tx.overhead_most));
        Self {
            overhead_min_bytes: least,
            overhead_max_bytes: most,
            overhead_parts: most.zip(is_ipv4).and_then(|(most, is_ipv4)| Parts::new(most, is_ipv4)),
            outer_length_max_bytes: known(u32::from(rx.outer_longest.max(tx.outer_longest))),
            inner_length_max_bytes: known(u32::from(rx.inner_longest.max(tx.inner_longest))),
            rx_outer_length_max_bytes: known(u32::from(rx.outer_longest)),
            tx_outer_length_max_bytes: known(u32::from(tx.outer_longest)),
            rx_inner_length_max_bytes: known(u32::from(rx.inner_longest)),
            tx_inner_length_max_bytes: known(u32::from(tx.inner_longest)),
        }
    }
}

/// A size that was seen; 0 says that none was.
fn known<T: Default + PartialEq>(size: T) -> Option<T> {
    (size != T::default()).then_some(size)
}

/// What a peer and one virtual network have in common.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Share {
    /// The other end.
    #[serde(skip)]
    pub peer: IpAddr,
    /// The network.
    pub vni: u32,
    /// Its packets.
    #[serde(flatten)]
    pub traffic: Traffic,
    /// Their sizes.
    #[serde(flatten)]
    pub sizes: Sizes,
}

/// What an overhead consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Parts {
    /// Outer IP header: 20 of IPv4, 40 of IPv6.
    pub ip_bytes: u16,
    /// UDP header.
    pub udp_bytes: u16,
    /// Geneve header without options.
    pub geneve_bytes: u16,
    /// All that is of variable length and is not told apart: Geneve options, inner VLAN tags, IP options or extension
    /// headers.
    pub options_bytes: u16,
    /// Inner Ethernet header; 0 where Geneve carries IP.
    pub ethernet_bytes: u16,
}

const ETHERNET: u16 = 14;

impl Parts {
    /// The parts of `overhead`, unless it is less than the headers that are always there.
    fn new(overhead: u16, is_ipv4: bool) -> Option<Self> {
        let (ip_bytes, udp_bytes, geneve_bytes) = (if is_ipv4 { 20 } else { 40 }, 8, 8);
        let rest = overhead.checked_sub(ip_bytes + udp_bytes + geneve_bytes)?;
        // Whatever else there is comes in words of four bytes; an Ethernet header does not.
        let ethernet_bytes = if rest % 4 == ETHERNET % 4 { ETHERNET } else { 0 };
        let options_bytes = rest.checked_sub(ethernet_bytes)?;
        Some(Self { ip_bytes, udp_bytes, geneve_bytes, options_bytes, ethernet_bytes })
    }
}

/// `20 IPv4 + 8 UDP + 8 Geneve + 8 options + 14 Ethernet = 58`.
impl fmt::Display for Parts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ip_bytes, udp_bytes, geneve_bytes, options_bytes, ethernet_bytes } = self;
        let family = if *ip_bytes == 20 { "IPv4" } else { "IPv6" };
        write!(formatter, "{ip_bytes} {family} + {udp_bytes} UDP + {geneve_bytes} Geneve")?;
        for (bytes, name) in [(options_bytes, "options"), (ethernet_bytes, "Ethernet")] {
            if *bytes != 0 {
                write!(formatter, " + {bytes} {name}")?;
            }
        }
        write!(formatter, " = {}", ip_bytes + udp_bytes + geneve_bytes + options_bytes + ethernet_bytes)
    }
}

/// Tunnel packets over IPv4 that routers may cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DfClear {
    /// Received packets with a clear DF bit.
    pub rx_df_clear_packets: u64,
    /// Transmitted ones.
    pub tx_df_clear_packets: u64,
}

#[cfg(test)]
mod tests {
    use monitor_common::count::Traffic;

    use super::{Counters, Parts, Sizes};

    #[test]
    fn an_overhead_is_the_sum_of_its_parts() {
        let text = |overhead, is_ipv4| Parts::new(overhead, is_ipv4).map(|parts| parts.to_string());
        let told = |text: &str| Some(text.to_owned());
        assert_eq!(text(58, true), told("20 IPv4 + 8 UDP + 8 Geneve + 8 options + 14 Ethernet = 58"));
        assert_eq!(text(50, true), told("20 IPv4 + 8 UDP + 8 Geneve + 14 Ethernet = 50"));
        assert_eq!(text(70, false), told("40 IPv6 + 8 UDP + 8 Geneve + 14 Ethernet = 70"));
        // IP right inside Geneve, with options that are as long as an Ethernet header and more.
        assert_eq!(text(36, true), told("20 IPv4 + 8 UDP + 8 Geneve = 36"));
        assert_eq!(text(52, true), told("20 IPv4 + 8 UDP + 8 Geneve + 16 options = 52"));
        assert_eq!((text(35, true), text(38, true), text(50, false)), (None, None, None));
    }

    #[test]
    fn sizes_are_told_for_each_way_and_for_both() {
        let rx = Traffic {
            outer_longest: 1450,
            inner_longest: 1400,
            overhead_least: 50,
            overhead_most: 50,
            ..Traffic::default()
        };
        let tx = Traffic {
            outer_longest: 1458,
            inner_longest: 1390,
            overhead_least: 58,
            overhead_most: 62,
            ..Traffic::default()
        };
        let of = |traffic, is_ipv4| {
            let mut counters = Counters::default();
            counters.traffic = traffic;
            Sizes::new(&counters, is_ipv4)
        };
        let sizes = of([rx, tx], None);
        assert_eq!((sizes.overhead_min_bytes, sizes.overhead_max_bytes), (Some(50), Some(62)));
        assert_eq!((sizes.outer_length_max_bytes, sizes.inner_length_max_bytes), (Some(1458), Some(1400)));
        assert_eq!((sizes.rx_outer_length_max_bytes, sizes.tx_outer_length_max_bytes), (Some(1450), Some(1458)));
        assert_eq!((sizes.rx_inner_length_max_bytes, sizes.tx_inner_length_max_bytes), (Some(1400), Some(1390)));
        assert_eq!(sizes.overhead_parts, None);
        let one_way = of([Traffic::default(), tx], Some(true));
        assert_eq!((one_way.overhead_min_bytes, one_way.rx_inner_length_max_bytes), (Some(58), None));
        assert_eq!(of([Traffic::default(); 2], Some(true)), Sizes::default());
    }
}

//! What rules judge, besides what is shown.

use std::net::IpAddr;

/// Facts of one interval.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// MTU of the device; of a capture there is none.
    pub mtu_bytes: Option<u32>,
    /// Tunnels that had fragments since the start, and those to the peers of `icmp_errors`.
    pub tunnels: Vec<Tunnel>,
    /// ICMP errors about tunnel packets, alike ones together.
    pub icmp_errors: Vec<IcmpErrors>,
    /// What the host's own counters say; of a capture there is none.
    pub host: Option<Host>,
}

impl Evidence {
    /// The tunnels to a peer.
    pub fn to(&self, peer: IpAddr) -> impl Iterator<Item = &Tunnel> {
        self.tunnels.iter().filter(move |tunnel| tunnel.peer == peer)
    }

    /// The most that tunnels to a peer add to an inner packet, in bytes.
    pub fn overhead(&self, peer: IpAddr) -> Option<u32> {
        self.to(peer).map(|tunnel| tunnel.overhead_bytes).max().filter(|bytes| *bytes != 0)
    }
}

/// One tunnel; counts of fragments are of the interval, packets and lengths since the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tunnel {
    /// Virtual network identifier.
    pub vni: u32,
    /// The other end.
    pub peer: IpAddr,
    /// This end.
    pub local: IpAddr,
    /// The most that it adds to an inner packet; 0: no inner packet yet.
    pub overhead_bytes: u32,
    /// Received packets.
    pub rx: Way,
    /// Transmitted packets.
    pub tx: Way,
}

impl Tunnel {
    /// Outer fragments, both ways.
    pub fn outer_fragments(&self) -> u64 {
        self.rx.outer_fragments + self.tx.outer_fragments
    }

    /// Inner fragments, both ways.
    pub fn inner_fragments(&self) -> u64 {
        self.rx.inner_fragments + self.tx.inner_fragments
    }

    /// Outer fragments over IPv4 with a clear DF bit, both ways.
    pub fn df_clear(&self) -> u64 {
        self.rx.df_clear + self.tx.df_clear
    }
}

/// One direction of a tunnel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Way {
    /// Tunnel packets.
    pub packets: u64,
    /// Outer fragments.
    pub outer_fragments: u64,
    /// Inner fragments.
    pub inner_fragments: u64,
    /// Outer fragments over IPv4 with a clear DF bit.
    pub df_clear: u64,
    /// Longest outer packet, which a first fragment is as well.
    pub outer_length_max_bytes: u32,
    /// Longest inner packet.
    pub inner_length_max_bytes: u32,
}

/// ICMP errors that differ in nothing but their time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IcmpErrors {
    /// Who reports.
    pub reporter: IpAddr,
    /// The other end of the quoted packet.
    pub peer: IpAddr,
    /// This end of the quoted packet.
    pub local: IpAddr,
    /// Whether we have received them; else this node has sent them.
    pub is_received: bool,
    /// VNI of the quoted packet, when the quote reaches it.
    pub vni: Option<u32>,
    /// Type.
    pub kind: u8,
    /// Code.
    pub code: u8,
    /// Announced MTU of the next hop, in bytes.
    pub mtu_bytes: Option<u32>,
    /// How much was quoted, from the IP header on: the least.
    pub quoted_bytes: u32,
    /// IP length of the quoted packets: the least.
    pub quoted_length_bytes: u32,
    /// Whether the quoted packets must not be fragmented.
    pub quoted_df: bool,
    /// How many.
    pub count: u64,
}

/// Counters of the host's IP layer, in the interval (`/proc/net/snmp`, `snmp6`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// Datagrams that could not be put together from their fragments.
    pub reassembly_failures: u64,
    /// Datagrams that were put together.
    pub reassembled: u64,
    /// Datagrams that had to be fragmented and must not be.
    pub fragmentation_failures: u64,
}

//! What rules judge, besides what is shown.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::{Datagrams, Flow, Host, Pieces, Strangers};

/// Facts of one interval.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evidence {
    /// MTU of the device; of a capture there is none.
    pub mtu_bytes: Option<u32>,
    /// Tunnels that had fragments since the start, and those to the peers of `icmp_errors`.
    pub tunnels: Vec<Tunnel>,
    /// ICMP errors about tunnel packets, alike ones together.
    pub icmp_errors: Vec<IcmpErrors>,
    /// The ways, by their ends here and there, about whose packets ICMP errors have come lately.
    pub complaints: BTreeSet<[IpAddr; 2]>,
    /// Datagrams on the underlay that came in pieces, per VNI, peer and direction.
    pub datagrams: Vec<Datagrams>,
    /// Whether all pieces are known: no event of a fragment was lost.
    pub has_all_pieces: bool,
    /// Data that its receiver lacks.
    pub holes: Vec<Hole>,
    /// The largest segments that connections have agreed on.
    pub handshakes: Vec<Handshakes>,
    /// Errors inside tunnels that say that a packet is too big.
    pub too_big: Vec<TooBig>,
    /// Whether this node's addresses are known; of a capture they may have been guessed.
    pub is_here: bool,
    /// Whether received packets may be merged ones (GRO), whose sizes say nothing of those on the wire.
    pub is_merged: bool,
    /// Tunnel packets that this host's kernel has dropped, alike ones together.
    pub drops: Vec<Drops>,
    /// What the host's own counters say; of a capture there is none.
    pub host: Option<Host>,
    /// Who sends and is no node.
    pub unknown_peers: Strangers<IpAddr>,
    /// VNIs that are of no network.
    pub unknown_networks: Strangers<u32>,
}

impl Evidence {
    /// The peers that something is said of.
    pub(crate) fn peers(&self) -> BTreeSet<IpAddr> {
        let holes = self.holes.iter().map(|hole| hole.peer);
        let errors = self.icmp_errors.iter().map(|error| error.peer);
        let nameless = self.datagrams.iter().filter(|row| row.vni.is_none() && row.pieces.tiny_fragments != 0);
        let others = self.too_big.iter().map(|error| error.peer).chain(nameless.map(|row| row.peer));
        let drops = self.drops.iter().map(|drop| drop.peer);
        holes.chain(errors).chain(others).chain(drops).collect()
    }

    /// What is known of the pieces of a tunnel's datagrams, received and transmitted.
    pub(crate) fn pieces(&self, tunnel: &Tunnel) -> [Pieces; 2] {
        [false, true].map(|is_transmitted| {
            let is_its = |row: &&Datagrams| {
                (row.vni, row.peer, row.local) == (Some(tunnel.vni), tunnel.peer, tunnel.local)
                    && row.is_transmitted == is_transmitted
            };
            self.datagrams.iter().find(is_its).map(|row| row.pieces).unwrap_or_default()
        })
    }

    /// The tunnels to a peer.
    pub fn to(&self, peer: IpAddr) -> impl Iterator<Item = &Tunnel> {
        self.tunnels.iter().filter(move |tunnel| tunnel.peer == peer)
    }

    /// Whether an ICMP error has come lately about what was sent to a peer.
    pub(crate) fn has_complaint(&self, peer: IpAddr) -> bool {
        self.to(peer).any(|tunnel| self.complaints.contains(&[tunnel.local, peer]))
    }

    /// The most that tunnels to a peer add to an inner packet, in bytes.
    pub fn overhead(&self, peer: IpAddr) -> Option<u32> {
        self.to(peer).map(|tunnel| tunnel.overhead_bytes).max().filter(|bytes| *bytes != 0)
    }
}

/// One tunnel; counts of fragments are of the interval, all else is since the start.
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

    /// Outer fragments per direction, where that has packets with a clear DF bit: routers may cut those in silence.
    pub(crate) fn cut_in_silence(&self) -> [u64; 2] {
        [&self.rx, &self.tx].map(|way| if way.df_clear == 0 { 0 } else { way.outer_fragments })
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
    /// Tunnel packets over IPv4 with a clear DF bit.
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
    /// The inner flow of one of the quoted packets, when the quote reaches it.
    pub flow: Option<Flow>,
    /// How many.
    pub count: u64,
}

/// Data of one flow that is missing, with what has reached the same peer meanwhile. Lengths are those of outer IP packets.
#[derive(Clone, Debug, PartialEq)]
pub struct Hole {
    /// VNI of the data.
    pub vni: u32,
    /// The other end of the tunnel.
    pub peer: IpAddr,
    /// Who has sent the data, with its port or the identifier of an echo.
    pub source: (IpAddr, u16),
    /// Who lacks it.
    pub destination: (IpAddr, u16),
    /// Whether the data goes to the peer; else it comes from it.
    pub is_transmitted: bool,
    /// Whether it is echo requests, whose answer may be what is lost.
    pub is_echo: bool,
    /// Whether it was acknowledged after all, when sent in shorter packets.
    pub is_closed: bool,
    /// What happened to it in the interval: sent again, found missing.
    pub steps: u64,
    /// How often it was sent again, as far as this device has seen.
    pub times: u32,
    /// How often when something had reached the peer since the time before.
    pub confirmed_times: u32,
    /// Length of what was sent last; of what was never seen, that of the longest packet which it fills.
    pub length_bytes: Option<u32>,
    /// The length that was sent again and again, until shorter ones were tried.
    pub given_up_length_bytes: Option<u32>,
    /// Bytes of data that are known to be missing; 0: not known.
    pub missing_bytes: u32,
    /// Whether its own sender has shown that it had sent more than was seen.
    pub is_ahead: bool,
    /// Whether its receiver is known to be there.
    pub is_receiver_there: bool,
    /// The time since the data was sent first, or found missing.
    pub age_seconds: f64,
    /// The time in which something reached the peer again and again, until now.
    pub steady_seconds: f64,
    /// The longest packet that has reached the peer since the hole opened.
    pub delivered_since_bytes: Option<u32>,
    /// The same, from ten seconds before that.
    pub delivered_lately_bytes: Option<u32>,
}

/// The largest segments that the connections of a VNI with a peer have agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handshakes {
    /// Virtual network identifier.
    pub vni: u32,
    /// The other end of the tunnel.
    pub peer: IpAddr,
    /// The smaller MSS of both sides.
    pub mss_bytes: u32,
    /// Who has announced it, and the other side.
    pub pods: [IpAddr; 2],
    /// Length of a full inner packet.
    pub inner_length_bytes: u32,
    /// Length of a full outer packet.
    pub outer_length_bytes: u32,
    /// Connections that have agreed on it.
    pub count: u64,
}

/// What a sender inside a tunnel was told: that its packets are too big for a receiver.
#[derive(Clone, Debug, PartialEq)]
pub struct TooBig {
    /// VNI of the error.
    pub vni: u32,
    /// The other end of its tunnel.
    pub peer: IpAddr,
    /// Who tells.
    pub reporter: IpAddr,
    /// Who is told.
    pub sender: IpAddr,
    /// Whom it sends to.
    pub receiver: IpAddr,
    /// The MTU that was announced: the least.
    pub mtu_bytes: u32,
    /// IP length of the packets that were too big: the most.
    pub longest_bytes: u32,
    /// From the first error to the last.
    pub seconds: f64,
    /// Errors.
    pub count: u64,
}

/// Tunnel packets that this host's kernel has dropped at one place for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drops {
    /// The other end of the tunnel.
    pub peer: IpAddr,
    /// Virtual network identifier, when it was read.
    pub vni: Option<u32>,
    /// Where, and why.
    pub place: Place,
    /// How many were told.
    pub count: u64,
    /// Outer IP length of the shortest.
    pub shortest_bytes: u32,
    /// The same of the longest.
    pub longest_bytes: u32,
}

/// Where and why the kernel drops.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The kernel's function; where addresses are hidden, a number.
    pub symbol: String,
    /// The kernel's reason, where it has such; of a refused packet the error.
    pub reason: Option<String>,
    /// Whether it was refused before there was a packet.
    pub is_refused: bool,
}

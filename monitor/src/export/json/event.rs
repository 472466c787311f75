//! Raw events.

use std::net::IpAddr;

use monitor_common::event::hole::Step;
use monitor_common::event::{self, Any, Event as _};
use monitor_common::frame::Direction;
use monitor_common::tunnel::Tunnel;
use monitor_common::wire::tcp;
use serde::Serialize;

use crate::findings::Peer;
use crate::inventory::{Inventory, Name};
use crate::snapshot::{Flow, Place};

/// A raw event.
#[derive(Serialize)]
pub struct Event<'a> {
    kind: &'static str,
    device: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    vni: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    network: Option<Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer: Option<Peer>,
    /// Names of the inner flow's ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    src_pod: Option<Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dst_pod: Option<Name>,
    #[serde(flatten)]
    detail: Detail,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Detail {
    Rtt {
        leg: &'static str,
        method: &'static str,
        rtt_seconds: f64,
        inner: Flow,
    },
    Fragment {
        direction: &'static str,
        src: IpAddr,
        dst: IpAddr,
        id: u32,
        ip_length_bytes: u32,
        offset_bytes: u16,
        more: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        inner_is_fragment: Option<bool>,
    },
    IcmpError {
        direction: &'static str,
        layer: &'static str,
        reporter: IpAddr,
        src: IpAddr,
        dst: IpAddr,
        #[serde(rename = "type")]
        kind: u8,
        code: u8,
        #[serde(skip_serializing_if = "Option::is_none")]
        mtu_bytes: Option<u32>,
        quoted_bytes: u32,
        quoted_ip_length_bytes: u32,
        quoted_df: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        inner: Option<Flow>,
    },
    Retransmit {
        direction: &'static str,
        step: &'static str,
        age_seconds: f64,
        #[serde(skip_serializing_if = "Option::is_none")]
        ip_length_bytes: Option<u32>,
        times: u32,
        missing_bytes: u32,
        inner: Flow,
    },
    Handshake {
        direction: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        src_mss_bytes: Option<u16>,
        #[serde(skip_serializing_if = "Option::is_none")]
        dst_mss_bytes: Option<u16>,
        overhead_bytes: u16,
        inner: Flow,
    },
    Drop {
        src: IpAddr,
        dst: IpAddr,
        ip_length_bytes: u32,
        #[serde(skip_serializing_if = "Option::is_none")]
        symbol: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        refused: bool,
    },
}

impl<'a> Event<'a> {
    /// An event on `device`, with its tunnel if it has one.
    pub fn new(event: &Any, device: &'a str, tunnel: Option<&Tunnel>, names: &Inventory) -> Self {
        let mut vni = tunnel.map(Tunnel::vni);
        let mut peer = tunnel.map(|tunnel| tunnel.peer().ip());
        if let Any::IcmpError(error) = event
            && error.is_inner == 0
        {
            vni = (error.has_vni != 0).then_some(error.vni);
            peer = Some(quoted_peer(error));
        }
        Self::of((event.kind().name(), device), vni, peer, detail(event), names)
    }

    /// A drop of a packet from or to `peer`.
    pub fn drop(drop: &event::Drop, device: &'a str, peer: IpAddr, place: &Place, names: &Inventory) -> Self {
        let vni = (drop.has_vni != 0).then_some(drop.vni);
        let (kind, detail) = (event::Drop::KIND.name(), drop_detail(drop, Some(place)));
        Self::of((kind, device), vni, Some(peer), detail, names)
    }

    fn of(
        (kind, device): (&'static str, &'a str),
        vni: Option<u32>,
        peer: Option<IpAddr>,
        detail: Detail,
        names: &Inventory,
    ) -> Self {
        let flow = detail.flow().zip(vni);
        let pod = |of: fn(&Flow) -> IpAddr| flow.and_then(|(flow, vni)| names.pod(vni, of(flow))).cloned();
        let (src_pod, dst_pod) = (pod(|flow| flow.src), pod(|flow| flow.dst));
        let network = vni.and_then(|vni| names.network(vni)).map(|(network, _)| network.name.clone());
        Self { kind, device, vni, network, peer: peer.map(|ip| Peer::new(ip, names)), src_pod, dst_pod, detail }
    }
}

impl Detail {
    fn flow(&self) -> Option<&Flow> {
        match self {
            Self::Rtt { inner, .. } | Self::Retransmit { inner, .. } | Self::Handshake { inner, .. } => Some(inner),
            Self::IcmpError { inner, .. } => inner.as_ref(),
            Self::Fragment { .. } | Self::Drop { .. } => None,
        }
    }
}

fn detail(event: &Any) -> Detail {
    match event {
        Any::Rtt(rtt) => rtt_detail(rtt),
        Any::Fragment(fragment) => fragment_detail(fragment),
        Any::IcmpError(error) => icmp_detail(error),
        Any::Retransmit(retransmit) => retransmit_detail(retransmit),
        Any::Handshake(handshake) => handshake_detail(handshake),
        Any::Drop(drop) => drop_detail(drop, None),
    }
}

fn rtt_detail(rtt: &event::Rtt) -> Detail {
    Detail::Rtt {
        leg: rtt.leg().name(),
        method: rtt.method().name(),
        rtt_seconds: rtt.rtt_ns as f64 / 1e9,
        inner: Flow {
            src: rtt.source.ip(),
            src_port: rtt.source_port,
            dst: rtt.destination.ip(),
            dst_port: rtt.destination_port,
            protocol: rtt.protocol,
        },
    }
}

fn fragment_detail(fragment: &event::Fragment) -> Detail {
    Detail::Fragment {
        direction: direction(fragment.direction),
        src: fragment.source.ip(),
        dst: fragment.destination.ip(),
        id: fragment.id,
        ip_length_bytes: fragment.length,
        offset_bytes: fragment.offset,
        more: fragment.more != 0,
        inner_is_fragment: (fragment.offset == 0).then_some(fragment.is_double != 0),
    }
}

fn retransmit_detail(retransmit: &event::Retransmit) -> Detail {
    Detail::Retransmit {
        direction: direction(retransmit.direction),
        step: Step::from_index(retransmit.step).name(),
        age_seconds: retransmit.age_ns as f64 / 1e9,
        ip_length_bytes: (retransmit.length != 0).then_some(retransmit.length),
        times: retransmit.times,
        missing_bytes: retransmit.missing,
        inner: Flow {
            src: retransmit.source.ip(),
            src_port: retransmit.source_port,
            dst: retransmit.destination.ip(),
            dst_port: retransmit.destination_port,
            protocol: retransmit.protocol,
        },
    }
}

fn handshake_detail(handshake: &event::Handshake) -> Detail {
    Detail::Handshake {
        direction: direction(handshake.direction),
        src_mss_bytes: (handshake.source_mss != 0).then_some(handshake.source_mss),
        dst_mss_bytes: (handshake.destination_mss != 0).then_some(handshake.destination_mss),
        overhead_bytes: handshake.overhead,
        inner: Flow {
            src: handshake.source.ip(),
            src_port: handshake.source_port,
            dst: handshake.destination.ip(),
            dst_port: handshake.destination_port,
            protocol: tcp::PROTOCOL,
        },
    }
}

fn icmp_detail(error: &event::IcmpError) -> Detail {
    Detail::IcmpError {
        direction: direction(error.direction),
        layer: if error.is_inner == 0 { "outer" } else { "inner" },
        reporter: error.reporter.ip(),
        src: error.source.ip(),
        dst: error.destination.ip(),
        kind: error.kind,
        code: error.code,
        mtu_bytes: (error.mtu != 0).then_some(error.mtu),
        quoted_bytes: error.quoted,
        quoted_ip_length_bytes: error.quoted_length,
        quoted_df: error.quoted_df != 0,
        inner: Flow::quoted(error),
    }
}

fn drop_detail(drop: &event::Drop, place: Option<&Place>) -> Detail {
    Detail::Drop {
        src: drop.source.ip(),
        dst: drop.destination.ip(),
        ip_length_bytes: drop.length,
        symbol: place.map(|place| place.symbol.clone()),
        reason: place.and_then(|place| place.reason.clone()),
        refused: drop.is_refused != 0,
    }
}

/// The other end of the quoted packet: of an error that we send ourselves, its source.
fn quoted_peer(error: &event::IcmpError) -> IpAddr {
    match event::direction(error.direction) {
        Direction::Rx => error.destination.ip(),
        Direction::Tx => error.source.ip(),
    }
}

fn direction(index: u8) -> &'static str {
    match event::direction(index) {
        Direction::Rx => "rx",
        Direction::Tx => "tx",
    }
}

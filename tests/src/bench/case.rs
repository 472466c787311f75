//! What is measured: every path through the programs that has a price of its own, at both hooks.

use monitor_common::frame::Direction;
use monitor_common::packet::Class;

use super::packets;

/// Where a program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// XDP, received packets.
    Xdp,
    /// TC, transmitted packets.
    Tc,
}

impl Hook {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Xdp, Self::Tc];

    /// What tables and JSON call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Xdp => "xdp",
            Self::Tc => "tc_egress",
        }
    }

    /// The program under test.
    pub fn program(self) -> &'static str {
        match self {
            Self::Xdp => "tunmon_xdp",
            Self::Tc => "tunmon_tc_tx",
        }
    }

    /// What it must return: go on.
    pub fn verdict(self) -> i32 {
        match self {
            Self::Xdp => 2,
            Self::Tc => -1,
        }
    }

    /// The direction that it counts.
    pub fn direction(self) -> Direction {
        match self {
            Self::Xdp => Direction::Rx,
            Self::Tc => Direction::Tx,
        }
    }

    /// The name of one of the driver's programs at this hook.
    pub fn suffixed(self, name: &str) -> String {
        match self {
            Self::Xdp => format!("{name}_xdp"),
            Self::Tc => format!("{name}_tc"),
        }
    }
}

/// A path through the program under test.
pub struct Path {
    /// What tables and JSON call it.
    pub id: &'static str,
    /// The packet that takes it.
    pub frame: fn() -> Vec<u8>,
    /// What the packet counts as.
    pub class: Class,
    /// Says whether every packet must give an RTT sample; none may where it must not.
    pub matches: bool,
    /// What it may cost at XDP, in net nanoseconds (T1 to T5); TC may take 2 more (T8).
    pub target_ns: Option<f64>,
    /// Numbers of flows, as powers of two, over which a driver spreads the packets; none where all are the same.
    pub flow_bits: Option<u32>,
    /// Says whether the C baseline does this work too.
    pub has_baseline: bool,
}

impl Path {
    fn compared(self) -> Self {
        Self { has_baseline: true, ..self }
    }
}

/// Every path.
pub fn paths() -> Vec<Path> {
    let path = |id, frame, class, target_ns| Path {
        id,
        frame,
        class,
        matches: false,
        target_ns,
        flow_bits: None,
        has_baseline: false,
    };
    let mut paths = vec![
        path("not_ours_tcp", packets::plain_tcp, Class::Other, Some(2.0)).compared(),
        path("not_ours_udp", packets::plain_udp, Class::Other, Some(2.0)).compared(),
        path("not_ours_arp", packets::arp, Class::Other, Some(2.0)),
        path("geneve_count", packets::tunnel_udp, Class::Geneve, Some(6.5)).compared(),
        path("tcp_steady", packets::tunnel_tcp, Class::Geneve, Some(14.0)).compared(),
        path("long_syn", packets::tunnel_syn, Class::Geneve, None),
        path("long_echo", packets::tunnel_echo, Class::Geneve, None),
        path("long_icmp_error", packets::icmp_error, Class::IcmpError, None),
    ];
    for (flow_bits, target_ns) in [(0, Some(57.0)), (10, None), (14, None), (16, Some(140.0))] {
        let flow_bits = Some(flow_bits);
        paths.push(Path {
            matches: true,
            flow_bits,
            ..path("rtt_match", packets::tunnel_tcp, Class::Geneve, target_ns).compared()
        });
    }
    paths
}

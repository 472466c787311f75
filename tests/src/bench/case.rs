//! What is measured: every path through the programs that has a price of its own, at both hooks.

use monitor_common::frame::Direction;
use monitor_common::packet::Class;

use super::driver::Drive;
use super::packets;
use super::shape::{self, Shape};

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

    /// Its place in tables of both.
    pub fn index(self) -> usize {
        self.direction().index()
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
    pub frame: Vec<u8>,
    /// What the packet counts as.
    pub class: Class,
    /// Says whether every packet must give an RTT sample; none may where it must not.
    pub matches: bool,
    /// What it may cost at XDP, in net nanoseconds (T1 to T7); TC may take 2 more (T8).
    pub target_ns: Option<f64>,
    /// How a driver makes the packets different; none where all are the same.
    pub drive: Option<Drive>,
    /// Says whether the C baseline does this work too.
    pub has_baseline: bool,
}

impl Path {
    fn new(id: &'static str, frame: Vec<u8>, class: Class, target_ns: Option<f64>) -> Self {
        Self { id, frame, class, matches: false, target_ns, drive: None, has_baseline: false }
    }

    /// Every packet answers another one, among as many flows as `drive` says.
    pub fn matching(id: &'static str, drive: Drive, target_ns: Option<f64>) -> Self {
        let path = Self::new(id, packets::tunnel_tcp(), Class::Geneve, target_ns);
        Self { matches: true, drive: Some(drive), ..path.compared() }
    }

    /// Says whether every packet must be reported as an event.
    pub fn reports(&self) -> bool {
        self.drive.is_some_and(|drive| drive.batch != 0)
    }

    fn compared(self) -> Self {
        Self { has_baseline: true, ..self }
    }
}

/// Every path.
pub fn paths() -> Vec<Path> {
    [strangers(), shapes(), long(), conversations()].into_iter().flatten().collect()
}

/// Not ours.
fn strangers() -> Vec<Path> {
    vec![
        Path::new("not_ours_tcp", packets::plain_tcp(), Class::Other, Some(2.0)).compared(),
        Path::new("not_ours_udp", packets::plain_udp(), Class::Other, Some(2.0)).compared(),
        Path::new("not_ours_arp", packets::arp(), Class::Other, Some(2.0)),
    ]
}

/// What is only counted, and TCP whose TSval is stamped already, in every wrapping that is frequent.
fn shapes() -> Vec<Path> {
    let ids = [
        ("geneve_count", "tcp_steady", Shape::Plain),
        ("geneve_count_inner_v6", "tcp_steady_inner_v6", Shape::InnerV6),
        ("geneve_count_outer_v6", "tcp_steady_outer_v6", Shape::OuterV6),
        ("geneve_count_vlan", "tcp_steady_vlan", Shape::Tagged),
        ("geneve_count_ovn", "tcp_steady_ovn", Shape::Ovn),
    ];
    let path = |id, frame, least, shape| {
        let target_ns = if shape == Shape::Plain { least } else { 18.0 };
        Path::new(id, frame, Class::Geneve, Some(target_ns)).compared()
    };
    let counted = ids.map(|(id, _, shape)| path(id, shape::datagram(shape), 6.5, shape));
    let steady = ids.map(|(_, id, shape)| path(id, shape::segment(shape), 14.0, shape));
    counted.into_iter().chain(steady).collect()
}

/// What goes the long way.
fn long() -> Vec<Path> {
    vec![
        Path::new("long_syn", packets::tunnel_syn(), Class::Geneve, None),
        Path::new("long_echo", packets::tunnel_echo(), Class::Geneve, None),
        Path::new("long_icmp_error", packets::icmp_error(), Class::IcmpError, None),
    ]
}

/// Every packet answers another one.
fn conversations() -> Vec<Path> {
    let targets = [(0, Some(57.0)), (10, None), (14, None), (16, Some(140.0))];
    let matching = |(bits, target)| Path::matching("rtt_match", Drive::flows(bits), target);
    let mut paths = Vec::from(targets.map(matching));
    paths.push(Path::matching("rtt_match_event", Drive::reported(), Some(82.0)));
    paths
}

//! What a fault does to each frame on the underlay: a decision per frame, without clock or I/O.

use std::time::Duration;

use super::{
    Fault, router,
    topology::{GENEVE_PORT, Node, UNDERLAY_MTU_BYTES},
};

/// Added to each frame in each direction, so twice to a round trip.
const DELAY: Duration = Duration::from_millis(10);
/// One Geneve frame in so many is lost.
const LOSS_PERIOD: u64 = 20;
/// The longest IP packet that crosses the underlay under the faults of the MTU.
const PATH_MTU_BYTES: usize = 1400;

/// What a fault does, told to the user.
pub(super) fn effect(fault: Fault) -> String {
    let delay_ms = DELAY.as_millis();
    match fault {
        Fault::None => "none".to_owned(),
        Fault::Latency => {
            format!("latency, each packet waits {delay_ms} ms, so each round trip takes {} ms longer", 2 * delay_ms)
        }
        Fault::MtuBlackhole => format!(
            "mtu-blackhole, IP packets of more than {PATH_MTU_BYTES} bytes vanish on the underlay without an ICMP error"
        ),
        Fault::MtuIcmp => format!(
            "mtu-icmp, a router drops IP packets of more than {PATH_MTU_BYTES} bytes and tells their senders by ICMP"
        ),
        Fault::MtuFragment => {
            format!("mtu-fragment, a router cuts IPv4 packets of more than {PATH_MTU_BYTES} bytes in two")
        }
        Fault::MtuLocal => format!(
            "mtu-local, pods have an MTU of {UNDERLAY_MTU_BYTES} bytes, and what is too long with the tunnel's headers is refused \
             where it is sent"
        ),
        Fault::Loss => format!("loss, one of {LOSS_PERIOD} tunnel packets towards node 2 is lost"),
    }
}

/// What happens to one frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Pass,
    Drop,
    Delay(Duration),
    /// It is dropped, and this goes back.
    Refuse(Vec<u8>),
    /// These go on in its place.
    Cut([Vec<u8>; 2]),
}

/// A fault and what it has to remember.
pub(super) struct Impairment {
    fault: Fault,
    geneve_frames: u64,
}

impl Impairment {
    pub(super) fn new(fault: Fault) -> Self {
        Self { fault, geneve_frames: 0 }
    }

    /// Decides about the next frame towards `to`.
    pub(super) fn verdict(&mut self, frame: &[u8], to: Node) -> Verdict {
        match self.fault {
            Fault::None | Fault::MtuLocal => Verdict::Pass,
            Fault::Latency => Verdict::Delay(DELAY),
            Fault::MtuBlackhole | Fault::MtuIcmp | Fault::MtuFragment => self.limit(frame),
            Fault::Loss => self.lose(frame, to),
        }
    }

    fn limit(&self, frame: &[u8]) -> Verdict {
        if !router::is_too_long(frame, PATH_MTU_BYTES) {
            return Verdict::Pass;
        }
        let answer = match self.fault {
            Fault::MtuIcmp => router::refusal(frame, PATH_MTU_BYTES).map(Verdict::Refuse),
            // What only its sender may cut passes.
            Fault::MtuFragment => Some(router::cut(frame, PATH_MTU_BYTES).map_or(Verdict::Pass, Verdict::Cut)),
            Fault::None | Fault::Latency | Fault::Loss | Fault::MtuLocal | Fault::MtuBlackhole => None,
        };
        answer.unwrap_or(Verdict::Drop)
    }

    fn lose(&mut self, frame: &[u8], to: Node) -> Verdict {
        if to != Node::Two || !is_geneve(frame) {
            return Verdict::Pass;
        }
        self.geneve_frames += 1;
        if self.geneve_frames.is_multiple_of(LOSS_PERIOD) { Verdict::Drop } else { Verdict::Pass }
    }
}

/// Whether a frame of the demo's own nodes (no VLAN tags, no IP options, no fragments) goes to the Geneve port.
fn is_geneve(frame: &[u8]) -> bool {
    let (protocol, udp) = match frame.get(12..14) {
        Some([0x08, 0x00]) => (23, 34),
        Some([0x86, 0xdd]) => (20, 54),
        _ => return false,
    };
    frame.get(protocol) == Some(&17) && frame.get(udp + 2..udp + 4) == Some(&GENEVE_PORT.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn geneve_frame(length_bytes: usize) -> Vec<u8> {
        let mut frame = vec![0; length_bytes];
        frame[12..14].copy_from_slice(&[0x08, 0x00]);
        frame[23] = 17;
        frame[36..38].copy_from_slice(&6081u16.to_be_bytes());
        frame
    }

    #[test]
    fn every_twentieth_geneve_frame_towards_node_2_is_lost() {
        let mut loss = Impairment::new(Fault::Loss);
        let frame = geneve_frame(100);
        let lost: Vec<usize> = (1..=60).filter(|_| loss.verdict(&frame, Node::Two) == Verdict::Drop).collect();
        assert_eq!(lost, [20, 40, 60]);
        assert!((0..60).all(|_| loss.verdict(&frame, Node::One) == Verdict::Pass));
    }

    #[test]
    fn other_frames_are_never_lost() {
        let mut loss = Impairment::new(Fault::Loss);
        let mut other = geneve_frame(100);
        other[36..38].copy_from_slice(&53u16.to_be_bytes());
        assert!((0..60).all(|_| loss.verdict(&other, Node::Two) == Verdict::Pass));
        assert!((0..60).all(|_| loss.verdict(&other[..20], Node::Two) == Verdict::Pass));
    }

    #[test]
    fn the_black_hole_begins_above_the_path_mtu() {
        let mut mtu = Impairment::new(Fault::MtuBlackhole);
        assert_eq!(mtu.verdict(&geneve_frame(1414), Node::One), Verdict::Pass);
        assert_eq!(mtu.verdict(&geneve_frame(1415), Node::One), Verdict::Drop);
        assert_eq!(mtu.verdict(&geneve_frame(1415), Node::Two), Verdict::Drop);
    }

    #[test]
    fn latency_delays_both_directions() {
        let mut latency = Impairment::new(Fault::Latency);
        for to in Node::BOTH {
            assert_eq!(latency.verdict(&geneve_frame(100), to), Verdict::Delay(DELAY));
        }
    }
}

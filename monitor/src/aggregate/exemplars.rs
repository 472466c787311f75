//! One sample of each octave of each histogram, so that who sees a slow bucket finds a flow that was in it.

use std::collections::HashMap;

use monitor_common::event::Rtt;
use monitor_common::rtt::{LEGS, METHODS};
use monitor_common::tunnel::Tunnel;

use super::samples::Subject;
use crate::snapshot::{Exemplar, Flow};

/// Octaves from 2^-20 s on: the first has all that is shorter, the last all of more than 2 s.
const OCTAVES: usize = 23;

type Slots = [Option<Exemplar>; OCTAVES];

/// The newest sample of each octave.
#[derive(Default)]
pub(super) struct Exemplars(HashMap<(Subject, u8), Box<Slots>>);

impl Exemplars {
    /// Takes a sample, for those of its subjects that are told apart.
    pub(super) fn record(&mut self, sample: &Rtt, tunnel: &Tunnel, is_known: impl Fn(Subject) -> bool) {
        let exemplar = Exemplar {
            at_ns: sample.head.at_ns,
            seconds: super::rows::seconds(sample.rtt_ns as f64),
            peer: tunnel.peer().ip(),
            flow: Flow {
                src: sample.source.ip(),
                src_port: sample.source_port,
                dst: sample.destination.ip(),
                dst_port: sample.destination_port,
                protocol: sample.protocol,
            },
        };
        for subject in [Subject::Vni(tunnel.vni()), Subject::Peer(exemplar.peer)] {
            if is_known(subject) {
                let slots = self.0.entry((subject, sample.way)).or_insert_with(|| Box::new([None; OCTAVES]));
                slots[octave(exemplar.seconds)] = Some(exemplar);
            }
        }
    }

    /// Forgets those of a subject.
    pub(super) fn forget(&mut self, subject: Subject) {
        for way in 0..(LEGS * METHODS) as u8 {
            self.0.remove(&(subject, way));
        }
    }

    /// Those of VNIs and of peers, by leg and method as the sample's `way` has them.
    pub(super) fn all(&self) -> crate::snapshot::Exemplars {
        let mut all = crate::snapshot::Exemplars::default();
        for ((subject, way), slots) in &self.0 {
            let exemplars = slots.iter().flatten().copied().collect();
            match subject {
                Subject::Vni(vni) => drop(all.vnis.insert((*vni, *way), exemplars)),
                Subject::Peer(peer) => drop(all.peers.insert((*peer, *way), exemplars)),
            }
        }
        all
    }
}

/// The octave of a time: (2^(n-1), 2^n] s has number n + 20.
fn octave(seconds: f64) -> usize {
    let number = (seconds.log2().ceil() + 20.0).clamp(0.0, (OCTAVES - 1) as f64);
    number as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_octave_ends_with_its_bound() {
        let bound = |power: i32| 2f64.powi(power);
        assert_eq!((octave(bound(-20)), octave(bound(-20) * 1.001), octave(1e-9)), (0, 1, 0));
        assert_eq!((octave(bound(-10)), octave(bound(-10) * 1.001)), (10, 11));
        assert_eq!((octave(1.0), octave(4.0), octave(100.0)), (20, 22, 22));
    }
}

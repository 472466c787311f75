//! One sample of each octave of a histogram, so that who sees a slow bucket finds a flow that was in it.

use monitor_common::event::Rtt;
use monitor_common::tunnel::Tunnel;

use crate::snapshot::{Exemplar, Flow};

/// Octaves from 2^-20 s on: the first has all that is shorter, the last all of more than 2 s.
const OCTAVES: usize = 23;

/// The newest sample of each octave.
#[derive(Default)]
pub(super) struct Exemplars(Option<Box<[Option<Exemplar>; OCTAVES]>>);

impl Exemplars {
    /// Takes a sample.
    pub(super) fn record(&mut self, exemplar: &Exemplar) {
        let slots = self.0.get_or_insert_with(|| Box::new([None; OCTAVES]));
        slots[octave(exemplar.seconds)] = Some(*exemplar);
    }

    /// All of them, the quickest first.
    pub(super) fn all(&self) -> Vec<Exemplar> {
        self.0.iter().flat_map(|slots| slots.iter().flatten()).copied().collect()
    }
}

/// The exemplar that a sample is.
pub(super) fn exemplar(sample: &Rtt, tunnel: &Tunnel) -> Exemplar {
    Exemplar {
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

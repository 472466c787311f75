//! Sequences of frames by chance, the same ones in each run.

use monitor::bpf::trial::Segments;
use tests::frame::parts::{
    ACK, ETHERTYPE_IPV4, GENEVE_PORT, Geneve, Ipv4, TCP, Tcp, UDP, ethernet, timestamps, udp,
};
use tests::frame::{Rng, base_packets, mutate, random_frame};

use super::step::{LONGEST_TC, Program, SHORTEST, Step};

/// A sequence of `count` frames, each for one of the programs.
pub(super) fn sequence(seed: u64, count: usize, programs: &[Program]) -> Vec<Step> {
    let (mut rng, base) = (Rng::new(seed), base_packets());
    let mut steps = Vec::with_capacity(count);
    while steps.len() < count {
        let bytes = frame(&mut rng, &base);
        let program = rng.pick(programs);
        let segments = if program.is_tc() && rng.once_in(12) { Some(segments(&mut rng)) } else { None };
        if program.takes(&bytes) {
            steps.push(Step { program, bytes, segments });
        }
    }
    steps
}

fn frame(rng: &mut Rng, base: &[(&'static str, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = match rng.below(40) {
        0..=3 => base[rng.below(base.len())].1.clone(),
        4 => long(rng),
        _ => random_frame(rng),
    };
    if rng.once_in(5) {
        mutate(rng, &mut bytes);
    }
    if rng.once_in(100) {
        // Padding, so that the frame is longer than what it holds, and than a page now and then.
        let padding = rng.below(6000);
        bytes.resize(bytes.len() + padding, 0);
    }
    bytes
}

/// A tunnel packet of up to two pages, which XDP sees in several buffers.
fn long(rng: &mut Rng) -> Vec<u8> {
    let (outer, inner) = (Ipv4::new([172, 31, 7, 2].into(), [172, 31, 7, 1].into(), UDP), [10, 0, 0, 1]);
    let number = rng.number() as u32;
    let options = timestamps(number, number);
    let segment = Tcp { source: 40000, destination: 443, sequence: number, flags: ACK, options, ..Tcp::default() };
    let payload = vec![0; LONGEST_TC / 2 + rng.below(2 * LONGEST_TC)];
    let packet = Ipv4::new(inner.into(), [10, 0, 0, 2].into(), TCP).over(&segment.over(&payload));
    let datagram = Geneve::new(1).over(&ethernet(&[], ETHERTYPE_IPV4, &packet));
    ethernet(&[], ETHERTYPE_IPV4, &outer.over(&udp(50000, GENEVE_PORT, &datagram)))
}

/// A super-frame, seldom one that says nothing of itself.
fn segments(rng: &mut Rng) -> Segments {
    Segments { size: rng.pick(&[0, 1, 20, 100, 1400, 65_535]), count: rng.pick(&[0, 1, 2, 3, 45, 65_535]) }
}

/// The base packets at every length that a test run takes, for each program; each cut frame behind its whole one, so
/// that tunnels and flows are there.
pub(super) fn truncations(programs: &[Program]) -> Vec<Step> {
    let mut steps = vec![];
    for program in programs {
        for (_, whole) in base_packets() {
            let cuts = (SHORTEST..=whole.len()).map(|length| &whole[..length]);
            for cut in cuts.filter(|cut| program.takes(cut)) {
                steps.push(Step::new(*program, whole.clone()));
                steps.push(Step::new(*program, cut.to_vec()));
            }
        }
    }
    steps
}

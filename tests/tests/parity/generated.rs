//! Sequences of frames by chance, the same ones in each run.

use monitor::bpf::trial::Segments;
use tests::frame::parts::{
    ACK, ETHERTYPE_IPV4, GENEVE_PORT, Geneve, ICMP, Ipv4, TCP, Tcp, UDP, ethernet, icmp, timestamps, udp,
};
use tests::frame::{Rng, base_packets, mutate, random_frame};

use super::step::{LONGEST_TC, Program, SHORTEST, Step};

/// A sequence of nearly `count` frames or somewhat more, each for one of the programs.
pub(super) fn sequence(seed: u64, count: usize, programs: &[Program]) -> Vec<Step> {
    let (mut rng, base) = (Rng::new(seed), base_packets());
    let mut steps = Vec::with_capacity(count);
    while steps.len() < count {
        match rng.below(300) {
            0 => steps.extend(conversation(&mut rng, programs)),
            // The same again and again: more events than the rate allows, and repetitions of what awaits an answer.
            1 => steps.extend(vec![step(&mut rng, &base, programs); 40]),
            _ => steps.push(step(&mut rng, &base, programs)),
        }
    }
    steps.retain(|step| step.program.takes(&step.bytes));
    steps
}

fn step(rng: &mut Rng, base: &[(&'static str, Vec<u8>)], programs: &[Program]) -> Step {
    let (program, bytes) = (rng.pick(programs), frame(rng, base));
    let segments = if program.is_tc() && rng.once_in(12) { Some(segments(rng)) } else { None };
    Step { program, bytes, segments }
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
    let number = rng.number() as u32;
    let options = timestamps(number, number);
    let header = Tcp { source: 40000, destination: 443, sequence: number, flags: ACK, options, ..Tcp::default() };
    tunneled([2, 1], TCP, &header.over(&vec![0; LONGEST_TC / 2 + rng.below(2 * LONGEST_TC)]))
}

/// Data and echoes that go back and forth, each an answer to those before; the VNI is that of the direction.
fn conversation(rng: &mut Rng, programs: &[Program]) -> Vec<Step> {
    let client = 50_000 + rng.below(200) as u16;
    let step = |number| {
        let program = rng.pick(programs);
        let (ends, ports) = if program == Program::TcTx { ([1, 2], [client, 443]) } else { ([2, 1], [443, client]) };
        let (protocol, payload) = if rng.once_in(4) {
            (ICMP, icmp(rng.pick(&[8, 0]), 0, (u32::from(client) << 16) | (number / 4), &[0; 24]))
        } else {
            (TCP, data(ports, number))
        };
        Step::new(program, tunneled(ends, protocol, &payload))
    };
    (1..60).map(step).collect()
}

/// Data with the number `number` of its conversation.
fn data([source, destination]: [u16; 2], number: u32) -> Vec<u8> {
    let (sequence, acknowledgment, options) = (number, number, timestamps(number, number - 1));
    Tcp { source, destination, sequence, acknowledgment, flags: ACK, options }.over(&[0; 9])
}

/// A packet from node and pod `ends[0]` to `ends[1]`.
fn tunneled(ends: [u8; 2], protocol: u8, payload: &[u8]) -> Vec<u8> {
    let ip = |[a, b, c]: [u8; 3], protocol| Ipv4::new([a, b, c, ends[0]].into(), [a, b, c, ends[1]].into(), protocol);
    let inner = ethernet(&[], ETHERTYPE_IPV4, &ip([10, 0, 0], protocol).over(payload));
    let datagram = udp(50000, GENEVE_PORT, &Geneve::new(u32::from(ends[0])).over(&inner));
    ethernet(&[], ETHERTYPE_IPV4, &ip([172, 31, 7], UDP).over(&datagram))
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

//! The loaded programs on frames of all kinds: each passes, and comes back as it was. Needs root.

#![expect(clippy::unwrap_used, reason = "tests unwrap, and so do their helpers")]

use aya::TestRunOptions;
use aya::programs::Program;
use aya::util::KernelVersion;
use monitor::bpf::{Kernel, Sizes, load};
use monitor::failure::Failure;
use monitor_common::packet::Class;
use tests::bench::case::Hook;
use tests::bench::driver::{self, Drive, Driver};
use tests::bench::packets::*;
use tests::needs;

/// Index of the device that test runs have: loopback.
const DEVICE: u32 = 1;
const FRAMES: usize = 2500;
const ETHERNET: usize = 14;

/// Size of `struct __sk_buff`, and where it holds what a program could change or a sender sets.
const CONTEXT: usize = 192;
const MARK: usize = 8;
const PRIORITY: usize = 32;
const BUFFER: std::ops::Range<usize> = 48..68;
const SEGMENTS: usize = 164;
const SEGMENT_SIZE: usize = 176;

/// The programs, loaded; nothing where that needs rights or a kernel that are not there.
fn kernel() -> Option<Kernel> {
    match Kernel::load(&[6081], Sizes::new(128, 256, 65_536, load::processors().unwrap()), 0) {
        Ok(kernel) => Some(kernel),
        Err(error) if error.is::<Failure>() => {
            needs::skip(format!("{error:#}").lines().next().unwrap());
            None
        }
        Err(error) => panic!("{error:#}"),
    }
}

fn program<'a>(kernel: &'a Kernel, wanted: &str) -> &'a Program {
    kernel.programs().find(|(name, _)| *name == wanted).unwrap().1
}

/// Runs a program once; its return value, and the frame as it came back.
fn once(program: &Program, frame: &[u8]) -> (i32, Vec<u8>) {
    let mut out = vec![0; frame.len() + 64];
    let options = TestRunOptions { data_in: Some(frame), data_out: Some(&mut out), ..TestRunOptions::new() };
    let result = driver::run_with(program, options).unwrap();
    out.truncate(result.data_size_out as usize);
    (result.return_value as i32, out)
}

/// A frame of each kind that the parser tells apart.
fn kinds() -> Vec<Vec<u8>> {
    let data = [7; 200];
    let inner = ethernet_v4(&ipv4(6, 0, [CLIENT, SERVER], &tcp(ACK_PUSH, &timestamps(9, 8), &data)));
    let inner_v6 = ethernet_v6(&ipv6(6, [CLIENT, SERVER], &tcp(ACK_PUSH, &timestamps(9, 8), &data)));
    let fragment = ethernet_v4(&ipv4(17, 0x2000, [CLIENT, SERVER], &udp([1024, 443], &data)));
    let to_port = |start: [u8; 4], options: &[u8], inner: &[u8]| udp([40_000, 6081], &geneve(start, options, inner));
    let over_v4 = |word: u16, payload: &[u8]| ethernet_v4(&ipv4(17, word, [NODE, PEER], payload));
    let whole = to_port([0, 0, 0x65, 0x58], &[], &inner);
    let ovn = [1, 2, 0x80, 1, 0, 11, 0, 21];
    let mut kinds = vec![plain_tcp(), plain_udp(), arp(), tunnel_udp(), tunnel_tcp(), tunnel_syn(), tunnel_echo()];
    kinds.extend([
        icmp_error(),
        ethernet_v4(&tunnelled(&inner_v6)),
        ethernet_v4(&tunnelled(&fragment)),
        ethernet_v4(&tunnelled(&arp())),
        ethernet_v6(&ipv6(17, [NODE, PEER], &whole)),
        ethernet_v6(&ipv6(17, [NODE, PEER], &to_port([0, 0, 0x65, 0x58], &[], &inner_v6))),
        over_v4(0, &to_port([2, 0x40, 0x65, 0x58], &ovn, &inner)),
        over_v4(0, &to_port([3, 0, 0x65, 0x58], &[0, 1, 0, 1, 0, 0, 0, 0, 0, 1, 1, 0], &inner)),
        over_v4(0, &to_port([0, 0x80, 0x65, 0x58], &[], &inner)),
        over_v4(0, &to_port([0, 0, 0x12, 0x34], &[], &inner)),
        over_v4(0, &to_port([0, 0, 0x08, 0x00], &[], &inner[14..])),
        over_v4(0, &to_port([0x40, 0, 0x65, 0x58], &[], &inner)),
        over_v4(0, &to_port([63, 0, 0x65, 0x58], &[], &inner)),
        // A datagram in two fragments, and the second one of another.
        over_v4(0x2000, &whole[..160]),
        over_v4(160 / 8, &whole[160..]),
        over_v4(1000 / 8, &data),
    ]);
    let tagged = |tags: &[u8], frame: &[u8]| [&frame[..12], tags, &frame[12..]].concat();
    kinds.push(tagged(&[0x81, 0, 0, 5], &tunnel_tcp()));
    kinds.push(tagged(&[0x88, 0xa8, 0, 5, 0x81, 0, 0, 6], &tunnel_tcp()));
    kinds.push(ethernet_v4(&tunnelled(&tagged(&[0x81, 0, 0, 5], &inner))));
    kinds
}

/// All kinds, then copies of them with changed bytes, every other one cut off.
fn frames() -> Vec<Vec<u8>> {
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut below = move |limit: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed % limit as u64) as usize
    };
    let kinds = kinds();
    let mut frames = kinds.clone();
    while frames.len() < FRAMES {
        let mut frame = kinds[below(kinds.len())].clone();
        for _ in 0..below(4) {
            let at = below(frame.len().min(140));
            frame[at] = below(256) as u8;
        }
        if below(2) == 0 {
            frame.truncate(ETHERNET + 1 + below(frame.len() - ETHERNET));
        }
        frames.push(frame);
    }
    frames
}

/// Says whether the kernel makes an skb of the frame: only with a whole IP header where Ethernet announces one.
fn is_packet(frame: &[u8]) -> bool {
    match frame[12..ETHERNET] {
        [0x08, 0x00] => frame.len() >= ETHERNET + 20,
        [0x86, 0xdd] => frame.len() >= ETHERNET + 40,
        _ => true,
    }
}

#[test]
fn every_frame_passes_unchanged() {
    let Some(kernel) = kernel() else { return };
    let frames = frames();
    let mut programs = vec![("tunmon_xdp", 2), ("tunmon_tc_rx", -1), ("tunmon_tc_tx", -1)];
    programs.extend(kernel.features.xdp_frags.then_some(("tunmon_xdp_frag", 2)));
    let mut runs = 0;
    for (name, verdict) in &programs {
        let program = program(&kernel, name);
        for frame in frames.iter().filter(|frame| *verdict == 2 || is_packet(frame)) {
            runs += 1;
            let (returned, out) = once(program, frame);
            assert_eq!(returned, *verdict, "{name} on {frame:02x?}");
            assert!(out == *frame, "{name} changed {frame:02x?} into {out:02x?}");
        }
    }
    // The frames went every way: each program counted each one, and each class has some.
    let totals = kernel.counts(DEVICE).unwrap().totals;
    let seen: u64 = totals.classes.as_flattened().iter().sum();
    assert_eq!(seen, runs);
    assert!(runs > 2000 * programs.len() as u64, "{runs} runs");
    for class in Class::ALL {
        assert!(totals.classes.iter().all(|counts| counts[class as usize] > 0), "no {} among the frames", class.name());
    }
}

#[test]
fn frames_in_several_buffers_pass_unchanged() {
    let Some(kernel) = kernel() else { return };
    if !kernel.features.xdp_frags {
        return needs::skip("this kernel has no XDP with several buffers");
    }
    for length in [4000, 9000, 20_000] {
        let inner = ethernet_v4(&ipv4(17, 0, [CLIENT, SERVER], &udp([1024, 443], &vec![7; length])));
        let frame = ethernet_v4(&tunnelled(&inner));
        let (returned, out) = once(program(&kernel, "tunmon_xdp_frag"), &frame);
        assert_eq!(returned, 2);
        assert!(out == frame, "{length} bytes came back changed");
    }
    assert_eq!(kernel.counts(DEVICE).unwrap().totals.classes[0][Class::Geneve as usize], 3);
}

#[test]
fn marks_and_segments_pass_unchanged() {
    let Some(kernel) = kernel() else { return };
    let mut context = vec![0; CONTEXT];
    let mut set = |at: usize, number: u32| context[at..at + 4].copy_from_slice(&number.to_ne_bytes());
    BUFFER.step_by(4).for_each(|at| set(at, 0x0101_0101));
    for (at, number) in [(MARK, 77), (PRIORITY, 5), (SEGMENTS, 3), (SEGMENT_SIZE, 30)] {
        set(at, number);
    }
    for name in ["tunmon_tc_rx", "tunmon_tc_tx"] {
        for frame in kinds() {
            let mut out = vec![0; CONTEXT];
            let mut options = TestRunOptions { data_in: Some(&frame), ..TestRunOptions::new() };
            (options.ctx_in, options.ctx_out) = (Some(context.as_slice()), Some(out.as_mut_slice()));
            assert_eq!(driver::run_with(program(&kernel, name), options).unwrap().return_value as i32, -1);
            for part in [MARK..MARK + 4, PRIORITY..PRIORITY + 4, BUFFER, SEGMENTS..SEGMENTS + 4] {
                assert_eq!(out[part.clone()], context[part.clone()], "{name} changed {part:?} of the context");
            }
        }
    }
}

#[test]
fn a_program_that_writes_is_noticed() {
    if kernel().is_none() {
        return;
    }
    let Ok(object) = driver::object() else { return needs::skip("no clang") };
    for hook in Hook::ALL {
        let mut driver = Driver::load(&object, hook, &Drive::flows(0)).unwrap();
        let empty = driver.program("empty").unwrap().fd().unwrap().try_clone().unwrap();
        driver.aim(&empty).unwrap();
        let (returned, out) = once(driver.drives().unwrap(), &tunnel_tcp());
        assert_eq!(returned, hook.verdict());
        assert_ne!(out, tunnel_tcp());
    }
}

#[test]
fn programs_for_several_buffers_load_where_the_kernel_knows_them() {
    let Some(kernel) = kernel() else { return };
    let knows_frags = KernelVersion::current().unwrap() >= KernelVersion::new(5, 18, 0);
    assert_eq!(kernel.features.xdp_frags, knows_frags);
}

use super::*;

/// Hands out one byte a call, as a slow pipe does.
struct Trickle<'a>(&'a [u8]);

impl Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = usize::from(!self.0.is_empty() && !buffer.is_empty());
        buffer[..count].copy_from_slice(&self.0[..count]);
        self.0 = &self.0[count..];
        Ok(count)
    }
}

type Frame = (u64, u32, Vec<u8>);

fn read_all(source: impl Read) -> (Vec<Frame>, Option<u64>) {
    let mut capture = Capture::new(source).unwrap();
    let mut frames = vec![];
    while let Some(record) = capture.next_record().unwrap() {
        frames.push((record.timestamp_ns, record.original_length, record.bytes.to_vec()));
    }
    (frames, capture.truncated_at())
}

fn error(bytes: &[u8]) -> String {
    let text = |error: anyhow::Error| format!("{error:#}");
    match Capture::new(bytes) {
        Err(error) => text(error),
        Ok(mut capture) => loop {
            match capture.next_record() {
                Ok(Some(_)) => {}
                Ok(None) => panic!("the file was read to its end"),
                Err(error) => break text(error),
            }
        },
    }
}

fn words(is_big_endian: bool, words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| if is_big_endian { word.to_be_bytes() } else { word.to_le_bytes() }).collect()
}

fn pcap(is_big_endian: bool, magic: u32, link_type: u32) -> Vec<u8> {
    let version = if is_big_endian { 0x0002_0004 } else { 0x0004_0002 };
    let mut file = words(is_big_endian, &[magic, version, 0, 0, 96, link_type]);
    for (fraction, length) in [(5, 3u32), (999, 96)] {
        file.extend(words(is_big_endian, &[10, fraction, length, 1500]));
        file.extend(vec![7; length as usize]);
    }
    file
}

#[test]
fn both_byte_orders_and_both_resolutions_of_pcap_are_read() {
    for (is_big_endian, magic, unit_ns) in
        [(false, 0xa1b2_c3d4, 1000), (true, 0xa1b2_c3d4, 1000), (false, 0xa1b2_3c4d, 1), (true, 0xa1b2_3c4d, 1)]
    {
        let file = pcap(is_big_endian, magic, ETHERNET);
        let second = 10_000_000_000;
        let expected = vec![(second + 5 * unit_ns, 1500, vec![7; 3]), (second + 999 * unit_ns, 1500, vec![7; 96])];
        assert_eq!(read_all(&file[..]), (expected.clone(), None));
        assert_eq!(read_all(Trickle(&file)), (expected, None));
    }
}

#[test]
fn a_file_cut_anywhere_counts_up_to_the_cut() {
    let file = pcap(false, 0xa1b2_c3d4, ETHERNET);
    for length in 24..=file.len() {
        let (frames, truncated_at) = read_all(&file[..length]);
        let expected = match length {
            24 => (0, None),
            ..43 => (0, Some(24)),
            43 => (1, None),
            length => (1 + usize::from(length == file.len()), (length < file.len()).then_some(43)),
        };
        assert_eq!((frames.len(), truncated_at), expected, "{length} bytes");
    }
}

#[test]
fn what_is_no_capture_of_ethernet_is_refused_in_words() {
    assert!(error(b"").contains("no capture file: it has 0 bytes"));
    assert!(error(b"hello, world").contains("it begins with 68656c6c"));
    assert!(error(&[0x1f, 0x8b, 8, 0]).contains("gzip"));
    assert!(error(&[0xd4, 0xc3, 0xb2, 0xa1, 2, 0]).contains("header is cut"));
    assert!(error(&pcap(false, 0xa1b2_c3d4, 113)).contains("link type 113 (Linux cooked capture)"));
    assert!(error(&pcap(true, 0xa1b2_c3d4, 999)).contains("link type 999 (unknown)"));
    let mut file = pcap(false, 0xa1b2_c3d4, ETHERNET);
    file.extend([0xff; 64]);
    assert!(error(&file).contains("byte 155: no record: it would hold 4294967295 bytes"), "{}", error(&file));
}

fn block(is_big_endian: bool, kind: u32, body: &[u8]) -> Vec<u8> {
    let padded = body.len().next_multiple_of(4);
    let total = (padded + 12) as u32;
    let mut block = words(is_big_endian, &[kind, total]);
    block.extend(body);
    block.resize(8 + padded, 0);
    block.extend(words(is_big_endian, &[total]));
    block
}

fn section(is_big_endian: bool) -> Vec<u8> {
    let version = if is_big_endian { 1 << 16 } else { 1 };
    block(is_big_endian, 0x0a0d_0d0a, &words(is_big_endian, &[0x1a2b_3c4d, version, u32::MAX, u32::MAX]))
}

/// An interface with options (code, value), and no end mark behind them.
fn interface(is_big_endian: bool, link_type: u16, snap_length: u32, options: &[(u16, &[u8])]) -> Vec<u8> {
    let half = |number: u16| if is_big_endian { number.to_be_bytes() } else { number.to_le_bytes() };
    let mut body = half(link_type).to_vec();
    body.extend([0, 0]);
    body.extend(words(is_big_endian, &[snap_length]));
    for (code, value) in options {
        body.extend(half(*code));
        body.extend(half(value.len() as u16));
        body.extend(*value);
        body.resize(body.len().next_multiple_of(4), 0);
    }
    block(is_big_endian, 1, &body)
}

fn enhanced(is_big_endian: bool, interface: u32, time: u64, bytes: &[u8]) -> Vec<u8> {
    let (high, low) = ((time >> 32) as u32, time as u32);
    let mut body = words(is_big_endian, &[interface, high, low, bytes.len() as u32, 1500]);
    body.extend(bytes);
    block(is_big_endian, 6, &body)
}

#[test]
fn each_interface_has_its_own_clock() {
    for order in [false, true] {
        let offset = if order { 3u64.to_be_bytes() } else { 3u64.to_le_bytes() };
        let file = [
            section(order),
            interface(order, 1, 0, &[(2, b"\xffbad")]),
            interface(order, 1, 0, &[(10, &[1, 2, 3, 4]), (9, &[9])]),
            interface(order, 1, 0, &[(9, &[0x80 | 10]), (14, &offset)]),
            block(order, 0xbad, &[1, 2, 3]),
            enhanced(order, 0, 7_000_001, &[1]),
            enhanced(order, 1, 7_000_000_002, &[1, 2, 3, 4, 5]),
            enhanced(order, 2, 2048, &[]),
        ]
        .concat();
        let times: Vec<_> = read_all(&file[..]).0.iter().map(|(time, _, bytes)| (*time, bytes.len())).collect();
        assert_eq!(times, [(7_000_001_000, 1), (7_000_000_002, 5), (5_000_000_000, 0)]);
        assert_eq!(read_all(Trickle(&file)), read_all(&file[..]));
    }
}

#[test]
fn simple_and_obsolete_packets_are_read_too() {
    let mut simple = words(false, &[1500]);
    simple.extend([9; 8]);
    let mut obsolete = words(false, &[0x0003_0000, 0, 42, 3, 60]);
    obsolete.extend([1, 2, 3]);
    let file = [section(false), interface(false, 1, 6, &[]), block(false, 3, &simple), block(false, 2, &obsolete)];
    let (frames, truncated_at) = read_all(&file.concat()[..]);
    assert_eq!(frames, [(0, 1500, vec![9; 6]), (42_000, 60, vec![1, 2, 3])]);
    assert_eq!(truncated_at, None);
}

#[test]
fn a_new_section_brings_its_own_byte_order_and_interfaces() {
    let part = |order| [section(order), interface(order, 1, 0, &[]), enhanced(order, 0, 1, &[5])].concat();
    let file = [part(false), part(true)].concat();
    assert_eq!(read_all(&file[..]).0.len(), 2);
    let file = [part(false), section(true), enhanced(true, 0, 1, &[5])].concat();
    assert!(error(&file).contains("interface 0, which nothing describes"));
}

#[test]
fn broken_blocks_are_refused_and_cut_ones_are_noted() {
    let whole = [section(false), interface(false, 1, 0, &[]), enhanced(false, 0, 1, &[5; 60])].concat();
    let start = whole.len() as u64 - 92;
    assert_eq!(read_all(&whole[..whole.len() - 1]), (vec![], Some(start)));
    let mut broken = whole.clone();
    *broken.last_mut().unwrap() = 1;
    assert!(error(&broken).contains("two lengths"));
    let file = [section(false), interface(false, 276, 0, &[]), enhanced(false, 0, 1, &[5])].concat();
    assert!(error(&file).contains("link type 276 (Linux cooked capture v2)"));
    let file = [whole, vec![0xff; 16]].concat();
    assert!(error(&file).contains("no block"));
}

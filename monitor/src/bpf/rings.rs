//! The ring buffers, one for each kind of events: their maps, and how much room they need.

use std::io;
use std::os::fd::AsFd as _;

use aya::maps::MapData;
use monitor_common::event::{Drop, Fragment, Handshake, IcmpError, Kind, Retransmit, Rtt};

use super::syscall;

/// The map of a kind's ring.
pub(super) fn map(kind: Kind) -> &'static str {
    match kind {
        Kind::Rtt => "RTT_EVENTS",
        Kind::Fragment => "FRAGMENT_EVENTS",
        Kind::IcmpError => "ICMP_EVENTS",
        Kind::Retransmit => "RESEND_EVENTS",
        Kind::Handshake => "SYN_EVENTS",
        Kind::Drop => "DROP_EVENTS",
    }
}

/// Length of a kind's records, with their headers.
fn record(kind: Kind) -> u64 {
    let event = match kind {
        Kind::Rtt => size_of::<Rtt>(),
        Kind::Fragment => size_of::<Fragment>(),
        Kind::IcmpError => size_of::<IcmpError>(),
        Kind::Retransmit => size_of::<Retransmit>(),
        Kind::Handshake => size_of::<Handshake>(),
        Kind::Drop => size_of::<Drop>(),
    };
    (8 + event).next_multiple_of(8) as u64
}

/// Records that were ever written to a kind's ring, and those that were read: the positions of its writer and its reader
/// only grow, and every record has the same length.
pub(super) fn written_and_read(kind: Kind, ring: &MapData) -> io::Result<[u64; 2]> {
    // SAFETY: asks for a number.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize;
    let position = |offset| syscall::first_word(ring.fd().as_fd(), page, offset);
    Ok([position(page)?, position(0)?].map(|position| position / record(kind)))
}

/// Bytes for each processor: it may send 16 events of a kind in 2^20 ns, so 1237 in the longest time between two looks
/// (80 ms), of 96 bytes, headers included; those of ICMP errors are longer, and hardly ever as many.
const SHARE: usize = 128 << 10;
/// No ring is larger: with more processors than 16 not all of them may go from silence to their limit at once.
const MOST: usize = 2 << 20;

/// Bytes of the ring of drops.
const DROPS: u32 = 64 << 10;

/// Bytes of a kind's ring: a power of two, and whole pages.
pub(super) fn bytes(kind: Kind, processors: usize) -> u32 {
    let least = match kind {
        // Some hundreds between two looks show what is dropped where; the rest is counted.
        Kind::Drop => return DROPS,
        // Samples come all the time, so they have room for a reader that stands still for a while.
        Kind::Rtt => 1 << 20,
        Kind::Fragment | Kind::IcmpError | Kind::Retransmit | Kind::Handshake => SHARE,
    };
    processors.saturating_mul(SHARE).clamp(least, MOST).next_power_of_two() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rings_grow_with_the_processors_within_bounds() {
        for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Drop) {
            for processors in [0, 1, 2, 3, 8, 100, usize::MAX] {
                let bytes = bytes(kind, processors) as usize;
                assert!(bytes.is_power_of_two() && (SHARE..=MOST).contains(&bytes), "{kind:?} {processors}: {bytes}");
                assert!(bytes == MOST || bytes >= processors * SHARE, "{kind:?} {processors}: {bytes}");
            }
        }
    }

    #[test]
    fn each_kind_has_a_map_of_its_own() {
        let names: std::collections::BTreeSet<_> = Kind::ALL.into_iter().map(map).collect();
        assert_eq!(names.len(), Kind::ALL.len());
        // The kernel cuts longer names.
        assert!(names.iter().all(|name| name.len() <= 15), "{names:?}");
    }

    #[test]
    fn what_is_pinned_goes_on_sending_into_rings_that_are_pinned_too() {
        for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Drop) {
            assert!(super::super::pins::MAPS.contains(&map(kind)), "{kind:?}");
        }
    }
}

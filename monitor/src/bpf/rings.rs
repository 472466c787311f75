//! The ring buffers, one for each kind of events: their maps, and how much room they need.

use monitor_common::event::Kind;

/// The map of a kind's ring.
pub(super) fn map(kind: Kind) -> &'static str {
    match kind {
        Kind::Rtt => "RTT_EVENTS",
        Kind::Fragment => "FRAGMENT_EVENTS",
        Kind::IcmpError => "ICMP_EVENTS",
    }
}

/// Bytes of the events of one kind that a processor may send between two looks at the rings: 16 in 2^20 ns, so 306 in
/// 20 ms, of 96 bytes at most with their headers; and once more as much for a look that comes late.
const SHARE: usize = 2 * 306 * 96;
/// No ring is smaller, whatever the number of processors, and none is larger.
const LEAST: usize = 128 << 10;
const MOST: usize = 1 << 20;

/// Bytes of a kind's ring: a power of two, and whole pages.
pub(super) fn bytes(kind: Kind, processors: usize) -> u32 {
    let least = match kind {
        // Samples come all the time, so they have room for a reader that stands still for a while.
        Kind::Rtt => MOST,
        Kind::Fragment | Kind::IcmpError => LEAST,
    };
    processors.saturating_mul(SHARE).clamp(least, MOST).next_power_of_two() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rings_grow_with_the_processors_within_bounds() {
        for kind in Kind::ALL {
            for processors in [0, 1, 2, 3, 8, 100, usize::MAX] {
                let bytes = bytes(kind, processors) as usize;
                assert!(bytes.is_power_of_two() && (LEAST..=MOST).contains(&bytes), "{kind:?} {processors}: {bytes}");
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
}

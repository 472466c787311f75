//! Tunnel packets that the host's kernel has dropped, alike ones together.

use std::collections::BTreeMap;
use std::net::IpAddr;

use monitor_common::event;

use crate::snapshot::{self, Place};

/// Drops that are told apart at most.
const MOST: usize = 256;

/// The other end of the tunnel, VNI, where and why.
type Key = (IpAddr, Option<u32>, Place);

/// Drops of some time.
#[derive(Default)]
pub(super) struct Drops(BTreeMap<Key, snapshot::Drops>);

impl Drops {
    /// Takes one.
    pub(super) fn record(&mut self, drop: &event::Drop, peer: IpAddr, place: &Place) {
        let vni = (drop.has_vni != 0).then_some(drop.vni);
        let key = (peer, vni, place.clone());
        if self.0.len() >= MOST && !self.0.contains_key(&key) {
            return;
        }
        let new = || snapshot::Drops {
            peer,
            vni,
            place: place.clone(),
            count: 0,
            shortest_bytes: drop.length,
            longest_bytes: drop.length,
        };
        let sum = self.0.entry(key).or_insert_with(new);
        sum.count += 1;
        sum.shortest_bytes = sum.shortest_bytes.min(drop.length);
        sum.longest_bytes = sum.longest_bytes.max(drop.length);
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<snapshot::Drops> {
        self.0.values().cloned().collect()
    }

    /// All of them, of which there are none afterwards.
    pub(super) fn take(&mut self) -> Vec<snapshot::Drops> {
        std::mem::take(&mut self.0).into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn alike_drops_are_summed_with_their_lengths_and_a_flood_is_bounded() {
        let place = Place { symbol: "ip_fragment".to_owned(), reason: None, is_refused: false };
        let peer = IpAddr::from([192, 0, 2, 2]);
        let mut drops = Drops::default();
        for (length, vni) in [(1550, 3), (1508, 3), (1600, 3), (1550, 4)] {
            drops.record(&event::Drop { length, vni, has_vni: 1, ..event::Drop::default() }, peer, &place);
        }
        let found: Vec<_> =
            drops.all().iter().map(|row| (row.vni, row.count, row.shortest_bytes, row.longest_bytes)).collect();
        assert_eq!(found, [(Some(3), 3, 1508, 1600), (Some(4), 1, 1550, 1550)]);
        for number in 0..2000u32 {
            drops.record(&event::Drop::default(), Ipv4Addr::from(number).into(), &place);
        }
        assert_eq!(drops.take().len(), MOST);
        assert_eq!(drops.all(), []);
    }
}

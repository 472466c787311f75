//! What is known about pinned maps: a map with one value, written by user space only.

use std::path::Path;

use anyhow::{Context, Result};
use aya::maps::{Array, MapData};
use monitor_common::count::{Counters, DEVICES, Totals};
use monitor_common::event::{self, KINDS};
use monitor_common::histogram::Histogram;
use monitor_common::tunnel::Tunnel;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::super::plain::Plain;
use crate::bpf::Sizes;

/// To be raised when what the maps hold changes and its size does not.
const VERSION: u32 = 2;
/// The same by itself, when a size changes.
const LAYOUT: [u32; 8] = [
    size_of::<Totals>() as u32,
    size_of::<Tunnel>() as u32,
    size_of::<Counters>() as u32,
    size_of::<Histogram>() as u32,
    size_of::<event::Rtt>() as u32,
    size_of::<event::Fragment>() as u32,
    size_of::<event::IcmpError>() as u32,
    size_of::<event::Drop>() as u32,
];

/// What maps are made for; counts go on only if it stays the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct Purpose {
    version: u32,
    layout: [u32; 8],
    tunnels: u32,
    histograms: u32,
    ring_bytes: [u32; KINDS],
    processors: u32,
    ports: u64,
    /// Inode of the network namespace.
    namespace: u64,
}

impl Purpose {
    /// Maps of these sizes for these ports.
    pub(crate) fn new(sizes: &Sizes, ports: u64, namespace: u64) -> Self {
        Self {
            version: VERSION,
            layout: LAYOUT,
            tunnels: sizes.tunnels,
            histograms: sizes.histograms,
            ring_bytes: sizes.ring_bytes,
            processors: sizes.processors as u32,
            ports,
            namespace,
        }
    }
}

/// A device as it was last attached to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct Known {
    index: u32,
    /// Whether a clsact qdisc was made for it.
    has_qdisc: u32,
    name: [u8; libc::IFNAMSIZ],
}

/// The whole state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct State {
    purpose: Purpose,
    /// What hashes were seeded with.
    pub(crate) seed: u64,
    /// When counting began, in nanoseconds since boot.
    pub(crate) began_ns: u64,
    devices: [Known; DEVICES as usize],
}

impl State {
    /// The state of maps that are made now.
    pub(crate) fn new(purpose: Purpose, seed: u64, began_ns: u64) -> Self {
        Self { purpose, seed, began_ns, devices: [Known::default(); DEVICES as usize] }
    }

    /// Whether the maps were made for `purpose`.
    pub(super) fn is_for(&self, purpose: &Purpose) -> bool {
        self.purpose == *purpose
    }

    /// The index that a device of this name had.
    pub(crate) fn index_of(&self, name: &str) -> Option<u32> {
        self.devices.iter().find(|known| known.index != 0 && known.name == padded(name)).map(|known| known.index)
    }

    /// Whether the counts in the place of this index are those of the device that has it.
    pub(crate) fn is_at(&self, index: u32) -> bool {
        self.devices[(index % DEVICES) as usize].index == index
    }

    /// Indexes of the devices to which a clsact qdisc was added.
    pub(crate) fn qdiscs(&self) -> impl Iterator<Item = u32> {
        self.devices.iter().filter(|known| known.has_qdisc != 0).map(|known| known.index)
    }

    /// Remembers a device. One that is forgotten for it has had its place in the maps.
    pub(crate) fn remember(&mut self, name: &str, index: u32, has_qdisc: bool) {
        let name = padded(name);
        let before = self.devices.iter().find(|known| known.name == name && known.index == index);
        let has_qdisc = has_qdisc || before.is_some_and(|known| known.has_qdisc != 0);
        self.devices.iter_mut().filter(|known| known.name == name).for_each(|known| *known = Known::default());
        self.devices[(index % DEVICES) as usize] = Known { index, has_qdisc: has_qdisc.into(), name };
    }

    /// Makes a map for it and pins that.
    pub(super) fn pin(path: &Path) -> Result<()> {
        let map = Array::<MapData, Plain<Self>>::create(1, 0).context("a map")?;
        map.pin(path).with_context(|| format!("pinning {}", path.display()))
    }

    /// Writes it into the pinned map.
    pub(super) fn write(self, path: &Path) -> Result<()> {
        let map = MapData::from_pin(path).with_context(|| path.display().to_string())?;
        let mut map = Array::<_, Plain<Self>>::try_from(aya::maps::Map::Array(map)).context("the pinned state")?;
        map.set(0, Plain(self), 0).context("the pinned state")
    }

    /// Reads the pinned map.
    pub(super) fn pinned(path: &Path) -> Result<Self> {
        // Of another version's map the value may have another size, which aya finds out.
        let map = MapData::from_pin(path).with_context(|| path.display().to_string())?;
        let map = Array::<_, Plain<Self>>::try_from(aya::maps::Map::Array(map)).context("the pinned state")?;
        Ok(map.get(&0, 0).context("the pinned state")?.0)
    }
}

fn padded(name: &str) -> [u8; libc::IFNAMSIZ] {
    let mut padded = [0; libc::IFNAMSIZ];
    for (to, from) in padded.iter_mut().zip(name.bytes()) {
        *to = from;
    }
    padded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_remembered_by_name_and_give_way_to_those_in_their_place() {
        let mut state = State::new(Purpose::default(), 1, 2);
        state.remember("eth0", 2, true);
        state.remember("eth1", 3, false);
        assert_eq!((state.index_of("eth0"), state.index_of("eth1"), state.index_of("eth2")), (Some(2), Some(3), None));
        assert_eq!(state.qdiscs().collect::<Vec<_>>(), [2]);
        state.remember("eth0", 2, false);
        assert_eq!(state.qdiscs().collect::<Vec<_>>(), [2]);
        // It has been made anew, and its qdisc has gone with it.
        state.remember("eth0", 9, false);
        assert_eq!((state.index_of("eth0"), state.qdiscs().count()), (Some(9), 0));
        state.remember("eth2", 3 + DEVICES, false);
        assert_eq!(state.index_of("eth1"), None);
    }
}

//! Drops as they are told: where in the kernel, why, and of a packet to whom.

use std::collections::HashMap;
use std::net::IpAddr;

use monitor_common::event;

use super::watched::Watched;
use crate::bpf::drops::Drops;
use crate::kallsyms::Symbols;
use crate::snapshot::Place;

/// Places that are named at most; a kernel has fewer at which it drops tunnel packets.
const MOST: usize = 256;
/// Where packet sockets refuse frames, and why.
const SEND: &str = "packet_sendmsg";
const EMSGSIZE: &str = "EMSGSIZE";

/// What it takes to tell of drops; while it lives, they are seen.
pub(super) struct Names {
    drops: Drops,
    symbols: Symbols,
    known: HashMap<u64, String>,
}

impl Names {
    /// For these programs; to be made while there are rights to see where the kernel's functions are.
    pub(super) fn new(drops: Drops) -> Self {
        Self { drops, symbols: Symbols::open(), known: HashMap::new() }
    }

    /// Looks at no more drops.
    pub(super) fn stop(&mut self) {
        self.drops.detach();
    }

    /// Gives a drop to the device whose it is: the one that the packet was at, if that is watched, else the one that drops
    /// are counted with. Returns the device's name, the other end of the tunnel, where and why.
    pub(super) fn take<'a>(
        &mut self,
        devices: &'a mut [Watched],
        home: usize,
        drop: &event::Drop,
    ) -> (&'a str, IpAddr, Place) {
        let owner = devices.iter().position(|device| device.device.index == drop.at).unwrap_or(home);
        let (device, place) = (&mut devices[owner], self.place(drop));
        let peer = peer(device, drop);
        device.aggregate.drop(drop, peer, &place);
        (&device.device.name, peer, place)
    }

    /// Where and why.
    fn place(&mut self, drop: &event::Drop) -> Place {
        if drop.is_refused != 0 {
            return Place { symbol: SEND.to_owned(), reason: Some(EMSGSIZE.to_owned()), is_refused: true };
        }
        let reason = (drop.has_reason != 0).then(|| self.reason(drop.reason));
        Place { symbol: self.symbol(drop.location), reason, is_refused: false }
    }

    fn reason(&self, number: u32) -> String {
        let named = self.drops.reasons.iter().find(|(value, _)| *value == number);
        named.map_or_else(|| number.to_string(), |(_, name)| name.clone())
    }

    /// The function; where that is not known, the address.
    fn symbol(&mut self, location: u64) -> String {
        if let Some(known) = self.known.get(&location) {
            return known.clone();
        }
        let symbol = self.symbols.at(location).map_or_else(|| format!("{location:#x}"), ToOwned::to_owned);
        if self.known.len() < MOST {
            self.known.insert(location, symbol.clone());
        }
        symbol
    }
}

/// The other end of the tunnel: the source, if the packet was for this node.
fn peer(device: &Watched, drop: &event::Drop) -> IpAddr {
    let (source, destination) = (drop.source.ip(), drop.destination.ip());
    let is_local = device.device.addresses.contains(&destination) || device.aggregate.is_local(destination);
    if is_local { source } else { destination }
}

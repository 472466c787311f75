//! Names of what was seen, and how their sources are.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::Moment;
use super::catalogue::{
    LOCAL_INFO, OVS_BFD_UP, OVS_INFO, OVS_TUNNEL_UP, PEER_INFO, SOURCE_ENTRIES, SOURCE_SYNC, SOURCE_UP, VNI_INFO,
};
use super::family::Families;
use crate::inventory::{Inventory, State};

/// Adds all.
pub(super) fn fill(families: &mut Families, names: &Inventory, moment: &Moment) {
    let snapshots = || moment.devices.iter().map(|device| &device.exposed.snapshot);
    let vnis: BTreeSet<u32> = snapshots().flat_map(|snapshot| snapshot.vnis.iter().map(|row| row.vni)).collect();
    for vni in vnis {
        if let Some((network, kind)) = names.network(vni) {
            let words = [vni.into(), (&network.name).into(), network.kind.name().into(), kind.name().into()];
            families.number(&VNI_INFO, words, 1.0);
        }
    }
    let peers = snapshots().flat_map(|snapshot| snapshot.peers.iter().map(|row| row.peer));
    let here = moment.devices.iter().flat_map(|device| device.exposed.shares.iter().map(|share| share.local));
    for end in here.collect::<BTreeSet<IpAddr>>() {
        families.number(&LOCAL_INFO, [end.into(), names.node_name(end).into()], 1.0);
    }
    for end in peers.collect::<BTreeSet<IpAddr>>() {
        if let Some((node, kind)) = names.node(end) {
            let words = [end.into(), node.name.as_ref().into(), node.chassis.as_ref().into(), kind.name().into()];
            families.number(&PEER_INFO, words, 1.0);
        }
        if let Some(tunnel) = names.tunnel(end) {
            let words = || [(&tunnel.interface).into(), end.into(), names.node_name(end).into()];
            if let Some(is_up) = tunnel.is_up {
                families.number(&OVS_TUNNEL_UP, words(), f64::from(u8::from(is_up)));
            }
            if let Some(state) = &tunnel.bfd_state {
                families.number(&OVS_BFD_UP, words(), f64::from(u8::from(state.as_str() == "up")));
            }
        }
    }
    if let Some(switch) = names.switch() {
        let csum = switch.csum.map_or("", |csum| if csum { "true" } else { "false" });
        let words = [switch.system_id.as_ref().into(), switch.encap_type.as_ref().into(), csum.into()];
        families.number(&OVS_INFO, words, 1.0);
    }
    for source in names.sources() {
        let kind = || [source.kind.name().into()];
        families.number(&SOURCE_UP, kind(), f64::from(u8::from(source.state == State::Up)));
        families.number(&SOURCE_ENTRIES, kind(), source.entries as f64);
        if let Some(synced) = source.synced {
            families.number(&SOURCE_SYNC, kind(), synced.as_millisecond() as f64 / 1e3);
        }
    }
}

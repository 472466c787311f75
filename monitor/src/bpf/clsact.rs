//! Filters in clsact, for kernels without TCX: what bpf_links do by themselves elsewhere is done here by hand.
//!
//! A filter outlives the process that made it. So each run claims a slot of each device by a name that the kernel frees
//! when the process dies (an abstract socket of the namespace), and has a priority that belongs to the slot: who gets a
//! slot and finds a filter of ours there (name and tag), has found what a killed run left behind. Anything else is left
//! alone.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use anyhow::{Context, Result};

use super::load::Identity;
use crate::device::Device;
use crate::failure::Failure;
use crate::netlink::{Filter, NewFilter, Parent, Qdisc, Route};

/// Priority of the first slot: late, away from those that agents fight over.
const PRIORITY: u16 = 49_081;
/// As many runs can watch one device.
const SLOTS: u16 = 8;
/// Handle of our filters.
const HANDLE: u32 = 0x6081;
/// Handle of those that stay when their run ends: nothing that a killed run has left.
const PINNED_HANDLE: u32 = 0x6082;

/// The filters of one run on one device; dropping it removes them.
pub(super) struct Clsact {
    route: Route,
    index: u32,
    priority: u16,
    hung: Vec<(Parent, u32)>,
    /// Whether the discipline was made for them.
    pub(super) is_own: bool,
    /// Whether they stay when this is dropped.
    pub(super) stays: bool,
    _claim: UnixDatagram,
}

impl Clsact {
    /// Claims a place on `device`, and removes what a killed run has left there; `ours` are the programs that may have been left.
    pub(super) fn new(device: &Device, ours: &[Identity], stays: bool) -> Result<Self> {
        let mut route = Route::open().context("netlink")?;
        let is_own = match route.qdisc(device.index).with_context(|| format!("the disciplines of {}", device.name))? {
            Some(Qdisc::Clsact) => false,
            Some(Qdisc::Ingress) => return Err(foreign(device).into()),
            None => {
                route.add_clsact(device.index).map_err(|error| explain(device, error))?;
                true
            }
        };
        let place = place(&mut route, device.index, ours, stays);
        let Some((priority, claim)) = place.with_context(|| format!("clsact of {}", device.name))? else {
            return Err(full(device).into());
        };
        Ok(Self { route, index: device.index, priority, hung: Vec::new(), is_own, stays, _claim: claim })
    }

    /// Hangs up a program, and makes sure that it is the one that hangs there.
    pub(super) fn hang(&mut self, parent: Parent, program: &Identity, file: BorrowedFd<'_>) -> io::Result<()> {
        let new = NewFilter {
            priority: self.priority,
            handle: if self.stays { PINNED_HANDLE } else { HANDLE },
            name: &program.name,
            file: file.as_raw_fd(),
            replaces: self.stays,
        };
        self.route.add_filter(self.index, parent, &new)?;
        self.hung.push((parent, program.id));
        if self.is_alive()? { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    /// Whether everything that was hung up still hangs there.
    pub(super) fn is_alive(&mut self) -> io::Result<bool> {
        for (parent, program) in &self.hung {
            let (_, filters) = self.route.filters(self.index, *parent)?;
            if !filters.iter().any(|filter| filter.priority == self.priority && filter.program == *program) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn remove(&mut self) -> io::Result<()> {
        for parent in [Parent::Ingress, Parent::Egress] {
            let (_, filters) = self.route.filters(self.index, parent)?;
            let is_ours =
                |filter: &&Filter| filter.priority == self.priority && self.hung.contains(&(parent, filter.program));
            for filter in filters.iter().filter(is_ours) {
                self.route.delete_filter(self.index, parent, filter)?;
            }
        }
        // Others may have come to hang filters on what was made for ours.
        if self.is_own { remove_qdisc(&mut self.route, self.index) } else { Ok(()) }
    }
}

impl Drop for Clsact {
    fn drop(&mut self) {
        if !self.stays {
            // It may have gone together with the device.
            let _ = self.remove().inspect_err(|error| tracing::info!("removing filters from clsact: {error}"));
        }
    }
}

/// The priority of a place that is nobody's, and the claim of it.
fn place(route: &mut Route, index: u32, ours: &[Identity], stays: bool) -> io::Result<Option<(u16, UnixDatagram)>> {
    for slot in 0..SLOTS {
        let Ok(claim) = claim(index, slot) else { continue };
        if is_free(route, index, PRIORITY + slot, ours, stays)? {
            return Ok(Some((PRIORITY + slot, claim)));
        }
    }
    Ok(None)
}

/// Removes what a killed run has left in a slot that is nobody's, and says whether the slot may be used now: nothing is
/// there, or what an earlier run with the same pins has hung up for this one to replace.
fn is_free(route: &mut Route, index: u32, priority: u16, ours: &[Identity], stays: bool) -> io::Result<bool> {
    let mut is_free = true;
    for parent in [Parent::Ingress, Parent::Egress] {
        for filter in route.filters(index, parent)?.1.iter().filter(|filter| filter.priority == priority) {
            let is_ours = ours.iter().any(|program| program.name == filter.name && program.tag == filter.tag);
            if is_ours && stays && filter.handle == PINNED_HANDLE {
                continue;
            }
            if is_ours && filter.handle == HANDLE {
                tracing::info!(filter.name, priority, "removing what a killed run has left");
                route.delete_filter(index, parent, filter)?;
            } else {
                is_free = false;
            }
        }
    }
    Ok(is_free)
}

/// Filters that are tunmon's and nobody's: those that pins keep, and those of runs that do not live any more.
pub(super) fn left(route: &mut Route, index: u32, parent: Parent) -> io::Result<Vec<Filter>> {
    let (_, mut filters) = route.filters(index, parent)?;
    filters.retain(|filter| {
        let slot = filter.priority.wrapping_sub(PRIORITY);
        let is_ours = filter.name.starts_with("tunmon_tc_") && slot < SLOTS;
        is_ours && (filter.handle == PINNED_HANDLE || filter.handle == HANDLE) && claim(index, slot).is_ok()
    });
    Ok(filters)
}

/// Removes the discipline if nothing hangs there.
pub(super) fn remove_qdisc(route: &mut Route, index: u32) -> io::Result<()> {
    let is_clsact = route.qdisc(index)? == Some(Qdisc::Clsact);
    let others = route.filters(index, Parent::Ingress)?.0 + route.filters(index, Parent::Egress)?.0;
    if is_clsact && others == 0 { route.delete_clsact(index) } else { Ok(()) }
}

/// Claims a slot; an error says that a living run has it.
fn claim(index: u32, slot: u16) -> io::Result<UnixDatagram> {
    UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(format!("tunmon/clsact/{index}/{slot}"))?)
}

fn foreign(device: &Device) -> Failure {
    Failure::kernel(
        format!("an ingress qdisc is on {}, and there are no filters of transmitted packets beside it", device.name),
        "kernels from 6.6 on need none; else replace it by clsact, which has all that it has",
    )
}

fn full(device: &Device) -> Failure {
    Failure::kernel(
        format!("{SLOTS} runs of tunmon or strange filters have our places in clsact of {}", device.name),
        format!("end some, or: tc filter del dev {} ingress pref {PRIORITY}", device.name),
    )
}

fn explain(device: &Device, error: io::Error) -> anyhow::Error {
    match error.raw_os_error() {
        Some(libc::EPERM) => Failure::privilege().into(),
        _ => anyhow::Error::new(error).context(format!("adding a clsact qdisc to {}", device.name)),
    }
}

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

/// The filters of one run on one device; dropping it removes them.
pub(super) struct Clsact {
    route: Route,
    index: u32,
    priority: u16,
    hung: Vec<(Parent, u32)>,
    /// Whether the discipline was made for them.
    is_own: bool,
    /// Whether they stay when this is dropped.
    stays: bool,
    _claim: UnixDatagram,
}

impl Clsact {
    /// Claims a place on `device`, and removes what a killed run has left there; `ours` are the programs that may have been left.
    pub(super) fn new(device: &Device, ours: &[Identity]) -> Result<Self> {
        let mut route = Route::open().context("netlink")?;
        let is_own = match route.qdisc(device.index).with_context(|| format!("the disciplines of {}", device.name))? {
            Some(Qdisc::Clsact) => false,
            Some(Qdisc::Ingress) => return Err(foreign(device).into()),
            None => {
                route.add_clsact(device.index).map_err(|error| explain(device, error))?;
                true
            }
        };
        let mut clsact =
            Self::claim(route, device.index, ours).with_context(|| format!("clsact of {}", device.name))?;
        if let Some(clsact) = &mut clsact {
            clsact.is_own = is_own;
        }
        clsact.ok_or_else(|| {
            let cause =
                format!("{SLOTS} runs of tunmon or strange filters have our places in clsact of {}", device.name);
            let advice = format!("end some, or: tc filter del dev {} ingress pref {PRIORITY}", device.name);
            Failure::kernel(cause, advice).into()
        })
    }

    fn claim(mut route: Route, index: u32, ours: &[Identity]) -> io::Result<Option<Self>> {
        for slot in 0..SLOTS {
            let name = SocketAddr::from_abstract_name(format!("tunmon/clsact/{index}/{slot}"))?;
            // A living run has it.
            let Ok(claim) = UnixDatagram::bind_addr(&name) else { continue };
            if is_free(&mut route, index, PRIORITY + slot, ours)? {
                let (hung, priority) = (Vec::new(), PRIORITY + slot);
                let clsact = Self { route, index, priority, hung, is_own: false, stays: false, _claim: claim };
                return Ok(Some(clsact));
            }
        }
        Ok(None)
    }

    /// Hangs up a program, and makes sure that it is the one that hangs there.
    pub(super) fn hang(&mut self, parent: Parent, program: &Identity, file: BorrowedFd<'_>) -> io::Result<()> {
        let new = NewFilter {
            priority: self.priority,
            handle: HANDLE,
            name: &program.name,
            file: file.as_raw_fd(),
            replaces: false,
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
        let mut others = 0;
        for parent in [Parent::Ingress, Parent::Egress] {
            let (_, filters) = self.route.filters(self.index, parent)?;
            let is_ours =
                |filter: &&Filter| filter.priority == self.priority && self.hung.contains(&(parent, filter.program));
            for filter in filters.iter().filter(is_ours) {
                self.route.delete_filter(self.index, parent, filter)?;
            }
            others += self.route.filters(self.index, parent)?.0;
        }
        // Others may have come to hang filters on what was made for ours.
        if self.is_own && others == 0 { self.route.delete_clsact(self.index) } else { Ok(()) }
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

/// Removes ours from a slot that is nobody's, and says whether nothing is there now.
fn is_free(route: &mut Route, index: u32, priority: u16, ours: &[Identity]) -> io::Result<bool> {
    let mut is_free = true;
    for parent in [Parent::Ingress, Parent::Egress] {
        for filter in route.filters(index, parent)?.1.iter().filter(|filter| filter.priority == priority) {
            let is_left = ours.iter().any(|program| program.name == filter.name && program.tag == filter.tag);
            if is_left && filter.handle == HANDLE {
                tracing::info!(filter.name, priority, "removing what a killed run has left");
                route.delete_filter(index, parent, filter)?;
            } else {
                is_free = false;
            }
        }
    }
    Ok(is_free)
}

fn foreign(device: &Device) -> Failure {
    Failure::kernel(
        format!("an ingress qdisc is on {}, and there are no filters of transmitted packets beside it", device.name),
        "kernels from 6.6 on need none; else replace it by clsact, which has all that it has",
    )
}

fn explain(device: &Device, error: io::Error) -> anyhow::Error {
    match error.raw_os_error() {
        Some(libc::EPERM) => Failure::privilege().into(),
        _ => anyhow::Error::new(error).context(format!("adding a clsact qdisc to {}", device.name)),
    }
}

//! Attaches the programs to a device: native XDP, TCX, clsact, in this order; detaches on drop.
//!
//! XDP and TCX are attached by bpf_links and nothing else: a link cannot be replaced by others, and goes with its owner.
//! (aya falls back to netlink attachments, which neither hold nor go.)

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use anyhow::{Context, Result, anyhow};
use clap::ValueEnum;

use super::clsact::Clsact;
use super::syscall::{self, Hook};
use super::{Kernel, load};
use crate::device::{Device, Facts};
use crate::failure::Failure;
use crate::netlink::{Parent, Route};

/// How received packets are to be seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Ingress {
    /// Native XDP where it is known to disturb nothing, else TC.
    #[default]
    Auto,
    /// Native XDP, nothing else.
    Xdp,
    /// TC: TCX, else clsact.
    Tc,
    /// Generic XDP: behind the merging of packets (GRO), so sizes and counts are of merged ones.
    XdpGeneric,
}

/// The programs on one device; dropping it detaches them.
pub struct Attachment {
    /// The device.
    pub device: Device,
    /// Hook of received packets: `xdp`, `xdp-generic`, `tcx` or `clsact`.
    pub ingress: &'static str,
    /// Hook of transmitted packets: `tcx` or `clsact`.
    pub egress: &'static str,
    /// Why a better hook was passed over, if one was.
    pub refused: Vec<String>,
    links: Vec<OwnedFd>,
    clsact: Option<Clsact>,
}

impl Attachment {
    /// Whether received packets are seen behind the place where the kernel merges them.
    pub fn is_merged(&self) -> bool {
        self.ingress == Hook::GenericXdp.name()
    }

    /// Whether everything is still attached: nobody has detached it, and the device is there, in whichever namespace.
    pub fn is_alive(&mut self) -> bool {
        let index = self.device.index;
        let is_linked = |link: &OwnedFd| syscall::link_info(link.as_fd()).is_ok_and(|info| info.device == index);
        self.links.iter().all(is_linked)
            && self.clsact.as_mut().is_none_or(|clsact| clsact.is_alive().unwrap_or_default())
    }

    /// Takes away the pins; what is left goes when this is dropped.
    pub fn release(mut self, kernel: &Kernel) -> Result<Self> {
        if let Some(clsact) = &mut self.clsact {
            clsact.stays = false;
        }
        kernel.unpin(&self.device, &Hook::ALL)?;
        Ok(self)
    }

    /// Says whether a clsact qdisc was made for the filters.
    fn has_qdisc(&self) -> bool {
        self.clsact.as_ref().is_some_and(|clsact| clsact.is_own)
    }

    /// The rung of the ladder below XDP, and the only one for transmitted packets.
    fn tc(&mut self, kernel: &Kernel, name: &str, hook: Hook, parent: Parent) -> Result<&'static str> {
        let device = &self.device;
        if kernel.features.tcx {
            let link = match kernel.adopt(device, hook)? {
                Some(link) => link,
                None => kernel.link(name, device, hook).map_err(|error| explain_tcx(device, error))?,
            };
            self.links.push(link);
            return Ok("tcx");
        }
        if self.clsact.is_none() {
            self.clsact = Some(Clsact::new(device, &kernel.own_filters()?, kernel.is_pinned())?);
        }
        let clsact = self.clsact.as_mut().context("clsact")?;
        let hung = clsact.hang(parent, &kernel.identity(name)?, kernel.descriptor(name)?);
        hung.with_context(|| format!("a filter in clsact of {}", device.name))?;
        Ok("clsact")
    }

    fn rx(&mut self, kernel: &Kernel, ingress: Ingress) -> Result<&'static str> {
        let device = &self.device;
        let (kept, others): (Vec<Hook>, Vec<Hook>) = RX.into_iter().partition(|hook| ingress.takes(*hook));
        for hook in kept.into_iter().filter(|hook| *hook != Hook::TcxIngress) {
            if let Some(link) = kernel.adopt(device, hook)? {
                let rest: Vec<Hook> = RX.into_iter().filter(|other| *other != hook).collect();
                kernel.unpin(device, &rest)?;
                self.links.push(link);
                return Ok(hook.name());
            }
        }
        kernel.unpin(device, &others)?;
        let link = match ingress {
            Ingress::Auto if kernel.has_pin(device, Hook::TcxIngress) => None,
            Ingress::Auto => match kernel.native_xdp(device, true) {
                Err(error) if error.is::<Failure>() => return Err(error),
                Err(error) => {
                    self.refused.push(format!("xdp: {error:#}"));
                    None
                }
                Ok(link) => Some((link, "xdp")),
            },
            Ingress::Xdp => Some((kernel.native_xdp(device, false).map_err(|error| refuse(device, error))?, "xdp")),
            Ingress::XdpGeneric => {
                // Never for packets in several buffers: that panics some kernels.
                let link = kernel.link("tunmon_xdp", device, Hook::GenericXdp);
                Some((link.map_err(|error| refuse(device, explain_xdp(device, error)))?, "xdp-generic"))
            }
            Ingress::Tc => None,
        };
        let Some((link, hook)) = link else {
            return self.tc(kernel, "tunmon_tc_rx", Hook::TcxIngress, Parent::Ingress);
        };
        self.links.push(link);
        Ok(hook)
    }
}

/// Hooks of received packets.
const RX: [Hook; 3] = [Hook::NativeXdp, Hook::GenericXdp, Hook::TcxIngress];

impl Ingress {
    /// Whether an earlier run's link to `hook` is as good as a new one.
    fn takes(self, hook: Hook) -> bool {
        match self {
            Self::Auto => hook != Hook::GenericXdp,
            Self::Xdp => hook == Hook::NativeXdp,
            Self::XdpGeneric => hook == Hook::GenericXdp,
            Self::Tc => hook == Hook::TcxIngress,
        }
    }
}

impl Kernel {
    /// Attaches both hooks to `device`. Where links are pinned there, the programs in them are swapped, without a gap.
    pub fn attach(&mut self, device: &Device, ingress: Ingress) -> Result<Attachment> {
        let (links, refused) = (Vec::new(), Vec::new());
        let mut attachment =
            Attachment { device: device.clone(), ingress: "", egress: "", refused, links, clsact: None };
        attachment.ingress = attachment.rx(self, ingress)?;
        attachment.egress = attachment.tc(self, "tunmon_tc_tx", Hook::TcxEgress, Parent::Egress)?;
        self.remember(&device.name, device.index, attachment.has_qdisc())?;
        Ok(attachment)
    }

    /// Attaches native XDP, if it is known to be safe or if not `only_safe`.
    fn native_xdp(&self, device: &Device, only_safe: bool) -> Result<OwnedFd> {
        let links = Route::open().and_then(|mut route| route.links()).context("the list of devices")?;
        let link = links.iter().find(|link| link.index == device.index);
        let link = link.with_context(|| format!("{} is gone", device.name))?;
        let facts = Facts::of(link, name_of_program);
        let processors = u32::try_from(load::processors()?).unwrap_or(u32::MAX);
        let verdict = if only_safe { facts.native_xdp(self.features.xdp_frags, processors) } else { facts.free() };
        verdict.map_err(|reason| anyhow!(reason))?;
        let one = |name| self.link(name, device, Hook::NativeXdp).map_err(|error| explain_xdp(device, error));
        if link.mtu <= facts.one_buffer() || !self.features.xdp_frags {
            return one("tunmon_xdp");
        }
        // Drivers take the variant for several buffers or do not, and one of another name may do without.
        one("tunmon_xdp_frag").or_else(|error| one("tunmon_xdp").map_err(|_| error))
    }

    /// Whether the calling thread may read the maps and attach programs, tried with a device that is not there.
    pub(crate) fn works(&self) -> bool {
        let Ok(program) = self.descriptor("tunmon_xdp") else { return false };
        let may = |error: &io::Error| error.raw_os_error() != Some(libc::EPERM);
        let nowhere = i32::MAX.cast_unsigned();
        let is_read = self.totals(nowhere).is_ok();
        is_read && syscall::link_create(program, nowhere, Hook::NativeXdp).map_or_else(|error| may(&error), |_| true)
    }

    fn link(&self, name: &str, device: &Device, hook: Hook) -> Result<OwnedFd> {
        let link = syscall::link_create(self.descriptor(name)?, device.index, hook)?;
        self.keep_link(&link, device, hook)?;
        Ok(link)
    }
}

/// Name of a program of others; only root may ask.
fn name_of_program(id: u32) -> Option<String> {
    let program = aya::programs::loaded_programs().flatten().find(|program| program.id() == id)?;
    program.name_as_str().map(ToOwned::to_owned)
}

/// The kernel's own error, if it is one.
fn errno(error: &anyhow::Error) -> Option<i32> {
    error.downcast_ref::<io::Error>()?.raw_os_error()
}

fn explain_xdp(device: &Device, error: anyhow::Error) -> anyhow::Error {
    let name = &device.name;
    match errno(&error) {
        Some(libc::EBUSY) => anyhow!("another XDP program is attached to {name}"),
        Some(libc::EEXIST) => {
            anyhow!("another XDP program is attached to {name} in the other mode, or to a device above it")
        }
        Some(libc::EOPNOTSUPP) => anyhow!("the driver of {name} has no native XDP"),
        Some(libc::ERANGE) => anyhow!("native XDP does not fit the MTU {} of {name}", device.mtu),
        Some(libc::EINVAL) => {
            anyhow!("the driver of {name} takes no XDP with MTU {} and its other settings", device.mtu)
        }
        Some(libc::ENOMEM) => anyhow!("{name} has no queues or memory left for XDP"),
        Some(libc::EPERM) => Failure::privilege().into(),
        _ => error,
    }
}

fn explain_tcx(device: &Device, error: anyhow::Error) -> anyhow::Error {
    match errno(&error) {
        Some(libc::EPERM) => Failure::privilege().into(),
        Some(libc::ENODEV) => anyhow!("{} is gone", device.name),
        _ => error.context(format!("attaching to TCX of {}", device.name)),
    }
}

fn refuse(device: &Device, error: anyhow::Error) -> anyhow::Error {
    if error.is::<Failure>() {
        return error;
    }
    let advice = "use --ingress auto, which falls back to TC, or --ingress tc";
    Failure::kernel(format!("XDP cannot be attached to {}: {error:#}", device.name), advice).into()
}

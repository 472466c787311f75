//! Attaches the programs to a device, by bpf_link, in the order native XDP, TCX, clsact; detaches on drop.

use anyhow::{Context, Result, anyhow};
use aya::programs::links::FdLink;
use aya::programs::tc::{NlOptions, SchedClassifierLink, TcAttachOptions, TcAttachType, TcHandle, qdisc_add_clsact};
use aya::programs::{LinkOrder, ProgramError, SchedClassifier, Xdp, XdpMode};
use clap::ValueEnum;

use super::Kernel;
use super::features::has_tcx;
use crate::device::Device;
use crate::failure::Failure;

/// How received packets are to be seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Ingress {
    /// Native XDP, else TC.
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
    _links: [Link; 2],
}

#[expect(dead_code, reason = "held for what dropping them does")]
enum Link {
    Xdp(FdLink),
    Tc(SchedClassifierLink),
}

/// Priority of our filters where there is no TCX: late, away from those that agents fight over.
const PRIORITY: u16 = 49_081;

impl Kernel {
    /// Attaches both hooks to `device`.
    pub fn attach(&mut self, device: &Device, ingress: Ingress) -> Result<Attachment> {
        let mut refused = Vec::new();
        let (rx, ingress) = match ingress {
            Ingress::Auto => match self.attach_xdp(device, XdpMode::Driver) {
                Ok(link) => (link, "xdp"),
                Err(error) => {
                    refused.push(format!("xdp: {error:#}"));
                    self.attach_tc(device, "tunmon_tc_rx", TcAttachType::Ingress)?
                }
            },
            Ingress::Xdp => (self.attach_xdp(device, XdpMode::Driver).map_err(refuse(device))?, "xdp"),
            Ingress::XdpGeneric => (self.attach_xdp(device, XdpMode::Skb).map_err(refuse(device))?, "xdp-generic"),
            Ingress::Tc => self.attach_tc(device, "tunmon_tc_rx", TcAttachType::Ingress)?,
        };
        let (tx, egress) = self.attach_tc(device, "tunmon_tc_tx", TcAttachType::Egress)?;
        Ok(Attachment { device: device.clone(), ingress, egress, refused, _links: [rx, tx] })
    }

    fn attach_xdp(&mut self, device: &Device, mode: XdpMode) -> Result<Link> {
        match self.attach_xdp_program("tunmon_xdp", device, mode) {
            // Packets of this MTU may not fit into one buffer, which each driver says with an error of its own. Never
            // with generic XDP: it panics some kernels.
            Err(error) if mode == XdpMode::Driver && self.has_frags && device.mtu > ONE_BUFFER => {
                self.attach_xdp_program("tunmon_xdp_frag", device, mode).map_err(|_| error)
            }
            result => result,
        }
    }

    fn attach_xdp_program(&mut self, name: &str, device: &Device, mode: XdpMode) -> Result<Link> {
        let program: &mut Xdp = self.program_mut(name)?.try_into()?;
        let id = program.attach_to_if_index(device.index, mode).map_err(|error| explain_xdp(device, error))?;
        let link = program.take_link(id)?;
        // aya falls back to a netlink attachment, which would outlive us and could be replaced by anybody.
        let link =
            FdLink::try_from(link).map_err(|_| anyhow!("{} takes no bpf_link for XDP in this mode", device.name))?;
        Ok(Link::Xdp(link))
    }

    fn attach_tc(&mut self, device: &Device, name: &str, hook: TcAttachType) -> Result<(Link, &'static str)> {
        let program: &mut SchedClassifier = self.program_mut(name)?.try_into()?;
        if has_tcx() {
            let options = TcAttachOptions::TcxOrder(LinkOrder::first());
            let id = program
                .attach_with_options(&device.name, hook, options)
                .with_context(|| format!("attaching to TCX of {}", device.name))?;
            return Ok((Link::Tc(program.take_link(id)?), "tcx"));
        }
        // It may be there already, ours or not: either way the filter finds its place.
        let _ = qdisc_add_clsact(&device.name);
        let options = NlOptions { priority: PRIORITY, handle: TcHandle::new(0, 0x6081), ..NlOptions::default() };
        let id = program
            .attach_with_options(&device.name, hook, TcAttachOptions::Netlink(options))
            .map_err(|error| explain_clsact(device, error))?;
        Ok((Link::Tc(program.take_link(id)?), "clsact"))
    }
}

fn explain_xdp(device: &Device, error: ProgramError) -> anyhow::Error {
    let ProgramError::SyscallError(call) = &error else { return anyhow!("{error}") };
    let name = &device.name;
    match call.io_error.raw_os_error() {
        Some(libc::EBUSY | libc::EEXIST) => anyhow!("another XDP program is attached to {name}"),
        Some(libc::EOPNOTSUPP) => anyhow!("the driver of {name} has no native XDP"),
        Some(libc::ERANGE) => anyhow!("native XDP does not fit the MTU {} of {name}", device.mtu),
        Some(libc::EPERM) => Failure::privilege().into(),
        _ => anyhow!("{}", call.io_error),
    }
}

fn explain_clsact(device: &Device, error: ProgramError) -> anyhow::Error {
    let name = &device.name;
    let error = anyhow::Error::new(error).context(format!("attaching to clsact of {name}"));
    // aya wraps the errno of netlink in several errors; only the last one's words name it.
    if !format!("{error:#}").contains("File exists") {
        return error;
    }
    let advice =
        format!("of a tunmon that was killed or still runs; end it, or: tc filter del dev {name} … pref {PRIORITY}");
    Failure::kernel(format!("a filter with our priority {PRIORITY} is in clsact of {name}"), advice).into()
}

/// An MTU up to which every driver with native XDP takes programs that see one buffer.
const ONE_BUFFER: u32 = 1500;

fn refuse(device: &Device) -> impl Fn(anyhow::Error) -> anyhow::Error {
    let name = device.name.clone();
    move |error| {
        if error.is::<Failure>() {
            return error;
        }
        let advice = "use --ingress auto, which falls back to TC, or --ingress tc";
        Failure::kernel(format!("XDP cannot be attached to {name}: {error:#}"), advice).into()
    }
}

//! Programs of somebody else, each attached as others do it, which drop what is sent to their port.

use anyhow::{Context, Result};
use aya::maps::Array;
use aya::programs::tc::{NlOptions, TcAttachOptions, TcAttachType, qdisc_add_clsact};
use aya::programs::{LinkOrder, SchedClassifier, Xdp, XdpMode};
use aya::{Ebpf, EbpfLoader};

use super::pair::{DEVICE, Place};
use crate::bench::driver;

const SOURCE: &str = include_str!("../../bpf/foreign.bpf.c");

/// How a foreign program sees received packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Native XDP, by bpf_link.
    XdpByLink,
    /// Native XDP, by netlink, as `ip link` does it.
    XdpByNetlink,
    /// TCX.
    Tcx,
    /// A filter of highest priority in the qdisc clsact.
    Clsact,
    /// The same in the qdisc ingress.
    IngressQdisc,
}

impl Way {
    /// Whether it comes before TC.
    pub fn is_xdp(self) -> bool {
        matches!(self, Self::XdpByLink | Self::XdpByNetlink)
    }

    /// The port whose datagrams are dropped.
    pub fn port(self) -> u16 {
        9100 + self as u16
    }
}

/// An attached program.
pub struct Foreign {
    pub way: Way,
    ebpf: Ebpf,
}

impl Foreign {
    /// Compiles the programs.
    pub fn object() -> Result<Vec<u8>> {
        driver::compile(SOURCE)
    }

    /// Loads one and attaches it.
    pub fn attach(object: &[u8], place: Place<'_>, way: Way) -> Result<Self> {
        let port = way.port();
        let ebpf = EbpfLoader::new().override_global("PORT", &port, true).load(object).context("foreign programs")?;
        let mut foreign = Self { way, ebpf };
        let attached = if way.is_xdp() { foreign.attach_xdp(place) } else { foreign.attach_tc(place) };
        attached.with_context(|| format!("attaching a foreign program: {way:?}"))?;
        Ok(foreign)
    }

    /// Datagrams that it has dropped.
    pub fn dropped(&self) -> Result<u64> {
        let map = self.ebpf.map(".bss").context("the variables of a foreign program")?;
        Ok(Array::<_, u64>::try_from(map)?.get(&0, 0)?)
    }

    /// The number that the kernel has given the program.
    pub fn id(&self) -> Result<u32> {
        let name = if self.way.is_xdp() { "foreign_xdp" } else { "foreign_tc" };
        Ok(self.ebpf.program(name).context("no foreign program")?.info()?.id())
    }

    fn attach_xdp(&mut self, place: Place<'_>) -> Result<()> {
        let program: &mut Xdp = self.ebpf.program_mut("foreign_xdp").context("no foreign program")?.try_into()?;
        program.load()?;
        if self.way == Way::XdpByLink {
            let _inside = place.namespace.enter()?;
            program.attach(DEVICE, XdpMode::Driver)?;
            return Ok(());
        }
        let id = program.info()?.id();
        place.namespace.run(&format!("bpftool net attach xdpdrv id {id} dev {DEVICE}")).map(drop)
    }

    fn attach_tc(&mut self, place: Place<'_>) -> Result<()> {
        let program: &mut SchedClassifier =
            self.ebpf.program_mut("foreign_tc").context("no foreign program")?.try_into()?;
        program.load()?;
        let _inside = place.namespace.enter()?;
        match self.way {
            Way::Clsact => qdisc_add_clsact(DEVICE)?,
            Way::IngressQdisc => place.namespace.run(&format!("tc qdisc add dev {DEVICE} ingress")).map(drop)?,
            Way::XdpByLink | Way::XdpByNetlink | Way::Tcx => {}
        }
        let options = if self.way == Way::Tcx {
            TcAttachOptions::TcxOrder(LinkOrder::default())
        } else {
            TcAttachOptions::Netlink(NlOptions { priority: 1, ..NlOptions::default() })
        };
        program.attach_with_options(DEVICE, TcAttachType::Ingress, options)?;
        Ok(())
    }
}

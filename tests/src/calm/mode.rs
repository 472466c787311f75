//! The ways in which received packets are seen, each of which is to be asked for and told from the others.

use anyhow::{Result, ensure};
use aya::util::KernelVersion;
use monitor::bpf::{Ingress, Kernel};

use super::pair::{Attached, Place};

/// What tunmon is told to attach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Native XDP.
    Native,
    /// Generic XDP.
    Generic,
    /// TC.
    Tc,
}

impl Mode {
    pub const ALL: [Self; 3] = [Self::Native, Self::Generic, Self::Tc];

    /// Attaches programs at a place, to the hooks that this means.
    pub fn attach<'a>(self, kernel: &mut Kernel, place: Place<'a>) -> Result<Attached<'a>> {
        let attachment = place.attach(kernel, self.ingress())?;
        let hooks = [attachment.ingress, attachment.egress];
        ensure!(hooks == self.hooks(), "{self:?} was attached to {hooks:?}");
        Ok(attachment)
    }

    pub fn ingress(self) -> Ingress {
        match self {
            Self::Native => Ingress::Xdp,
            Self::Generic => Ingress::XdpGeneric,
            Self::Tc => Ingress::Tc,
        }
    }

    /// The command line's option.
    pub fn arguments(self) -> &'static str {
        match self {
            Self::Native => "--ingress xdp",
            Self::Generic => "--ingress xdp-generic",
            Self::Tc => "--ingress tc",
        }
    }

    /// The hooks that it means on this kernel: of received and of transmitted packets.
    pub fn hooks(self) -> [&'static str; 2] {
        match self {
            Self::Native => ["xdp", tc()],
            Self::Generic => ["xdp-generic", tc()],
            Self::Tc => [tc(), tc()],
        }
    }
}

/// Hook of TC on this kernel.
fn tc() -> &'static str {
    if has_tcx() { "tcx" } else { "clsact" }
}

/// TCX came with Linux 6.6.
pub fn has_tcx() -> bool {
    KernelVersion::current().is_ok_and(|version| version >= KernelVersion::new(6, 6, 0))
}

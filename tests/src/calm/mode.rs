//! The ways in which received packets are seen, each of which is to be asked for and told from the others.

use aya::util::KernelVersion;
use monitor::bpf::Ingress;

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

//! What runs on the receiving device: one program at a time, of several that are all loaded.

use anyhow::{Context, Result};
use aya::programs::xdp::XdpLink;
use aya::programs::{Xdp, XdpMode};
use aya::{Ebpf, EbpfLoader};
use monitor::bpf::events::Events;
use monitor::bpf::{Kernel, Sizes, load};
use monitor::counts::Counts;

use super::wire::Wire;

/// Who receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The empty program.
    Empty,
    /// The empty program a second time.
    Twin,
    /// tunmon's program, in the copy that drops.
    Tunmon,
}

impl Subject {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Empty, Self::Twin, Self::Tunmon];
}

/// The receiving end: all subjects, and the attachment that they take turns in.
pub struct Receiver {
    empty: Ebpf,
    kernel: Kernel,
    events: Events,
    link: Option<XdpLink>,
    device: u32,
}

impl Receiver {
    /// Loads the empty programs from one object and tunmon's from `dropping`, and attaches the empty one.
    pub fn new(wire: &Wire, object: &[u8], dropping: &[u8], sizes: Sizes) -> Result<Self> {
        let mut empty = EbpfLoader::new().load(object).context("loading the empty programs")?;
        for name in ["empty", "twin"] {
            program(empty.program_mut(name).with_context(|| format!("no program {name}"))?)?.load()?;
        }
        let mut kernel = Kernel::load_object(dropping, &[6081], sizes, load::random_seed()?, true)?;
        let events = kernel.take_events()?;
        let device = wire.far_index()?;
        let _inside = wire.far.enter()?;
        let first = program(empty.program_mut("empty").context("no empty program")?)?;
        let link = first.attach_to_if_index(device, XdpMode::Driver).context("attaching to a veth device")?;
        let link = Some(first.take_link(link)?);
        Ok(Self { empty, kernel, events, link, device })
    }

    /// Puts `subject` into the attachment.
    pub fn set(&mut self, subject: Subject) -> Result<()> {
        let program = program(match subject {
            Subject::Empty => self.empty.program_mut("empty").context("no empty program")?,
            Subject::Twin => self.empty.program_mut("twin").context("no second empty program")?,
            Subject::Tunmon => self.kernel.program_mut("tunmon_xdp")?,
        })?;
        let link = self.link.take().context("nothing is attached")?;
        let link = program.attach_to_link(link).context("replacing a program")?;
        self.link = Some(program.take_link(link)?);
        Ok(())
    }

    /// What tunmon's program has counted so far, and how many events of its there were since the last call.
    pub fn seen(&mut self) -> Result<(Counts, u64)> {
        let mut events = 0;
        self.events.drain(|_| events += 1);
        Ok((self.kernel.counts(self.device)?, events))
    }
}

fn program(program: &mut aya::programs::Program) -> Result<&mut Xdp> {
    Ok(program.try_into()?)
}

/// The sizes that tunmon has by default on this machine.
pub fn default_sizes() -> Result<Sizes> {
    Ok(Sizes::new(128, 256, 65_536, load::processors()?))
}

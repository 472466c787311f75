//! BPF filters in clsact, where the kernel has no links for them (before Linux 6.6).

use std::io;

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{Request, Route, attributes, number, text};

/// Header of a message about a queueing discipline or filter (struct tcmsg).
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct ControlHeader {
    family: u8,
    pad: [u8; 3],
    index: i32,
    handle: u32,
    parent: u32,
    info: u32,
}

/// Attributes of a BPF filter (linux/pkt_cls.h).
const FILE: u16 = 6;
const NAME: u16 = 7;
const FLAGS: u16 = 8;
const TAG: u16 = 10;
const ID: u16 = 11;
/// The program's verdict is the filter's.
const DIRECT_ACTION: u32 = 1;
/// Where ingress and clsact disciplines hang, and their own handle (linux/pkt_sched.h).
const CLSACT: u32 = 0xffff_fff1;
const CLSACT_HANDLE: u32 = 0xffff_0000;
/// Filters of all protocols.
const ALL: u16 = libc::ETH_P_ALL as u16;

/// Where a filter hangs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Parent {
    /// Received packets.
    Ingress = 0xffff_fff2,
    /// Transmitted packets.
    Egress = 0xffff_fff3,
}

/// A queueing discipline of a device's ingress side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Qdisc {
    /// For received and transmitted packets.
    Clsact,
    /// For received packets only.
    Ingress,
}

/// A BPF filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Filter {
    /// Its priority: lower ones see packets first.
    pub(crate) priority: u16,
    /// Its handle.
    pub(crate) handle: u32,
    /// Name of the program.
    pub(crate) name: String,
    /// Hash of the program's instructions.
    pub(crate) tag: [u8; 8],
    /// Id of the program.
    pub(crate) program: u32,
}

impl Route {
    /// The discipline of a device that filters hang on.
    pub(crate) fn qdisc(&mut self, index: u32) -> io::Result<Option<Qdisc>> {
        let request = Request::new(libc::RTM_GETQDISC, 0, &ControlHeader { index: index.cast_signed(), ..none() });
        let mut found = None;
        self.dump(&request, |message| {
            let Some(body) = message else {
                found = None;
                return;
            };
            let Ok((header, rest)) = ControlHeader::read_from_prefix(body) else { return };
            // Some kernels list the disciplines of all devices.
            if header.index.cast_unsigned() == index && header.parent == CLSACT {
                found = match kind(rest).as_str() {
                    "clsact" => Some(Qdisc::Clsact),
                    _ => Some(Qdisc::Ingress),
                };
            }
        })?;
        Ok(found)
    }

    /// Makes a clsact discipline, which must not be there.
    pub(crate) fn add_clsact(&mut self, index: u32) -> io::Result<()> {
        self.change(&clsact(libc::RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, index))
    }

    /// Removes the clsact discipline, and every filter with it.
    pub(crate) fn delete_clsact(&mut self, index: u32) -> io::Result<()> {
        self.change(&clsact(libc::RTM_DELQDISC, 0, index))
    }

    /// Filters of any kind that hang there, BPF or not, and those of them that are BPF.
    pub(crate) fn filters(&mut self, index: u32, parent: Parent) -> io::Result<(usize, Vec<Filter>)> {
        let header = ControlHeader { index: index.cast_signed(), parent: parent as u32, ..none() };
        let (mut all, mut found) = (0, Vec::new());
        self.dump(&Request::new(libc::RTM_GETTFILTER, 0, &header), |message| match message {
            Some(body) => {
                all += 1;
                found.extend(filter(body));
            }
            None => (all, found) = (0, Vec::new()),
        })?;
        Ok((all, found))
    }

    /// Hangs a program there. Unless `replaces`, nothing must have its priority and handle.
    pub(crate) fn add_filter(&mut self, index: u32, parent: Parent, new: &NewFilter<'_>) -> io::Result<()> {
        let header = ControlHeader {
            index: index.cast_signed(),
            handle: new.handle,
            parent: parent as u32,
            info: info(new.priority),
            ..none()
        };
        let options = Request::new(0, 0, &[0_u8; 0])
            .with(FILE, &new.file.to_ne_bytes())
            .with(NAME, format!("{}\0", new.name).as_bytes())
            .with(FLAGS, &DIRECT_ACTION.to_ne_bytes());
        let flags = NLM_F_CREATE | if new.replaces { NLM_F_REPLACE } else { NLM_F_EXCL };
        let request = Request::new(libc::RTM_NEWTFILTER, flags, &header).with(libc::TCA_KIND, b"bpf\0");
        self.change(&request.with(libc::TCA_OPTIONS, &options.body))
    }

    /// Removes a filter.
    pub(crate) fn delete_filter(&mut self, index: u32, parent: Parent, filter: &Filter) -> io::Result<()> {
        let (parent, handle) = (parent as u32, filter.handle);
        let header =
            ControlHeader { index: index.cast_signed(), handle, parent, info: info(filter.priority), ..none() };
        self.change(&Request::new(libc::RTM_DELTFILTER, 0, &header).with(libc::TCA_KIND, b"bpf\0"))
    }
}

/// A filter to be hung up.
pub(crate) struct NewFilter<'a> {
    /// Its priority.
    pub(crate) priority: u16,
    /// Its handle.
    pub(crate) handle: u32,
    /// Name of the program.
    pub(crate) name: &'a str,
    /// Descriptor of the program.
    pub(crate) file: i32,
    /// Whether one of the same priority and handle gives way, without a gap.
    pub(crate) replaces: bool,
}

fn none() -> ControlHeader {
    ControlHeader::default()
}

fn info(priority: u16) -> u32 {
    u32::from(priority) << 16 | u32::from(ALL.to_be())
}

fn clsact(kind: u16, flags: u16, index: u32) -> Request {
    let header = ControlHeader { index: index.cast_signed(), handle: CLSACT_HANDLE, parent: CLSACT, ..none() };
    Request::new(kind, flags, &header).with(libc::TCA_KIND, b"clsact\0")
}

fn kind(attributes_of: &[u8]) -> String {
    attributes(attributes_of)
        .find(|(kind, _)| *kind == libc::TCA_KIND)
        .map_or_else(String::new, |(_, value)| text(value))
}

/// The BPF filter that a message tells of. The kernel also lists each priority as a filter without options.
fn filter(body: &[u8]) -> Option<Filter> {
    let (header, rest) = ControlHeader::read_from_prefix(body).ok()?;
    let (_, options) = attributes(rest).find(|(kind, _)| *kind == libc::TCA_OPTIONS)?;
    if kind(rest) != "bpf" {
        return None;
    }
    let option = |wanted| attributes(options).find(|(kind, _)| *kind == wanted).map(|(_, value)| value);
    Some(Filter {
        priority: (header.info >> 16) as u16,
        handle: header.handle,
        name: option(NAME).map(text)?,
        tag: option(TAG)?.try_into().ok()?,
        program: option(ID).and_then(number)?,
    })
}

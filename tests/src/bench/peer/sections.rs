//! Sections of objects: what type of program they hold, and names that aya reads.
//!
//! libbpf takes `tc`, `tcx/egress` or `xdp/name`, aya does not. So those sections get names that both would take.

use anyhow::{Context, Result, ensure};
use object::read::elf::ElfFile64;
use object::{Object as _, ObjectSection as _, SectionKind};

use super::super::case::Hook;

/// Type of the programs in a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// XDP.
    Xdp,
    /// XDP for packets in several buffers.
    XdpFrags,
    /// TC.
    Tc,
    /// Anything else.
    Other,
}

impl Kind {
    /// The type that the section's name tells.
    pub(super) fn of(section: &str) -> Self {
        match section.split(['/', '_']).next().unwrap_or_default() {
            // What runs behind a redirect has no test run of its own.
            "xdp" | "xdp.frags" if section.ends_with("/devmap") || section.ends_with("/cpumap") => Self::Other,
            "xdp" => Self::Xdp,
            "xdp.frags" => Self::XdpFrags,
            "tc" | "tcx" | "classifier" | "action" => Self::Tc,
            _ => Self::Other,
        }
    }

    /// Where they run.
    pub(super) fn hook(self) -> Option<Hook> {
        match self {
            Self::Xdp | Self::XdpFrags => Some(Hook::Xdp),
            Self::Tc => Some(Hook::Tc),
            Self::Other => None,
        }
    }

    /// The name that aya takes in place of `section`.
    fn readable(self, section: &str) -> Option<String> {
        let wanted = match self {
            Self::Xdp => "xdp".to_owned(),
            Self::XdpFrags => "xdp.frags".to_owned(),
            Self::Tc if section.split('/').next() == Some("classifier") => return None,
            Self::Tc => format!("classifier/{section}"),
            Self::Other => return None,
        };
        (wanted != section).then_some(wanted)
    }
}

/// Where an ELF file of 64 bits says where its section headers are, and how long one is.
const HEADERS: usize = 40;
const HEADER_LENGTH: usize = 64;
const NAMES_INDEX: usize = 62;
/// Places in a section header.
const NAME: usize = 0;
const OFFSET: usize = 24;
const SIZE: usize = 32;

/// The object with every section of XDP or TC programs named as aya reads it. The new names go, behind a copy of the old
/// ones, to the end of the file.
pub(super) fn renamed(bytes: &[u8]) -> Result<Vec<u8>> {
    let file = ElfFile64::<object::Endianness>::parse(bytes)?;
    ensure!(file.is_little_endian(), "it is for machines of the other byte order");
    let mut wanted = Vec::new();
    for section in file.sections().filter(|section| section.kind() == SectionKind::Text) {
        let name = section.name()?;
        wanted.extend(Kind::of(name).readable(name).map(|name| (section.index().0, name)));
    }
    let mut out = bytes.to_vec();
    if wanted.is_empty() {
        return Ok(out);
    }
    let names = usize::from(u16::from_le_bytes(array(bytes, NAMES_INDEX)?));
    let start = word(bytes, header(bytes, names)? + OFFSET)?;
    let length = word(bytes, header(bytes, names)? + SIZE)?;
    let old = bytes.get(start..start.saturating_add(length)).context("names of sections outside of the file")?;
    out.extend_from_slice(old);
    for (section, name) in wanted {
        let at = u32::try_from(out.len() - bytes.len())?;
        put(&mut out, header(bytes, section)? + NAME, &at.to_le_bytes())?;
        out.extend_from_slice(name.as_bytes());
        out.push(0);
    }
    let length = (out.len() - bytes.len()) as u64;
    put(&mut out, header(bytes, names)? + OFFSET, &(bytes.len() as u64).to_le_bytes())?;
    put(&mut out, header(bytes, names)? + SIZE, &length.to_le_bytes())?;
    Ok(out)
}

/// Where the header of a section is.
fn header(bytes: &[u8], section: usize) -> Result<usize> {
    Ok(word(bytes, HEADERS)?.saturating_add(section * HEADER_LENGTH))
}

fn word(bytes: &[u8], at: usize) -> Result<usize> {
    Ok(usize::try_from(u64::from_le_bytes(array(bytes, at)?))?)
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N]> {
    let bytes = bytes.get(at..).and_then(|bytes| bytes.first_chunk());
    bytes.copied().context("a header outside of the file")
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) -> Result<()> {
    let place = bytes.get_mut(at..at.saturating_add(value.len())).context("a header outside of the file")?;
    place.copy_from_slice(value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::super::driver;
    use super::*;

    #[test]
    fn sections_tell_the_type() {
        for section in ["xdp", "xdp/count", "xdp_pass"] {
            assert_eq!(Kind::of(section), Kind::Xdp, "{section}");
        }
        for section in ["tc", "tc/ingress", "tc_ingress", "tcx/egress", "classifier", "classifier/x", "action"] {
            assert_eq!(Kind::of(section), Kind::Tc, "{section}");
        }
        for section in ["kprobe/tcp_sendmsg", "tcp", "xdp/devmap", "xdp.frags/cpumap", "fentry/xdp"] {
            assert_eq!(Kind::of(section), Kind::Other, "{section}");
        }
        assert_eq!(Kind::of("xdp.frags"), Kind::XdpFrags);
    }

    #[test]
    fn sections_get_names_that_aya_reads_and_keep_what_is_in_them() {
        let source = "__attribute__((section(\"tcx/egress\"), used)) int a(void *c) { return 0; }
            __attribute__((section(\"xdp/b\"), used)) int b(void *c) { return 2; }
            __attribute__((section(\"license\"), used)) char licence[] = \"GPL\";";
        let Ok(object) = driver::compile(source) else { return crate::needs::skip("no clang") };
        let renamed = renamed(&object).unwrap();
        let parse = |bytes| ElfFile64::<object::Endianness>::parse(bytes).unwrap();
        let (old, new) = (parse(&*object), parse(&*renamed));
        for (from, to) in [("tcx/egress", "classifier/tcx/egress"), ("xdp/b", "xdp")] {
            let (from, to) = (old.section_by_name(from).unwrap(), new.section_by_name(to).unwrap());
            assert_eq!((from.index(), from.data().unwrap()), (to.index(), to.data().unwrap()));
        }
        assert!(new.section_by_name("license").is_some());
    }
}

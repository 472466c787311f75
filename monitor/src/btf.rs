//! The running kernel's types (BTF, <https://docs.kernel.org/bpf/btf.html>), read for a few members, numbers and names.
//!
//! Only what the programs of drops need: aya's reader does not tell where a member stands. Members of anonymous structs
//! and unions are found as C finds them. Nothing in the file is trusted to be right: what does not fit is not found.

use std::{fs, io};

/// Where the kernel has them.
pub(crate) const KERNEL: &str = "/sys/kernel/btf/vmlinux";

/// Kinds of types (linux/btf.h).
const STRUCT: u32 = 4;
const UNION: u32 = 5;
const ENUM: u32 = 6;
const TYPEDEF: u32 = 8;
const FUNCTION: u32 = 12;
const PROTOTYPE: u32 = 13;
/// Names for other types: typedef, volatile, const, restrict, tag.
const ALIASES: [u32; 5] = [TYPEDEF, 9, 10, 11, 18];
const POINTER: u32 = 2;

/// How deep anonymous members may be nested, and names for names.
const DEPTH: u32 = 16;

/// All types of a kernel.
pub(crate) struct Btf {
    bytes: Vec<u8>,
    names: usize,
    /// Where each type stands; type 0 is `void`, and stands nowhere.
    types: Vec<usize>,
}

/// A type's first three words.
#[derive(Clone, Copy)]
struct Type {
    at: usize,
    name: u32,
    info: u32,
    other: u32,
}

impl Type {
    fn kind(self) -> u32 {
        self.info >> 24 & 0x1f
    }

    fn length(self) -> usize {
        (self.info & 0xffff) as usize
    }

    /// Bytes behind the first three words.
    fn rest(self) -> Option<usize> {
        let length = self.length();
        Some(match self.kind() {
            1 | 14 | 17 => 4,
            3 => 12,
            STRUCT | UNION | 15 | 19 => 12 * length,
            ENUM | PROTOTYPE => 8 * length,
            0 | POINTER | 7 | TYPEDEF | 9..=FUNCTION | 16 | 18 => 0,
            _ => return None,
        })
    }
}

impl Btf {
    /// Those of the running kernel.
    pub(crate) fn kernel() -> io::Result<Self> {
        Self::parse(fs::read(KERNEL)?).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
    }

    /// Reads them, in this machine's byte order.
    pub(crate) fn parse(bytes: Vec<u8>) -> Option<Self> {
        let number = |at: usize| word(&bytes, at).map(|word| word as usize);
        if word(&bytes, 0)? & 0xffff != 0xeb9f {
            return None;
        }
        let header = number(4)?;
        let (mut at, names) = (header + number(8)?, header + number(16)?);
        let end = at + number(12)?;
        let mut btf = Self { bytes, names, types: vec![usize::MAX] };
        while at < end {
            btf.types.push(at);
            at += 12 + btf.at(at)?.rest()?;
        }
        Some(btf)
    }

    /// The offset of a member in bytes; each part of `path` is a member of the struct that the part before it is.
    pub(crate) fn offset(&self, of: &str, path: &[&str]) -> Option<u32> {
        let mut types = (1..self.types.len()).filter_map(|id| self.get(id));
        let mut kind = types.find(|kind| self.is_composed(*kind) && self.is_named(kind.name, of))?;
        let mut sum = 0;
        for (number, name) in path.iter().enumerate() {
            let (offset, id) = self.member(kind, name, DEPTH)?;
            sum += offset;
            if number + 1 < path.len() {
                kind = self.get(self.plain(id)?)?;
            }
        }
        sum.is_multiple_of(8).then_some(sum / 8)
    }

    /// The values of an enum and their names.
    pub(crate) fn values(&self, of: &str) -> Option<Vec<(u32, &str)>> {
        let kind = self.find(ENUM, of)?;
        let value = |number: usize| {
            let at = kind.at + 12 + 8 * number;
            Some((word(&self.bytes, at + 4)?, self.name(word(&self.bytes, at)?)?))
        };
        (0..kind.length()).map(value).collect()
    }

    /// Parameters of the function that a typedef of a pointer is for, as tracepoints have them.
    pub(crate) fn parameters(&self, of: &str) -> Option<usize> {
        let pointer = self.get(self.find(TYPEDEF, of)?.other as usize).filter(|kind| kind.kind() == POINTER)?;
        let function = self.get(pointer.other as usize).filter(|kind| kind.kind() == PROTOTYPE)?;
        Some(function.length())
    }

    /// Whether there is a function of this name.
    pub(crate) fn has_function(&self, name: &str) -> bool {
        self.find(FUNCTION, name).is_some()
    }

    /// The offset in bits of a member, and its type.
    fn member(&self, of: Type, name: &str, depth: u32) -> Option<(u32, usize)> {
        if !self.is_composed(of) || depth == 0 {
            return None;
        }
        let has_bits = of.info >> 31 != 0;
        for number in 0..of.length() {
            let at = of.at + 12 + 12 * number;
            let (own, id) = (word(&self.bytes, at)?, word(&self.bytes, at + 4)? as usize);
            let offset = word(&self.bytes, at + 8)?;
            let offset = if has_bits { offset & 0x00ff_ffff } else { offset };
            if self.is_named(own, name) {
                return Some((offset, id));
            }
            let inside = if own == 0 || self.is_named(own, "") { self.get(self.plain(id)?) } else { None };
            if let Some((inner, id)) = inside.and_then(|kind| self.member(kind, name, depth - 1)) {
                return Some((offset + inner, id));
            }
        }
        None
    }

    /// The type that a name stands for in the end.
    fn plain(&self, mut id: usize) -> Option<usize> {
        for _ in 0..DEPTH {
            match self.get(id) {
                Some(kind) if ALIASES.contains(&kind.kind()) => id = kind.other as usize,
                _ => return Some(id),
            }
        }
        None
    }

    fn find(&self, kind: u32, name: &str) -> Option<Type> {
        (1..self.types.len())
            .filter_map(|id| self.get(id))
            .find(|found| found.kind() == kind && self.is_named(found.name, name))
    }

    fn is_composed(&self, kind: Type) -> bool {
        // A struct without members may be declared here and described elsewhere.
        [STRUCT, UNION].contains(&kind.kind()) && kind.length() != 0
    }

    fn get(&self, id: usize) -> Option<Type> {
        self.at(*self.types.get(id)?)
    }

    fn at(&self, at: usize) -> Option<Type> {
        let word = |number: usize| word(&self.bytes, at.checked_add(4 * number)?);
        Some(Type { at, name: word(0)?, info: word(1)?, other: word(2)? })
    }

    fn is_named(&self, offset: u32, name: &str) -> bool {
        let rest = self.bytes.get(self.names + offset as usize..).unwrap_or_default();
        rest.strip_prefix(name.as_bytes()).is_some_and(|rest| rest.first() == Some(&0))
    }

    fn name(&self, offset: u32) -> Option<&str> {
        let rest = self.bytes.get(self.names + offset as usize..)?;
        str::from_utf8(rest.split(|byte| *byte == 0).next()?).ok()
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at.checked_add(4)?)?.try_into().ok().map(u32::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Types of words, and names; the first type has number 1.
    fn btf(types: &[&[u32]], names: &str) -> Vec<u8> {
        let types: Vec<u32> = types.concat();
        let length = 4 * types.len() as u32;
        let header = [0x0001_eb9f, 24, 0, length, length, names.len() as u32];
        let mut bytes: Vec<u8> = header.iter().chain(&types).flat_map(|word| word.to_ne_bytes()).collect();
        bytes.extend(names.as_bytes());
        bytes
    }

    /// `struct s { int a; union { struct { int b; }; t c; }; }` and `typedef struct u { int d, e; } t`.
    fn small() -> Vec<u8> {
        let of = |kind: u32, length: u32| kind << 24 | length;
        let names = "\0s\0a\0b\0t\0c\0u\0d\0e\0int\0A\0B\0k\0f\0";
        btf(
            &[
                &[17, of(1, 0), 4, 32],
                &[1, of(STRUCT, 2), 12, 3, 1, 0, 0, 3, 32],
                &[0, of(UNION, 2), 8, 0, 4, 0, 9, 5, 0],
                &[0, of(STRUCT, 1), 4, 5, 1, 0],
                &[7, of(TYPEDEF, 0), 6],
                &[11, of(STRUCT, 2), 8, 13, 1, 0, 15, 1, 32],
                &[25, of(ENUM, 2), 4, 21, 0, 23, 7],
                &[0, of(PROTOTYPE, 2), 0, 0, 1, 0, 1],
                &[0, of(POINTER, 0), 8],
                &[27, of(TYPEDEF, 0), 9],
                &[27, of(FUNCTION, 0), 8],
            ],
            names,
        )
    }

    #[test]
    fn members_are_found_through_anonymous_structs_unions_and_typedefs() {
        let btf = Btf::parse(small()).unwrap();
        assert_eq!(btf.offset("s", &["a"]), Some(0));
        assert_eq!(btf.offset("s", &["b"]), Some(4));
        assert_eq!(btf.offset("s", &["c", "e"]), Some(8));
        assert_eq!(btf.offset("u", &["e"]), Some(4));
        assert_eq!([btf.offset("s", &["d"]), btf.offset("x", &["a"]), btf.offset("s", &["a", "b"])], [None; 3]);
        assert_eq!(btf.values("k"), Some(vec![(0, "A"), (7, "B")]));
        assert_eq!((btf.parameters("f"), btf.parameters("t")), (Some(2), None));
        assert!(btf.has_function("f") && !btf.has_function("s"));
    }

    #[test]
    fn what_is_cut_or_damaged_is_not_believed() {
        let whole = small();
        for length in 0..whole.len() {
            let found = Btf::parse(whole[..length].to_vec());
            assert!(found.is_none_or(|btf| btf.offset("s", &["no"]).is_none()), "{length}");
        }
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0xff;
            if let Some(btf) = Btf::parse(damaged) {
                let _ = (btf.offset("s", &["c", "e"]), btf.values("k"), btf.parameters("f"));
            }
        }
    }

    /// The members as bpftool prints them: `'data' type_id=42 bits_offset=1664`.
    #[test]
    fn offsets_are_those_that_bpftool_finds() {
        let Ok(btf) = Btf::kernel() else { return eprintln!("SKIPPED: no {KERNEL}") };
        let dump = Command::new("bpftool").args(["btf", "dump", "file", KERNEL]).output();
        let Ok(dump) = dump else { return eprintln!("SKIPPED: bpftool is missing") };
        let dump = String::from_utf8_lossy(&dump.stdout);
        let of_struct = |name: &str, member: &str| {
            let mut lines = dump.lines().skip_while(|line| !line.contains(&format!("STRUCT '{name}' ")));
            lines.next()?;
            let mut members = lines.take_while(|line| !line.starts_with('['));
            let line = members.find(|line| line.trim_start().starts_with(&format!("'{member}' ")))?;
            Some(line.split("bits_offset=").nth(1)?.split(' ').next()?.parse::<u32>().unwrap() / 8)
        };
        let mut seen = 0;
        for (of, member) in [("sk_buff", "data"), ("sk_buff", "head"), ("sk_buff", "len"), ("net_device", "ifindex")] {
            let expected = of_struct(of, member);
            seen += u32::from(expected.is_some());
            assert!(expected.is_none() || btf.offset(of, &[member]) == expected, "{of}.{member}: {expected:?}");
        }
        assert!(seen >= 3 || dump.is_empty(), "{seen} members compared");
    }
}

//! A loaded program as the kernel runs it: its own translation, read back, and what the calls in it are.
//!
//! The verifier has replaced instructions, resolved the calls of helpers to distances from `__bpf_call_base`, put lookups
//! in place and taken out what no path reaches. The program's own functions stand behind it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd};

use anyhow::{Context, Result, ensure};

use super::{CALL, Instruction, PSEUDO_CALL, rules};

/// `BPF_OBJ_GET_INFO_BY_FD`.
const GET_INFO: libc::c_long = 15;
/// The number of `tail_call`, which stays one.
const TAIL_CALL: i32 = 12;
/// What map types do themselves for the helpers of these names.
const MAP_OPERATIONS: [&str; 2] = ["map_lookup_elem", "map_update_elem"];

/// The beginning of `struct bpf_prog_info`.
#[derive(Default)]
#[repr(C)]
struct Info {
    kind: u32,
    id: u32,
    tag: [u8; 8],
    jited_length: u32,
    translated_length: u32,
    jited: u64,
    translated: u64,
}

/// `union bpf_attr` for the question.
#[repr(C)]
struct Question {
    fd: u32,
    length: u32,
    info: u64,
}

/// The slots of a program.
pub fn code(program: impl AsFd) -> Result<Vec<Instruction>> {
    let mut info = Info::default();
    ask(program.as_fd(), &mut info)?;
    let mut slots = vec![[0_u8; 8]; info.translated_length as usize / 8];
    info = Info { translated_length: info.translated_length, translated: slots.as_mut_ptr() as u64, ..Info::default() };
    ask(program.as_fd(), &mut info)?;
    ensure!(info.translated != 0, "this kernel does not show its translation");
    Ok(slots.iter().map(|slot| Instruction::decode(*slot)).collect())
}

fn ask(program: BorrowedFd<'_>, info: &mut Info) -> Result<()> {
    let fd = program.as_raw_fd().cast_unsigned();
    let question = Question { fd, length: size_of_val(info) as u32, info: std::ptr::from_mut(info) as u64 };
    // SAFETY: the kernel reads the question and writes the info, whose size it is told; what it writes through `translated`
    // has the length that stands before it, which is that of the slots.
    let result =
        unsafe { libc::syscall(libc::SYS_bpf, GET_INFO, std::ptr::from_ref(&question), size_of_val(&question)) };
    ensure!(result == 0, "asking for a program: {}", io::Error::last_os_error());
    Ok(())
}

/// The kernel's functions by address: its own list, which is long, and what was found in it.
pub struct Symbols {
    list: String,
    base: u64,
    found: BTreeMap<i32, Vec<String>>,
}

/// The names of what a program calls, but for its own functions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    pub all: BTreeSet<String>,
    /// What it must not call.
    pub forbidden: BTreeSet<String>,
}

impl Symbols {
    /// Reads them; an error where the kernel hides its addresses.
    pub fn read() -> Result<Self> {
        Self::parse(fs::read_to_string("/proc/kallsyms").context("/proc/kallsyms")?)
    }

    /// Lines such as `ffffffff814dccd0 T __bpf_call_base`.
    fn parse(list: String) -> Result<Self> {
        let (before, _) = list.split_once(" T __bpf_call_base\n").context("this kernel shows no functions")?;
        let address = before.rsplit('\n').next().unwrap_or(before);
        let base = u64::from_str_radix(address, 16).context("/proc/kallsyms")?;
        ensure!(base != 0, "this kernel hides the addresses of its functions");
        Ok(Self { list, base, found: BTreeMap::new() })
    }

    /// What a program calls.
    pub fn calls(&mut self, code: &[Instruction]) -> Calls {
        let mut calls = Calls::default();
        for (_, call) in rules::instructions(code) {
            if call.opcode != CALL || call.from == PSEUDO_CALL {
                continue;
            }
            let names = self.names(call);
            if !names.iter().any(|name| is_allowed(name)) {
                calls.forbidden.extend(names.iter().cloned());
            }
            calls.all.extend(names);
        }
        calls
    }

    /// The names of what a call calls; several functions can be at one address.
    fn names(&mut self, call: Instruction) -> Vec<String> {
        let distance = call.immediate;
        match call.from {
            0 if distance == TAIL_CALL => vec!["bpf_tail_call".to_owned()],
            0 => {
                let address = self.base.wrapping_add_signed(distance.into());
                self.found.entry(distance).or_insert_with(|| names_at(&self.list, address)).clone()
            }
            kind => vec![format!("{distance} of kind {kind}")],
        }
    }
}

fn names_at(list: &str, address: u64) -> Vec<String> {
    let start = format!("\n{address:016x} ");
    let lines = list.match_indices(&start).filter_map(|(at, _)| list[at + start.len()..].lines().next());
    // A letter for the kind, the name, and the module.
    let names: Vec<String> = lines.filter_map(|line| line.split_whitespace().nth(1).map(str::to_owned)).collect();
    if names.is_empty() { vec![format!("what is at {address:x}")] } else { names }
}

/// Whether it is one of [`rules::HELPERS`], or does for one kind of maps what the helper does for all.
fn is_allowed(function: &str) -> bool {
    let is_helper = |name: &str| function.strip_prefix("bpf_").is_some_and(|rest| rest == name);
    rules::HELPERS.iter().any(|(_, name)| is_helper(name)) || MAP_OPERATIONS.iter().any(|name| function.ends_with(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(from: usize, immediate: i32) -> Instruction {
        Instruction { opcode: CALL, from, immediate, ..Instruction::default() }
    }

    #[test]
    fn calls_are_known_by_their_distance_and_others_are_forbidden() {
        let list = "\
0000000000000000 A fixed
0000000000000f00 T bpf_ringbuf_reserve
0000000000001000 t other
0000000000001000 T __bpf_call_base
0000000000001100 T bpf_skb_store_bytes
";
        let mut symbols = Symbols::parse(list.to_owned()).unwrap();
        let code = [call(0, -0x100), call(0, 12), call(PSEUDO_CALL, 7), call(0, 0x100), call(2, -0x100), call(0, 1)];
        let calls = symbols.calls(&code);
        assert_eq!(
            calls.forbidden,
            ["-256 of kind 2", "bpf_skb_store_bytes", "what is at 1001"].map(str::to_owned).into()
        );
        let allowed: Vec<&String> = calls.all.difference(&calls.forbidden).collect();
        assert_eq!(allowed, ["bpf_ringbuf_reserve", "bpf_tail_call"]);
    }

    #[test]
    fn a_kernel_that_hides_its_addresses_is_an_error() {
        assert!(Symbols::parse("0000000000000000 T __bpf_call_base\n".to_owned()).is_err());
        assert!(Symbols::parse("0000000000000f00 T bpf_ringbuf_reserve\n".to_owned()).is_err());
    }

    #[test]
    fn map_types_may_look_up_and_update_themselves() {
        assert!(is_allowed("__htab_map_lookup_elem") && is_allowed("htab_map_update_elem"));
        assert!(!is_allowed("htab_map_delete_elem") && !is_allowed("bpf_redirect") && !is_allowed("ringbuf_reserve"));
    }
}

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

/// The kernel's functions by address.
pub struct Symbols {
    functions: BTreeMap<u64, Vec<String>>,
    base: u64,
}

impl Symbols {
    /// Reads them; an error where the kernel hides its addresses.
    pub fn read() -> Result<Self> {
        let text = fs::read_to_string("/proc/kallsyms").context("/proc/kallsyms")?;
        let mut functions = BTreeMap::<u64, Vec<String>>::new();
        for line in text.lines() {
            let mut words = line.split_whitespace();
            let (Some(address), Some("T" | "t" | "W" | "w"), Some(name)) = (words.next(), words.next(), words.next())
            else {
                continue;
            };
            functions.entry(u64::from_str_radix(address, 16)?).or_default().push(name.to_owned());
        }
        let is_base = |names: &Vec<String>| names.iter().any(|name| name == "__bpf_call_base");
        let base = functions.iter().find(|(_, names)| is_base(names)).map(|(address, _)| *address);
        let base = base.filter(|address| *address != 0).context("this kernel hides the addresses of its functions")?;
        Ok(Self { functions, base })
    }

    /// The names of what a call calls, but for the program's own functions.
    fn called(&self, call: Instruction) -> Vec<String> {
        if call.from == 0 && call.immediate == TAIL_CALL {
            return vec!["bpf_tail_call".to_owned()];
        }
        let address = self.base.wrapping_add_signed(i64::from(call.immediate));
        let names = self.functions.get(&address).filter(|_| call.from == 0);
        names.cloned().unwrap_or_else(|| vec![format!("{} of kind {}", call.immediate, call.from)])
    }

    /// The names of all that a program calls, and of what it must not call.
    pub fn calls(&self, code: &[Instruction]) -> (BTreeSet<String>, BTreeSet<String>) {
        let calls = rules::instructions(code).map(|(_, instruction)| instruction);
        let calls = calls.filter(|instruction| instruction.opcode == CALL && instruction.from != PSEUDO_CALL);
        let names: Vec<Vec<String>> = calls.map(|call| self.called(call)).collect();
        let forbidden = names.iter().filter(|names| !names.iter().any(|name| is_allowed(name)));
        (names.iter().flatten().cloned().collect(), forbidden.flatten().cloned().collect())
    }
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
        let names = [(0x1000, "__bpf_call_base"), (0x0f00, "bpf_ringbuf_reserve"), (0x1100, "bpf_skb_store_bytes")];
        let functions = names.map(|(address, name)| (address, vec![name.to_owned()])).into();
        let symbols = Symbols { functions, base: 0x1000 };
        let code = [call(0, -0x100), call(0, 12), call(PSEUDO_CALL, 7), call(0, 0x100), call(2, -0x100), call(0, 1)];
        let (called, forbidden) = symbols.calls(&code);
        assert!(called.contains("bpf_ringbuf_reserve") && called.contains("bpf_tail_call"), "{called:?}");
        let names = ["-256 of kind 2", "1 of kind 0", "bpf_skb_store_bytes"].map(str::to_owned);
        assert_eq!(forbidden, names.into());
    }

    #[test]
    fn map_types_may_look_up_and_update_themselves() {
        assert!(is_allowed("__htab_map_lookup_elem") && is_allowed("htab_map_update_elem"));
        assert!(!is_allowed("htab_map_delete_elem") && !is_allowed("bpf_redirect") && !is_allowed("ringbuf_reserve"));
    }
}

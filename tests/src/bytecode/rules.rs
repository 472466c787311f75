//! The promise "always pass", as rules about bytecode.

use std::collections::BTreeSet;

use super::flow::{self, Fault, Value};
use super::{CALL, EXIT, Instruction, PSEUDO_CALL};

/// The helpers that programs may call, by the numbers of `enum bpf_func_id`. None of them writes to a packet, drops,
/// redirects or clones one; those of drops read memory, the kernel's and that of a sender.
pub const HELPERS: &[(i32, &str)] = &[
    (1, "map_lookup_elem"),
    (2, "map_update_elem"),
    (12, "tail_call"),
    (26, "skb_load_bytes"),
    (112, "probe_read_user"),
    (113, "probe_read_kernel"),
    (125, "ktime_get_boot_ns"),
    (131, "ringbuf_reserve"),
    (132, "ringbuf_submit"),
    (133, "ringbuf_discard"),
    (158, "get_current_task_btf"),
    (175, "task_pt_regs"),
    (188, "xdp_get_buff_len"),
];

/// A broken rule, and the slot of the instruction that breaks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offence {
    /// The code cannot be walked.
    Fault(Fault),
    /// An exit with another return value, or with one that is not known.
    Exit(usize, Value),
    /// No path reaches an exit.
    NoExit,
    /// A call of a helper that is not in [`HELPERS`], or of a kernel function.
    Call(usize, i32),
}

/// The exits of a program that do not return `verdict`. Only the lower half of r0 counts, as for the kernel.
pub fn exits(code: &[Instruction], verdict: i32) -> Vec<Offence> {
    let states = match flow::states(code) {
        Ok(states) => states,
        Err(fault) => return vec![Offence::Fault(fault)],
    };
    let mut offences = Vec::new();
    let mut has_exit = false;
    for (slot, (instruction, state)) in code.iter().zip(states).enumerate() {
        let Some(registers) = state.filter(|_| instruction.opcode == EXIT) else { continue };
        has_exit = true;
        match registers[0] {
            Value::Number(number) if number as i32 == verdict => {}
            value @ (Value::Anything | Value::Frame(_) | Value::Number(_)) => offences.push(Offence::Exit(slot, value)),
        }
    }
    if !has_exit {
        offences.push(Offence::NoExit);
    }
    offences
}

/// The calls of a function that are not allowed.
pub fn calls(code: &[Instruction]) -> Vec<Offence> {
    let is_allowed = |instruction: &Instruction| match instruction.helper() {
        Some(helper) => HELPERS.iter().any(|(number, _)| *number == helper),
        None => instruction.from == PSEUDO_CALL,
    };
    let calls = instructions(code).filter(|(_, instruction)| instruction.opcode == CALL);
    let offences = calls.filter(|(_, instruction)| !is_allowed(instruction));
    offences.map(|(slot, instruction)| Offence::Call(slot, instruction.immediate)).collect()
}

/// The numbers of the helpers that a function calls.
pub fn helpers(code: &[Instruction]) -> BTreeSet<i32> {
    instructions(code).filter_map(|(_, instruction)| instruction.helper()).collect()
}

/// All instructions, reached or not, without the second halves of wide constants.
pub(super) fn instructions(code: &[Instruction]) -> impl Iterator<Item = (usize, Instruction)> {
    let mut slot = 0;
    std::iter::from_fn(move || {
        let instruction = *code.get(slot)?;
        let at = slot;
        slot += instruction.slots();
        Some((at, instruction))
    })
}

#[cfg(test)]
mod tests {
    use super::super::{ADD, MOVE, MOVE_REGISTER, WIDE};
    use super::*;

    const PASS: i32 = 2;
    const OUT: Instruction = op(EXIT, 0, 0, 0, 0);

    const fn op(opcode: u8, to: usize, from: usize, offset: i16, immediate: i32) -> Instruction {
        Instruction { opcode, to, from, offset, immediate }
    }

    const fn set(register: usize, number: i32) -> Instruction {
        op(MOVE, register, 0, 0, number)
    }

    #[test]
    fn constants_pass_however_they_get_there() {
        assert_eq!(exits(&[set(0, PASS), OUT], PASS), []);
        assert_eq!(exits(&[op(0xb4, 0, 0, 0, PASS), OUT], PASS), []);
        assert_eq!(exits(&[op(0xb4, 0, 0, 0, -1), OUT], -1), []);
        assert_eq!(exits(&[set(6, PASS), op(CALL, 0, 0, 0, 12), op(MOVE_REGISTER, 0, 6, 0, 0), OUT], PASS), []);
        assert_eq!(exits(&[op(WIDE, 0, 0, 0, -1), op(0, 0, 0, 0, 0), OUT], -1), []);
        assert_eq!(exits(&[set(6, -1), op(0xbc, 0, 6, 0, 0), OUT], -1), []);
    }

    #[test]
    fn another_constant_is_caught() {
        assert_eq!(exits(&[set(0, 1), OUT], PASS), [Offence::Exit(1, Value::Number(1))]);
        assert_eq!(exits(&[set(0, PASS), OUT], -1), [Offence::Exit(1, Value::Number(2))]);
    }

    #[test]
    fn a_second_exit_and_a_second_path_are_caught() {
        let second = [set(0, PASS), op(0x15, 1, 0, 1, 0), OUT, set(0, 1), OUT];
        assert_eq!(exits(&second, PASS), [Offence::Exit(4, Value::Number(1))]);
        let shared = [set(0, PASS), op(0x15, 1, 0, 1, 0), set(0, 1), OUT];
        assert_eq!(exits(&shared, PASS), [Offence::Exit(3, Value::Anything)]);
    }

    #[test]
    fn what_a_call_returns_is_caught() {
        let code = [set(0, PASS), op(CALL, 0, 0, 0, 12), OUT];
        assert_eq!(exits(&code, PASS), [Offence::Exit(2, Value::Anything)]);
        let local = [set(0, PASS), op(CALL, 0, PSEUDO_CALL, 0, 0), OUT];
        assert_eq!(exits(&local, PASS), [Offence::Exit(2, Value::Anything)]);
    }

    #[test]
    fn what_is_computed_or_read_is_caught() {
        for instruction in [op(ADD, 0, 0, 0, 0), op(0x61, 0, 1, 0, 0), op(WIDE, 0, 1, 0, PASS), op(0xbc, 0, 7, 0, 0)] {
            let code = [set(6, PASS), set(0, PASS), instruction, op(0, 0, 0, 0, 0), OUT];
            let code = if instruction.opcode == WIDE { code.to_vec() } else { [&code[..3], &code[4..]].concat() };
            assert_eq!(exits(&code, PASS).len(), 1, "{instruction:?}");
        }
    }

    #[test]
    fn what_an_atomic_operation_returns_is_caught() {
        let code = [set(0, PASS), op(0xdb, 1, 0, 0, 0x01), OUT];
        assert_eq!(exits(&code, PASS), [Offence::Exit(2, Value::Anything)]);
    }

    #[test]
    fn a_program_without_exit_is_caught() {
        assert_eq!(exits(&[op(0x05, 0, 0, -1, 0)], PASS), [Offence::NoExit]);
        assert_eq!(exits(&[set(0, PASS)], PASS), [Offence::Fault(Fault::Leaves(0))]);
    }

    #[test]
    fn a_helper_that_writes_packets_and_a_kernel_function_are_caught() {
        let code = [op(CALL, 0, 0, 0, 9), op(CALL, 0, 2, 0, 77), op(CALL, 0, PSEUDO_CALL, 0, 5), op(CALL, 0, 0, 0, 1)];
        assert_eq!(calls(&code), [Offence::Call(0, 9), Offence::Call(1, 77)]);
    }
}

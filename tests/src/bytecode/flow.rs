//! What the registers hold, on every path: a small abstract interpretation.
//!
//! A register holds a known number, a known place in the stack frame, or anything. Where two paths meet, what they
//! disagree on is anything. Conditions are not looked at, so each branch counts as possible: what is found to hold here
//! holds for every input.

use std::fmt;

use super::{ADD, CALL, EXIT, Instruction, MOVE, MOVE_REGISTER, WIDE};

/// What is known of a register.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Value {
    /// Nothing.
    #[default]
    Anything,
    /// It is this number.
    Number(i64),
    /// It points this far above the frame's top; always 0 or less.
    Frame(i64),
}

/// The registers r0 to r10, and r11, which no program has and which the verifier may use in what it puts in.
pub type Registers = [Value; 12];

/// Code that does not stay in its function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A jump or the last instruction leads out of the function; its slot.
    Leaves(usize),
    /// An instruction names a register that is not there; its slot.
    Register(usize),
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leaves(slot) => write!(formatter, "instruction {slot} leads out of the function"),
            Self::Register(slot) => write!(formatter, "instruction {slot} names a register that is not there"),
        }
    }
}

impl std::error::Error for Fault {}

const LOAD: u8 = 1;
const STORE_REGISTER: u8 = 3;
const ALU: u8 = 4;
const JUMP: u8 = 5;
const JUMP32: u8 = 6;
const ALU64: u8 = 7;

const MOVE32: u8 = 0xb4;
const MOVE32_REGISTER: u8 = 0xbc;
const ATOMIC: u8 = 0xc0;
const GOTO: u8 = 0x05;
const GOTO_LONG: u8 = 0x06;

/// The registers before each slot, `None` for one that no path reaches.
pub fn states(code: &[Instruction]) -> Result<Vec<Option<Registers>>, Fault> {
    let mut states = vec![None; code.len()];
    let mut entry = Registers::default();
    entry[10] = Value::Frame(0);
    let mut open = Vec::new();
    arrive(&mut states, &mut open, 0, 0, entry)?;
    while let Some(slot) = open.pop() {
        let Some(before) = states[slot] else { continue };
        let instruction = code[slot];
        if instruction.to >= before.len() {
            return Err(Fault::Register(slot));
        }
        let after = step(&code[slot..], before);
        for next in next(instruction, slot) {
            arrive(&mut states, &mut open, slot, next, after)?;
        }
    }
    Ok(states)
}

/// Notes that `slot` leads to `next`, which is walked again if that tells something new.
fn arrive(
    states: &mut [Option<Registers>],
    open: &mut Vec<usize>,
    slot: usize,
    next: usize,
    registers: Registers,
) -> Result<(), Fault> {
    let known = states.get_mut(next).ok_or(Fault::Leaves(slot))?;
    let joined = known.map_or(registers, |known| join(known, registers));
    if *known != Some(joined) {
        *known = Some(joined);
        open.push(next);
    }
    Ok(())
}

fn join(a: Registers, b: Registers) -> Registers {
    std::array::from_fn(|register| if a[register] == b[register] { a[register] } else { Value::Anything })
}

/// The slots that may follow; one that is out of the function is past its end.
fn next(instruction: Instruction, slot: usize) -> Vec<usize> {
    let through = slot + instruction.slots();
    let jump = |distance: i64| usize::try_from(slot as i64 + 1 + distance).unwrap_or(usize::MAX);
    match (instruction.opcode, instruction.class()) {
        (EXIT, _) => Vec::new(),
        (CALL, _) => vec![through],
        (GOTO, _) => vec![jump(i64::from(instruction.offset))],
        (GOTO_LONG, _) => vec![jump(i64::from(instruction.immediate))],
        (_, JUMP | JUMP32) => vec![through, jump(i64::from(instruction.offset))],
        _ => vec![through],
    }
}

/// The registers after the first instruction of `code`.
fn step(code: &[Instruction], mut registers: Registers) -> Registers {
    let instruction = code[0];
    let Instruction { opcode, to, from, immediate, .. } = instruction;
    match instruction.class() {
        ALU | ALU64 => registers[to] = computed(instruction, &registers),
        _ if opcode == WIDE => registers[to] = wide(code),
        LOAD => registers[to] = Value::Anything,
        JUMP if opcode == CALL => registers[..6].fill(Value::Anything),
        // An atomic operation can leave what was there before in a register.
        STORE_REGISTER if opcode & 0xe0 == ATOMIC && immediate & 1 != 0 => {
            registers[from.min(9)] = Value::Anything;
            registers[0] = Value::Anything;
        }
        _ => {}
    }
    registers
}

/// The 64-bit constant in two slots; one with a mark stands for an address.
fn wide(code: &[Instruction]) -> Value {
    match code {
        [low, high, ..] if low.from == 0 => {
            Value::Number(i64::from(high.immediate) << 32 | i64::from(low.immediate as u32))
        }
        _ => Value::Anything,
    }
}

/// Only what compilers set return values and stack addresses with; all else is anything.
fn computed(instruction: Instruction, registers: &Registers) -> Value {
    let Instruction { opcode, to, from, offset, immediate } = instruction;
    match (opcode, registers[to]) {
        (MOVE, _) if offset == 0 => Value::Number(i64::from(immediate)),
        (MOVE32, _) if offset == 0 => Value::Number(i64::from(immediate as u32)),
        (MOVE_REGISTER, _) if offset == 0 => registers.get(from).copied().unwrap_or_default(),
        (MOVE32_REGISTER, _) if offset == 0 => match registers.get(from) {
            Some(Value::Number(number)) => Value::Number(i64::from(*number as u32)),
            _ => Value::Anything,
        },
        (ADD, Value::Frame(place)) => Value::Frame(place + i64::from(immediate)),
        _ => Value::Anything,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn op(opcode: u8, to: usize, from: usize, offset: i16, immediate: i32) -> Instruction {
        Instruction { opcode, to, from, offset, immediate }
    }

    #[test]
    fn what_two_paths_disagree_on_is_anything() {
        // if r1 == 0 goto +1; r0 = 2; exit
        let code = [op(MOVE, 0, 0, 0, 1), op(0x15, 1, 0, 1, 0), op(MOVE, 0, 0, 0, 2), op(EXIT, 0, 0, 0, 0)];
        let states = states(&code).unwrap();
        assert_eq!(states[2].unwrap()[0], Value::Number(1));
        assert_eq!(states[3].unwrap()[0], Value::Anything);
    }

    #[test]
    fn a_loop_ends_and_forgets_what_it_changes() {
        // r1 = r10; r1 += -8; if r2 == 0 goto -2; exit
        let code = [op(MOVE_REGISTER, 1, 10, 0, 0), op(ADD, 1, 0, 0, -8), op(0x15, 2, 0, -2, 0), op(EXIT, 0, 0, 0, 0)];
        assert_eq!(states(&code).unwrap()[3].unwrap()[1], Value::Anything);
    }

    #[test]
    fn the_second_slot_of_a_wide_constant_is_no_instruction() {
        let code = [op(MOVE, 0, 0, 0, 2), op(WIDE, 1, 1, 0, 0), op(0, 0, 0, 0, 0), op(EXIT, 0, 0, 0, 0)];
        let states = states(&code).unwrap();
        assert_eq!((states[2], states[3].unwrap()[0]), (None, Value::Number(2)));
    }

    #[test]
    fn code_that_leaves_its_function_is_a_fault() {
        assert_eq!(states(&[op(MOVE, 0, 0, 0, 2)]), Err(Fault::Leaves(0)));
        assert_eq!(states(&[op(GOTO, 0, 0, -3, 0)]), Err(Fault::Leaves(0)));
        assert_eq!(states(&[op(GOTO, 0, 0, 7, 0), op(EXIT, 0, 0, 0, 0)]), Err(Fault::Leaves(0)));
    }
}

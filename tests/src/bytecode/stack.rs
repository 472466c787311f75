//! Stack that a program can need, over all chains of calls.
//!
//! The kernel says it only in the verifier's log, which nobody gets for a program that it takes. So it is read from the
//! object: the deepest place of each frame that is addressed, rounded up as the kernel does (`round_up_stack_depth` in
//! kernel/bpf/verifier.c), summed along the deepest chain. Code that the verifier finds dead counts here too.

use anyhow::{Result, ensure};

use super::flow::{self, Value};
use super::object::{Function, Object};

/// What a frame is rounded up to, in bytes: what kernels of all ages do.
const GRAIN: u64 = 32;

/// Calls that may be nested; the kernel's own limit.
const FRAMES: usize = 8;

/// Bytes of stack that `function` and what it calls need.
pub fn depth(object: &Object, function: &Function) -> Result<u64> {
    deepest(object, function, FRAMES)
}

fn deepest(object: &Object, function: &Function, frames: usize) -> Result<u64> {
    ensure!(frames > 0, "{}: too many nested calls", function.name);
    let mut below = 0;
    for callee in function.calls.values() {
        below = below.max(deepest(object, &object.functions[*callee], frames - 1)?);
    }
    Ok(frame(function)?.max(1).next_multiple_of(GRAIN) + below)
}

/// Bytes of the function's own frame.
pub fn frame(function: &Function) -> Result<u64> {
    let states = flow::states(&function.code)?;
    let mut lowest = 0;
    for (instruction, state) in function.code.iter().zip(states) {
        let Some(registers) = state else { continue };
        for value in registers {
            if let Value::Frame(place) = value {
                lowest = lowest.min(place);
            }
        }
        // A load addresses memory through `from`, a store through `to`.
        let base = match instruction.class() {
            1 => instruction.from,
            2 | 3 => instruction.to,
            _ => continue,
        };
        if let Some(Value::Frame(place)) = registers.get(base) {
            lowest = lowest.min(place + i64::from(instruction.offset));
        }
    }
    Ok(lowest.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::{ADD, CALL, EXIT, Instruction, MOVE_REGISTER, PSEUDO_CALL};
    use super::*;

    fn function(code: &[(u8, usize, usize, i16, i32)], calls: &[(usize, usize)]) -> Function {
        let instruction = |&(opcode, to, from, offset, immediate)| Instruction { opcode, to, from, offset, immediate };
        let code = code.iter().map(instruction).collect();
        Function { code, calls: BTreeMap::from_iter(calls.iter().copied()), ..Function::default() }
    }

    #[test]
    fn a_frame_is_as_deep_as_its_lowest_store_or_address() {
        let store = function(&[(0x7b, 10, 1, -40, 0), (0x7b, 10, 1, -8, 0), (EXIT, 0, 0, 0, 0)], &[]);
        assert_eq!(frame(&store).unwrap(), 40);
        let address = function(&[(MOVE_REGISTER, 2, 10, 0, 0), (ADD, 2, 0, 0, -72), (EXIT, 0, 0, 0, 0)], &[]);
        assert_eq!(frame(&address).unwrap(), 72);
    }

    #[test]
    fn a_chain_of_calls_is_the_sum_of_its_frames() {
        let caller =
            &[(0x7b, 10, 1, -40, 0), (CALL, 0, PSEUDO_CALL, 0, 0), (CALL, 0, PSEUDO_CALL, 0, 0), (EXIT, 0, 0, 0, 0)];
        let small = function(&[(EXIT, 0, 0, 0, 0)], &[]);
        let large = function(&[(0x7b, 10, 1, -96, 0), (EXIT, 0, 0, 0, 0)], &[]);
        let functions = vec![function(caller, &[(1, 1), (2, 2)]), small, large];
        let object = Object { functions, maps: Vec::new(), licence: String::new() };
        assert_eq!(depth(&object, &object.functions[0]).unwrap(), 64 + 96);
        assert_eq!(depth(&object, &object.functions[1]).unwrap(), 32);
    }

    #[test]
    fn recursion_is_an_error() {
        let own = function(&[(CALL, 0, PSEUDO_CALL, 0, -1), (EXIT, 0, 0, 0, 0)], &[(0, 0)]);
        let object = Object { functions: vec![own], maps: Vec::new(), licence: String::new() };
        assert!(depth(&object, &object.functions[0]).is_err());
    }
}

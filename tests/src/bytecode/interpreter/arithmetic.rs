//! What arithmetic instructions compute and when jumps are taken (RFC 9669 §4.1 to §4.3).

use anyhow::{Result, bail, ensure};

use super::super::Instruction;

/// The class of 32-bit arithmetic.
pub(crate) const ALU: u8 = 4;
/// The class of 64-bit arithmetic.
pub(crate) const ALU64: u8 = 7;
/// The class of jumps that compare 64 bits.
pub(crate) const JUMP: u8 = 5;
/// The class of jumps that compare 32 bits.
pub(crate) const JUMP32: u8 = 6;

/// The bit that says that the second operand is a register.
const REGISTER: u8 = 0x08;
const SWAP: u8 = 13;

/// The second operand: the register `from`, or the constant with its sign.
pub(crate) fn operand(instruction: Instruction, from: u64) -> u64 {
    if instruction.opcode & REGISTER != 0 { from } else { i64::from(instruction.immediate) as u64 }
}

/// The register after an arithmetic instruction on `to` and the register `from`.
pub(crate) fn computed(instruction: Instruction, to: u64, from: u64) -> Result<u64> {
    let operation = instruction.opcode >> 4;
    if operation == SWAP {
        return swapped(instruction, to);
    }
    ensure!(instruction.offset == 0, "signed division and sign-extending moves are not known: {instruction:?}");
    let other = operand(instruction, from);
    if instruction.class() == ALU64 {
        return in_64_bits(operation, to, other);
    }
    // A shift to the right brings the sign down from bit 31.
    let (low, other) = (to as u32, other as u32);
    match operation {
        12 => Ok(u64::from((low.cast_signed() >> (other & 31)).cast_unsigned())),
        _ => in_64_bits(operation, u64::from(low), u64::from(if is_shift(operation) { other & 31 } else { other }))
            .map(|result| u64::from(result as u32)),
    }
}

fn is_shift(operation: u8) -> bool {
    matches!(operation, 6 | 7)
}

fn in_64_bits(operation: u8, to: u64, other: u64) -> Result<u64> {
    Ok(match operation {
        0 => to.wrapping_add(other),
        1 => to.wrapping_sub(other),
        2 => to.wrapping_mul(other),
        3 => to.checked_div(other).unwrap_or(0),
        4 => to | other,
        5 => to & other,
        6 => to << (other & 63),
        7 => to >> (other & 63),
        8 => to.wrapping_neg(),
        9 => to.checked_rem(other).unwrap_or(to),
        10 => to ^ other,
        11 => other,
        12 => (to.cast_signed() >> (other & 63)).cast_unsigned(),
        _ => bail!("arithmetic {operation} is not known"),
    })
}

/// To big or little endian, or the other way round, in the lowest bits that the constant says.
fn swapped(instruction: Instruction, to: u64) -> Result<u64> {
    let swaps = instruction.class() == ALU64 || instruction.opcode & REGISTER != 0;
    Ok(match (instruction.immediate, swaps) {
        (16, true) => u64::from((to as u16).swap_bytes()),
        (32, true) => u64::from((to as u32).swap_bytes()),
        (64, true) => to.swap_bytes(),
        (16, false) => u64::from(to as u16),
        (32, false) => u64::from(to as u32),
        (64, false) => to,
        (bits, _) => bail!("a swap of {bits} bits"),
    })
}

/// Says whether a jump on `to` and the register `from` is taken.
pub(crate) fn is_taken(instruction: Instruction, to: u64, from: u64) -> Result<bool> {
    let mut pair = [to, operand(instruction, from)];
    let mut signed = pair.map(u64::cast_signed);
    if instruction.class() == JUMP32 {
        signed = pair.map(|number| i64::from((number as u32).cast_signed()));
        pair = pair.map(|number| u64::from(number as u32));
    }
    let ([a, b], [c, d]) = (pair, signed);
    Ok(match instruction.opcode >> 4 {
        0 => true,
        1 => a == b,
        2 => a > b,
        3 => a >= b,
        4 => a & b != 0,
        5 => a != b,
        6 => c > d,
        7 => c >= d,
        10 => a < b,
        11 => a <= b,
        12 => c < d,
        13 => c <= d,
        condition => bail!("condition {condition} is not known"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn constant(opcode: u8, immediate: i32) -> Instruction {
        Instruction { opcode, immediate, ..Instruction::default() }
    }

    fn alu(opcode: u8, to: u64, immediate: i32) -> u64 {
        computed(constant(opcode, immediate), to, 0).unwrap()
    }

    #[test]
    fn constants_keep_their_sign_in_64_bits_and_lose_it_in_32() {
        assert_eq!(alu(0x07, 5, -1), 4);
        assert_eq!(alu(0x04, 1 << 32, -1), 0xffff_ffff);
        assert_eq!(alu(0xb7, 0, -1), u64::MAX);
        assert_eq!(alu(0xb4, u64::MAX, 7), 7);
    }

    #[test]
    fn shifts_take_as_many_bits_of_their_operand_as_the_width_needs() {
        assert_eq!(alu(0x67, 1, 65), 2);
        assert_eq!(alu(0x64, 1, 33), 2);
        assert_eq!(alu(0xc7, 0x8000_0000_0000_0000, 63), u64::MAX);
        assert_eq!(alu(0xc4, 0x8000_0000, 31), 0xffff_ffff);
        assert_eq!(alu(0x74, 0xffff_ffff_8000_0000, 31), 1);
    }

    #[test]
    fn a_division_by_nothing_is_0_and_its_rest_everything() {
        assert_eq!((alu(0x37, 9, 0), alu(0x97, 9, 0)), (0, 9));
        assert_eq!((alu(0x37, 9, 4), alu(0x97, 9, 4)), (2, 1));
    }

    #[test]
    fn swaps_clear_what_is_above_them() {
        assert_eq!(alu(0xdc, 0xffff_1234, 16), 0x3412);
        assert_eq!(alu(0xd4, 0xffff_1234, 16), 0x1234);
        assert_eq!(alu(0xdc, 0x0102_0304_0506_0708, 64), 0x0807_0605_0403_0201);
    }

    #[test]
    fn conditions_differ_in_sign_and_width() {
        let taken = |opcode, to, immediate| is_taken(constant(opcode, immediate), to, 0).unwrap();
        assert!(taken(0x25, u64::MAX, 1) && !taken(0x65, u64::MAX, 1));
        assert!(!taken(0x15, 1 << 32 | 7, 7) && taken(0x16, 1 << 32 | 7, 7));
        assert!(taken(0xc6, 0xffff_ffff, 0) && !taken(0xc5, 0xffff_ffff, 0));
        assert!(taken(0x45, 6, 2) && !taken(0x45, 4, 2));
    }

    #[test]
    fn what_is_not_known_is_an_error() {
        let signed_division = Instruction { offset: 1, ..constant(0x37, 2) };
        assert!(computed(signed_division, 4, 0).is_err());
        assert!(is_taken(constant(0xe5, 0), 0, 0).is_err());
    }
}

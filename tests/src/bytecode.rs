//! The BPF object as bytecode: its functions out of the ELF file, and what can be proven of them without a kernel.
//!
//! [`object`] reads the file, [`flow`] walks a function over all its paths, [`rules`] and [`stack`] say what must hold.
//! [`interpreter`] runs programs on packets and counts. [`translated`] reads a loaded program back for the same rules.

pub mod flow;
pub mod interpreter;
pub mod object;
pub mod rules;
pub mod stack;
pub mod translated;

/// One slot of eight bytes, as the kernel reads it (`struct bpf_insn`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Instruction {
    /// What it does.
    pub opcode: u8,
    /// Register that is written, 0 to 10.
    pub to: usize,
    /// Register that is read, or a mark of calls and of 64-bit constants.
    pub from: usize,
    /// Jump or memory offset.
    pub offset: i16,
    /// Constant.
    pub immediate: i32,
}

/// `exit`.
pub const EXIT: u8 = 0x95;
/// `call`.
pub const CALL: u8 = 0x85;
/// A 64-bit constant or a map's address; it takes two slots.
pub const WIDE: u8 = 0x18;
/// `rX = constant`.
pub const MOVE: u8 = 0xb7;
/// `rX = rY`.
pub const MOVE_REGISTER: u8 = 0xbf;
/// `rX += constant`.
pub const ADD: u8 = 0x07;
/// A call of another function of the object, by the mark in `from`.
pub const PSEUDO_CALL: usize = 1;

impl Instruction {
    /// Decodes a slot.
    pub fn decode(slot: [u8; 8]) -> Self {
        let [opcode, registers, low, high, immediate @ ..] = slot;
        Self {
            opcode,
            to: usize::from(registers & 15),
            from: usize::from(registers >> 4),
            offset: i16::from_le_bytes([low, high]),
            immediate: i32::from_le_bytes(immediate),
        }
    }

    /// The three bits that name its kind.
    pub fn class(self) -> u8 {
        self.opcode & 7
    }

    /// Number of slots that it takes.
    pub fn slots(self) -> usize {
        if self.opcode == WIDE { 2 } else { 1 }
    }

    /// Says whether it calls another function of the object.
    pub fn is_local_call(self) -> bool {
        self.opcode == CALL && self.from == PSEUDO_CALL
    }

    /// The number of the helper that it calls.
    pub fn helper(self) -> Option<i32> {
        (self.opcode == CALL && self.from == 0).then_some(self.immediate)
    }
}

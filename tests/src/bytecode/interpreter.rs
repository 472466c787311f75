//! Runs the object's programs on packets and counts what they do: instructions, and calls of helpers by name.
//!
//! No kernel, no privileges, no noise: the same object and the same packets give the same figures everywhere. They are
//! of the bytecode as compiled, before the verifier and the JIT compiler put look-ups and context accesses inline.
//! Maps, settings and programs of a [`Machine`] last from one packet to the next, as in the kernel. What the programs
//! do not need is not there, and an instruction or helper that is not known is an error.

mod arithmetic;
mod helpers;
pub mod image;
mod memory;
mod tables;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use anyhow::{Context, Result, bail, ensure};

use super::{CALL, EXIT, Instruction, WIDE};
use arithmetic::{ALU, ALU64, JUMP, JUMP32, computed, is_taken};
use image::{Image, Target};
use memory::Memory;
use tables::Tables;

/// The name under which look-ups are counted.
pub const LOOK_UP: &str = "map_lookup_elem";

const LOAD: u8 = 1;
const STORE: u8 = 2;
const STORE_REGISTER: u8 = 3;
/// Loads and stores that neither extend the sign nor are atomic.
const PLAIN: u8 = 0x60;

/// Bytes of a function's frame, and how many frames there are.
const FRAME: u64 = 512;
const FRAMES: u64 = 8;
/// Addresses: the first regions, in this order, and the maps, whose addresses are no memory.
const STACK: u64 = 1 << 16;
const CONTEXT: u64 = 2 << 16;
const PACKET: u64 = 3 << 16;
const MAPS: u64 = 1 << 48;
/// Longest run: the kernel's own bound on a program is as high.
const MOST: u64 = 1_000_000;

/// The registers that a call leaves as they are.
const SAVED: RangeInclusive<usize> = 6..=10;

/// Which context a program gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `struct xdp_md`.
    Xdp,
    /// `struct __sk_buff`.
    Classifier,
}

/// What a run came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// What the program returned.
    pub verdict: i32,
    /// Instructions executed.
    pub instructions: u64,
    /// Calls of helpers by name.
    pub helpers: BTreeMap<&'static str, u64>,
}

/// An object with its memory.
pub struct Machine {
    image: Image,
    memory: Memory,
    tables: Tables,
    /// Addresses of the sections with settings.
    sections: Vec<u64>,
    packet_length: u64,
    /// What the clocks show.
    pub now_ns: u64,
    /// Whether the ring buffers have no room.
    pub rings_are_full: bool,
    /// Index of the device that packets pass.
    device: u32,
}

/// A program that runs.
struct Processor {
    registers: [u64; 11],
    function: usize,
    slot: usize,
    /// Per calling function: where it goes on, and its registers.
    callers: Vec<(usize, usize, [u64; 11])>,
    helpers: BTreeMap<&'static str, u64>,
}

impl Machine {
    /// A machine whose maps are empty and whose settings are as compiled.
    pub fn new(image: Image) -> Result<Self> {
        let mut memory = Memory::default();
        for (expected, length) in [(STACK, (FRAME * FRAMES) as usize), (CONTEXT, 0), (PACKET, 0)] {
            ensure!(memory.add(vec![0; length])? == expected, "regions are out of order");
        }
        let sections = image.sections.iter().map(|bytes| memory.add(bytes.clone())).collect::<Result<_>>()?;
        let tables = Tables::default();
        Ok(Self {
            image,
            memory,
            tables,
            sections,
            packet_length: 0,
            now_ns: 1 << 32,
            rings_are_full: false,
            device: 1,
        })
    }

    /// Sets a setting by its name.
    pub fn set(&mut self, name: &str, value: &[u8]) -> Result<()> {
        let (section, offset, length) = *self.image.settings.get(name).with_context(|| format!("no setting {name}"))?;
        ensure!(length == value.len() as u64, "{name} has {length} bytes");
        self.memory.write(self.sections[section] + offset, value)
    }

    /// Sets how many entries a map may have.
    pub fn resize(&mut self, map: &str, entries: u32) -> Result<()> {
        let map = self.image.map(map)?;
        self.image.maps[map].entries = entries;
        Ok(())
    }

    /// Puts a program into a map of programs.
    pub fn chain(&mut self, map: &str, index: u32, program: &str) -> Result<()> {
        let place = (self.image.map(map)?, index);
        self.tables.programs.insert(place, self.image.function(program)?);
        Ok(())
    }

    /// Runs a program on a frame.
    pub fn run(&mut self, program: &str, kind: Kind, frame: &[u8]) -> Result<Run> {
        self.packet_length = frame.len() as u64;
        self.memory.replace(PACKET, frame.to_vec())?;
        self.memory.replace(CONTEXT, self.context(kind, frame.len() as u32))?;
        self.memory.replace(STACK, vec![0; (FRAME * FRAMES) as usize])?;
        let mut registers = [0; 11];
        (registers[1], registers[10]) = (CONTEXT, STACK + FRAME);
        let function = self.image.function(program)?;
        let mut processor = Processor { registers, function, slot: 0, callers: Vec::new(), helpers: BTreeMap::new() };
        let mut instructions = 0;
        loop {
            ensure!(instructions < MOST, "{program} does not end");
            instructions += 1;
            let (function, slot) = (processor.function, processor.slot);
            let goes_on = self.step(&mut processor);
            if !goes_on.with_context(|| format!("{}, slot {slot}", self.image.functions[function].name))? {
                let verdict = processor.registers[0] as i32;
                return Ok(Run { verdict, instructions, helpers: processor.helpers });
            }
        }
    }

    /// What a program finds at r1: the fields of the kernel's user API that the programs read, the others 0.
    fn context(&self, kind: Kind, length: u32) -> Vec<u8> {
        let (start, end) = (PACKET as u32, PACKET as u32 + length);
        let fields: &[(usize, u32)] = match kind {
            Kind::Xdp => &[(0, start), (4, end), (8, start), (12, self.device)],
            Kind::Classifier => &[(0, length), (40, self.device), (76, start), (80, end)],
        };
        let mut context = vec![0; 192];
        for (at, value) in fields {
            context[*at..at + 4].copy_from_slice(&value.to_le_bytes());
        }
        context
    }

    /// Does one instruction; says whether another one follows.
    fn step(&mut self, processor: &mut Processor) -> Result<bool> {
        let code = &self.image.functions[processor.function].code;
        let instruction = *code.get(processor.slot).context("there is no instruction")?;
        ensure!(instruction.to <= 10 && instruction.from <= 10, "no such register: {instruction:?}");
        let slot = processor.slot;
        processor.slot += instruction.slots();
        let (to, from) = (processor.registers[instruction.to], processor.registers[instruction.from]);
        match instruction.class() {
            ALU | ALU64 => processor.registers[instruction.to] = computed(instruction, to, from)?,
            _ if instruction.opcode == WIDE => {
                processor.registers[instruction.to] = self.wide(processor.function, slot)?;
            }
            JUMP if instruction.opcode == EXIT => return Ok(processor.go_back()),
            JUMP if instruction.opcode == CALL => self.call(processor, slot, instruction)?,
            JUMP | JUMP32 if is_taken(instruction, to, from)? => processor.jump(instruction)?,
            JUMP | JUMP32 => {}
            LOAD | STORE | STORE_REGISTER => self.access(processor, instruction)?,
            _ => bail!("not known: {instruction:?}"),
        }
        Ok(true)
    }

    /// The constant in two slots, or the address that it stands for.
    fn wide(&self, function: usize, slot: usize) -> Result<u64> {
        match self.image.targets.get(&(function, slot)) {
            Some(Target::Map(map)) => Ok(MAPS + *map as u64),
            Some(Target::Data(section, offset)) => Ok(self.sections[*section] + offset),
            None => {
                let [low, high] = self.image.functions[function].code[slot..][..2] else { bail!("half a constant") };
                ensure!(low.from == 0, "an address without relocation");
                Ok(u64::from(high.immediate as u32) << 32 | u64::from(low.immediate as u32))
            }
        }
    }

    fn call(&mut self, processor: &mut Processor, slot: usize, instruction: Instruction) -> Result<()> {
        if let Some(helper) = instruction.helper() {
            return self.help(processor, helper);
        }
        let callee = self.image.functions[processor.function].calls.get(&slot).context("a call of nothing")?;
        ensure!((processor.callers.len() as u64) < FRAMES - 1, "too many frames");
        processor.callers.push((processor.function, processor.slot, processor.registers));
        (processor.function, processor.slot) = (*callee, 0);
        processor.registers[10] += FRAME;
        Ok(())
    }

    /// A load or a store.
    fn access(&mut self, processor: &mut Processor, instruction: Instruction) -> Result<()> {
        let Instruction { opcode, to, from, offset, immediate } = instruction;
        ensure!(opcode & 0xe0 == PLAIN, "neither a plain load nor a plain store: {instruction:?}");
        let length = [4, 2, 1, 8][usize::from(opcode >> 3 & 3)];
        let at = |register: usize| processor.registers[register].wrapping_add_signed(i64::from(offset));
        let value = match instruction.class() {
            LOAD => {
                processor.registers[to] = self.memory.load(at(from), length)?;
                return Ok(());
            }
            STORE => i64::from(immediate).cast_unsigned(),
            _ => processor.registers[from],
        };
        self.memory.write(at(to), &value.to_le_bytes()[..length])
    }
}

impl Processor {
    /// Returns to the calling function; says whether there is one.
    fn go_back(&mut self) -> bool {
        let Some((function, slot, registers)) = self.callers.pop() else { return false };
        (self.function, self.slot) = (function, slot);
        self.registers[SAVED].copy_from_slice(&registers[SAVED]);
        true
    }

    fn jump(&mut self, instruction: Instruction) -> Result<()> {
        let is_long = instruction.opcode == JUMP32;
        let distance = if is_long { instruction.immediate as isize } else { isize::from(instruction.offset) };
        self.slot = self.slot.checked_add_signed(distance).context("a jump before the function")?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;

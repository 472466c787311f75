//! What an interpreter needs of the ELF file besides the code: maps, settings, and what the constants stand for.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context, Result, bail, ensure};
use object::read::elf::ElfFile64;
use object::{Object as _, ObjectSection as _, ObjectSymbol as _, RelocationTarget, SectionIndex, SymbolKind};

use super::super::object::{Function, Object};
use super::super::{Instruction, WIDE};

/// Kinds of maps by their numbers in the kernel (`enum bpf_map_type`).
pub(crate) mod kind {
    pub(crate) const HASH: u32 = 1;
    pub(crate) const ARRAY: u32 = 2;
    pub(crate) const PROGRAMS: u32 = 3;
    pub(crate) const CPU_ARRAY: u32 = 6;
    pub(crate) const RING: u32 = 27;
}

/// A map as the object defines it.
#[derive(Clone, Debug, Default)]
pub struct Map {
    /// Name.
    pub name: String,
    /// Its number in `enum bpf_map_type`.
    pub kind: u32,
    /// Bytes of a key.
    pub key_length: usize,
    /// Bytes of a value.
    pub value_length: usize,
    /// Greatest number of entries.
    pub entries: u32,
}

/// What a 64-bit constant with a relocation is the address of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The map with this index.
    Map(usize),
    /// A byte in the section of settings with this index.
    Data(usize, u64),
}

/// Where a setting lies: the section's index, the offset, the length in bytes.
pub(crate) type Setting = (usize, u64, u64);

/// An object that can be run.
#[derive(Default)]
pub struct Image {
    /// All functions.
    pub functions: Vec<Function>,
    /// All maps.
    pub maps: Vec<Map>,
    /// Per function and slot, what its constant stands for.
    pub targets: HashMap<(usize, usize), Target>,
    /// Contents of the sections with settings.
    pub(crate) sections: Vec<Vec<u8>>,
    /// The settings by name.
    pub(crate) settings: BTreeMap<String, Setting>,
}

impl Image {
    /// Reads the file.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let file = ElfFile64::<object::Endianness>::parse(bytes).context("not an ELF file")?;
        let mut image = Self { functions: Object::parse(bytes)?.functions, ..Self::default() };
        let mut places = HashMap::new();
        for section in file.sections() {
            if section.name().is_ok_and(|name| name.starts_with(".rodata") || name.starts_with(".data")) {
                places.insert(section.index(), image.sections.len());
                image.sections.push(section.data()?.to_vec());
            }
        }
        let maps = file.section_by_name("maps").context("no section of maps")?;
        for symbol in file.symbols().filter(|symbol| symbol.kind() == SymbolKind::Data) {
            let index = symbol.section_index().context("data without section")?;
            if index == maps.index() {
                image.maps.push(map(symbol.name()?, maps.data()?, symbol.address())?);
            } else if let Some(place) = places.get(&index) {
                let setting = (*place, symbol.address(), symbol.size());
                image.settings.insert(symbol.name()?.to_owned(), setting);
            }
        }
        image.targets = targets(&file, &image, &places)?;
        Ok(image)
    }

    /// The index of a function by its name.
    pub(crate) fn function(&self, name: &str) -> Result<usize> {
        self.functions.iter().position(|each| each.name == name).with_context(|| format!("no function {name}"))
    }

    /// The index of a map by its name.
    pub(crate) fn map(&self, name: &str) -> Result<usize> {
        self.maps.iter().position(|each| each.name == name).with_context(|| format!("no map {name}"))
    }
}

/// The map that `struct bpf_map_def` at `start` of its section defines.
fn map(name: &str, section: &[u8], start: u64) -> Result<Map> {
    let start = usize::try_from(start)?;
    let (words, _) = section.get(start..start + 16).context("a map outside of its section")?.as_chunks::<4>();
    let [kind, key, value, entries] = [0, 1, 2, 3].map(|word: usize| u32::from_le_bytes(words[word]));
    let (key_length, value_length) = (key as usize, value as usize);
    Ok(Map { name: name.to_owned(), kind, key_length, value_length, entries })
}

/// What the constants of all functions stand for.
fn targets(
    file: &ElfFile64<'_>,
    image: &Image,
    places: &HashMap<SectionIndex, usize>,
) -> Result<HashMap<(usize, usize), Target>> {
    let mut found = HashMap::new();
    for symbol in file.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.size() != 0) {
        let function = image.function(symbol.name()?)?;
        let section = file.section_by_index(symbol.section_index().context("a function without section")?)?;
        let own = symbol.address()..symbol.address() + symbol.size();
        for (at, relocation) in section.relocations().filter(|(at, _)| own.contains(at)) {
            let slot = usize::try_from((at - own.start) / 8)?;
            let instruction = image.functions[function].code[slot];
            if instruction.opcode == WIDE {
                let target = target(file, relocation.target(), instruction, image, places)?;
                found.insert((function, slot), target);
            }
        }
    }
    Ok(found)
}

fn target(
    file: &ElfFile64<'_>,
    target: RelocationTarget,
    instruction: Instruction,
    image: &Image,
    places: &HashMap<SectionIndex, usize>,
) -> Result<Target> {
    let RelocationTarget::Symbol(index) = target else { bail!("a relocation without symbol") };
    let symbol = file.symbol_by_index(index)?;
    let section = symbol.section_index().context("an address of nothing")?;
    if let Some(place) = places.get(&section) {
        return Ok(Target::Data(*place, symbol.address().wrapping_add_signed(i64::from(instruction.immediate))));
    }
    ensure!(instruction.immediate == 0, "an address in the middle of a map");
    image.map(symbol.name()?).map(Target::Map)
}

//! The ELF file: functions with their calls resolved, maps, licence.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context, Result, ensure};
use object::read::elf::ElfFile64;
use object::{Object as _, ObjectSection as _, ObjectSymbol as _, RelocationTarget, SectionIndex, SymbolKind};

use super::Instruction;

/// The parts of the object that the proofs look at.
pub struct Object {
    /// All functions, programs and others.
    pub functions: Vec<Function>,
    /// Names of the maps.
    pub maps: Vec<String>,
    /// The licence, without the byte that ends it.
    pub licence: String,
}

/// A function.
#[derive(Clone, Debug, Default)]
pub struct Function {
    /// Name.
    pub name: String,
    /// Its section, which says whether it is a program, and of which type.
    pub section: String,
    /// Its slots.
    pub code: Vec<Instruction>,
    /// The functions that it calls, by the slot of the call.
    pub calls: BTreeMap<usize, usize>,
}

impl Function {
    /// What a program must return, by the hook that its section names; `None` for a function that programs call.
    pub fn verdict(&self) -> Option<i32> {
        match self.section.as_str() {
            "xdp" | "xdp.frags" => Some(2),
            "classifier" => Some(-1),
            // Nobody asks what these return.
            "raw_tp/kfree_skb" | "raw_tp/sock_send_length" | "fexit/packet_sendmsg" => Some(0),
            _ => None,
        }
    }
}

/// Where a function begins: its section, and the byte in it.
type Place = (SectionIndex, u64);

impl Object {
    /// Reads the file.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let file = ElfFile64::<object::Endianness>::parse(bytes).context("not an ELF file")?;
        let mut places = HashMap::new();
        let mut functions = Vec::new();
        for symbol in file.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.size() != 0) {
            let index = symbol.section_index().context("a function without section")?;
            let section = file.section_by_index(index)?;
            let code = slots(section.data()?, symbol.address(), symbol.size())?;
            let (name, section) = (symbol.name()?.to_owned(), section.name()?.to_owned());
            places.insert((index, symbol.address()), functions.len());
            functions.push(Function { name, section, code, calls: BTreeMap::new() });
        }
        for (&(section, start), &own) in &places {
            functions[own].calls = calls(&file, (section, start), &functions[own].code, &places)
                .with_context(|| format!("calls of {}", functions[own].name))?;
        }
        let licence = file.section_by_name("license").context("no licence")?.data()?;
        let licence = String::from_utf8_lossy(licence).trim_end_matches('\0').to_owned();
        Ok(Self { functions, maps: maps(&file)?, licence })
    }

    /// The programs.
    pub fn programs(&self) -> impl Iterator<Item = &Function> {
        self.functions.iter().filter(|function| function.verdict().is_some())
    }
}

fn slots(section: &[u8], start: u64, size: u64) -> Result<Vec<Instruction>> {
    let (start, size) = (usize::try_from(start)?, usize::try_from(size)?);
    let bytes = section.get(start..start + size).context("a function outside of its section")?;
    let (slots, rest) = bytes.as_chunks::<8>();
    ensure!(rest.is_empty(), "a function of {size} bytes");
    Ok(slots.iter().map(|slot| Instruction::decode(*slot)).collect())
}

/// The functions that `code`, which begins at `place`, calls. A call names its target by the distance, or by a
/// relocation and a distance from there.
fn calls(
    file: &ElfFile64<'_>,
    (index, start): Place,
    code: &[Instruction],
    places: &HashMap<Place, usize>,
) -> Result<BTreeMap<usize, usize>> {
    let section = file.section_by_index(index)?;
    let relocations: BTreeMap<u64, RelocationTarget> =
        section.relocations().map(|(at, relocation)| (at, relocation.target())).collect();
    let mut found = BTreeMap::new();
    for (slot, instruction) in code.iter().enumerate().filter(|(_, instruction)| instruction.is_local_call()) {
        let at = start + slot as u64 * 8;
        let (section, base) = match relocations.get(&at) {
            Some(RelocationTarget::Symbol(symbol)) => {
                let symbol = file.symbol_by_index(*symbol)?;
                (symbol.section_index().context("a call to nowhere")?, symbol.address())
            }
            _ => (index, at),
        };
        let target = base.wrapping_add_signed((i64::from(instruction.immediate) + 1) * 8);
        let callee = places.get(&(section, target)).context("a call into the middle of a function")?;
        found.insert(slot, *callee);
    }
    Ok(found)
}

fn maps(file: &ElfFile64<'_>) -> Result<Vec<String>> {
    let sections: Vec<SectionIndex> =
        ["maps", ".maps"].iter().filter_map(|name| file.section_by_name(name)).map(|section| section.index()).collect();
    let symbols = file.symbols().filter(|symbol| symbol.kind() == SymbolKind::Data);
    let maps = symbols.filter(|symbol| symbol.section_index().is_some_and(|index| sections.contains(&index)));
    Ok(maps.map(|map| map.name().map(str::to_owned)).collect::<Result<_, _>>()?)
}

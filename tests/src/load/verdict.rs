//! A copy of tunmon's object whose XDP programs drop, made for measuring only.
//!
//! A packet that is passed goes up a network stack, which costs more than any program and hides its price. tunmon always
//! passes, so the copy has the one constant changed that each program returns. That nothing else differs and that every
//! exit of every program gives the new verdict is checked by the rules that prove the original's.

use anyhow::{Context, Result, ensure};
use object::read::elf::ElfFile64;
use object::{Object as _, ObjectSection as _};

use crate::bytecode::object::{Function, Object};
use crate::bytecode::rules;

const SECTION: &str = "xdp";
const PASS: i32 = 2;
const DROP: i32 = 1;

/// `w0 = 2; exit`, and the byte in it that says 2.
const RETURN_PASS: [u8; 16] = [0xb4, 0, 0, 0, PASS as u8, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0];
const CONSTANT: usize = 4;

/// The object with every XDP program in section `xdp` dropping what it has seen.
pub fn dropping(original: &[u8]) -> Result<Vec<u8>> {
    let file = ElfFile64::<object::Endianness>::parse(original).context("not an ELF file")?;
    let section = file.section_by_name(SECTION).context("no XDP programs")?;
    let (start, size) = section.file_range().context("XDP programs without bytes")?;
    let (start, size) = (usize::try_from(start)?, usize::try_from(size)?);
    let mut changed = original.to_vec();
    let code = changed.get_mut(start..start + size).context("a section outside of its file")?;
    let (slots, _) = code.as_chunks::<8>();
    let pairs = slots.windows(2).enumerate();
    let returns: Vec<usize> =
        pairs.filter(|(_, pair)| pair.as_flattened() == RETURN_PASS).map(|(slot, _)| slot * 8).collect();
    returns.iter().for_each(|at| code[at + CONSTANT] = DROP as u8);
    let programs = programs(&changed)?;
    ensure!(returns.len() == programs.len(), "{} returns in {} programs", returns.len(), programs.len());
    for program in &programs {
        let offences = rules::exits(&program.code, DROP);
        ensure!(offences.is_empty(), "{} does more than drop: {offences:?}", program.name);
    }
    Ok(changed)
}

fn programs(object: &[u8]) -> Result<Vec<Function>> {
    let functions = Object::parse(object)?.functions;
    Ok(functions.into_iter().filter(|function| function.section == SECTION).collect())
}

#[cfg(test)]
mod tests {
    use monitor::bpf::OBJECT;

    use super::*;

    #[test]
    fn one_constant_of_each_program_is_changed_and_no_other_byte() {
        let changed = dropping(OBJECT).unwrap();
        let bytes = OBJECT.iter().zip(&changed).filter(|(before, after)| before != after);
        assert_eq!(bytes.count(), programs(OBJECT).unwrap().len());
        assert_eq!(OBJECT.len(), changed.len());
    }

    #[test]
    fn a_copy_that_drops_already_is_refused() {
        assert!(dropping(&dropping(OBJECT).unwrap()).is_err());
    }
}

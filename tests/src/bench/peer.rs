//! Programs of others, `OBJECT:PROGRAM`, timed on the same packets in the same rounds.
//!
//! Their maps are created as the object says, and are theirs alone. What they return and whether they did any work is
//! not looked at: nothing is known of them but the hook, which their section tells.

mod private;
mod sections;

use std::error::Error;
use std::fs;

use anyhow::{Context, Result};
use aya::programs::{Program, ProgramError};
use aya::{Ebpf, EbpfLoader};
use monitor::failure::Failure;
use object::read::elf::ElfFile64;
use object::{Object as _, ObjectSection as _, ObjectSymbol as _, SymbolKind};

use super::case::Hook;
use super::driver::{self, Drive, Driver};
use sections::Kind;

/// A program that was found in its object.
#[derive(Clone, Debug)]
pub struct Peer {
    /// What rows call it.
    pub name: String,
    /// Where it runs.
    pub hook: Hook,
    /// `OBJECT:PROGRAM`, as it was asked for.
    argument: String,
    /// The object, with sections named as aya reads them.
    object: Vec<u8>,
    function: String,
    kind: Kind,
}

/// A loaded peer.
pub struct Guest {
    ebpf: Ebpf,
    function: String,
    driver: Option<Driver>,
}

/// A function of an object that may be a program.
struct Candidate {
    function: String,
    section: String,
    kind: Kind,
}

impl Peer {
    /// Finds the program that `argument` names by its function or its section.
    pub fn find(argument: &str) -> Result<Self> {
        let (file, name) =
            argument.rsplit_once(':').filter(|(file, name)| !file.is_empty() && !name.is_empty()).ok_or_else(|| {
                Failure::usage(
                    format!("--peer {argument}: an object and a program are needed"),
                    "write --peer OBJECT:PROGRAM",
                )
            })?;
        let bytes = fs::read(file).map_err(|error| {
            Failure::usage(format!("cannot read {file}: {error}"), "give the path of a BPF object file")
        })?;
        let candidates = candidates(&bytes).map_err(|error| {
            let cause = format!("{file} is no BPF object: {error:#}");
            Failure::usage(cause, "compile it for BPF, such as with clang -O2 -g -target bpf -c")
        })?;
        let found = choose(&candidates, file, name)?;
        let hook = found.kind.hook().ok_or_else(|| {
            let cause = format!("{name} of {file} is in section {}, which is neither XDP nor TC", found.section);
            Failure::usage(cause, listed(&candidates))
        })?;
        let object = sections::renamed(&bytes)
            .map_err(|error| Failure::usage(format!("{file} is no BPF object: {error:#}"), "compile it anew"))?;
        let (argument, function) = (argument.to_owned(), found.function.clone());
        Ok(Self { name: found.function.clone(), hook, argument, object, function, kind: found.kind })
    }

    /// Loads it, with maps of its own, and a driver before it where packets are driven.
    pub fn load(&self, driver: &[u8], drive: Option<&Drive>) -> Result<Guest> {
        let ebpf = self.load_itself().map_err(|reason| {
            let cause = format!("cannot load {}: {reason}", self.argument);
            Failure::usage(
                cause,
                "bench loads objects with aya, without any settings of theirs: give it one that needs none",
            )
        })?;
        let mut guest = Guest { ebpf, function: self.function.clone(), driver: None };
        if let Some(drive) = drive {
            let mut driver = if self.kind == Kind::XdpFrags {
                Driver::load_for_frags(driver, drive)?
            } else {
                Driver::load(driver, self.hook, drive)?
            };
            driver.aim(guest.itself()?.fd()?).with_context(|| format!("{} behind a tail call", self.argument))?;
            guest.driver = Some(driver);
        }
        Ok(guest)
    }

    /// The reason in one line where it cannot be loaded.
    fn load_itself(&self) -> Result<Ebpf, String> {
        private::bpf_file_system().map_err(|error| format!("{error:#}"))?;
        let loaded = EbpfLoader::new().allow_unsupported_maps().load(&self.object);
        let mut ebpf = loaded.map_err(|error| one_line(&error))?;
        let program = ebpf.program_mut(&self.function).ok_or("aya does not find it")?;
        driver::load_as_typed(program).map_err(|error| refused(&error))?;
        Ok(ebpf)
    }
}

impl Guest {
    /// The program to run: the driver if there is one.
    pub fn program(&self) -> Result<&Program> {
        self.driver.as_ref().map_or_else(|| self.itself(), Driver::drives)
    }

    fn itself(&self) -> Result<&Program> {
        self.ebpf.program(&self.function).context("a peer's program")
    }
}

/// The functions in sections of programs.
fn candidates(bytes: &[u8]) -> Result<Vec<Candidate>> {
    let file = ElfFile64::<object::Endianness>::parse(bytes)?;
    let mut found = Vec::new();
    for symbol in file.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.size() != 0) {
        let section = file.section_by_index(symbol.section_index().context("a function without section")?)?;
        let (function, section) = (symbol.name()?.to_owned(), section.name()?.to_owned());
        if section != ".text" {
            found.push(Candidate { kind: Kind::of(&section), function, section });
        }
    }
    Ok(found)
}

/// The function with this name, else the only one in the section with this name.
fn choose<'a>(candidates: &'a [Candidate], file: &str, name: &str) -> Result<&'a Candidate> {
    if let Some(found) = candidates.iter().find(|candidate| candidate.function == name) {
        return Ok(found);
    }
    let mut in_section = candidates.iter().filter(|candidate| candidate.section == name);
    match (in_section.next(), in_section.next()) {
        (Some(found), None) => Ok(found),
        (Some(_), Some(_)) => {
            Err(Failure::usage(format!("section {name} of {file} has several programs"), listed(candidates)).into())
        }
        _ => Err(Failure::usage(format!("{file} has no program {name}"), listed(candidates)).into()),
    }
}

/// What could be asked for.
fn listed(candidates: &[Candidate]) -> String {
    let usable = candidates.iter().filter(|candidate| candidate.kind.hook().is_some());
    let names: Vec<String> = usable.map(|each| format!("{} ({})", each.function, each.section)).collect();
    if names.is_empty() { "it has no XDP or TC program".to_owned() } else { format!("it has: {}", names.join(", ")) }
}

/// Why the kernel did not take a program: its error, and the verifier's last word.
fn refused(error: &ProgramError) -> String {
    let ProgramError::LoadError { io_error, verifier_log } = error else { return one_line(error) };
    let log = verifier_log.to_string();
    let mut said = log.lines().filter(|line| !line.trim().is_empty() && !line.starts_with("processed "));
    format!("{io_error}; the verifier: {}", said.next_back().unwrap_or("nothing"))
}

/// An error and its reasons in one line.
fn one_line(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let reason = inner.to_string();
        if !text.contains(&reason) {
            text = format!("{text}: {reason}");
        }
        source = inner.source();
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

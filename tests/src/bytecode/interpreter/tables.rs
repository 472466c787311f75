//! The contents of the maps: one processor, and memory for each value that was asked for.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Result, bail, ensure};

use super::image::{Map, kind};
use super::memory::Memory;

/// `EEXIST`, as helpers return it.
const EXISTS: i64 = -17;
/// `E2BIG`, as helpers return it.
const TOO_BIG: i64 = -7;
/// Flag of an update: the key must be new.
const NO_EXIST: u64 = 1;

/// What all maps hold.
#[derive(Default)]
pub(crate) struct Tables {
    /// Per map and key, where the value lies.
    values: HashMap<(usize, Vec<u8>), u64>,
    /// Per map of programs and index, the function.
    pub(crate) programs: BTreeMap<(usize, u32), usize>,
}

impl Tables {
    /// Where the value of `key` lies, 0 when there is none. Arrays hold zeroes until something else is written.
    pub(crate) fn look_up(&mut self, memory: &mut Memory, (index, map): (usize, &Map), key: &[u8]) -> Result<u64> {
        let place = (index, key.to_vec());
        if let Some(address) = self.values.get(&place) {
            return Ok(*address);
        }
        match map.kind {
            kind::HASH => Ok(0),
            kind::ARRAY | kind::CPU_ARRAY => {
                let key = u32::from_le_bytes(key.try_into()?);
                if key >= map.entries {
                    return Ok(0);
                }
                let address = memory.add(vec![0; map.value_length])?;
                self.values.insert(place, address);
                Ok(address)
            }
            other => bail!("a look-up in {}, a map of kind {other}", map.name),
        }
    }

    /// Writes a value into a hash map; returns what the helper would.
    pub(crate) fn update(
        &mut self,
        memory: &mut Memory,
        (index, map): (usize, &Map),
        (key, value): (Vec<u8>, Vec<u8>),
        flags: u64,
    ) -> Result<i64> {
        ensure!(map.kind == kind::HASH, "an update of {}, a map of kind {}", map.name, map.kind);
        let held = self.values.keys().filter(|(map, _)| *map == index).count();
        let place = (index, key);
        match self.values.get(&place) {
            Some(_) if flags == NO_EXIST => return Ok(EXISTS),
            Some(address) => memory.write(*address, &value)?,
            None if held as u64 >= u64::from(map.entries) => return Ok(TOO_BIG),
            None => {
                let address = memory.add(value)?;
                self.values.insert(place, address);
            }
        }
        Ok(0)
    }
}

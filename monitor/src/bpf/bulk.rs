//! Many values out of a map, by the system call itself.
//!
//! aya asks for one key or value at a time, and takes memory for each. A table of thousands of tunnels that is read every
//! second needs neither: one call gives all keys of a hash map, and one call those values of a per-processor array that
//! lie close together (Linux 5.13; before, each costs a call).

use std::os::fd::AsFd as _;

use anyhow::{Context, Result, bail, ensure};
use aya::maps::{Map, MapData};
use zerocopy::FromBytes;

use super::load;
use super::syscall::{MAP_LOOKUP, MAP_LOOKUP_BATCH, address, call, number};

/// What bpf(2) is given for [`MAP_LOOKUP`]; addresses are as wide everywhere.
#[derive(Default)]
#[repr(C)]
struct One {
    map: u32,
    reserved: u32,
    key: u64,
    value: u64,
    flags: u64,
}

/// What bpf(2) is given for [`MAP_LOOKUP_BATCH`]; `behind` and `end` point to positions, of arrays to indexes.
#[derive(Default)]
#[repr(C)]
struct Batch {
    behind: u64,
    end: u64,
    keys: u64,
    values: u64,
    count: u32,
    map: u32,
    flags_of_each: u64,
    flags: u64,
}

/// All keys of a hash map of numbers to bytes with at most `most` entries.
pub(super) fn keys(map: &Map, most: u32) -> Result<Vec<u32>> {
    let Map::HashMap(map) = map else { bail!("no hash map") };
    let (mut keys, mut values, mut end) = (vec![0_u32; most as usize], vec![0_u8; most as usize], 0_u32);
    let mut batch = Batch {
        end: address(&raw mut end),
        keys: address(keys.as_mut_ptr()),
        values: address(values.as_mut_ptr()),
        count: most,
        map: descriptor(map),
        ..Batch::default()
    };
    // SAFETY: the kernel writes at most `count` keys of four bytes and values of one, which have room, and a position
    // of four bytes; all of it outlives the call.
    match unsafe { call(MAP_LOOKUP_BATCH, &mut batch) } {
        // That there are no more is said by an error.
        Err(error) if error.raw_os_error() != Some(libc::ENOENT) => return Err(error.into()),
        _ => keys.truncate(batch.count as usize),
    }
    Ok(keys)
}

/// Values between two wanted ones that are read along rather than begin another call, which costs as much as these.
const GAP: u32 = 4;
/// Bytes that one call gives at most, but one index always.
const CHUNK: usize = 256 << 10;
/// The kernel's own error of an operation that this kind of map does not have.
const ENOTSUPP: i32 = 524;

/// Reads values of one per-processor array.
pub(super) struct PerProcessor<'a, T> {
    map: &'a MapData,
    processors: usize,
    keys: Vec<u32>,
    values: Vec<T>,
    has_batches: bool,
}

impl<'a, T: FromBytes + Copy + Default> PerProcessor<'a, T> {
    /// A reader of `map`.
    pub(super) fn new(map: &'a Map) -> Result<Self> {
        // The kernel keeps its copies at such distances.
        const { assert!(size_of::<T>().is_multiple_of(8)) };
        let Map::PerCpuArray(map) = map else { bail!("no per-processor array") };
        let size = map.info().context("the size of its values")?.value_size();
        ensure!(size as usize == size_of::<T>(), "its values have {size} bytes");
        // Asked here, and of nobody else: the kernel writes so many values, whatever room there is.
        let processors = load::processors()?;
        let room = (CHUNK / (processors * size_of::<T>())).max(1);
        let (keys, values) = (vec![0; room], vec![T::default(); room * processors]);
        Ok(Self { map, processors, keys, values, has_batches: true })
    }

    /// Calls `take` with the values of each of `indexes`, which ascend, one a processor.
    pub(super) fn read(&mut self, mut indexes: &[u32], mut take: impl FnMut(u32, &[T])) -> Result<()> {
        while let Some(first) = indexes.first() {
            let run = self.run(indexes);
            if run > 1 && self.batch(*first, indexes[run - 1])? {
                for index in &indexes[..run] {
                    let at = (index - first) as usize * self.processors;
                    take(*index, &self.values[at..at + self.processors]);
                }
                indexes = &indexes[run..];
            } else {
                self.one(*first)?;
                take(*first, &self.values[..self.processors]);
                indexes = &indexes[1..];
            }
        }
        Ok(())
    }

    /// How many of the first of `indexes` one call can give.
    fn run(&self, indexes: &[u32]) -> usize {
        let is_near = |pair: &&[u32]| pair[1] - pair[0] <= GAP && ((pair[1] - indexes[0]) as usize) < self.keys.len();
        if self.has_batches { 1 + indexes.windows(2).take_while(is_near).count() } else { 1 }
    }

    fn one(&mut self, index: u32) -> Result<()> {
        let (key, value) = (address(&raw const index), address(self.values.as_mut_ptr()));
        let mut one = One { map: descriptor(self.map), key, value, ..One::default() };
        // SAFETY: the kernel reads a key of four bytes and writes one value for each possible processor, for which there
        // is room, of the size that was checked when this was made; any bytes are a `T`.
        unsafe { call(MAP_LOOKUP, &mut one) }?;
        Ok(())
    }

    /// Reads everything from `first` to `last`; says whether the kernel can.
    fn batch(&mut self, first: u32, last: u32) -> Result<bool> {
        let (behind, mut end) = (first.wrapping_sub(1), 0_u32);
        let mut batch = Batch {
            behind: if first == 0 { 0 } else { address(&raw const behind) },
            end: address(&raw mut end),
            keys: address(self.keys.as_mut_ptr()),
            values: address(self.values.as_mut_ptr()),
            count: last - first + 1,
            map: descriptor(self.map),
            ..Batch::default()
        };
        // SAFETY: as for `one`; `run` sees to it that there is room for all from `first` to `last`.
        match unsafe { call(MAP_LOOKUP_BATCH, &mut batch) } {
            Err(error) if matches!(error.raw_os_error(), Some(ENOTSUPP | libc::EINVAL)) => self.has_batches = false,
            result => drop(result?),
        }
        ensure!(!self.has_batches || batch.count == last - first + 1, "it ends before its last tunnel");
        Ok(self.has_batches)
    }
}

fn descriptor(map: &MapData) -> u32 {
    number(map.fd().as_fd())
}

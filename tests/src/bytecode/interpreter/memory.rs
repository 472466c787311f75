//! Memory of the interpreted machine: regions, each of which ends where its bytes end.
//!
//! An address is the region's number above the 16 bits of the offset, so that it fits into the 32 bits that a context
//! has for packet addresses, and address 0 and what follows it is nobody's.

use anyhow::{Context, Result, ensure};

const SHIFT: u32 = 16;

/// All regions.
#[derive(Default)]
pub(crate) struct Memory {
    regions: Vec<Vec<u8>>,
}

impl Memory {
    /// A new region with these bytes; returns its address.
    pub(crate) fn add(&mut self, bytes: Vec<u8>) -> Result<u64> {
        ensure!(bytes.len() < 1 << SHIFT, "a region of {} bytes", bytes.len());
        self.regions.push(bytes);
        let number = u32::try_from(self.regions.len())?;
        ensure!(number < 1 << (32 - SHIFT), "too many regions");
        Ok(u64::from(number) << SHIFT)
    }

    /// Gives the region at `address` other bytes, as many as it may hold.
    pub(crate) fn replace(&mut self, address: u64, bytes: Vec<u8>) -> Result<()> {
        ensure!(bytes.len() < 1 << SHIFT, "a region of {} bytes", bytes.len());
        let (region, _) = split(address);
        *self.regions.get_mut(region).context("no such region")? = bytes;
        Ok(())
    }

    /// The `length` bytes at `address`.
    pub(crate) fn bytes(&self, address: u64, length: usize) -> Result<&[u8]> {
        let (region, offset) = split(address);
        let found = self.regions.get(region).and_then(|bytes| bytes.get(offset..offset + length));
        found.with_context(|| format!("{length} bytes at {address:#x} are not memory"))
    }

    /// The number of `length` bytes, up to 8, at `address`.
    pub(crate) fn load(&self, address: u64, length: usize) -> Result<u64> {
        let mut number = [0; 8];
        number[..length].copy_from_slice(self.bytes(address, length)?);
        Ok(u64::from_le_bytes(number))
    }

    /// Writes `bytes` to `address`.
    pub(crate) fn write(&mut self, address: u64, bytes: &[u8]) -> Result<()> {
        let (region, offset) = split(address);
        let found = self.regions.get_mut(region).and_then(|region| region.get_mut(offset..offset + bytes.len()));
        found.with_context(|| format!("{} bytes at {address:#x} are not memory", bytes.len()))?.copy_from_slice(bytes);
        Ok(())
    }
}

/// The region's index and the offset in it; an address that is too low or too high has an index that no region has.
fn split(address: u64) -> (usize, usize) {
    let region = usize::try_from(address >> SHIFT).unwrap_or(usize::MAX);
    (region.wrapping_sub(1), (address & ((1 << SHIFT) - 1)) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_ends_where_its_bytes_end() {
        let mut memory = Memory::default();
        let [first, second] = [4, 8].map(|length| memory.add(vec![0; length]).unwrap());
        memory.write(first, &[1, 2, 3, 4]).unwrap();
        assert_eq!(memory.load(first + 1, 2).unwrap(), 0x0302);
        assert!(memory.load(first + 1, 4).is_err() && memory.load(first - 1, 1).is_err());
        assert!(memory.load(0, 1).is_err() && memory.load(u64::MAX, 8).is_err());
        assert!(memory.write(second + 8, &[0]).is_err());
    }
}

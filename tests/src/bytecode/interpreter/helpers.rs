//! The kernel's helpers, as far as the programs call them.

use anyhow::{Context, Result, bail, ensure};

use super::image::{Map, kind};
use super::{MAPS, Machine, PACKET, Processor, STACK};

/// What a helper that fails returns.
const FAILED: i64 = -1;

/// Flag of a record: the reader, if it waits, is not woken.
const NO_WAKEUP: u64 = 1;

/// The name of a helper by its number (`enum bpf_func_id`).
fn name(number: i32) -> Option<&'static str> {
    Some(match number {
        1 => super::LOOK_UP,
        2 => "map_update_elem",
        5 => "ktime_get_ns",
        12 => "tail_call",
        26 => "skb_load_bytes",
        125 => "ktime_get_boot_ns",
        131 => "ringbuf_reserve",
        132 => "ringbuf_submit",
        133 => "ringbuf_discard",
        188 => "xdp_get_buff_len",
        _ => return None,
    })
}

impl Machine {
    /// Does what a helper would do with the registers r1 to r5, and counts the call.
    pub(super) fn help(&mut self, processor: &mut Processor, number: i32) -> Result<()> {
        let name = name(number).with_context(|| format!("helper {number} is not known"))?;
        *processor.helpers.entry(name).or_default() += 1;
        let [_, first, second, third, fourth, ..] = processor.registers;
        let result = match number {
            1 => self.look_up(first, second)?,
            2 => self.update([first, second, third, fourth])?.cast_unsigned(),
            5 | 125 => self.now_ns,
            12 => return self.tail_call(processor, second, third),
            26 => self.load_bytes(second, third, fourth)?.cast_unsigned(),
            131 => {
                self.map_at(first, |map| map.kind == kind::RING)?;
                if self.rings_are_full { 0 } else { self.memory.add(vec![0; usize::try_from(second)?])? }
            }
            132 | 133 => {
                ensure!(second == NO_WAKEUP, "{name} wakes the reader");
                0
            }
            188 => self.packet_length,
            _ => bail!("helper {name} does nothing"),
        };
        processor.registers[0] = result;
        Ok(())
    }

    fn look_up(&mut self, map: u64, key: u64) -> Result<u64> {
        let (index, map) = self.map_at(map, |_| true)?;
        let key = self.memory.bytes(key, map.key_length)?.to_vec();
        self.tables.look_up(&mut self.memory, (index, &map), &key)
    }

    fn update(&mut self, [map, key, value, flags]: [u64; 4]) -> Result<i64> {
        let (index, map) = self.map_at(map, |_| true)?;
        let key = self.memory.bytes(key, map.key_length)?.to_vec();
        let value = self.memory.bytes(value, map.value_length)?.to_vec();
        self.tables.update(&mut self.memory, (index, &map), (key, value), flags)
    }

    /// The map whose address a program has, of the kind that it must be.
    fn map_at(&self, address: u64, is_right: impl Fn(&Map) -> bool) -> Result<(usize, Map)> {
        let index = usize::try_from(address.wrapping_sub(MAPS))?;
        let map = self.image.maps.get(index).with_context(|| format!("{address:#x} is no map"))?;
        ensure!(is_right(map), "{} is of the wrong kind", map.name);
        Ok((index, map.clone()))
    }

    /// Goes on in another program, with the context and nothing else. Where the kernel would return, for want of a
    /// program, this is an error: the tables of programs are full or the figures mean nothing.
    fn tail_call(&self, processor: &mut Processor, map: u64, step: u64) -> Result<()> {
        ensure!(processor.callers.is_empty(), "a tail call out of a function");
        let (index, map) = self.map_at(map, |map| map.kind == kind::PROGRAMS)?;
        let program = self.tables.programs.get(&(index, step as u32));
        processor.function = *program.with_context(|| format!("no program {step} in {}", map.name))?;
        processor.slot = 0;
        let context = processor.registers[1];
        processor.registers = [0; 11];
        processor.registers[1] = context;
        processor.registers[10] = STACK + super::FRAME;
        Ok(())
    }

    fn load_bytes(&mut self, offset: u64, to: u64, length: u64) -> Result<i64> {
        if offset + length > self.packet_length {
            return Ok(FAILED);
        }
        let bytes = self.memory.bytes(PACKET + offset, usize::try_from(length)?)?.to_vec();
        self.memory.write(to, &bytes)?;
        Ok(0)
    }
}

//! A byte source with a window into it: the window grows to hold one record, and the position is known.

use std::io::{ErrorKind, Read, Result};

/// Bytes that are asked of the source at once.
const CHUNK: usize = 256 << 10;

/// A source whose next bytes can be looked at before they are consumed.
pub(super) struct Input<R> {
    source: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    consumed: u64,
}

impl<R: Read> Input<R> {
    pub(super) fn new(source: R) -> Self {
        Self { source, buffer: vec![0; CHUNK], start: 0, end: 0, consumed: 0 }
    }

    /// Reads until the next `wanted` bytes are there; says `false` when the source ends before.
    pub(super) fn holds(&mut self, wanted: usize) -> Result<bool> {
        while self.end - self.start < wanted {
            self.make_room(wanted);
            match self.source.read(&mut self.buffer[self.end..]) {
                Ok(0) => return Ok(false),
                Ok(count) => self.end += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// What was read and not consumed.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Consumes `count` bytes, which [`Input::holds`] found, and hands them out.
    pub(super) fn take(&mut self, count: usize) -> &[u8] {
        let start = self.start;
        self.consume(count);
        &self.buffer[start..start + count]
    }

    /// Consumes `count` bytes, which [`Input::holds`] found.
    pub(super) fn consume(&mut self, count: usize) {
        self.start += count;
        self.consumed += count as u64;
    }

    /// Bytes consumed so far.
    pub(super) fn position(&self) -> u64 {
        self.consumed
    }

    fn make_room(&mut self, wanted: usize) {
        if self.start + wanted > self.buffer.len() || self.end == self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if wanted > self.buffer.len() {
            self.buffer.resize(wanted.next_multiple_of(CHUNK), 0);
        }
    }
}

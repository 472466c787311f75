//! Cuts a stream of JSON, which has no frames, into messages, and rows out of messages.
//!
//! A row is what stands at `result.TABLE.UUID`, `result[2].TABLE.UUID`, `params[1].TABLE.UUID` or `params[2].TABLE.UUID`: the
//! answer to a monitor or an update, by all of its methods. It is told when its last byte is there, and is left out of the
//! message. So a message of any length needs as much memory as its longest row, and 100 000 ports come in one of 40 MB.

use serde_json::{Map, Value};

use super::Trouble;

/// MiB of one message; a unit test has less time.
const MESSAGE_MOST_MIB: usize = if cfg!(test) { 4 } else { 64 };
/// Bytes of one message without its rows.
const REST_MOST: usize = 256 << 10;
/// Bytes of one row; ovsdb-server itself has no bound.
const ROW_MOST: usize = 256 << 10;
/// Brackets that are open at a time.
const DEPTH_MOST: usize = 64;

/// What has become of a row.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::names) enum Change {
    /// These are all of its columns; one that is not there has its default value.
    Whole(Map<String, Value>),
    /// These are the differences of some columns (`update2`).
    Part(Map<String, Value>),
    /// It is gone.
    Gone,
}

/// What was found in the stream.
pub(super) enum Item<'a> {
    /// A row's table, its UUID, and what has become of it.
    Row(&'a str, u128, Change),
    /// The rest of a message.
    Message(Value),
}

/// The state of a scan.
#[derive(Default)]
pub(super) struct Scanner {
    /// The message so far, without the rows that were told.
    buffer: Vec<u8>,
    open: Vec<Open>,
    text: Text,
    /// Where the last string began and ended.
    last: (usize, usize),
    /// How many brackets are open around the row that is being read, and where it begins.
    row: Option<(usize, usize)>,
    length: usize,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Text {
    #[default]
    Outside,
    Inside,
    Escaped,
}

/// An open bracket.
struct Open {
    is_object: bool,
    /// Where its content begins.
    at: usize,
    /// Of an object: where the key of the value that is being read begins and ends.
    key: (usize, usize),
}

impl Scanner {
    /// Takes the next bytes and tells what is in them.
    pub(super) fn push(
        &mut self,
        bytes: &[u8],
        mut told: impl FnMut(Item<'_>) -> Result<(), Trouble>,
    ) -> Result<(), Trouble> {
        let mut rest = bytes;
        while let Some((&byte, behind)) = rest.split_first() {
            if self.open.is_empty() {
                match byte {
                    b'{' => *self = Self::default(),
                    byte if byte.is_ascii_whitespace() => {
                        rest = behind;
                        continue;
                    }
                    _ => return Err(garbage("does not begin with a message")),
                }
            }
            let plain = if self.text == Text::Inside { plain(rest) } else { 0 };
            let (taken, behind) = rest.split_at(plain.max(1));
            if plain == 0 {
                self.take(byte, &mut told)?;
            } else {
                self.buffer.extend_from_slice(taken);
            }
            rest = behind;
            self.length += taken.len();
            self.is_bounded()?;
        }
        Ok(())
    }

    fn is_bounded(&self) -> Result<(), Trouble> {
        if self.length > MESSAGE_MOST_MIB << 20 {
            return Err(Trouble::excess(format!("a message is longer than {MESSAGE_MOST_MIB} MiB")));
        }
        let (from, most) = self.row.map_or((0, REST_MOST), |(_, at)| (at, ROW_MOST));
        if self.buffer.len().saturating_sub(from) > most {
            let what = if self.row.is_some() { "a row" } else { "a message without its rows" };
            return Err(Trouble::excess(format!("{what} is longer than {} KiB", most >> 10)));
        }
        Ok(())
    }

    fn take(&mut self, byte: u8, told: &mut impl FnMut(Item<'_>) -> Result<(), Trouble>) -> Result<(), Trouble> {
        if self.text != Text::Outside {
            self.buffer.push(byte);
            self.text = match (self.text, byte) {
                (Text::Inside, b'\\') => Text::Escaped,
                (Text::Inside, b'"') => Text::Outside,
                _ => Text::Inside,
            };
            self.last.1 = self.buffer.len() - 1;
            return Ok(());
        }
        match byte {
            b'"' => {
                self.text = Text::Inside;
                self.buffer.push(byte);
                self.last = (self.buffer.len(), self.buffer.len());
            }
            b'{' | b'[' => self.opens(byte)?,
            b'}' | b']' => self.closes(byte, told)?,
            // The comma behind a row that was left out.
            b',' if self.open.last().is_some_and(|open| open.at == self.buffer.len()) => {}
            b':' => {
                let key = self.last;
                self.open.last_mut().into_iter().for_each(|open| open.key = key);
                self.buffer.push(byte);
            }
            byte if byte.is_ascii_whitespace() => {}
            byte => self.buffer.push(byte),
        }
        Ok(())
    }

    fn opens(&mut self, byte: u8) -> Result<(), Trouble> {
        if self.open.len() == DEPTH_MOST {
            return Err(Trouble::excess(format!("a message is deeper than {DEPTH_MOST} brackets")));
        }
        if byte == b'{' && self.row.is_none() && self.is_among_rows() {
            self.row = Some((self.open.len(), self.buffer.len()));
        }
        self.buffer.push(byte);
        self.open.push(Open { is_object: byte == b'{', at: self.buffer.len(), key: (0, 0) });
        Ok(())
    }

    /// Whether an object that begins here is a row.
    fn is_among_rows(&self) -> bool {
        let is_deep = match self.open.as_slice() {
            [message, tables, table] => message.is_object && tables.is_object && table.is_object,
            [message, list, tables, table] => {
                message.is_object && !list.is_object && tables.is_object && table.is_object
            }
            _ => false,
        };
        is_deep && matches!(self.key(0), b"result" | b"params")
    }

    /// The key of the value that is being read in the object of this depth.
    fn key(&self, depth: usize) -> &[u8] {
        let key = self.open.get(depth).map_or((0, 0), |open| open.key);
        self.buffer.get(key.0..key.1).unwrap_or_default()
    }

    fn closes(&mut self, byte: u8, told: &mut impl FnMut(Item<'_>) -> Result<(), Trouble>) -> Result<(), Trouble> {
        let closed = self.open.pop().ok_or_else(|| garbage("has a bracket too many"))?;
        if closed.is_object != (byte == b'}') {
            return Err(garbage("has brackets that do not match"));
        }
        self.buffer.push(byte);
        if let Some((depth, at)) = self.row.filter(|(depth, _)| *depth == self.open.len()) {
            let text = |key| str::from_utf8(key).map_err(|_| garbage("is not UTF-8"));
            let (table, uuid) = (text(self.key(depth - 2))?, uuid(text(self.key(depth - 1))?)?);
            told(Item::Row(table, uuid, change(&self.buffer[at..])?))?;
            self.row = None;
            self.buffer.truncate(self.open.last().map_or(0, |open| open.at));
        } else if self.open.is_empty() {
            let message = serde_json::from_slice(&self.buffer).map_err(|_| garbage("is no JSON"))?;
            self.buffer = Vec::new();
            told(Item::Message(message))?;
        }
        Ok(())
    }
}

/// How many bytes at the beginning are a string's own.
fn plain(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| matches!(byte, b'"' | b'\\')).unwrap_or(bytes.len())
}

fn garbage(what: &str) -> Trouble {
    Trouble::new(format!("what it sends {what}: is it an OVSDB server?"))
}

/// The number of a UUID.
fn uuid(text: &str) -> Result<u128, Trouble> {
    let digits: String = text.split('-').collect();
    let uuid = if digits.len() == 32 { u128::from_str_radix(&digits, 16).ok() } else { None };
    uuid.ok_or_else(|| garbage("has a row without a UUID"))
}

/// What has become of a row, by any of the three formats.
fn change(text: &[u8]) -> Result<Change, Trouble> {
    let mut parts: Map<String, Value> = serde_json::from_slice(text).map_err(|_| garbage("is no JSON"))?;
    let mut columns = |name: &str| match parts.remove(name) {
        Some(Value::Object(columns)) => Some(columns),
        _ => None,
    };
    if let Some(whole) = ["new", "initial", "insert"].into_iter().find_map(&mut columns) {
        return Ok(Change::Whole(whole));
    }
    if let Some(part) = columns("modify") {
        return Ok(Change::Part(part));
    }
    if parts.contains_key("delete") || parts.contains_key("old") {
        Ok(Change::Gone)
    } else {
        Err(garbage("has a row update without an update"))
    }
}

#[cfg(test)]
mod tests;

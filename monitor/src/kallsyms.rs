//! Names of places in the kernel, from `/proc/kallsyms`.
//!
//! The file is opened while there are rights to see addresses, which the kernel asks for then; it is read when the first
//! place is to be named, which on a healthy node is never.

use std::fs::File;
use std::io::{BufRead, BufReader};

/// Functions of the kernel.
#[derive(Default)]
pub(crate) struct Symbols {
    file: Option<File>,
    /// Address, and where the name begins; by address.
    starts: Vec<(u64, u32)>,
    /// The names, each ended by a line feed.
    names: String,
}

impl Symbols {
    /// The running kernel's.
    pub(crate) fn open() -> Self {
        Self { file: File::open("/proc/kallsyms").ok(), ..Self::default() }
    }

    /// The function that holds an address, without what the compiler has added to its name.
    pub(crate) fn at(&mut self, address: u64) -> Option<&str> {
        if let Some(file) = self.file.take() {
            self.read(BufReader::with_capacity(1 << 16, file));
        }
        let behind = self.starts.partition_point(|(start, _)| *start <= address);
        let (_, name) = self.starts.get(behind.checked_sub(1)?)?;
        let name = self.names.get(*name as usize..)?.lines().next()?;
        Some(name.split_once('.').map_or(name, |(name, _)| name))
    }

    /// Hidden addresses are all 0.
    fn read(&mut self, mut lines: impl BufRead) {
        let mut line = String::new();
        while lines.read_line(&mut line).is_ok_and(|length| length != 0) {
            let mut words = line.split_ascii_whitespace();
            let address = words.next().and_then(|word| u64::from_str_radix(word, 16).ok());
            let is_code = words.next().is_some_and(|kind| ["t", "T", "w", "W"].contains(&kind));
            if let (Some(address @ 1..), true, Some(name)) = (address, is_code, words.next()) {
                self.starts.push((address, self.names.len() as u32));
                self.names.push_str(name);
                self.names.push('\n');
            }
            line.clear();
        }
        self.starts.sort_by_key(|(start, _)| *start);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbols(text: &str) -> Symbols {
        let mut symbols = Symbols::default();
        symbols.read(text.as_bytes());
        symbols
    }

    #[test]
    fn an_address_is_in_the_function_that_begins_before_it() {
        let mut symbols = symbols(
            "ffffffff81000300 T packet_sendmsg\nffffffff81000100 t ip_fragment.constprop.0\n\
             ffffffff81000200 d data\nffffffffc0000000 t geneve_xmit\t[geneve]\n",
        );
        assert_eq!(symbols.at(0xffff_ffff_8100_00ff), None);
        assert_eq!(symbols.at(0xffff_ffff_8100_0100), Some("ip_fragment"));
        assert_eq!(symbols.at(0xffff_ffff_8100_02ff), Some("ip_fragment"), "data is no place");
        assert_eq!(symbols.at(0xffff_ffff_8100_0400), Some("packet_sendmsg"));
        assert_eq!(symbols.at(u64::MAX), Some("geneve_xmit"));
    }

    #[test]
    fn hidden_addresses_name_nothing() {
        assert_eq!(symbols("0000000000000000 T packet_sendmsg\n").at(5), None);
        assert_eq!(symbols("").at(5), None);
    }
}

//! A name that somebody else has chosen, made harmless when it is made.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

/// A name of a node, network, port or source, at most 128 bytes. Whoever writes names into databases, files or certificates
/// must not be able to move a cursor, break a line of a log or end a label: control characters (C0, C1, DEL), characters
/// that change the direction of text or are invisible, and what is not UTF-8 become U+FFFD when a name is made. So every
/// `Name` may be printed as it is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<str>);

/// The most bytes.
const MOST: usize = 128;

impl Name {
    /// The name that this text gives; a longer one is cut.
    pub fn new(text: &str) -> Self {
        let mut name = String::with_capacity(text.len().min(MOST));
        for char in text.chars() {
            let char = if is_harmless(char) { char } else { char::REPLACEMENT_CHARACTER };
            if name.len() + char.len_utf8() > MOST {
                break;
            }
            name.push(char);
        }
        Self(name.into())
    }

    /// The same of bytes that may not be UTF-8.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self::new(&String::from_utf8_lossy(bytes))
    }

    /// The name, if the text has any.
    pub fn some(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self::new(text))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Unicode's bidirectional controls and what else does not show (U+200B to U+200F, U+2028 to U+202E, U+2060 to U+206F,
/// U+FEFF, the Arabic letter mark, tags), besides what `char` calls control.
fn is_harmless(char: char) -> bool {
    let is_hidden = matches!(char, '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    !char.is_control() && !is_hidden
}

impl Default for Name {
    fn default() -> Self {
        Self("".into())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, formatter)
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_people_stay_as_they_are() {
        for name in ["node-1", "kube-system/coredns-5d78c9869d-abcde", "Größe", "节点一", "a\"b\\c", ""] {
            assert_eq!(Name::new(name).to_string(), name);
        }
    }

    #[test]
    fn what_moves_cursors_lines_or_direction_is_replaced() {
        for hostile in
            ["\u{1b}[2J", "a\nb", "a\rb", "a\0b", "\u{9b}31m", "\u{202e}x", "\u{2066}x", "\u{200f}", "\u{feff}", "\x7f"]
        {
            let name = Name::new(hostile).to_string();
            assert!(name.contains('\u{fffd}'), "{hostile:?}");
            assert!(name.chars().all(|char| !char.is_control() && is_harmless(char)), "{hostile:?} gave {name:?}");
        }
        assert_eq!(Name::from_bytes(b"a\xff\xc3b").as_str(), "a\u{fffd}\u{fffd}b");
    }

    #[test]
    fn long_names_are_cut_between_characters() {
        let name = Name::new(&"节".repeat(100));
        assert_eq!(name.as_str().len(), 126);
        assert_eq!(Name::new(&"x".repeat(1000)).as_str().len(), MOST);
    }
}

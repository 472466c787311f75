//! Rust source as the checks see it: without comments, without the contents of strings, without tests.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use crate::command::workspace;

/// One source file.
pub(super) struct Source {
    /// From the workspace's top.
    pub(super) path: PathBuf,
    /// Code only: comments and string contents are blanked, tests at the end cut off. Line numbers stay true.
    pub(super) code: String,
    /// Lines up to the tests.
    pub(super) lines: usize,
}

impl Source {
    /// Prepares the text of a file.
    pub(super) fn new(path: PathBuf, text: &str) -> Self {
        let blanked = blank(text);
        let end = tests_start(&blanked);
        let lines = blanked[..end].lines().count();
        Self { path, code: blanked[..end].to_owned(), lines }
    }

    /// The number of the line at an offset of `code`.
    pub(super) fn line_at(&self, offset: usize) -> usize {
        self.code[..offset].matches('\n').count() + 1
    }
}

/// Every Rust file below a folder of the workspace, except for test modules; none where the folder is not there.
pub(super) fn sources(folder: &str) -> Result<Vec<Source>> {
    let mut found = Vec::new();
    for file in files(&workspace().join(folder), "rs")? {
        if file.file_stem().is_some_and(|stem| stem == "tests") {
            continue;
        }
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let path = file.strip_prefix(workspace()).unwrap_or(&file).to_owned();
        found.push(Source::new(path, &text));
    }
    Ok(found)
}

/// Every file below a folder with this extension, in order; build output and hidden folders are left out.
pub(super) fn files(folder: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else { return Ok(found) };
    for entry in entries {
        let path = entry.with_context(|| format!("cannot list {}", folder.display()))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            found.extend(files(&path, extension)?);
        } else if path.is_file() && path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Braces by number: a brace between quotes counts for one where text is all that is looked at.
pub(super) const OPEN: char = '\x7b';
pub(super) const CLOSE: char = '\x7d';

/// Where the test module at the end of a file begins, or the end of the file.
fn tests_start(code: &str) -> usize {
    let is_tests = |&(at, mark): &(usize, &str)| {
        let item = code[at + mark.len()..].trim_start();
        // `mod tests;` has its code elsewhere and ends nothing here.
        item.starts_with("mod ") && item.find([OPEN, ';']).is_some_and(|end| item[end..].starts_with(OPEN))
    };
    code.match_indices("#[cfg(test)]").find(is_tests).map_or(code.len(), |(at, _)| at)
}

/// Blanks comments and the contents of strings and character literals; newlines and byte offsets stay.
fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = Vec::with_capacity(bytes.len());
    while code.len() < bytes.len() {
        let rest = &bytes[code.len()..];
        let length = skipped_length(rest, code.last().copied());
        if length == 0 {
            code.push(rest[0]);
        } else {
            code.extend(rest[..length].iter().map(|&byte| if byte == b'\n' { b'\n' } else { b' ' }));
        }
    }
    String::from_utf8_lossy(&code).into_owned()
}

/// The length of the comment or literal that begins here, or 0.
fn skipped_length(rest: &[u8], before: Option<u8>) -> usize {
    let in_word = before.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    match rest {
        [b'/', b'/', ..] => rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len()),
        [b'/', b'*', ..] => block_comment_length(rest),
        [b'"', ..] => quoted_length(rest),
        [b'r', b'"' | b'#', ..] if !in_word || before == Some(b'b') => raw_string_length(rest),
        [b'\'', b'\\', _, after @ ..] => after.iter().position(|&byte| byte == b'\'').map_or(0, |end| end + 4),
        // A lifetime has no closing quote after one character.
        [b'\'', _, b'\'', ..] => 3,
        _ => 0,
    }
}

fn block_comment_length(rest: &[u8]) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn quoted_length(rest: &[u8]) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != b'"' {
        at += if rest[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

fn raw_string_length(rest: &[u8]) -> usize {
    let hashes = rest[1..].iter().take_while(|&&byte| byte == b'#').count();
    if rest.get(1 + hashes) != Some(&b'"') {
        // A raw identifier.
        return 0;
    }
    let end = [b"\"".as_slice(), &vec![b'#'; hashes]].concat();
    let start = hashes + 2;
    let found = rest[start..].windows(end.len()).position(|window| window == end);
    found.map_or(rest.len(), |at| start + at + end.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_strings_are_blanked() {
        let text = "a /* b /* c */ d */ e // f\n\"g \\\" {\" h r#\"i \" { j\"# k";
        let code = blank(text);
        assert_eq!(code.split_whitespace().collect::<Vec<_>>(), ["a", "e", "h", "k"]);
        assert_eq!(code.len(), text.len());
    }

    #[test]
    fn lifetimes_are_not_character_literals() {
        assert_eq!(blank("fn f<'a>(x: &'a str) { '{'; '\\''; b'}' }"), "fn f<'a>(x: &'a str) {    ;     ; b    }");
    }

    #[test]
    fn tests_at_the_end_are_not_counted() {
        let source = Source::new("x.rs".into(), "fn a() {}\n\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\n");
        assert_eq!((source.lines, source.code.contains("fn b")), (2, false));
    }

    #[test]
    fn a_test_only_item_does_not_end_the_code() {
        let source = Source::new("x.rs".into(), "#[cfg(test)]\nuse a::b;\nfn c() {}\n");
        assert!(source.code.contains("fn c"));
        let source = Source::new("x.rs".into(), "#[cfg(test)]\nmod tests;\nconst C: u8 = 0;\n");
        assert!(source.code.contains("const C"));
    }
}

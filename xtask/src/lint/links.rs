//! Documents name only files that exist: relative links, and paths in code spans.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};

use super::source::files;
use crate::command::workspace;

/// Names of files that are not there.
pub(super) fn offences() -> Result<Vec<String>> {
    let mut found = Vec::new();
    for document in files(workspace(), "md")? {
        let text = fs::read_to_string(&document).with_context(|| format!("cannot read {}", document.display()))?;
        let shown = document.strip_prefix(workspace()).unwrap_or(&document).display();
        for (number, line) in lines_outside_of_blocks(&text) {
            let bad = broken(line, document.parent().unwrap_or(&document), workspace());
            found.extend(bad.into_iter().map(|name| format!("{shown}:{number}: {name} does not exist")));
        }
    }
    Ok(found)
}

/// Lines with their numbers; fenced blocks hold output and drawings, not references.
fn lines_outside_of_blocks(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut in_block = false;
    (1..).zip(text.lines()).filter(move |(_, line)| {
        let is_fence = line.trim_start().starts_with("```");
        in_block ^= is_fence;
        !in_block && !is_fence
    })
}

fn broken<'a>(line: &'a str, folder: &Path, top: &Path) -> Vec<&'a str> {
    let links = links(line).filter(|link| !folder.join(link).exists());
    let paths = spans(line).filter(|span| is_path(span, top) && !top.join(span).exists());
    links.chain(paths).collect()
}

/// Targets of relative links, without their anchors.
fn links(line: &str) -> impl Iterator<Item = &str> {
    let targets = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let files = targets.filter(|target| !target.contains(':')).filter_map(|target| target.split(['#', ' ']).next());
    files.filter(|file| !file.is_empty())
}

/// The contents of code spans.
fn spans(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// True for what can only mean a file of this repository: plain, and below one of its folders.
fn is_path(span: &str, top: &Path) -> bool {
    let is_plain = span.chars().all(|c| c.is_ascii_alphanumeric() || "_-./".contains(c));
    let head = span.split('/').next().unwrap_or_default();
    is_plain && span.contains('/') && !head.is_empty() && head != "target" && top.join(head).is_dir()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken_here(line: &str) -> Vec<&str> {
        broken(line, &workspace().join("xtask"), workspace())
    }

    #[test]
    fn links_are_read_from_the_documents_folder() {
        assert_eq!(
            broken_here("[a](src/main.rs#top) [b](src/none.rs) [c](https://example.org/x) [d](#e)"),
            ["src/none.rs"]
        );
    }

    #[test]
    fn paths_are_read_from_the_top() {
        assert_eq!(
            broken_here("see `xtask/src/main.rs`, `xtask/src/none.rs`, `a/b`, `xtask/*.rs`"),
            ["xtask/src/none.rs"]
        );
    }

    #[test]
    fn blocks_are_left_out() {
        let lines: Vec<_> = lines_outside_of_blocks("a\n```\nb\n```\nc").collect();
        assert_eq!(lines, [(1, "a"), (5, "c")]);
    }
}

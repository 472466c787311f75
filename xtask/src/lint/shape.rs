//! The shape of the code: files of at most 300 lines, functions of at most 50; tests are not counted.

use anyhow::Result;

use super::source::{Source, sources};

const FILE_LINES: usize = 300;
const FUNCTION_LINES: usize = 50;

/// The folders that are measured.
const FOLDERS: [&str; 5] = ["monitor/src", "monitor-common/src", "monitor-ebpf/src", "tests/src", "xtask/src"];

/// Files and functions that are too long.
pub(super) fn offences() -> Result<Vec<String>> {
    let mut found = Vec::new();
    for folder in FOLDERS {
        found.extend(sources(folder)?.iter().flat_map(offences_in));
    }
    Ok(found)
}

fn offences_in(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    let path = source.path.display();
    if source.lines > FILE_LINES {
        found.push(format!("{path}: {} lines, at most {FILE_LINES}", source.lines));
    }
    for function in functions(&source.code) {
        if function.lines > FUNCTION_LINES {
            let line = source.line_at(function.at);
            let (name, lines) = (function.name, function.lines);
            found.push(format!("{path}:{line}: function {name} has {lines} lines, at most {FUNCTION_LINES}"));
        }
    }
    found
}

struct Function<'a> {
    name: &'a str,
    at: usize,
    lines: usize,
}

/// Every function with a body.
fn functions(code: &str) -> Vec<Function<'_>> {
    let starts =
        code.match_indices("fn ").filter(|&(at, _)| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'));
    starts.filter_map(|(at, mark)| function(code, at, at + mark.len())).collect()
}

fn function(code: &str, at: usize, name_at: usize) -> Option<Function<'_>> {
    let name =
        code[name_at..].split(|c: char| !c.is_alphanumeric() && c != '_').next().filter(|name| !name.is_empty())?;
    let body = name_at + body_offset(&code[name_at..])?;
    let end = body + closing_brace(&code[body..])?;
    Some(Function { name, at, lines: code[at..=end].matches('\n').count() + 1 })
}

/// The opening brace, unless a semicolon outside of brackets comes first: then there is no body.
fn body_offset(code: &str) -> Option<usize> {
    let mut depth = 0;
    for (at, c) in code.char_indices() {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            '{' if depth == 0 => return Some(at),
            ';' if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

fn closing_brace(code: &str) -> Option<usize> {
    let mut depth = 0;
    for (at, c) in code.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source::new("a.rs".into(), text)
    }

    #[test]
    fn functions_are_measured_from_fn_to_brace() {
        let code = "fn a() {\n  b();\n}\ntrait T { fn c(); fn d(x: [u8; 4]) -> u8 { 0 } }\n";
        let found: Vec<_> = functions(code).iter().map(|function| (function.name, function.lines)).collect();
        assert_eq!(found, [("a", 3), ("d", 1)]);
    }

    #[test]
    fn a_long_function_is_named_with_its_line() {
        let text = format!("\nfn long() {{\n{}}}\n", "    x();\n".repeat(49));
        assert_eq!(offences_in(&source(&text)), ["a.rs:2: function long has 51 lines, at most 50"]);
        assert!(offences_in(&source(&text.replacen("    x();\n", "", 1))).is_empty());
    }

    #[test]
    fn a_long_file_is_named() {
        assert_eq!(offences_in(&source(&"const A: u8 = 0;\n".repeat(301))), ["a.rs: 301 lines, at most 300"]);
        assert!(offences_in(&source(&"const A: u8 = 0;\n".repeat(300))).is_empty());
    }
}

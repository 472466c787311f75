//! The direction of the code: what stands to the left knows nothing of what stands to the right.
//!
//! A text check over `crate::…` and `super::…` paths outside of tests. It also keeps aya in its place, and keeps the
//! standard library, with its clocks and I/O, out of `monitor-common`.

use std::{fs, path::Path};

use anyhow::Result;

use super::source::{CLOSE, OPEN, Source, sources};
use crate::command::workspace;

/// The modules of a crate from left to right. A module may use those to its left and those of its own group.
struct Layers {
    source: &'static str,
    groups: &'static [&'static [&'static str]],
    /// True where every module has to be in a group; else the others are free.
    complete: bool,
}

/// To be edited when a module comes or goes.
const LAYERS: &[Layers] = &[
    Layers {
        source: "monitor-common/src",
        groups: &[
            &["wire", "layout"],
            &["frame"],
            &["packet"],
            &["tunnel", "flow", "rtt", "fragment"],
            &["event", "histogram", "count"],
            &["tables"],
            &["report", "heap"],
            &["account", "loss", "round_trip", "fast"],
            &["observe"],
        ],
        complete: true,
    },
    Layers {
        source: "monitor/src",
        groups: &[
            &["inventory"],
            &["counts", "snapshot"],
            &["aggregate"],
            &["export", "ui"],
            &["output"],
            &["watch", "offline"],
        ],
        complete: false,
    },
];

/// Only below this prefix may the daemon name aya.
const AYA_ONLY_IN: &str = "monitor/src/bpf";
const AYA: [&str; 3] = ["aya", "aya_log", "aya_obj"];

/// The part of `monitor-common` that is not for the kernel, and the line that lets it in.
const ON_THE_HEAP: [&str; 2] = ["monitor-common/src/heap.rs", "monitor-common/src/lib.rs"];

/// What a crate without clock and I/O does not name.
const FOREIGN_TO_COMMON: [&str; 4] = ["std", "alloc", "tracing", "log"];

/// Everything that points the wrong way.
pub(super) fn offences() -> Result<Vec<String>> {
    let mut found = Vec::new();
    for layers in LAYERS {
        for source in sources(layers.source)? {
            found.extend(offences_in(&source, layers));
        }
    }
    for source in sources("monitor/src")? {
        if !source.path.to_string_lossy().starts_with(AYA_ONLY_IN) {
            found.extend(named(&source, &AYA, &format!("only {AYA_ONLY_IN}* may name aya")));
        }
    }
    for source in sources("monitor-common/src")? {
        if !ON_THE_HEAP.iter().any(|path| source.path.ends_with(path)) {
            found.extend(named(&source, &FOREIGN_TO_COMMON, "monitor-common has no clock, no I/O and no log"));
        }
    }
    found.extend(missing_attributes());
    Ok(found)
}

fn offences_in(source: &Source, layers: &Layers) -> Vec<String> {
    let inside = source.path.strip_prefix(layers.source).unwrap_or(&source.path).with_extension("");
    let parts: Vec<_> = inside.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    let Some(own) = parts.first().filter(|name| !["lib", "main"].contains(&name.as_str())) else { return Vec::new() };
    let path = source.path.display();
    let Some(rank) = layers.rank(own) else {
        return if layers.complete { vec![format!("{path}: module {own} has no place in LAYERS")] } else { Vec::new() };
    };
    let to_the_right = used(&source.code, parts.len()).into_iter().filter(|(_, name)| layers.rank(name) > Some(rank));
    to_the_right
        .map(|(at, name)| format!("{path}:{}: {own} uses {name}, which is to its right", source.line_at(at)))
        .collect()
}

impl Layers {
    fn rank(&self, module: &str) -> Option<usize> {
        self.groups.iter().position(|group| group.contains(&module))
    }
}

/// Top-level names that the code uses, with their places; `depth` is how many modules deep the file is.
fn used(code: &str, depth: usize) -> Vec<(usize, &str)> {
    let from_top = "super::".repeat(depth);
    let starts = code.match_indices("crate::").chain(code.match_indices(&*from_top));
    let starts = starts.filter(|&(at, _)| !code[..at].ends_with(|c: char| c == '$' || c == ':' || is_word(c)));
    starts.flat_map(|(at, mark)| first_names(code, at + mark.len())).collect()
}

/// The first name of a path, or the first name of each path of a `{…}` group.
fn first_names(code: &str, at: usize) -> Vec<(usize, &str)> {
    let Some(group) = code[at..].strip_prefix(OPEN) else { return word_at(code, at).into_iter().collect() };
    let mut names = Vec::new();
    let (mut depth, mut expects_name) = (1, true);
    for (offset, c) in group.char_indices() {
        match c {
            OPEN => depth += 1,
            CLOSE => depth -= 1,
            ',' => expects_name = depth == 1,
            c if expects_name && depth == 1 && is_word(c) => {
                names.extend(word_at(code, at + 1 + offset));
                expects_name = false;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names
}

fn word_at(code: &str, at: usize) -> Option<(usize, &str)> {
    let word = code[at..].split(|c| !is_word(c)).next().unwrap_or_default();
    (!word.is_empty()).then_some((at, word))
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Places that name one of these crates: as the head of a path, or in a `use` or `extern crate` by itself.
fn named(source: &Source, crates: &[&str], rule: &str) -> Vec<String> {
    let code = &source.code;
    let mut found = Vec::new();
    for name in crates {
        for (at, _) in code.match_indices(name) {
            let (before, after) = (&code[..at], &code[at + name.len()..]);
            let is_alone = !before.ends_with(|c: char| is_word(c) || c == '.') && !after.starts_with(is_word);
            let is_head = is_alone && after.starts_with("::") && !before.trim_end_matches("::").ends_with(is_word);
            if is_head || is_alone && is_import(before) {
                found.push(format!("{}:{}: names {name}; {rule}", source.path.display(), source.line_at(at)));
            }
        }
    }
    found
}

/// True behind `use` and `extern crate`, except where it is for tests.
fn is_import(before: &str) -> bool {
    let item = before.strip_suffix("use ").or_else(|| before.strip_suffix("extern crate "));
    item.is_some_and(|item| !item.trim_end().ends_with("#[cfg(test)]"))
}

fn missing_attributes() -> Vec<String> {
    let lib = Path::new("monitor-common/src/lib.rs");
    let text = fs::read_to_string(workspace().join(lib)).unwrap_or_default();
    let wanted = [("#![forbid(unsafe_code)]", "#![forbid(unsafe_code)]"), ("no_std", "#![no_std] outside of tests")];
    let missing = wanted.iter().filter(|(mark, _)| !text.contains(mark));
    missing.map(|(_, name)| format!("{}: lacks {name}", lib.display())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYERS: Layers =
        Layers { source: "c/src", groups: &[&["wire"], &["flow", "rtt"], &["event"]], complete: true };

    fn offences_of(path: &str, code: &str) -> Vec<String> {
        offences_in(&Source::new(path.into(), code), &LAYERS)
    }

    #[test]
    fn the_left_and_the_own_group_may_be_used() {
        assert!(offences_of("c/src/event.rs", "use crate::{wire::Vni, flow};\nuse crate::rtt::Rtt;").is_empty());
        assert!(offences_of("c/src/rtt.rs", "use crate::flow::Flow;").is_empty());
    }

    #[test]
    fn the_right_may_not_be_used() {
        let found = offences_of("c/src/wire/udp.rs", "\nuse crate::event::Event;");
        assert_eq!(found, ["c/src/wire/udp.rs:2: wire uses event, which is to its right"]);
    }

    #[test]
    fn groups_inline_paths_and_super_are_seen() {
        assert_eq!(offences_of("c/src/wire.rs", "use crate::{wire::{a, b}, rtt::{c}, event};").len(), 2);
        assert_eq!(offences_of("c/src/wire.rs", "fn f() -> crate::event::Event { todo!() }").len(), 1);
        assert_eq!(offences_of("c/src/wire.rs", "use super::event;").len(), 1);
        assert_eq!(offences_of("c/src/wire/udp.rs", "use super::super::event;").len(), 1);
        assert!(offences_of("c/src/wire/udp.rs", "use super::event;").is_empty());
    }

    #[test]
    fn comments_and_tests_may_say_what_they_like() {
        let code = "// crate::event\n#[cfg(test)]\nmod tests { use crate::event; }";
        assert!(offences_of("c/src/wire.rs", code).is_empty());
    }

    #[test]
    fn a_module_without_a_place_is_named() {
        assert_eq!(offences_of("c/src/new.rs", ""), ["c/src/new.rs: module new has no place in LAYERS"]);
        assert!(offences_of("c/src/lib.rs", "pub mod new;").is_empty());
    }

    #[test]
    fn crates_are_known_from_words_that_look_like_them() {
        let source =
            Source::new("m.rs".into(), "use aya;\nlet x: aya::Ebpf;\nx.aya(); naya::b(); self::aya::c(); std_x::d();");
        assert_eq!(named(&source, &["aya", "std"], "no").len(), 2);
    }

    #[test]
    fn tests_may_have_the_standard_library() {
        let source = |code| Source::new("m.rs".into(), code);
        assert!(named(&source("#[cfg(test)]\nextern crate std;"), &["std"], "no").is_empty());
        assert_eq!(named(&source("extern crate std;"), &["std"], "no").len(), 1);
        assert_eq!(named(&source("use std::time::Instant;"), &["std"], "no").len(), 1);
    }
}

//! Sums over the output of `cargo test`.
//!
//! A test that cannot run here says `SKIPPED: …` and returns, which libtest counts as passed; here it counts as skipped.
//! libtest shows what a passing test said only with `--show-output`, in a section that lists every word of every such
//! test; that section is read for skips and not shown.

use std::{collections::BTreeSet, fmt};

/// The word that begins a line of a test that cannot run here.
pub(super) const SKIP: &str = "SKIPPED:";

/// Counts so far, and where in the output we are.
#[derive(Default)]
pub(super) struct Tally {
    passed: usize,
    failed: usize,
    ignored: usize,
    /// Tests that passed for libtest and said that they skipped.
    skipped: usize,
    reasons: BTreeSet<String>,
    failed_before: usize,
    section: Section,
    current_has_skipped: bool,
}

#[derive(Default, PartialEq, Eq)]
enum Section {
    #[default]
    Progress,
    /// What passing tests said.
    Successes,
    Failures,
}

impl Tally {
    /// Takes one line; true when it is to be shown.
    pub(super) fn line(&mut self, line: &str) -> bool {
        let is_result = line.starts_with("test result: ");
        match line {
            "successes:" => self.section = Section::Successes,
            "failures:" => self.section = Section::Failures,
            _ if is_result => self.section = Section::Progress,
            _ => {}
        }
        if line.starts_with("---- ") {
            self.current_has_skipped = false;
        }
        if line.starts_with(SKIP) {
            self.skip(line);
        }
        if is_result {
            self.result(line);
        }
        self.section != Section::Successes
    }

    /// Ends one run of `cargo test`: one that failed without a failed test, as by a crash, counts as one failure.
    pub(super) fn close(&mut self, success: bool) {
        if !success && self.failed == self.failed_before {
            self.failed += 1;
        }
        self.failed_before = self.failed;
        self.section = Section::Progress;
    }

    /// Every skip, once.
    pub(super) fn skips(&self) -> &BTreeSet<String> {
        &self.reasons
    }

    fn skip(&mut self, line: &str) {
        self.reasons.insert(line.to_owned());
        // A failed test that also said so stays a failure; a second reason of one test is no second test.
        let counts = match self.section {
            Section::Progress => true,
            Section::Successes => !self.current_has_skipped,
            Section::Failures => false,
        };
        self.current_has_skipped = true;
        self.skipped += usize::from(counts);
    }

    /// Adds a line such as `test result: ok. 5 passed; 0 failed; 1 ignored; …`.
    fn result(&mut self, line: &str) {
        for part in line.split([';', '.']) {
            let mut words = part.split_whitespace();
            let (Some(number), Some(what)) = (words.next(), words.next()) else { continue };
            let Ok(number) = number.parse::<usize>() else { continue };
            match what {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.ignored += number,
                _ => {}
            }
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let passed = self.passed.saturating_sub(self.skipped);
        write!(f, "{passed} passed, {} failed, {} skipped", self.failed, self.skipped + self.ignored)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "\
running 4 tests
test a ... ok
test b ... ok
test c ... FAILED
test d ... ignored

successes:

---- a stdout ----
SKIPPED: no geneve in this kernel
SKIPPED: no netem in this kernel

---- b stdout ----
42 packets

successes:
    a
    b

failures:

---- c stdout ----
SKIPPED: the second half
assertion failed

failures:
    c

test result: FAILED. 2 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s
";

    fn shown(output: &str, success: bool) -> (Tally, Vec<&str>) {
        let mut tally = Tally::default();
        let lines = output.lines().filter(|line| tally.line(line)).collect();
        tally.close(success);
        (tally, lines)
    }

    #[test]
    fn a_test_that_skipped_is_not_a_test_that_passed() {
        assert_eq!(shown(OUTPUT, false).0.to_string(), "1 passed, 1 failed, 2 skipped");
    }

    #[test]
    fn every_reason_is_kept() {
        assert_eq!(shown(OUTPUT, false).0.skips().len(), 3);
    }

    #[test]
    fn words_of_passing_tests_are_not_shown_and_those_of_failing_ones_are() {
        let (_, lines) = shown(OUTPUT, false);
        assert!(!lines.contains(&"42 packets"));
        assert!(lines.contains(&"assertion failed"));
        assert!(lines.last().unwrap().starts_with("test result"));
    }

    #[test]
    fn sums_go_over_all_test_programs() {
        let twice = format!("{OUTPUT}{OUTPUT}");
        assert_eq!(shown(&twice, false).0.to_string(), "2 passed, 2 failed, 4 skipped");
    }

    #[test]
    fn a_crash_counts_as_a_failure() {
        let (tally, _) = shown("running 1 test\nerror: test failed, to rerun pass `-p tests`\n", false);
        assert_eq!(tally.to_string(), "0 passed, 1 failed, 0 skipped");
    }

    #[test]
    fn a_skip_outside_of_any_test_section_counts() {
        let output =
            "running 1 test\nSKIPPED: not root\ntest a ... ok\n\ntest result: ok. 1 passed; 0 failed; 0 ignored\n";
        assert_eq!(shown(output, true).0.to_string(), "0 passed, 0 failed, 1 skipped");
    }
}

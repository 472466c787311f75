//! The budget: a line per path and hook with what it may cost.

use std::collections::BTreeMap;
use std::fmt;

use ::tests::bytecode::interpreter::{LOOK_UP, Run};

/// Instructions that a path may be below its line before the line has to be edited.
const SLACK: u64 = 10;

/// What a path costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cost {
    /// Instructions.
    pub(crate) instructions: u64,
    /// Calls of the look-up helper.
    pub(crate) look_ups: u64,
    /// Calls of other helpers: `name` or `name*times`, separated by commas, in alphabetical order; `-` for none.
    pub(crate) others: String,
}

/// The lines by path and hook.
pub(crate) type Budget = BTreeMap<(String, String), Cost>;

impl Cost {
    /// The cost of a run.
    pub(crate) fn of(run: &Run) -> Self {
        let name =
            |(name, times): (&&str, &u64)| if *times == 1 { (*name).to_owned() } else { format!("{name}*{times}") };
        let others: Vec<String> = run.helpers.iter().filter(|(name, _)| **name != LOOK_UP).map(name).collect();
        let others = if others.is_empty() { "-".to_owned() } else { others.join(",") };
        let look_ups = run.helpers.get(LOOK_UP).copied().unwrap_or(0);
        Self { instructions: run.instructions, look_ups, others }
    }

    /// What is wrong with this cost against its line in the budget.
    pub(crate) fn against(&self, line: Option<&Self>) -> Option<String> {
        let Some(line) = line else { return Some("has no line".to_owned()) };
        if self.instructions > line.instructions {
            return Some(format!("takes {} more instructions", self.instructions - line.instructions));
        }
        let spare = line.instructions - self.instructions;
        if spare > SLACK {
            return Some(format!("takes {spare} fewer instructions: lower its line"));
        }
        if (self.look_ups, &self.others) != (line.look_ups, &line.others) {
            return Some(format!("calls other helpers than {} look-ups and {}", line.look_ups, line.others));
        }
        None
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:>4} {:>2} {}", self.instructions, self.look_ups, self.others)
    }
}

/// Reads the budget; lines that begin with `#` are for people.
pub(crate) fn read(text: &str) -> Budget {
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let mut budget = Budget::new();
    for line in lines {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [path, hook, instructions, look_ups, others] = words[..] else { panic!("five words a line: {line}") };
        let (instructions, look_ups) = (instructions.parse().unwrap(), look_ups.parse().unwrap());
        let cost = Cost { instructions, look_ups, others: others.to_owned() };
        let before = budget.insert((path.to_owned(), hook.to_owned()), cost);
        assert_eq!(before, None, "{path} {hook} stands twice");
    }
    budget
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(instructions: u64, look_ups: u64, others: &str) -> Cost {
        Cost { instructions, look_ups, others: others.to_owned() }
    }

    #[test]
    fn more_is_a_fault_and_so_is_much_less() {
        let line = cost(100, 1, "-");
        for (instructions, is_fault) in [(101, true), (100, false), (90, false), (89, true)] {
            let fault = cost(instructions, 1, "-").against(Some(&line));
            assert_eq!(fault.is_some(), is_fault, "{instructions}: {fault:?}");
        }
        assert!(cost(100, 2, "-").against(Some(&line)).is_some());
        assert!(cost(100, 0, "-").against(Some(&line)).is_some());
        assert!(cost(100, 1, "tail_call").against(Some(&line)).is_some());
        assert!(line.against(None).is_some());
    }

    #[test]
    fn calls_are_written_as_the_budget_has_them() {
        let run = Run { instructions: 7, helpers: [(LOOK_UP, 3), ("b", 2), ("a", 1)].into(), ..Run::default() };
        let written = format!("path hook {}", Cost::of(&run));
        assert_eq!(read(&written)[&("path".to_owned(), "hook".to_owned())], cost(7, 3, "a,b*2"));
        assert_eq!(Cost::of(&Run::default()).others, "-");
    }
}

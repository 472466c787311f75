//! Names of devices with `*` and `?`, as a shell has them.

/// What a name has to look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern(String);

impl Pattern {
    /// A pattern, or a plain name.
    pub(crate) fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Whether more than one name may match.
    pub(crate) fn is_open(&self) -> bool {
        self.0.contains(['*', '?'])
    }

    /// The text that was given.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    /// Whether `name` matches.
    pub(crate) fn matches(&self, name: &str) -> bool {
        matches(self.0.as_bytes(), name.as_bytes())
    }
}

/// Goes back to the last star only: what stands before it has matched for good.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut from, mut star) = (0, 0, None);
    while from < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at + 1, from));
                at += 1;
            }
            Some(wanted) if *wanted == b'?' || *wanted == name[from] => {
                at += 1;
                from += 1;
            }
            _ => match star {
                Some((behind, taken)) => {
                    star = Some((behind, taken + 1));
                    at = behind;
                    from = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|rest| *rest == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks_match_as_in_a_shell() {
        for (pattern, name, expected) in [
            ("eth0", "eth0", true),
            ("eth0", "eth01", false),
            ("eth*", "eth", true),
            ("eth*", "eth12", true),
            ("eth?", "eth", false),
            ("eth?", "eth1", true),
            ("*", "anything", true),
            ("e*s?f*", "ens1f0np0", true),
            ("e*s?f*", "ens1np0", false),
            ("*a*b", "aabab", true),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(Pattern::new(pattern).matches(name), expected, "{pattern} {name}");
        }
        assert!(Pattern::new("eth*").is_open() && !Pattern::new("eth0").is_open());
    }
}

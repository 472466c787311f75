//! Numbers in few characters.

/// A rate or count: `0.3`, `999`, `48.1k`, `1.2M`.
pub(super) fn short(number: f64) -> String {
    match number {
        n if n > 0.0 && n < 0.95 => format!("{:.1}", n.max(0.1)),
        n if n < 999.5 => format!("{n:.0}"),
        n if n < 999_500.0 => format!("{:.1}k", n / 1e3),
        n if n < 999_500_000.0 => format!("{:.1}M", n / 1e6),
        n => format!("{:.1}G", n / 1e9),
    }
}

/// A time: `850ns`, `38.2us`, `1.92ms`, `2.05s`.
pub(crate) fn time(seconds: f64) -> String {
    match seconds {
        s if s < 1e-6 => format!("{:.0}ns", s * 1e9),
        s if s < 1e-3 => format!("{}us", digits(s * 1e6)),
        s if s < 1.0 => format!("{}ms", digits(s * 1e3)),
        s => format!("{}s", digits(s)),
    }
}

/// Three digits.
fn digits(number: f64) -> String {
    match number {
        n if n < 10.0 => format!("{n:.2}"),
        n if n < 100.0 => format!("{n:.1}"),
        n => format!("{n:.0}"),
    }
}

/// A number with its digits in groups of three.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at != 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_short() {
        assert_eq!([0.0, 0.01, 0.4, 999.0, 999.6].map(short), ["0", "0.1", "0.4", "999", "1.0k"]);
        assert_eq!([48_123.0, 1.25e6].map(short), ["48.1k", "1.2M"]);
        assert_eq!([85e-8, 3.82e-5, 1.92e-3, 2.05].map(time), ["850ns", "38.2us", "1.92ms", "2.05s"]);
        assert_eq!([7, 1234, 3_302_118].map(grouped), ["7", "1 234", "3 302 118"]);
    }
}

//! Numbers as Go writes them: Prometheus makes labels (`le`) of them, and two spellings would be two series.

/// The shortest decimal form that reads back as this number; an exponent below 1e-4 and from 1e21 on, of two digits at
/// least (Go's strconv, format 'g', precision −1).
pub(super) fn number(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..21).contains(&exponent) {
        return format!("{value}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
}

/// The same with a fraction always: how `le` and OpenMetrics write a whole number.
pub(super) fn bound(value: f64) -> String {
    let text = number(value);
    let is_whole = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    if is_whole { text + ".0" } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_go_writes_them() {
        let cases = [
            (0.0, "0"),
            (1.0, "1"),
            (0.25, "0.25"),
            (0.0001, "0.0001"),
            (0.000_030_517_578_125, "3.0517578125e-05"),
            (1.907_348_632_812_5e-6, "1.9073486328125e-06"),
            (123_456_789.0, "123456789"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (-1.5e-7, "-1.5e-07"),
            (f64::INFINITY, "+Inf"),
            (f64::NAN, "NaN"),
        ];
        for (value, text) in cases {
            assert_eq!(number(value), text);
        }
        assert_eq!((bound(1.0), bound(0.5), bound(1e21)), ("1.0".to_owned(), "0.5".to_owned(), "1e+21".to_owned()));
    }
}

//! Texts and lists that are built anew for each row in buffers that stay: no
//! allocation per row once they have grown.
use std::fmt::Write as _;

/// Appends formatted text. Writing to a `String` cannot fail.
macro_rules! put {
    ($text:expr, $($arg:tt)*) => {
        $crate::rows::scratch::append($text, format_args!($($arg)*))
    };
}
pub(crate) use put;

pub(crate) fn append(text: &mut String, args: std::fmt::Arguments<'_>) {
    if text.write_fmt(args).is_err() {
        text.clear();
    }
}

/// Two digits each: 00, 01, … 99.
const PAIRS: &str = "\
    00010203040506070809101112131415161718192021222324252627282930313233343536373839\
    40414243444546474849505152535455565758596061626364656667686970717273747576777879\
    8081828384858687888990919293949596979899";

/// Appends a number in decimal; several times faster than formatting it.
#[inline]
pub(crate) fn number(text: &mut String, value: impl Into<u64>) {
    /// The last two digits.
    fn pair(text: &mut String, value: u64) {
        let at = usize::try_from(value % 100 * 2).unwrap_or(0);
        text.push_str(PAIRS.get(at..at + 2).unwrap_or_default());
    }
    fn head(text: &mut String, value: u64) {
        if value >= 10_000 {
            head(text, value / 10_000);
            pair(text, value / 100);
            pair(text, value);
        } else if value >= 100 {
            head(text, value / 100);
            pair(text, value);
        } else if value >= 10 {
            pair(text, value);
        } else {
            text.push(char::from(b'0' + u8::try_from(value).unwrap_or(0)));
        }
    }
    head(text, value.into());
}

/// Appends a number in hexadecimal with `0x` before it and at least `width` digits.
pub(crate) fn hex(text: &mut String, value: impl Into<u64>, width: u32) {
    const DIGITS: &str = "0123456789abcdef";
    let value = value.into();
    let needed = (u64::BITS - value.leading_zeros()).div_ceil(4);
    text.push_str("0x");
    for place in (0..width.max(needed).min(16)).rev() {
        let digit = usize::try_from(value >> (place * 4) & 15).unwrap_or(0);
        text.push_str(DIGITS.get(digit..=digit).unwrap_or_default());
    }
}

/// Appends bytes as text: printable ASCII as it is, other bytes as `\xHH`.
pub(crate) fn append_bytes(text: &mut String, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(good) if bytes.iter().all(|b| matches!(b, 0x20..=0x7e)) => text.push_str(good),
        Ok(good) if !good.chars().any(char::is_control) => text.push_str(good),
        _ => {
            for byte in bytes {
                match byte {
                    0x20..=0x7e => text.push(char::from(*byte)),
                    _ => append(text, format_args!("\\x{byte:02x}")),
                }
            }
        }
    }
}

/// Text for a column: none when empty.
pub(crate) fn opt(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// Least and greatest of the numbers, NaN left out.
#[inline]
pub(crate) fn bounds(data: &[f64]) -> (Option<f64>, Option<f64>) {
    let Some(first) = data.iter().position(|v| !v.is_nan()) else {
        return (None, None);
    };
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    // a comparison with NaN is false
    for value in data.get(first..).unwrap_or_default() {
        low = if *value < low { *value } else { low };
        high = if *value > high { *value } else { high };
    }
    (Some(low), Some(high))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_do_not_print_are_escaped() {
        let mut text = String::new();
        append_bytes(&mut text, b"_INSE");
        append_bytes(&mut text, &[b'a', 0, 0xff]);
        assert_eq!(text, "_INSEa\\x00\\xff");
    }

    #[test]
    fn numbers_in_decimal() {
        let steps = (0..20).flat_map(|n| [10_u64.pow(n), 10_u64.pow(n) - 1, 10_u64.pow(n) / 3]);
        for n in steps.chain([0, 7, 10, 99, 100, 65_535, 1_234_567_890, u64::MAX]) {
            let mut text = String::from("x");
            number(&mut text, n);
            assert_eq!(text, format!("x{n}"));
            text.clear();
            hex(&mut text, n, 2);
            assert_eq!(text, format!("{n:#04x}"));
        }
    }

    #[test]
    fn bounds_leave_nan_out() {
        assert_eq!(bounds(&[f64::NAN, 2.0, -1.0]), (Some(-1.0), Some(2.0)));
        assert_eq!(bounds(&[]), (None, None));
    }
}

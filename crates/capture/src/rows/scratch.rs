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

/// Appends a number in decimal; several times faster than formatting it.
pub(crate) fn number(text: &mut String, value: impl Into<u64>) {
    let mut rest = value.into();
    let mut digits = [0_u8; 20];
    let mut first = digits.len();
    for (at, digit) in digits.iter_mut().enumerate().rev() {
        // a remainder of ten is one digit
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        first = at;
        if rest == 0 {
            break;
        }
    }
    let digits = digits.get(first..).unwrap_or_default();
    text.push_str(std::str::from_utf8(digits).unwrap_or_default());
}

/// Appends bytes as text: printable ASCII as it is, other bytes as `\xHH`.
pub(crate) fn append_bytes(text: &mut String, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
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
pub(crate) fn bounds(data: &[f64]) -> (Option<f64>, Option<f64>) {
    let mut numbers = data.iter().copied().filter(|v| !v.is_nan());
    let Some(first) = numbers.next() else {
        return (None, None);
    };
    let (low, high) = numbers.fold((first, first), |(low, high), v| (low.min(v), high.max(v)));
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
        for n in [0, 7, 10, 99, 100, 65_535, 1_234_567_890, u64::MAX] {
            let mut text = String::from("x");
            number(&mut text, n);
            assert_eq!(text, format!("x{n}"));
        }
    }

    #[test]
    fn bounds_leave_nan_out() {
        assert_eq!(bounds(&[f64::NAN, 2.0, -1.0]), (Some(-1.0), Some(2.0)));
        assert_eq!(bounds(&[]), (None, None));
    }
}

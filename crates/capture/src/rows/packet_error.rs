//! Rows of `packet_error`.

use telltale_schema::packet_error::{Builder, ObjectClass, Row, Space, decide};
use telltale_schema::{Common, ErrorLayer};

/// First bytes in hexadecimal, without an allocation.
pub(crate) struct Snippet {
    text: [u8; 64],
    len: usize,
}

impl Snippet {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";

    pub(crate) fn new(bytes: &[u8]) -> Self {
        let mut text = [0_u8; 64];
        let digit = |n: u8| {
            Self::DIGITS
                .get(usize::from(n & 15))
                .copied()
                .unwrap_or(b'?')
        };
        let mut len = 0;
        for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
            if let [high, low] = pair {
                (*high, *low) = (digit(byte >> 4), digit(*byte));
                len += 2;
            }
        }
        Self { text, len }
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        self.text
            .get(..self.len)
            .and_then(|t| std::str::from_utf8(t).ok())
            .filter(|t| !t.is_empty())
    }
}

/// One failure.
pub(crate) struct Failure<'a> {
    pub layer: ErrorLayer,
    pub code: &'a str,
    pub reason: &'a str,
    pub offset: Option<u32>,
    pub length: Option<u32>,
    pub snippet: Option<&'a str>,
}

/// Appends a row; `common` has place and time.
pub(crate) fn append(builder: &mut Builder, common: Common<'_>, failure: &Failure<'_>) {
    let decision = decide(Space::Layer, failure.layer as u16, None, ObjectClass::None);
    builder.append(
        &Common {
            operation: decision.operation,
            function: decision.function,
            ..common
        },
        &Row {
            layer: failure.layer,
            error_code_text: failure.code,
            reason: failure.reason,
            offset: failure.offset,
            length: failure.length,
            snippet: failure.snippet,
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snippets() {
        assert_eq!(Snippet::new(&[0xde, 0x0a]).as_str(), Some("de0a"));
        assert_eq!(Snippet::new(&[]).as_str(), None);
        assert_eq!(Snippet::new(&[1; 100]).as_str().map(str::len), Some(64));
    }
}

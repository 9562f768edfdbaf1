/// Why bytes could not be decoded: a stable code, a reason in words, and the
/// offset (in bytes, from the start of what was handed in) where it showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Error {
    /// Stable code, for example `TT-MODBUS-003`; never changes its meaning.
    pub code: &'static str,
    /// The reason in lowercase words.
    pub reason: &'static str,
    /// Offset in bytes from the start of the input.
    pub offset: usize,
}

impl Error {
    /// An error with a stable `code` and `reason` at `offset` bytes.
    #[must_use]
    pub const fn new(code: &'static str, reason: &'static str, offset: usize) -> Self {
        Self {
            code,
            reason,
            offset,
        }
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} at offset {}: {}",
            self.code, self.offset, self.reason
        )
    }
}

impl std::error::Error for Error {}

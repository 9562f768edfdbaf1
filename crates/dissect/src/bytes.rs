//! Reading integers from untrusted bytes without a panic.
use crate::Error;

/// A cursor over borrowed bytes; every read is checked.
#[derive(Debug, Clone, Copy)]
pub struct Cursor<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Cursor<'a> {
    /// A cursor at the start of `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, offset: 0 }
    }

    /// Bytes consumed so far.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// Bytes that are left.
    #[must_use]
    pub const fn remaining(&self) -> usize {
        self.bytes.len()
    }

    /// All bytes that are left, without consuming them.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    /// The next `n` bytes.
    ///
    /// # Errors
    /// `code` with "truncated" when fewer than `n` bytes are left.
    pub fn take(&mut self, n: usize, code: &'static str) -> Result<&'a [u8], Error> {
        match self.bytes.split_at_checked(n) {
            Some((head, tail)) => {
                self.bytes = tail;
                self.offset = self.offset.saturating_add(n);
                Ok(head)
            }
            None => Err(Error::new(code, "truncated", self.offset)),
        }
    }

    fn array<const N: usize>(&mut self, code: &'static str) -> Result<[u8; N], Error> {
        match self.bytes.split_first_chunk::<N>() {
            Some((head, tail)) => {
                self.bytes = tail;
                self.offset = self.offset.saturating_add(N);
                Ok(*head)
            }
            None => Err(Error::new(code, "truncated", self.offset)),
        }
    }

    /// One byte.
    ///
    /// # Errors
    /// `code` with "truncated" at the end of input.
    pub fn u8(&mut self, code: &'static str) -> Result<u8, Error> {
        self.array::<1>(code).map(|[b]| b)
    }

    /// Two bytes, big-endian.
    ///
    /// # Errors
    /// `code` with "truncated" at the end of input.
    pub fn u16_be(&mut self, code: &'static str) -> Result<u16, Error> {
        self.array(code).map(u16::from_be_bytes)
    }

    /// Two bytes, little-endian.
    ///
    /// # Errors
    /// `code` with "truncated" at the end of input.
    pub fn u16_le(&mut self, code: &'static str) -> Result<u16, Error> {
        self.array(code).map(u16::from_le_bytes)
    }

    /// Four bytes, big-endian.
    ///
    /// # Errors
    /// `code` with "truncated" at the end of input.
    pub fn u32_be(&mut self, code: &'static str) -> Result<u32, Error> {
        self.array(code).map(u32::from_be_bytes)
    }

    /// Four bytes, little-endian.
    ///
    /// # Errors
    /// `code` with "truncated" at the end of input.
    pub fn u32_le(&mut self, code: &'static str) -> Result<u32, Error> {
        self.array(code).map(u32::from_le_bytes)
    }

    /// Eight bytes, little-endian.
    ///
    /// # Errors
    /// `code` with "truncated" at the end of input.
    pub fn u64_le(&mut self, code: &'static str) -> Result<u64, Error> {
        self.array(code).map(u64::from_le_bytes)
    }
}

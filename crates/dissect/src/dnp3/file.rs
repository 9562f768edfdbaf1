use super::TRUNCATED;
use crate::Error;
use crate::bytes::Cursor;

/// A file object, group 70 (IEEE 1815-2012, A.26).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FileObject<'a> {
    /// File name, or the path of a specification.
    pub name: &'a [u8],
    /// User name of an authentication (the password is never handed out).
    pub user: &'a [u8],
    /// File size in bytes.
    pub size: Option<u32>,
    /// Handle of an open file.
    pub handle: Option<u32>,
    /// Block number of a transfer; the highest bit marks the last.
    pub block: Option<u32>,
    /// Mode of a command: 0 nul, 1 read, 2 write, 3 append.
    pub mode: Option<u16>,
    /// Status: 0 success; others are failures.
    pub status: Option<u8>,
    /// Data or text that follows.
    pub data: &'a [u8],
}

/// What a variation of group 70 asks.
#[must_use]
pub const fn function(variation: u8) -> Option<&'static str> {
    Some(match variation {
        2 => "authentication",
        3 => "command",
        4 => "status",
        5 => "transport",
        6 => "transport_status",
        7 => "descriptor",
        8 => "specification",
        _ => return None,
    })
}

impl<'a> FileObject<'a> {
    /// What the variation asks: `command`, `status`, `transport` …
    #[must_use]
    pub const fn function(variation: u8) -> Option<&'static str> {
        function(variation)
    }

    /// Reads an object of group 70.
    ///
    /// # Errors
    /// The object ends early.
    pub fn read(variation: u8, bytes: &'a [u8]) -> Result<Self, Error> {
        let mut c = Cursor::new(bytes);
        let mut file = Self::default();
        // names are found by offset and size from the object's start
        let named = |offset: u16, size: u16| {
            let start = usize::from(offset);
            bytes
                .get(start..start.saturating_add(usize::from(size)))
                .ok_or(Error::new(
                    TRUNCATED,
                    "the file name exceeds its object",
                    start.min(bytes.len()),
                ))
        };
        match variation {
            2 => {
                let (offset, size) = (c.u16_le(TRUNCATED)?, c.u16_le(TRUNCATED)?);
                file.user = named(offset, size)?;
            }
            3 => {
                let (offset, size) = (c.u16_le(TRUNCATED)?, c.u16_le(TRUNCATED)?);
                c.take(12, TRUNCATED)?;
                file.size = Some(c.u32_le(TRUNCATED)?);
                file.mode = Some(c.u16_le(TRUNCATED)?);
                c.take(4, TRUNCATED)?;
                file.name = named(offset, size)?;
            }
            4 => {
                file.handle = Some(c.u32_le(TRUNCATED)?);
                file.size = Some(c.u32_le(TRUNCATED)?);
                c.take(4, TRUNCATED)?;
                file.status = Some(c.u8(TRUNCATED)?);
                file.data = c.rest();
            }
            5 | 6 => {
                file.handle = Some(c.u32_le(TRUNCATED)?);
                file.block = Some(c.u32_le(TRUNCATED)?);
                if variation == 6 {
                    file.status = Some(c.u8(TRUNCATED)?);
                }
                file.data = c.rest();
            }
            7 => {
                let (offset, size) = (c.u16_le(TRUNCATED)?, c.u16_le(TRUNCATED)?);
                c.take(2, TRUNCATED)?;
                file.size = Some(c.u32_le(TRUNCATED)?);
                c.take(10, TRUNCATED)?;
                file.name = named(offset, size)?;
            }
            8 => file.name = bytes,
            _ => file.data = bytes,
        }
        Ok(file)
    }
}

//! Tag services of Logix controllers (Rockwell 1756-PM020): type codes, counts, values.
use crate::{Error, bytes::Cursor};

/// Tag data that cannot be decoded.
pub const BAD_TAG: &str = "TT-CIP-007";

/// Type code of a structure.
pub const STRUCTURE: u16 = 0x02a0;

/// Data of a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TagData<'a> {
    /// Type code, see [`type_name`].
    pub kind: u16,
    /// Handle of a structure's type.
    pub structure: Option<u16>,
    /// Elements, where the service says how many.
    pub count: Option<u16>,
    /// Byte offset of a fragment.
    pub offset: Option<u32>,
    /// The values.
    pub values: &'a [u8],
}

fn kind(cursor: &mut Cursor<'_>) -> Result<(u16, Option<u16>), Error> {
    let kind = cursor.u16_le(BAD_TAG)?;
    let structure = if kind == STRUCTURE {
        Some(cursor.u16_le(BAD_TAG)?)
    } else {
        None
    };
    Ok((kind, structure))
}

/// Elements that a Read Tag (Fragmented) request asks for.
#[must_use]
pub fn read_count(data: &[u8]) -> Option<u16> {
    data.first_chunk::<2>().map(|b| u16::from_le_bytes(*b))
}

/// Decodes the answer to Read Tag or Read Tag Fragmented.
///
/// # Errors
/// `TT-CIP-007` when it is cut.
pub fn read_answer(data: &[u8]) -> Result<TagData<'_>, Error> {
    let mut cursor = Cursor::new(data);
    let (kind, structure) = kind(&mut cursor)?;
    Ok(TagData {
        kind,
        structure,
        values: cursor.rest(),
        ..TagData::default()
    })
}

/// Decodes a Write Tag request; `fragmented` for Write Tag Fragmented.
///
/// # Errors
/// `TT-CIP-007` when it is cut.
pub fn write_request(data: &[u8], fragmented: bool) -> Result<TagData<'_>, Error> {
    let mut cursor = Cursor::new(data);
    let (kind, structure) = kind(&mut cursor)?;
    let count = Some(cursor.u16_le(BAD_TAG)?);
    let offset = if fragmented {
        Some(cursor.u32_le(BAD_TAG)?)
    } else {
        None
    };
    Ok(TagData {
        kind,
        structure,
        count,
        offset,
        values: cursor.rest(),
    })
}

/// The masks of a Read Modify Write Tag request: OR, AND.
#[must_use]
pub fn masks(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let (size, rest) = data.split_first_chunk::<2>()?;
    let size = usize::from(u16::from_le_bytes(*size));
    let (or_mask, rest) = rest.split_at_checked(size)?;
    Some((or_mask, rest.get(..size)?))
}

/// Name of an elementary type (CIP Volume 1, appendix C-6.1).
#[must_use]
pub const fn type_name(kind: u16) -> Option<&'static str> {
    Some(match kind & 0x0fff {
        0x02a0 => "STRUCT",
        0x00c1 => "BOOL",
        0x00c2 => "SINT",
        0x00c3 => "INT",
        0x00c4 => "DINT",
        0x00c5 => "LINT",
        0x00c6 => "USINT",
        0x00c7 => "UINT",
        0x00c8 => "UDINT",
        0x00c9 => "ULINT",
        0x00ca => "REAL",
        0x00cb => "LREAL",
        0x00d0 => "STRING",
        0x00d1 => "BYTE",
        0x00d2 => "WORD",
        0x00d3 => "DWORD",
        0x00d4 => "LWORD",
        0x00da => "SHORT_STRING",
        _ => return None,
    })
}

/// The numbers in little-endian bytes of a type; bytes for types without numbers.
#[derive(Debug, Clone, Copy)]
pub struct Values<'a> {
    kind: u16,
    rest: &'a [u8],
}

impl<'a> Values<'a> {
    /// Numbers of type `kind` in `bytes`; a remainder too short for one is left out.
    #[must_use]
    pub const fn new(kind: u16, bytes: &'a [u8]) -> Self {
        Self {
            kind: kind & 0x0fff,
            rest: bytes,
        }
    }

    fn chunk<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*head)
    }
}

impl Iterator for Values<'_> {
    type Item = f64;

    fn next(&mut self) -> Option<f64> {
        // 64-bit integers beyond 2^53 lose their lowest bits in a double.
        match self.kind {
            0x00c1 => self.chunk().map(|[b]| f64::from(u8::from(b != 0))),
            0x00c2 => self.chunk().map(|b| f64::from(i8::from_le_bytes(b))),
            0x00c3 => self.chunk().map(|b| f64::from(i16::from_le_bytes(b))),
            0x00c4 => self.chunk().map(|b| f64::from(i32::from_le_bytes(b))),
            0x00c5 => self.chunk().map(|b| i64::from_le_bytes(b) as f64),
            0x00c7 | 0x00d2 => self.chunk().map(|b| f64::from(u16::from_le_bytes(b))),
            0x00c8 | 0x00d3 => self.chunk().map(|b| f64::from(u32::from_le_bytes(b))),
            0x00c9 | 0x00d4 => self.chunk().map(|b| u64::from_le_bytes(b) as f64),
            0x00ca => self.chunk().map(|b| f64::from(f32::from_le_bytes(b))),
            0x00cb => self.chunk().map(f64::from_le_bytes),
            _ => self.chunk().map(|[b]| f64::from(b)),
        }
    }
}

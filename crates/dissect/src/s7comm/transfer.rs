//! Block transfer (download 0x1a–0x1c, upload 0x1d–0x1f), PI services (0x28)
//! and stop (0x29).
use crate::{Error, bytes::Cursor};

/// Parameters that cannot be decoded.
pub const BAD_PARAMETER: &str = "TT-S7-004";

/// A block: its type and number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// Two characters, such as `08`, see [`block_type_name`].
    pub kind: [u8; 2],
    /// Number.
    pub number: u32,
    /// Where to: `P` passive (working memory after insertion), `A` active, `B` both.
    pub destination: Option<u8>,
}

impl Block {
    /// OB, DB, SDB, FC, SFC, FB, SFB; `None` for other types.
    #[must_use]
    pub const fn type_name(&self) -> Option<&'static str> {
        block_type_name(self.kind)
    }
}

/// The name of a block type given as two characters.
#[must_use]
pub const fn block_type_name(kind: [u8; 2]) -> Option<&'static str> {
    match &kind {
        b"08" => Some("OB"),
        b"09" => Some("CMOD"),
        b"0A" => Some("DB"),
        b"0B" => Some("SDB"),
        b"0C" => Some("FC"),
        b"0D" => Some("SFC"),
        b"0E" => Some("FB"),
        b"0F" => Some("SFB"),
        _ => None,
    }
}

/// Decodes `0800001P` (two type characters, five digits, destination).
#[must_use]
pub fn block(name: &[u8]) -> Option<Block> {
    let (kind, rest) = name.split_first_chunk::<2>()?;
    let (digits, rest) = rest.split_first_chunk::<5>()?;
    Some(Block {
        kind: *kind,
        number: decimal(digits)?,
        destination: rest.first().copied(),
    })
}

/// ASCII digits as a number.
#[must_use]
pub fn decimal(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u32, |number, digit| {
        let digit = digit.checked_sub(b'0').filter(|d| *d <= 9)?;
        number.checked_mul(10)?.checked_add(u32::from(digit))
    })
}

/// A download or upload job or its acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transfer<'a> {
    /// Function code 0x1a to 0x1f.
    pub function: u8,
    /// Bit 0: more follows; bit 1: error.
    pub status: Option<u8>,
    /// Id of an upload.
    pub upload_id: Option<u32>,
    /// File name such as `_0800001P`, where the PDU carries one.
    pub filename: Option<&'a [u8]>,
    /// Length of the block as text digits (answer to start upload, request download).
    pub length: Option<u32>,
    /// Bytes of the block in this PDU's data part.
    pub data: &'a [u8],
}

impl Transfer<'_> {
    /// The block that the file name means: `_0800001P`, or without the identifier.
    #[must_use]
    pub fn block(&self) -> Option<Block> {
        let name = self.filename?;
        match name {
            // One identifier character stands before the eight of the block.
            [_, block_name @ ..] if block_name.len() == 8 => block(block_name),
            _ => block(name),
        }
    }
}

/// Decodes the parameters of functions 0x1a to 0x1f; what is cut is left out.
#[must_use]
pub fn transfer<'a>(function: u8, is_job: bool, param: &'a [u8], data: &'a [u8]) -> Transfer<'a> {
    let status = param.get(1).copied();
    let id = param
        .get(4..8)
        .and_then(|b| b.first_chunk::<4>())
        .map(|b| u32::from_be_bytes(*b));
    let text_at = |at: usize| {
        let rest = param.get(at..)?;
        let (len, rest) = rest.split_first()?;
        rest.get(..usize::from(*len))
            .filter(|text| !text.is_empty())
    };
    let block_bytes = || {
        let (len, rest) = data.split_first_chunk::<2>()?;
        let rest = rest.get(2..)?;
        rest.get(..usize::from(u16::from_be_bytes(*len)))
            .or(Some(rest))
    };
    let named = is_job && matches!(function, 0x1a..=0x1d);
    let filename = if named { text_at(8) } else { None };
    let length = match (function, is_job) {
        // "1", six digits of load memory, six of machine code.
        (0x1a, true) => filename
            .and_then(|name| text_at(name.len().saturating_add(9)))
            .and_then(|part| part.get(1..7))
            .and_then(decimal),
        (0x1d, false) => text_at(8).and_then(decimal),
        _ => None,
    };
    Transfer {
        function,
        status,
        upload_id: if matches!(function, 0x1d..=0x1f) {
            id
        } else {
            None
        },
        filename,
        length,
        data: if !is_job && matches!(function, 0x1b | 0x1e) {
            block_bytes().unwrap_or_default()
        } else {
            &[]
        },
    }
}

/// A PI service (program invocation, job 0x28).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pi<'a> {
    /// Name, such as `_INSE` or `P_PROGRAM`.
    pub service: &'a [u8],
    /// Argument as sent.
    pub argument: &'a [u8],
}

/// The kinds of PI service that matter to a detection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PiKind {
    /// `_INSE`, `_INS2`: makes downloaded blocks part of the program.
    Insert,
    /// `_DELE`, `_DELN`: deletes blocks.
    Delete,
    /// `P_PROGRAM` without argument: warm restart.
    Program,
    /// `P_PROGRAM` with `C`: cold restart.
    ProgramCold,
    /// `_MODU`, `_MMEM`: copies RAM to ROM.
    Memory,
    /// `_GARB`: compresses the memory.
    Compress,
    /// `_N_LOGIN_`, `_N_LOGOUT`.
    Login,
    /// Any other.
    Other,
}

impl<'a> Pi<'a> {
    /// What the service does.
    #[must_use]
    pub fn kind(&self) -> PiKind {
        match self.service {
            b"_INSE" | b"_INS2" => PiKind::Insert,
            b"_DELE" | b"_DELN" | b"_DEL2" => PiKind::Delete,
            b"P_PROGRAM" => {
                if self.argument.first() == Some(&b'C') {
                    PiKind::ProgramCold
                } else {
                    PiKind::Program
                }
            }
            b"_MODU" | b"_MMEM" => PiKind::Memory,
            b"_GARB" => PiKind::Compress,
            b"_N_LOGIN_" | b"_N_LOGOUT" => PiKind::Login,
            _ => PiKind::Other,
        }
    }

    /// The blocks that `_INSE` and `_DELE` name.
    pub fn blocks(&self) -> impl Iterator<Item = Block> + 'a {
        let named = matches!(self.kind(), PiKind::Insert | PiKind::Delete);
        let (count, list) = match self.argument {
            [count, _fill, list @ ..] if named => (usize::from(*count), list),
            _ => (0, &[] as &[u8]),
        };
        list.chunks_exact(8).take(count).filter_map(block)
    }
}

/// Decodes the parameters of job 0x28.
///
/// # Errors
/// `TT-S7-004` when they are cut.
pub fn pi(param: &[u8]) -> Result<Pi<'_>, Error> {
    let mut cursor = Cursor::new(param);
    cursor.take(8, BAD_PARAMETER)?;
    let len = usize::from(cursor.u16_be(BAD_PARAMETER)?);
    let argument = cursor.take(len, BAD_PARAMETER)?;
    let len = usize::from(cursor.u8(BAD_PARAMETER)?);
    Ok(Pi {
        argument,
        service: cursor.take(len, BAD_PARAMETER)?,
    })
}

/// The service name of job 0x29 (stop), `P_PROGRAM` in all that was seen.
#[must_use]
pub fn stop_service(param: &[u8]) -> Option<&[u8]> {
    let (len, rest) = param.get(6..)?.split_first()?;
    rest.get(..usize::from(*len))
}

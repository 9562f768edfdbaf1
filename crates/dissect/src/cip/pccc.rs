//! PCCC, the command set of older Allen-Bradley controllers (1770-6.5.16), inside
//! Execute PCCC (service 0x4b of class 0x67).
use crate::{Error, bytes::Cursor};

/// PCCC that cannot be decoded.
pub const BAD_PCCC: &str = "TT-CIP-008";

/// A PCCC command or reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pccc<'a> {
    /// Command code without the reply bit.
    pub command: u8,
    /// Is it a reply (bit 0x40)?
    pub reply: bool,
    /// Status; 0 is success, 0xf0 means that an extended status follows.
    pub status: u8,
    /// Extended status of a reply.
    pub extended: Option<u8>,
    /// Transaction number.
    pub transaction: u16,
    /// Function code, of commands that have one.
    pub function: Option<u8>,
    /// Data behind it.
    pub data: &'a [u8],
}

/// Do commands of this code carry a function code?
const fn has_function(command: u8) -> bool {
    matches!(command, 0x06 | 0x07 | 0x0f)
}

/// Decodes the service data of Execute PCCC, request or response: requestor id,
/// then the PCCC packet.
///
/// # Errors
/// `TT-CIP-008` when it is cut.
pub fn execute(data: &[u8]) -> Result<Pccc<'_>, Error> {
    let mut cursor = Cursor::new(data);
    let id_len = usize::from(cursor.u8(BAD_PCCC)?);
    cursor.take(id_len.saturating_sub(1), BAD_PCCC)?;
    packet(cursor.rest()).map_err(|e| Error {
        offset: e.offset.saturating_add(cursor.offset()),
        ..e
    })
}

/// Decodes a PCCC packet: command, status, transaction, function, data.
///
/// # Errors
/// `TT-CIP-008` when it is cut.
pub fn packet(bytes: &[u8]) -> Result<Pccc<'_>, Error> {
    let mut cursor = Cursor::new(bytes);
    let code = cursor.u8(BAD_PCCC)?;
    let status = cursor.u8(BAD_PCCC)?;
    let transaction = cursor.u16_le(BAD_PCCC)?;
    let (command, reply) = (code & 0x0f, code & 0x40 != 0);
    let extended = if reply && status == 0xf0 {
        Some(cursor.u8(BAD_PCCC)?)
    } else {
        None
    };
    let function = if !reply && has_function(command) {
        Some(cursor.u8(BAD_PCCC)?)
    } else {
        None
    };
    Ok(Pccc {
        command,
        reply,
        status,
        extended,
        transaction,
        function,
        data: cursor.rest(),
    })
}

/// An address in the data table of a controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address<'a> {
    /// File type: 0x89 integer, 0x85 bit …; 0 when the command does not say.
    pub file_type: u8,
    /// File number.
    pub file: u16,
    /// Element.
    pub element: u16,
    /// Sub-element.
    pub sub: Option<u16>,
    /// Bytes that are read or written.
    pub bytes: u16,
    /// What is written.
    pub values: &'a [u8],
}

/// A number of one byte, or of two behind 0xff (1770-6.5.16, chapter 13).
fn short(cursor: &mut Cursor<'_>) -> Result<u16, Error> {
    match cursor.u8(BAD_PCCC)? {
        0xff => cursor.u16_le(BAD_PCCC),
        n => Ok(u16::from(n)),
    }
}

impl<'a> Pccc<'a> {
    /// The address of a protected typed logical read or write with two or three
    /// address fields (0x0f / 0xa1, 0xa2, 0xa9, 0xaa, 0xab).
    #[must_use]
    pub fn address(&self) -> Option<Address<'a>> {
        let three = match (self.command, self.function?) {
            (0x0f, 0xa2 | 0xaa | 0xab) => true,
            (0x0f, 0xa1 | 0xa9) => false,
            _ => return None,
        };
        let mut cursor = Cursor::new(self.data);
        let bytes = u16::from(cursor.u8(BAD_PCCC).ok()?);
        let file = short(&mut cursor).ok()?;
        let file_type = cursor.u8(BAD_PCCC).ok()?;
        let element = short(&mut cursor).ok()?;
        let sub = if three {
            Some(short(&mut cursor).ok()?)
        } else {
            None
        };
        // A masked write (0xab) has a mask of two bytes before the data.
        if self.function == Some(0xab) {
            cursor.take(2, BAD_PCCC).ok()?;
        }
        let written = matches!(self.function, Some(0xa9..=0xab));
        Some(Address {
            file_type,
            file,
            element,
            sub,
            bytes,
            values: if written { cursor.rest() } else { &[] },
        })
    }

    /// The mode that a change mode command asks for (0x0f / 0x80, 0x3a).
    #[must_use]
    pub fn mode(&self) -> Option<u8> {
        match (self.command, self.function?) {
            (0x0f, 0x80 | 0x3a) => self.data.first().copied(),
            _ => None,
        }
    }
}

/// The letters of a file type in an address: N, B, T, C, R, F, S, O, I, ST, A, L, MG, PD.
#[must_use]
pub const fn file_letters(file_type: u8) -> Option<&'static str> {
    Some(match file_type {
        0x82 | 0x8b => "O",
        0x83 | 0x8c => "I",
        0x84 => "S",
        0x85 => "B",
        0x86 => "T",
        0x87 => "C",
        0x88 => "R",
        0x89 => "N",
        0x8a => "F",
        0x8d => "ST",
        0x8e => "A",
        0x8f => "D",
        0x91 => "L",
        0x92 => "MG",
        0x93 => "PD",
        _ => return None,
    })
}

/// The CIP type code by which the bytes of a file type become numbers (see
/// [`super::tag::Values`]).
#[must_use]
pub const fn value_kind(file_type: u8) -> u16 {
    match file_type {
        0x8a => 0x00ca,
        0x91 => 0x00c4,
        0x85 | 0x84 | 0x8b | 0x8c | 0x82 | 0x83 => 0x00d2,
        0x8d | 0x8e => 0x00c6,
        _ => 0x00c3,
    }
}

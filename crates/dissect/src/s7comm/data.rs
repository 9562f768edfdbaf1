//! Data items of reads and writes, and their values.
use crate::{Error, bytes::Cursor};

/// A data item that cannot be decoded.
pub const BAD_DATA: &str = "TT-S7-006";

/// Return code: reserved, in a request.
pub const RESERVED: u8 = 0x00;
/// Return code: success.
pub const OK: u8 = 0xff;

/// One item of data: what a read answers or a write sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DataItem<'a> {
    /// Return code: 0xff success, 0x00 in requests, other codes are errors.
    pub return_code: u8,
    /// Transport size of data: 3 bit, 4 byte/word/dword, 5 integer, 6 double integer, 7 real, 9 octets.
    pub transport_size: u8,
    /// Length as sent: in bits for transport sizes 3 to 5, else in bytes.
    pub length: u16,
    /// The data.
    pub data: &'a [u8],
}

/// The data items of a PDU, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DataItems<'a> {
    rest: &'a [u8],
    left: u8,
    declared: u8,
    offset: usize,
}

impl<'a> DataItems<'a> {
    /// `count` items at the start of `bytes`, which are `offset` bytes into the PDU.
    #[must_use]
    pub const fn new(count: u8, bytes: &'a [u8], offset: usize) -> Self {
        Self {
            rest: bytes,
            left: count,
            declared: count,
            offset,
        }
    }

    /// Items that the PDU says it has.
    #[must_use]
    pub const fn declared(&self) -> u8 {
        self.declared
    }
}

/// Bytes that a data item's length means.
pub(super) const fn byte_length(transport_size: u8, length: u16) -> usize {
    let length = length as usize;
    match transport_size {
        4 | 5 => length.div_ceil(8),
        _ => length,
    }
}

impl<'a> Iterator for DataItems<'a> {
    type Item = Result<DataItem<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let mut cursor = Cursor::new(self.rest);
        let item = data_item(&mut cursor, self.left > 0);
        match item {
            Ok(item) => {
                self.rest = cursor.rest();
                self.offset = self.offset.saturating_add(cursor.offset());
                Some(Ok(item))
            }
            Err(e) => {
                self.left = 0;
                Some(Err(Error {
                    offset: e.offset.saturating_add(self.offset),
                    ..e
                }))
            }
        }
    }
}

fn data_item<'a>(cursor: &mut Cursor<'a>, more: bool) -> Result<DataItem<'a>, Error> {
    let return_code = cursor.u8(BAD_DATA)?;
    let transport_size = cursor.u8(BAD_DATA)?;
    let length = cursor.u16_be(BAD_DATA)?;
    let bytes = match return_code {
        OK | RESERVED => byte_length(transport_size, length),
        // Failed items carry no data, whatever their length field says.
        _ => 0,
    };
    let data = cursor.take(bytes, BAD_DATA)?;
    if more
        && !bytes.is_multiple_of(2)
        && let Ok(_fill) = cursor.u8(BAD_DATA)
    {}
    Ok(DataItem {
        return_code,
        transport_size,
        length,
        data,
    })
}

/// How bytes become numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Each byte 0 or 1.
    Bit,
    /// Each byte unsigned.
    Byte,
    /// 16 bits unsigned.
    Word,
    /// 16 bits signed.
    Int,
    /// 32 bits unsigned.
    DWord,
    /// 32 bits signed.
    DInt,
    /// 32 bits IEEE 754.
    Real,
}

impl Kind {
    /// By the transport size of the address that was asked for.
    #[must_use]
    pub const fn of_address(transport_size: u8) -> Self {
        use super::item::size;
        match transport_size {
            size::BIT => Self::Bit,
            size::WORD | size::COUNTER | size::TIMER => Self::Word,
            size::INT => Self::Int,
            size::DWORD => Self::DWord,
            size::DINT => Self::DInt,
            size::REAL => Self::Real,
            _ => Self::Byte,
        }
    }

    /// By the transport size of the data, when the address is not known.
    #[must_use]
    pub const fn of_data(transport_size: u8) -> Self {
        match transport_size {
            3 => Self::Bit,
            5 => Self::Int,
            6 => Self::DInt,
            7 => Self::Real,
            _ => Self::Byte,
        }
    }

    /// Bytes of one number.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::Bit | Self::Byte => 1,
            Self::Word | Self::Int => 2,
            Self::DWord | Self::DInt | Self::Real => 4,
        }
    }
}

/// The numbers in bytes, in order; a remainder too short for one is left out.
#[derive(Debug, Clone, Copy)]
pub struct Values<'a> {
    kind: Kind,
    rest: &'a [u8],
}

impl<'a> Values<'a> {
    /// Numbers of this kind in `data`; bytes when `data` holds no whole number.
    #[must_use]
    pub const fn new(kind: Kind, data: &'a [u8]) -> Self {
        let kind = if data.len() < kind.bytes() {
            Kind::Byte
        } else {
            kind
        };
        Self { kind, rest: data }
    }
}

impl Iterator for Values<'_> {
    type Item = f64;

    fn next(&mut self) -> Option<f64> {
        match self.kind {
            Kind::Bit => self.chunk().map(|[b]| f64::from(b & 1)),
            Kind::Byte => self.chunk().map(|[b]| f64::from(b)),
            Kind::Word => self.chunk().map(|b| f64::from(u16::from_be_bytes(b))),
            Kind::Int => self.chunk().map(|b| f64::from(i16::from_be_bytes(b))),
            Kind::DWord => self.chunk().map(|b| f64::from(u32::from_be_bytes(b))),
            Kind::DInt => self.chunk().map(|b| f64::from(i32::from_be_bytes(b))),
            Kind::Real => self.chunk().map(|b| f64::from(f32::from_be_bytes(b))),
        }
    }
}

impl Values<'_> {
    fn chunk<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*head)
    }
}

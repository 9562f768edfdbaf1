//! Variable addresses: the items of read and write jobs, of cyclic services and
//! of variable tables.
use crate::{Error, bytes::Cursor};

/// An item that cannot be decoded.
pub const BAD_ITEM: &str = "TT-S7-005";

/// Area numbers of S7ANY addresses.
pub mod area {
    /// System information of the 200 family.
    pub const SYSTEM_INFO: u8 = 0x03;
    /// System flags of the 200 family.
    pub const SYSTEM_FLAGS: u8 = 0x05;
    /// Analogue inputs of the 200 family.
    pub const ANALOG_INPUTS: u8 = 0x06;
    /// Analogue outputs of the 200 family.
    pub const ANALOG_OUTPUTS: u8 = 0x07;
    /// Counters.
    pub const COUNTERS: u8 = 0x1c;
    /// Timers.
    pub const TIMERS: u8 = 0x1d;
    /// Counters of the 200 family (IEC).
    pub const COUNTERS_200: u8 = 0x1e;
    /// Timers of the 200 family (IEC).
    pub const TIMERS_200: u8 = 0x1f;
    /// Periphery.
    pub const PERIPHERY: u8 = 0x80;
    /// Inputs (process image).
    pub const INPUTS: u8 = 0x81;
    /// Outputs (process image).
    pub const OUTPUTS: u8 = 0x82;
    /// Markers (flags).
    pub const MARKERS: u8 = 0x83;
    /// Data blocks.
    pub const DB: u8 = 0x84;
    /// Instance data blocks.
    pub const INSTANCE_DB: u8 = 0x85;
    /// Local data.
    pub const LOCAL: u8 = 0x86;
    /// Local data of the caller.
    pub const PREVIOUS_LOCAL: u8 = 0x87;
}

/// Transport sizes of addresses.
pub mod size {
    /// One bit.
    pub const BIT: u8 = 1;
    /// One byte.
    pub const BYTE: u8 = 2;
    /// One character.
    pub const CHAR: u8 = 3;
    /// 16 bits, unsigned.
    pub const WORD: u8 = 4;
    /// 16 bits, signed.
    pub const INT: u8 = 5;
    /// 32 bits, unsigned.
    pub const DWORD: u8 = 6;
    /// 32 bits, signed.
    pub const DINT: u8 = 7;
    /// 32 bits, IEEE 754.
    pub const REAL: u8 = 8;
    /// 28: a counter.
    pub const COUNTER: u8 = 28;
    /// 29: a timer.
    pub const TIMER: u8 = 29;
}

/// A variable that an item names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable {
    /// Syntax of the address: 0x10 S7ANY, 0xb0 one area of a DBREAD.
    pub syntax: u8,
    /// Transport size, see [`size`].
    pub transport_size: u8,
    /// Elements of the transport size.
    pub length: u16,
    /// Data block, 0 for other areas.
    pub db: u16,
    /// Area, see [`area`].
    pub area: u8,
    /// Address: in bits, or the number of a timer or counter.
    pub address: u32,
}

impl Variable {
    /// Is it a timer or counter, addressed by number?
    #[must_use]
    pub const fn is_numbered(&self) -> bool {
        matches!(
            self.area,
            area::COUNTERS | area::TIMERS | area::COUNTERS_200 | area::TIMERS_200
        )
    }

    /// Byte address, or the number of a timer or counter.
    #[must_use]
    pub const fn byte(&self) -> u32 {
        if self.is_numbered() {
            self.address
        } else {
            self.address >> 3
        }
    }

    /// Bit in the byte.
    #[must_use]
    pub const fn bit(&self) -> u8 {
        if self.is_numbered() {
            0
        } else {
            (self.address & 7) as u8
        }
    }

    /// Bytes of one element.
    #[must_use]
    pub const fn element_bytes(&self) -> u32 {
        match self.transport_size {
            size::WORD | size::INT | size::COUNTER | size::TIMER | 9 | 10 => 2,
            size::DWORD | size::DINT | size::REAL | 11 | 12 => 4,
            15 => 8,
            _ => 1,
        }
    }
}

/// An item of a parameter list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item<'a> {
    /// An address: S7ANY (0x10).
    Variable(Variable),
    /// Several areas of data blocks in one item (0xb0, DBREAD).
    DbRead(DbAreas<'a>),
    /// A drive's parameter (0xa2, DRIVEESANY).
    Drive {
        /// Parameter number.
        parameter: u16,
        /// Index in the parameter.
        index: u16,
        /// Elements.
        length: u16,
        /// Transport size.
        transport_size: u8,
    },
    /// A symbolic address of a 1200 or 1500 (0xb2): a CRC of the name and, as
    /// local ids, the way to the element.
    Symbolic {
        /// Root area: 0x84-ish for a DB, 0x50…0x52 for inputs, outputs, markers.
        root: u16,
        /// Number of the data block, if the root is one.
        db: u16,
        /// CRC of the symbol.
        crc: u32,
    },
    /// Another syntax (PBC 0x13, alarms 0x15…0x1a, NCK 0x82…), not decoded.
    Other {
        /// Syntax id.
        syntax: u8,
        /// What follows the syntax id.
        raw: &'a [u8],
    },
}

impl Item<'_> {
    /// Syntax id.
    #[must_use]
    pub const fn syntax(&self) -> u8 {
        match self {
            Self::Variable(v) => v.syntax,
            Self::DbRead(_) => 0xb0,
            Self::Drive { .. } => 0xa2,
            Self::Symbolic { .. } => 0xb2,
            Self::Other { syntax, .. } => *syntax,
        }
    }
}

/// The areas of a DBREAD item: bytes, data block, first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DbAreas<'a> {
    rest: &'a [u8],
}

impl Iterator for DbAreas<'_> {
    type Item = Variable;

    fn next(&mut self) -> Option<Variable> {
        let (head, rest) = self.rest.split_first_chunk::<5>()?;
        self.rest = rest;
        let [bytes, db_hi, db_lo, at_hi, at_lo] = *head;
        Some(Variable {
            syntax: 0xb0,
            transport_size: size::BYTE,
            length: u16::from(bytes),
            db: u16::from_be_bytes([db_hi, db_lo]),
            area: area::DB,
            address: u32::from(u16::from_be_bytes([at_hi, at_lo])) << 3,
        })
    }
}

/// The items of a parameter list, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Items<'a> {
    cursor_at: usize,
    rest: &'a [u8],
    left: u8,
    declared: u8,
}

impl<'a> Items<'a> {
    /// `count` items at the start of `bytes`, which are `offset` bytes into the PDU.
    #[must_use]
    pub const fn new(count: u8, bytes: &'a [u8], offset: usize) -> Self {
        Self {
            cursor_at: offset,
            rest: bytes,
            left: count,
            declared: count,
        }
    }

    /// Items that the list says it has.
    #[must_use]
    pub const fn declared(&self) -> u8 {
        self.declared
    }

    /// The bytes behind the items that were taken.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = Result<Item<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let mut cursor = Cursor::new(self.rest);
        let item = item(&mut cursor);
        match item {
            Ok(item) => {
                // An item of odd length is filled up, except the last.
                if !cursor.offset().is_multiple_of(2)
                    && self.left > 0
                    && let Ok(_fill) = cursor.u8(BAD_ITEM)
                {}
                self.cursor_at = self.cursor_at.saturating_add(cursor.offset());
                self.rest = cursor.rest();
                Some(Ok(item))
            }
            Err(e) => {
                self.left = 0;
                Some(Err(Error {
                    offset: e.offset.saturating_add(self.cursor_at),
                    ..e
                }))
            }
        }
    }
}

fn item<'a>(cursor: &mut Cursor<'a>) -> Result<Item<'a>, Error> {
    let _specification = cursor.u8(BAD_ITEM)?;
    let len = usize::from(cursor.u8(BAD_ITEM)?);
    let body = cursor.take(len, BAD_ITEM)?;
    let mut at = Cursor::new(body);
    let syntax = at.u8(BAD_ITEM)?;
    let raw = at.rest();
    Ok(match syntax {
        0x10 if len == 10 => {
            let transport_size = at.u8(BAD_ITEM)?;
            let length = at.u16_be(BAD_ITEM)?;
            let db = at.u16_be(BAD_ITEM)?;
            let word = at.u32_be(BAD_ITEM)?;
            Item::Variable(Variable {
                syntax,
                transport_size,
                length,
                db,
                area: (word >> 24) as u8,
                address: word & 0x00ff_ffff,
            })
        }
        0xb0 if len >= 7 => {
            let _areas = at.u8(BAD_ITEM)?;
            Item::DbRead(DbAreas { rest: at.rest() })
        }
        0xa2 if len >= 8 => {
            let transport_size = at.u8(BAD_ITEM)?;
            let length = at.u16_be(BAD_ITEM)?;
            let parameter = at.u16_be(BAD_ITEM)?;
            Item::Drive {
                transport_size,
                length,
                parameter,
                index: at.u16_be(BAD_ITEM)?,
            }
        }
        0xb2 if len >= 10 => {
            let _reserved = at.u8(BAD_ITEM)?;
            Item::Symbolic {
                root: at.u16_be(BAD_ITEM)?,
                db: at.u16_be(BAD_ITEM)?,
                crc: at.u32_be(BAD_ITEM)?,
            }
        }
        _ => Item::Other { syntax, raw },
    })
}

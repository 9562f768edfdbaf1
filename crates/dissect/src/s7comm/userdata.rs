//! Userdata (ROSCTR 7): programmer, cyclic, block, CPU, security and time functions.
use super::data::{DataItems, byte_length};
use super::item::{Item, Items, Variable};
pub use super::table::{Table, TableEntry};
use super::transfer::{Block, block};
use crate::{Error, bytes::Cursor};

/// Userdata that cannot be decoded.
pub const BAD_USERDATA: &str = "TT-S7-007";

/// Function groups.
pub mod group {
    /// The controller reports that its mode changed.
    pub const MODE_TRANSITION: u8 = 0;
    /// Programmer commands (test and installation).
    pub const PROGRAMMER: u8 = 1;
    /// Cyclic services.
    pub const CYCLIC: u8 = 2;
    /// Block functions.
    pub const BLOCK: u8 = 3;
    /// CPU functions.
    pub const CPU: u8 = 4;
    /// Security.
    pub const SECURITY: u8 = 5;
    /// Program to program (BSEND, BRECV).
    pub const PBC: u8 = 6;
    /// Time functions.
    pub const TIME: u8 = 7;
    /// NC programming.
    pub const NC: u8 = 15;
}

/// Who speaks in a userdata PDU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// 0: the controller on its own.
    Push,
    /// 4 (and 12 of an NC): a request.
    Request,
    /// 8 (and 13 of an NC): a response.
    Response,
    /// Anything else.
    Other(u8),
}

/// A userdata PDU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Userdata<'a> {
    /// Request, response or push.
    pub kind: Kind,
    /// Function group, see [`group`].
    pub group: u8,
    /// Subfunction (for mode transitions the new mode).
    pub sub: u8,
    /// Sequence number, pairs the parts of a long answer.
    pub sequence: u8,
    /// Reference of the part, in the long form of the header.
    pub data_unit: Option<u8>,
    /// Does another part follow?
    pub more: bool,
    /// Error code of the long form; 0 is none.
    pub error: Option<u16>,
    /// Return code of the data; 0xff success.
    pub return_code: Option<u8>,
    /// Transport size of the data.
    pub transport_size: Option<u8>,
    /// What the data carry.
    pub payload: &'a [u8],
}

/// Decodes parameters and data of ROSCTR 7.
///
/// # Errors
/// `TT-S7-007` when the parameters are cut; the data may be.
pub fn parse<'a>(param: &'a [u8], data: &'a [u8]) -> Result<Userdata<'a>, Error> {
    let mut cursor = Cursor::new(param);
    cursor.take(3, BAD_USERDATA)?;
    let len = cursor.u8(BAD_USERDATA)?;
    let _method = cursor.u8(BAD_USERDATA)?;
    let kinds = cursor.u8(BAD_USERDATA)?;
    let sub = cursor.u8(BAD_USERDATA)?;
    let sequence = cursor.u8(BAD_USERDATA)?;
    let long = len >= 8;
    let data_unit = if long {
        cursor.u8(BAD_USERDATA).ok()
    } else {
        None
    };
    let more = if long {
        cursor.u8(BAD_USERDATA).is_ok_and(|last| last != 0)
    } else {
        false
    };
    let error = if long {
        cursor.u16_be(BAD_USERDATA).ok()
    } else {
        None
    };
    let (return_code, transport_size, payload) = match data {
        [code, size, hi, lo, rest @ ..] => {
            let len = byte_length(*size, u16::from_be_bytes([*hi, *lo]));
            (Some(*code), Some(*size), rest.get(..len).unwrap_or(rest))
        }
        [code, ..] => (Some(*code), None, &[] as &[u8]),
        [] => (None, None, &[] as &[u8]),
    };
    Ok(Userdata {
        kind: match kinds >> 4 {
            0 => Kind::Push,
            4 | 12 => Kind::Request,
            8 | 13 => Kind::Response,
            other => Kind::Other(other),
        },
        group: kinds & 0x0f,
        sub,
        sequence,
        data_unit,
        more,
        error,
        return_code,
        transport_size,
        payload,
    })
}

/// A system status list that is asked for or answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Szl<'a> {
    /// ID: class, number of the extract, number of the list.
    pub id: u16,
    /// Index.
    pub index: u16,
    /// Bytes of one entry, in an answer.
    pub entry_len: Option<u16>,
    /// Entries, in an answer.
    pub count: Option<u16>,
    /// The entries that this PDU carries.
    pub entries: &'a [u8],
}

impl<'a> Szl<'a> {
    /// Is it about what the module is (order number, names, serial number)?
    #[must_use]
    pub const fn is_identity(&self) -> bool {
        is_identity_szl(self.id)
    }

    /// The entries, each with its own index and its bytes, for lists 0x..11
    /// (module identification: 20 bytes of order number) and 0x..1c (component
    /// identification: texts of 24 to 32 bytes).
    pub fn texts(&self) -> impl Iterator<Item = (u16, &'a [u8])> + 'a {
        let text_len = match self.id & 0x00ff {
            0x11 => 20,
            0x1c => 32,
            _ => 0,
        };
        let entry = usize::from(self.entry_len.unwrap_or(0)).max(3);
        let entries = if text_len == 0 {
            &[] as &[u8]
        } else {
            self.entries
        };
        entries.chunks_exact(entry).filter_map(move |bytes| {
            let (index, rest) = bytes.split_first_chunk::<2>()?;
            let text = rest.get(..text_len).unwrap_or(rest);
            Some((u16::from_be_bytes(*index), trim(text)))
        })
    }
}

/// Lists that identify the module: 0x..11 and 0x..1c.
#[must_use]
pub const fn is_identity_szl(id: u16) -> bool {
    matches!(id & 0x00ff, 0x11 | 0x1c)
}

fn trim(text: &[u8]) -> &[u8] {
    let end = text.iter().position(|b| *b == 0).unwrap_or(text.len());
    text.get(..end).unwrap_or(text).trim_ascii()
}

/// A date and time of a controller's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// Year, 1990 to 2089.
    pub year: u16,
    /// Month, 1 to 12.
    pub month: u8,
    /// Day of the month.
    pub day: u8,
    /// Hour.
    pub hour: u8,
    /// Minute.
    pub minute: u8,
    /// Second.
    pub second: u8,
    /// Millisecond.
    pub millisecond: u16,
}

const fn bcd(byte: u8) -> u8 {
    (byte >> 4).saturating_mul(10).saturating_add(byte & 0x0f)
}

impl<'a> Userdata<'a> {
    /// The system status list of CPU function 1. The later parts of a long
    /// answer repeat no header and give `None`.
    #[must_use]
    pub fn szl(&self) -> Option<Szl<'a>> {
        if (self.group, self.sub) != (group::CPU, 1) {
            return None;
        }
        let mut cursor = Cursor::new(self.payload);
        let id = cursor.u16_be(BAD_USERDATA).ok()?;
        let index = cursor.u16_be(BAD_USERDATA).ok()?;
        let answer = self.kind == Kind::Response;
        let entry_len = if answer {
            cursor.u16_be(BAD_USERDATA).ok()
        } else {
            None
        };
        let count = if answer {
            cursor.u16_be(BAD_USERDATA).ok()
        } else {
            None
        };
        Some(Szl {
            id,
            index,
            entry_len,
            count,
            entries: cursor.rest(),
        })
    }

    /// The password of security function 1, decoded (each byte was mixed with
    /// 0x55 and with the byte two before it). Hash it at once and keep nothing.
    #[must_use]
    pub fn password(&self) -> Option<[u8; 8]> {
        if (self.group, self.sub, self.kind) != (group::SECURITY, 1, Kind::Request) {
            return None;
        }
        let encoded = self.payload.first_chunk::<8>()?;
        let [a, b, c, d, e, f, g, h] = *encoded;
        Some([
            a ^ 0x55,
            b ^ 0x55,
            c ^ 0x55 ^ a,
            d ^ 0x55 ^ b,
            e ^ 0x55 ^ c,
            f ^ 0x55 ^ d,
            g ^ 0x55 ^ e,
            h ^ 0x55 ^ f,
        ])
    }

    /// The clock of a read answer or of a set request.
    #[must_use]
    pub fn clock(&self) -> Option<Clock> {
        if self.group != group::TIME {
            return None;
        }
        let [
            _reserved,
            _century,
            yy,
            month,
            day,
            hour,
            minute,
            second,
            ms_hi,
            ms_lo,
            ..,
        ] = *self.payload
        else {
            return None;
        };
        let digits = [yy, month, day, hour, minute, second, ms_hi, ms_lo & 0xf0];
        if digits.iter().any(|b| (b >> 4) > 9 || (b & 0x0f) > 9) {
            return None;
        }
        let yy = u16::from(bcd(yy));
        Some(Clock {
            year: if yy < 90 { 2000 + yy } else { 1900 + yy },
            month: bcd(month),
            day: bcd(day),
            hour: bcd(hour),
            minute: bcd(minute),
            second: bcd(second),
            millisecond: u16::from(bcd(ms_hi)) * 10 + u16::from(ms_lo >> 4),
        })
    }

    /// The type of block that "list blocks of type" and "block info" ask for.
    #[must_use]
    pub fn block_type(&self) -> Option<[u8; 2]> {
        match (self.group, self.sub, self.kind) {
            (group::BLOCK, 2 | 3, Kind::Request) => self.payload.first_chunk::<2>().copied(),
            _ => None,
        }
    }

    /// The block that "block info" asks for (`0800001A`) or answers.
    #[must_use]
    pub fn block(&self) -> Option<Block> {
        match (self.group, self.sub, self.kind) {
            (group::BLOCK, 3, Kind::Request) => block(self.payload),
            (group::BLOCK, 3, Kind::Response) => {
                // Constant, type as a byte, length of the info, …, subtype, number.
                let kind = self.payload.get(1).copied()?;
                let number = self
                    .payload
                    .get(16..18)
                    .and_then(|b| b.first_chunk::<2>())?;
                let hex = match kind {
                    0..=9 => b'0' + kind,
                    10..=15 => b'A' + (kind - 10),
                    _ => return None,
                };
                Some(Block {
                    kind: [b'0', hex],
                    number: u32::from(u16::from_be_bytes(*number)),
                    destination: None,
                })
            }
            _ => None,
        }
    }

    /// How many blocks of each type, as "list blocks" answers.
    pub fn block_counts(&self) -> impl Iterator<Item = ([u8; 2], u16)> + 'a {
        let mine = (self.group, self.sub, self.kind) == (group::BLOCK, 1, Kind::Response);
        entries4(if mine { self.payload } else { &[] })
            .map(|[a, b, c, d]| ([a, b], u16::from_be_bytes([c, d])))
    }

    /// The numbers of the blocks, as "list blocks of type" answers.
    pub fn block_numbers(&self) -> impl Iterator<Item = u16> + 'a {
        let mine = (self.group, self.sub, self.kind) == (group::BLOCK, 2, Kind::Response);
        entries4(if mine { self.payload } else { &[] })
            .map(|[a, b, _, _]| u16::from_be_bytes([a, b]))
    }

    /// The variables of a cyclic subscription (request 2/1, 2/5).
    #[must_use]
    pub fn cyclic_items(&self) -> Option<Items<'a>> {
        if self.group != group::CYCLIC || self.kind != Kind::Request || !matches!(self.sub, 1 | 5) {
            return None;
        }
        match self.payload {
            [_, count, _base, _factor, items @ ..] => Some(Items::new(*count, items, 0)),
            _ => None,
        }
    }

    /// The data of a cyclic answer or push (2/1, 2/5).
    #[must_use]
    pub fn cyclic_data(&self) -> Option<DataItems<'a>> {
        if self.group != group::CYCLIC || self.kind == Kind::Request || !matches!(self.sub, 1 | 5) {
            return None;
        }
        match self.payload {
            [_, count, items @ ..] => Some(DataItems::new(*count, items, 0)),
            _ => None,
        }
    }

    /// The data part of a programmer command (behind its sizes and parameters).
    fn table_data(&self) -> Option<&'a [u8]> {
        if self.group != group::PROGRAMMER {
            return None;
        }
        let mut cursor = Cursor::new(self.payload);
        let parameters = usize::from(cursor.u16_be(BAD_USERDATA).ok()?);
        let len = usize::from(cursor.u16_be(BAD_USERDATA).ok()?);
        cursor.take(parameters, BAD_USERDATA).ok()?;
        let rest = cursor.rest();
        Some(rest.get(..len).unwrap_or(rest))
    }

    /// The variables that a variable table watches (1/2), modifies (1/8) or forces (1/9).
    #[must_use]
    pub fn table(&self) -> Option<Table<'a>> {
        if self.kind != Kind::Request || !matches!(self.sub, 2 | 8 | 9) {
            return None;
        }
        let (count, rest) = self.table_data()?.split_first_chunk::<2>()?;
        let count = usize::from(u16::from_be_bytes(*count)).min(rest.len() / 6);
        let (addresses, values) = rest.split_at_checked(count * 6)?;
        let values = if self.sub == 2 { &[] as &[u8] } else { values };
        Some(Table::new(
            addresses,
            DataItems::new(u8::try_from(count).unwrap_or(u8::MAX), values, 0),
        ))
    }

    /// The return codes that answer a table that modifies (1/8) or forces (1/9).
    pub fn table_codes(&self) -> impl Iterator<Item = u8> + 'a {
        let mine = self.kind != Kind::Request && matches!(self.sub, 8 | 9);
        let data = if mine {
            self.table_data().unwrap_or_default()
        } else {
            &[]
        };
        let (count, codes) = match data {
            [hi, lo, codes @ ..] => (usize::from(u16::from_be_bytes([*hi, *lo])), codes),
            _ => (0, data),
        };
        codes.iter().copied().take(count)
    }

    /// The values that a watched variable table answers (1/2 push or response).
    #[must_use]
    pub fn table_values(&self) -> Option<DataItems<'a>> {
        if self.kind == Kind::Request || self.sub != 2 {
            return None;
        }
        let (count, rest) = self.table_data()?.split_first_chunk::<2>()?;
        let count = u8::try_from(u16::from_be_bytes(*count)).ok()?;
        Some(DataItems::new(count, rest, 0))
    }
}

/// The first variable of an item, for items that name several.
#[must_use]
pub fn first_variable(item: &Item<'_>) -> Option<Variable> {
    match item {
        Item::Variable(v) => Some(*v),
        Item::DbRead(areas) => {
            let mut areas = *areas;
            areas.next()
        }
        _ => None,
    }
}

fn entries4(bytes: &[u8]) -> impl Iterator<Item = [u8; 4]> + '_ {
    bytes
        .chunks_exact(4)
        .filter_map(|c| c.first_chunk::<4>().copied())
}

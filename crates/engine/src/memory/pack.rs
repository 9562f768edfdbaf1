//! Cells as bytes: keys of groups, and rows that are kept for a while.
//!
//! One cell is a tag and its value, the shortest that holds it, so that equal cells are
//! equal bytes: `00` NULL; `10`–`18` a number of so many bytes, little-endian (signed
//! and floating numbers by their sort key); `04` an IPv4 address; `06` any other
//! address; `03` text after its length (four bytes). Snapshots hold these bytes.

use crate::cells::{Cells, Values, f64_of_key, i64_of_key};
use arrow_array::ArrayRef;
use siphasher::sip::SipHasher13;
use std::hash::Hasher as _;
use std::net::IpAddr;
use telltale_schema::value::{Value, ip_addr};
use telltale_schema::{ColumnDef, ColumnKind};

const NULL: u8 = 0;
const TEXT: u8 = 3;
const V4: u8 = 4;
const V6: u8 = 6;
const NUMBER: u8 = 0x10;

/// IPv4 addresses are kept as `::ffff:a.b.c.d`.
const MAPPED: u128 = 0xffff << 32;

/// Appends a number.
pub(crate) fn number(word: u64, out: &mut Vec<u8>) {
    let length = 8 - word.leading_zeros() as usize / 8;
    out.push(NUMBER | length as u8);
    out.extend(word.to_le_bytes().iter().take(length));
}

fn text(text: &str, out: &mut Vec<u8>) {
    out.push(TEXT);
    out.extend((text.len() as u32).to_le_bytes());
    out.extend(text.as_bytes());
}

/// Appends a cell.
#[inline]
pub(crate) fn pack(cells: &Cells<'_>, row: usize, out: &mut Vec<u8>) {
    if cells.is_null(row) {
        out.push(NULL);
        return;
    }
    match cells.values {
        Values::Wide(_) => {
            let wide = cells.wide(row);
            if wide >> 32 == MAPPED >> 32 {
                out.push(V4);
                out.extend((wide as u32).to_be_bytes());
            } else {
                out.push(V6);
                out.extend(wide.to_be_bytes());
            }
        }
        Values::Text(_) => text(cells.text(row), out),
        Values::Other => out.push(NULL),
        _ => number(cells.word(row), out),
    }
}

/// The same bytes as [`pack`] gives for all cells, in a register: byte n in bits 8n, and
/// how many. `None` where there are more than 15, or text.
#[inline]
pub(crate) fn pack_short(cells: &[Cells<'_>], row: usize) -> Option<(u128, usize)> {
    let (mut bytes, mut length) = (0_u128, 0_usize);
    for cell in cells {
        if length >= 15 {
            return None;
        }
        let (word, more) = if cell.is_null(row) {
            (u128::from(NULL), 1)
        } else {
            match cell.values {
                Values::Wide(_) => {
                    let wide = cell.wide(row);
                    if wide >> 32 != MAPPED >> 32 {
                        return None;
                    }
                    let ip = (wide as u32).swap_bytes();
                    (u128::from(V4) | u128::from(ip) << 8, 5)
                }
                Values::Text(_) => return None,
                Values::Other => (u128::from(NULL), 1),
                _ => {
                    let word = cell.word(row);
                    let digits = 8 - word.leading_zeros() as usize / 8;
                    let tag = NUMBER | digits as u8;
                    (u128::from(tag) | u128::from(word) << 8, 1 + digits)
                }
            }
        };
        bytes |= word << (8 * length);
        length += more;
    }
    (length <= 15).then_some((bytes, length))
}

/// Appends a cell of any kind: lists as people read them.
pub(crate) fn pack_any(
    array: &ArrayRef,
    def: &ColumnDef,
    batch: &arrow_array::RecordBatch,
    column: usize,
    row: usize,
    out: &mut Vec<u8>,
) {
    match def.kind {
        ColumnKind::ListF64 | ColumnKind::ListU32 => {
            let value = telltale_schema::value::cell(batch, column, def, row);
            if value.is_null() {
                out.push(NULL);
            } else {
                text(&value.to_string(), out);
            }
        }
        _ => pack(&Cells::of(array), row, out),
    }
}

/// Takes the first cell off the bytes: its own bytes. `None` where they are no cell.
pub(crate) fn cut<'b>(bytes: &mut &'b [u8]) -> Option<&'b [u8]> {
    let length = match *bytes.first()? {
        NULL => 1,
        V4 => 5,
        V6 => 17,
        TEXT => {
            let length = bytes.get(1..5)?;
            5 + u32::from_le_bytes(length.try_into().ok()?) as usize
        }
        tag @ 0x10..=0x18 => 1 + usize::from(tag & 0xf),
        _ => return None,
    };
    let (cell, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(cell)
}

fn word(digits: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    for (to, from) in bytes.iter_mut().zip(digits) {
        *to = *from;
    }
    u64::from_le_bytes(bytes)
}

/// A number of 64 bits as a value of a column.
pub(crate) fn value_of_word(word: u64, kind: ColumnKind) -> Value {
    match kind {
        ColumnKind::Bool => Value::Bool(word != 0),
        ColumnKind::I64 => Value::I64(i64_of_key(word)),
        ColumnKind::Timestamp => Value::Time(i64_of_key(word)),
        ColumnKind::F64 => Value::F64(f64_of_key(word)),
        ColumnKind::Mac => Value::Mac(word),
        ColumnKind::Enum(id) => u16::try_from(word)
            .ok()
            .and_then(|n| id.def().name_of(n))
            .map_or(Value::U64(word), |name| Value::Text(name.to_owned())),
        _ => Value::U64(word),
    }
}

/// The value of one cell's bytes, as [`cut`] gives them.
pub(crate) fn unpack(cell: &[u8], kind: ColumnKind) -> Value {
    let rest = cell.get(1..).unwrap_or_default();
    match cell.first() {
        Some(&V4) => <[u8; 4]>::try_from(rest).map_or(Value::Null, |b| Value::Ip(IpAddr::from(b))),
        Some(&V6) => <[u8; 16]>::try_from(rest).map_or(Value::Null, |b| Value::Ip(ip_addr(b))),
        Some(&TEXT) => {
            let text = rest.get(4..).unwrap_or_default();
            Value::Text(String::from_utf8_lossy(text).into_owned())
        }
        Some(tag) if tag & 0xf0 == NUMBER => value_of_word(word(rest), kind),
        _ => Value::Null,
    }
}

/// The order of two cells of comparable kinds; `None` if one is NULL.
pub(crate) fn compare(
    a: (&[u8], ColumnKind),
    b: (&[u8], ColumnKind),
) -> Option<std::cmp::Ordering> {
    if a.0 == [NULL] || b.0 == [NULL] {
        return None;
    }
    if a.1 == b.1 {
        let (tag_a, tag_b) = (a.0.first()?, b.0.first()?);
        if tag_a & 0xf0 == NUMBER && tag_b & 0xf0 == NUMBER {
            return Some(word(a.0.get(1..)?).cmp(&word(b.0.get(1..)?)));
        }
        if *tag_a == TEXT && *tag_b == TEXT {
            return Some(a.0.get(5..)?.cmp(b.0.get(5..)?));
        }
        return Some(a.0.cmp(b.0));
    }
    let number = |(cell, kind)| match unpack(cell, kind) {
        Value::U64(v) => Some(i128::from(v)),
        Value::I64(v) => Some(i128::from(v)),
        _ => None,
    };
    match (number(a), number(b)) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        _ => unpack(a.0, a.1)
            .as_f64()?
            .partial_cmp(&unpack(b.0, b.1).as_f64()?),
    }
}

/// 64 bits of bytes, the same in every process.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = SipHasher13::new();
    hasher.write(bytes);
    hasher.finish()
}

/// 64 bits that stand for a cell among distinct values: numbers and IPv4 addresses
/// exactly, other addresses and texts by SipHash-1-3 (two of a million share one with a
/// probability of 3 in 10^8). `None` for NULL.
#[inline]
pub(crate) fn distinct(cells: &Cells<'_>, row: usize) -> Option<u64> {
    if cells.is_null(row) {
        return None;
    }
    match cells.values {
        Values::Wide(_) => {
            let wide = cells.wide(row);
            Some(if wide >> 32 == MAPPED >> 32 {
                u64::from(wide as u32)
            } else {
                hash(&wide.to_be_bytes())
            })
        }
        Values::Text(_) => Some(hash(cells.text(row).as_bytes())),
        Values::Other => None,
        _ => Some(cells.word(row)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{FixedSizeBinaryArray, Int64Array, StringViewArray, UInt16Array};
    use std::sync::Arc;

    fn arrays() -> Vec<ArrayRef> {
        let v4 = |n: u8| {
            let mut ip = [0; 16];
            ip[10..].copy_from_slice(&[255, 255, 10, 0, 0, n]);
            ip
        };
        let ips = vec![Some(v4(1).to_vec()), Some([7; 16].to_vec()), None];
        vec![
            Arc::new(
                FixedSizeBinaryArray::try_from_sparse_iter_with_size(ips.into_iter(), 16).unwrap(),
            ),
            Arc::new(UInt16Array::from(vec![Some(0), Some(300), None])),
            Arc::new(Int64Array::from(vec![Some(-1), Some(i64::MAX), None])),
            Arc::new(StringViewArray::from(vec![Some(""), Some("a text"), None])),
        ]
    }

    #[test]
    fn cells_come_back() {
        let arrays = arrays();
        let kinds = [
            ColumnKind::Ip,
            ColumnKind::U16,
            ColumnKind::I64,
            ColumnKind::Text,
        ];
        let shown = |row| {
            let mut bytes = Vec::new();
            for array in &arrays {
                pack(&Cells::of(array), row, &mut bytes);
            }
            let mut rest = bytes.as_slice();
            let values: Vec<String> = kinds
                .iter()
                .map(|kind| unpack(cut(&mut rest).unwrap(), *kind).to_string())
                .collect();
            assert!(rest.is_empty());
            values.join(" ")
        };
        assert_eq!(shown(0), "10.0.0.1 0 -1 ");
        assert_eq!(
            shown(1),
            format!("707:707:707:707:707:707:707:707 300 {} a text", i64::MAX)
        );
        assert_eq!(shown(2), "   ");
        assert_eq!(cut(&mut [0xff_u8].as_slice()), None, "no cell");
        assert_eq!(
            cut(&mut [TEXT, 9, 0, 0, 0, b'x'].as_slice()),
            None,
            "cut short"
        );
    }

    #[test]
    fn short_keys_are_the_same_bytes() {
        let arrays = arrays();
        for row in 0..3 {
            for take in 1..4 {
                let cells: Vec<Cells<'_>> = arrays.iter().take(take).map(Cells::of).collect();
                let mut bytes = Vec::new();
                cells.iter().for_each(|c| pack(c, row, &mut bytes));
                let Some((short, length)) = pack_short(&cells, row) else {
                    assert!(bytes.len() > 15, "row {row}, {take} cells");
                    continue;
                };
                assert_eq!(
                    short.to_le_bytes()[..length],
                    bytes[..],
                    "row {row}, {take} cells"
                );
            }
        }
    }
}

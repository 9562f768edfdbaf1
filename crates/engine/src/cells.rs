//! Columns of a batch as the engine reads them: one comparable key per cell.

use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    Float64Type, Int64Type, TimestampNanosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, BooleanArray, FixedSizeBinaryArray, StringViewArray};
use arrow_schema::{DataType, TimeUnit};

const SIGN: u64 = 1 << 63;

/// A number whose order is that of the signed value.
pub(crate) fn key_of_i64(value: i64) -> u64 {
    value.cast_unsigned() ^ SIGN
}

/// The signed value again.
pub(crate) fn i64_of_key(key: u64) -> i64 {
    (key ^ SIGN).cast_signed()
}

/// A number whose order is IEEE 754's total order with one zero: how DataFusion
/// compares (`-0.0 = 0.0` is true).
pub(crate) fn key_of_f64(value: f64) -> u64 {
    let bits = (value + 0.0).to_bits();
    if bits & SIGN == 0 { bits | SIGN } else { !bits }
}

/// The number again.
pub(crate) fn f64_of_key(key: u64) -> f64 {
    f64::from_bits(if key & SIGN == 0 { !key } else { key & !SIGN })
}

/// How columns of this type are compared.
pub(crate) fn kind(data_type: &DataType) -> Kind {
    match data_type {
        DataType::Boolean
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32
        | DataType::UInt64
        | DataType::Int64
        | DataType::Float64
        | DataType::Timestamp(TimeUnit::Nanosecond, _) => Kind::Word,
        DataType::FixedSizeBinary(16) => Kind::Wide,
        DataType::Utf8View => Kind::Text,
        _ => Kind::Other,
    }
}

/// How a column's cells are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// As 64 bits.
    Word,
    /// As 128 bits: IP addresses.
    Wide,
    /// As text.
    Text,
    /// Only NULL or not NULL.
    Other,
}

/// The cells of one column of one batch.
pub(crate) struct Cells<'b> {
    pub(crate) nulls: Option<&'b arrow_buffer::NullBuffer>,
    pub(crate) values: Values<'b>,
}

/// Typed cells.
pub(crate) enum Values<'b> {
    Bool(&'b BooleanArray),
    U8(&'b [u8]),
    U16(&'b [u16]),
    U32(&'b [u32]),
    U64(&'b [u64]),
    I64(&'b [i64]),
    F64(&'b [f64]),
    Wide(&'b FixedSizeBinaryArray),
    Text(&'b StringViewArray),
    Other,
}

impl<'b> Cells<'b> {
    pub(crate) fn of(array: &'b ArrayRef) -> Self {
        let values = match array.data_type() {
            DataType::Boolean => Values::Bool(array.as_boolean()),
            DataType::UInt8 => Values::U8(array.as_primitive::<UInt8Type>().values()),
            DataType::UInt16 => Values::U16(array.as_primitive::<UInt16Type>().values()),
            DataType::UInt32 => Values::U32(array.as_primitive::<UInt32Type>().values()),
            DataType::UInt64 => Values::U64(array.as_primitive::<UInt64Type>().values()),
            DataType::Int64 => Values::I64(array.as_primitive::<Int64Type>().values()),
            DataType::Float64 => Values::F64(array.as_primitive::<Float64Type>().values()),
            DataType::Timestamp(TimeUnit::Nanosecond, _) => {
                Values::I64(array.as_primitive::<TimestampNanosecondType>().values())
            }
            DataType::FixedSizeBinary(16) => Values::Wide(array.as_fixed_size_binary()),
            DataType::Utf8View => Values::Text(array.as_string_view()),
            _ => Values::Other,
        };
        Self {
            nulls: array.nulls().filter(|n| n.null_count() > 0),
            values,
        }
    }

    #[inline]
    pub(crate) fn is_null(&self, row: usize) -> bool {
        self.nulls.is_some_and(|n| n.is_null(row))
    }

    /// The cell as 64 comparable bits; meaningless for NULL and for other kinds.
    #[inline]
    pub(crate) fn word(&self, row: usize) -> u64 {
        match &self.values {
            Values::U8(v) => v.get(row).map_or(0, |v| u64::from(*v)),
            Values::U16(v) => v.get(row).map_or(0, |v| u64::from(*v)),
            Values::U32(v) => v.get(row).map_or(0, |v| u64::from(*v)),
            Values::U64(v) => v.get(row).copied().unwrap_or(0),
            Values::I64(v) => v.get(row).map_or(0, |v| key_of_i64(*v)),
            Values::F64(v) => v.get(row).map_or(0, |v| key_of_f64(*v)),
            Values::Bool(v) => u64::from(row < v.len() && v.value(row)),
            Values::Wide(_) | Values::Text(_) | Values::Other => 0,
        }
    }

    /// The cell as a whole number; the largest for what is larger.
    #[inline]
    pub(crate) fn whole(&self, row: usize) -> i64 {
        match &self.values {
            Values::I64(v) => v.get(row).copied().unwrap_or(0),
            _ => i64::try_from(self.word(row)).unwrap_or(i64::MAX),
        }
    }

    /// The cell as 128 comparable bits: an IP address.
    #[inline]
    pub(crate) fn wide(&self, row: usize) -> u128 {
        match &self.values {
            Values::Wide(v) if row < v.len() => {
                <[u8; 16]>::try_from(v.value(row)).map_or(0, u128::from_be_bytes)
            }
            _ => 0,
        }
    }

    /// The cell as text.
    #[inline]
    pub(crate) fn text(&self, row: usize) -> &'b str {
        match &self.values {
            Values::Text(v) if row < v.len() => v.value(row),
            _ => "",
        }
    }
}

//! From a batch to values.

use super::{RowValues, Value, ip_addr};
use crate::defs::{ColumnDef, ColumnKind};
use crate::frame::TableBatch;
use crate::tables::EnumId;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Float64Type, Int64Type, TimestampNanosecondType, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{Array, RecordBatch};

fn number<T: ArrowPrimitiveType>(array: &dyn Array, idx: usize) -> Option<T::Native> {
    array
        .as_primitive_opt::<T>()
        .filter(|a| idx < a.len())
        .map(|a| a.value(idx))
}

fn list<T: ArrowPrimitiveType>(
    array: &dyn Array,
    idx: usize,
    as_value: fn(T::Native) -> Value,
) -> Option<Value> {
    let values = array.as_list_opt::<i32>()?.value(idx);
    let values = values.as_primitive_opt::<T>()?;
    Some(Value::List(
        values
            .iter()
            .map(|v| v.map_or(Value::Null, as_value))
            .collect(),
    ))
}

fn read(array: &dyn Array, kind: ColumnKind, idx: usize) -> Option<Value> {
    Some(match kind {
        ColumnKind::Bool => Value::Bool(array.as_boolean_opt()?.value(idx)),
        ColumnKind::U8 => Value::U64(number::<UInt8Type>(array, idx)?.into()),
        ColumnKind::U16 => Value::U64(number::<UInt16Type>(array, idx)?.into()),
        ColumnKind::U32 => Value::U64(number::<UInt32Type>(array, idx)?.into()),
        ColumnKind::U64 => Value::U64(number::<UInt64Type>(array, idx)?),
        ColumnKind::I64 => Value::I64(number::<Int64Type>(array, idx)?),
        ColumnKind::F64 => Value::F64(number::<Float64Type>(array, idx)?),
        ColumnKind::Mac => Value::Mac(number::<UInt64Type>(array, idx)?),
        ColumnKind::Timestamp => Value::Time(number::<TimestampNanosecondType>(array, idx)?),
        ColumnKind::Text => Value::Text(array.as_string_view_opt()?.value(idx).to_owned()),
        ColumnKind::Ip => {
            let bytes = array.as_fixed_size_binary_opt()?.value(idx);
            Value::Ip(ip_addr(bytes.try_into().ok()?))
        }
        ColumnKind::ListF64 => list::<Float64Type>(array, idx, Value::F64)?,
        ColumnKind::ListU32 => list::<UInt32Type>(array, idx, |v| Value::U64(v.into()))?,
        ColumnKind::Enum(e) => {
            let id = match e {
                EnumId::Function => number::<UInt16Type>(array, idx)?,
                _ => number::<UInt8Type>(array, idx)?.into(),
            };
            // a number from a newer schema has no name here: it stays a number
            e.def()
                .name_of(id)
                .map_or_else(|| Value::U64(id.into()), |n| Value::Text(n.to_owned()))
        }
    })
}

/// One cell: the column at position `column`, defined by `def`, of row `idx`.
/// [`Value::Null`] if it is missing, out of range, or not of the defined type.
#[must_use]
pub fn cell(batch: &RecordBatch, column: usize, def: &ColumnDef, idx: usize) -> Value {
    match batch.columns().get(column) {
        Some(array) if idx < array.len() && array.is_valid(idx) => {
            read(array.as_ref(), def.kind, idx).unwrap_or_default()
        }
        _ => Value::Null,
    }
}

/// All values of row `idx`, with names instead of numbers.
#[must_use]
pub fn row(batch: &TableBatch, idx: usize) -> RowValues {
    let entries = batch
        .table
        .def()
        .columns
        .iter()
        .enumerate()
        .map(|(at, def)| (at, cell(&batch.batch, at, def, idx)))
        .filter(|(_, v)| !v.is_null())
        .collect();
    RowValues {
        table: batch.table,
        entries,
        extra: Vec::new(),
    }
}

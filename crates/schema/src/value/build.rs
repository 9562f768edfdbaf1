//! From values to a batch: for tests of rules and other small sets of rows.
//! The hot path has the generated builders.

use super::{Literal, RowError, RowValues, Value, literal};
use crate::columns::{NullCache, Opt, OptBool, OptIp, OptList, OptText, Plain, ReqTime};
use crate::defs::{ColumnDef, ColumnKind};
use crate::frame::TableBatch;
use crate::tables::{EnumId, TableId};
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::ArrowError;

/// What a column keeps for a value as people write it.
pub(super) fn keep(def: &ColumnDef, value: &Value) -> Result<Literal, RowError> {
    literal(def, &value.to_string()).map_err(RowError::from)
}

fn numbers<T: Plain + TryFrom<u64>>(
    def: &ColumnDef,
    values: &[&Value],
    nulls: &mut NullCache,
) -> Result<ArrayRef, RowError> {
    let mut column = Opt::<T>::new(values.len());
    for (row, value) in values.iter().enumerate().filter(|(_, v)| !v.is_null()) {
        let n = match keep(def, value)? {
            Literal::U64(n) | Literal::Mac(n) => n,
            Literal::Enum(n) => n.into(),
            _ => continue,
        };
        column.push(row, T::try_from(n).ok());
    }
    finish(column.finish(values.len(), nulls))
}

fn lists<T: Plain>(
    def: &ColumnDef,
    values: &[&Value],
    nulls: &mut NullCache,
    as_number: fn(Literal) -> Option<T>,
) -> Result<ArrayRef, RowError> {
    let mut column = OptList::<T>::new(values.len());
    for (row, value) in values.iter().enumerate() {
        let Value::List(items) = value else { continue };
        let mut list = Vec::with_capacity(items.len());
        for item in items {
            list.extend(as_number(keep(def, item)?));
        }
        column.push(row, Some(&list));
    }
    finish(column.finish(values.len(), nulls))
}

fn finish(array: Result<ArrayRef, ArrowError>) -> Result<ArrayRef, RowError> {
    array.map_err(|e| RowError::Batch(e.to_string()))
}

fn column(def: &ColumnDef, values: &[&Value], nulls: &mut NullCache) -> Result<ArrayRef, RowError> {
    let rows = values.len();
    let present = || values.iter().enumerate().filter(|(_, v)| !v.is_null());
    match def.kind {
        ColumnKind::U8 => numbers::<u8>(def, values, nulls),
        ColumnKind::U16 | ColumnKind::Enum(EnumId::Function) => numbers::<u16>(def, values, nulls),
        ColumnKind::Enum(_) => numbers::<u8>(def, values, nulls),
        ColumnKind::U32 => numbers::<u32>(def, values, nulls),
        ColumnKind::U64 | ColumnKind::Mac => numbers::<u64>(def, values, nulls),
        ColumnKind::Bool => {
            let mut c = OptBool::new(rows);
            for (row, v) in present() {
                if let Literal::Bool(b) = keep(def, v)? {
                    c.push(row, Some(b));
                }
            }
            finish(c.finish(rows, nulls))
        }
        ColumnKind::I64 => {
            let mut c = Opt::<i64>::new(rows);
            for (row, v) in present() {
                if let Literal::I64(n) = keep(def, v)? {
                    c.push(row, Some(n));
                }
            }
            finish(c.finish(rows, nulls))
        }
        ColumnKind::F64 => {
            let mut c = Opt::<f64>::new(rows);
            for (row, v) in present() {
                if let Literal::F64(n) = keep(def, v)? {
                    c.push(row, Some(n));
                }
            }
            finish(c.finish(rows, nulls))
        }
        ColumnKind::Timestamp => {
            let mut c = ReqTime::new(rows);
            for (row, v) in values.iter().enumerate() {
                match (v, v.is_null()) {
                    (Value::Time(t), _) => c.push(row, *t),
                    (_, true) => return Err(RowError::Missing { column: def.name }),
                    _ => {
                        if let Literal::Time(t) = keep(def, v)? {
                            c.push(row, t);
                        }
                    }
                }
            }
            finish(c.finish(rows, nulls))
        }
        ColumnKind::Text => {
            let mut c = OptText::new(rows);
            for (row, v) in present() {
                c.push(row, Some(&v.to_string()));
            }
            finish(c.finish(rows, nulls))
        }
        ColumnKind::Ip => {
            let mut c = OptIp::new(rows);
            for (row, v) in present() {
                if let Literal::Ip(ip) = keep(def, v)? {
                    c.push(row, Some(ip));
                }
            }
            finish(c.finish(rows, nulls))
        }
        ColumnKind::ListF64 => lists::<f64>(def, values, nulls, |l| match l {
            Literal::F64(v) => Some(v),
            _ => None,
        }),
        ColumnKind::ListU32 => lists::<u32>(def, values, nulls, |l| match l {
            Literal::U64(v) => u32::try_from(v).ok(),
            _ => None,
        }),
    }
}

/// A batch of rows of one table.
///
/// # Errors
/// [`RowError`] if a row is of another table, lacks a column that every row
/// has, or holds a value that its column cannot have.
pub fn batch(table: TableId, rows: &[RowValues]) -> Result<TableBatch, RowError> {
    if let Some(other) = rows.iter().find(|r| r.table != table) {
        return Err(RowError::OtherTable {
            table: table.as_str(),
            row: other.table.as_str(),
        });
    }
    let mut nulls = NullCache::new(rows.len());
    let mut columns = Vec::new();
    for (at, def) in table.def().columns.iter().enumerate() {
        let values: Vec<&Value> = rows.iter().map(|r| r.at(at)).collect();
        if !def.nullable && values.iter().any(|v| v.is_null()) {
            return Err(RowError::Missing { column: def.name });
        }
        columns.push(column(def, &values, &mut nulls)?);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
    let batch = RecordBatch::try_new_with_options(table.schema(), columns, &options)
        .map_err(|e| RowError::Batch(e.to_string()))?;
    Ok(TableBatch { table, batch })
}

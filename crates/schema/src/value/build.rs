//! From values to a batch: for tests of rules and other small sets of rows.
//! The hot path has the generated builders.

use super::{Literal, RowError, RowValues, Value, literal};
use crate::columns::{NullCache, Opt, OptBool, OptIp, OptList, OptText, Plain, ReqTime, STAGE};
use crate::defs::{ColumnDef, ColumnKind};
use crate::frame::TableBatch;
use crate::tables::{EnumId, TableId};
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::ArrowError;

/// What a column keeps for a value as people write it.
pub(super) fn keep(def: &ColumnDef, value: &Value) -> Result<Literal, RowError> {
    literal(def, &value.to_string()).map_err(RowError::from)
}

/// What a column keeps for all its values; what it cannot hold counts as missing.
fn gather<T>(
    def: &ColumnDef,
    values: &[&Value],
    read: impl Fn(Literal) -> Option<T>,
) -> Result<Vec<Option<T>>, RowError> {
    values
        .iter()
        .map(|value| match value.is_null() {
            true => Ok(None),
            false => Ok(read(keep(def, value)?)),
        })
        .collect()
}

/// As many as a column takes at once, with the row of the first.
fn stages<T>(all: &[T]) -> impl Iterator<Item = (usize, &[T])> {
    (0..).step_by(STAGE).zip(all.chunks(STAGE))
}

fn plain<T: Plain>(
    def: &ColumnDef,
    values: &[&Value],
    nulls: &mut NullCache,
    read: impl Fn(Literal) -> Option<T>,
) -> Result<ArrayRef, RowError> {
    let mut column = Opt::<T>::new(values.len());
    for (at, rows) in stages(&gather(def, values, read)?) {
        column.extend(at, rows, |v| *v);
    }
    finish(column.finish(values.len(), nulls))
}

fn numbers<T: Plain + TryFrom<u64>>(
    def: &ColumnDef,
    values: &[&Value],
    nulls: &mut NullCache,
) -> Result<ArrayRef, RowError> {
    plain(def, values, nulls, |literal| match literal {
        Literal::U64(n) | Literal::Mac(n) => T::try_from(n).ok(),
        Literal::Enum(n) => T::try_from(n.into()).ok(),
        _ => None,
    })
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
            let read = |literal| match literal {
                Literal::Bool(b) => Some(b),
                _ => None,
            };
            for (at, rows) in stages(&gather(def, values, read)?) {
                c.extend(at, rows, |v| *v);
            }
            finish(c.finish(rows, nulls))
        }
        ColumnKind::I64 => plain(def, values, nulls, |literal| match literal {
            Literal::I64(n) => Some(n),
            _ => None,
        }),
        ColumnKind::F64 => plain(def, values, nulls, |literal| match literal {
            Literal::F64(n) => Some(n),
            _ => None,
        }),
        ColumnKind::Timestamp => {
            let mut times = Vec::with_capacity(rows);
            for value in values {
                match (value, value.is_null()) {
                    (Value::Time(t), _) => times.push(*t),
                    (_, true) => return Err(RowError::Missing { column: def.name }),
                    _ => {
                        if let Literal::Time(t) = keep(def, value)? {
                            times.push(t);
                        }
                    }
                }
            }
            let mut c = ReqTime::new(rows);
            for (at, rows) in stages(&times) {
                c.extend(at, rows, |t| *t);
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
            let read = |literal| match literal {
                Literal::Ip(ip) => Some(ip),
                _ => None,
            };
            for (at, rows) in stages(&gather(def, values, read)?) {
                c.extend(at, rows, |v| *v);
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

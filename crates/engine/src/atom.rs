//! Conjuncts in the form in which they run.

use crate::bits::Bits;
use arrow_array::cast::AsArray as _;
use arrow_array::types::{UInt8Type, UInt16Type, UInt32Type, UInt64Type};
use arrow_array::{Array as _, ArrayRef, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow_schema::SchemaRef;
use datafusion_physical_expr::PhysicalExpr;
use std::sync::Arc;

/// What a conjunct tests.
#[derive(Debug, Clone)]
pub(crate) enum Test {
    /// A column of 8 bits is in a set.
    U8 { column: usize, set: [u64; 4] },
    /// A column of 16 bits is one of a few values.
    U16 { column: usize, values: Vec<u16> },
    /// An unsigned column of any width lies in a range, both ends included.
    Range { column: usize, low: u64, high: u64 },
    /// Anything else, over these columns of the table.
    Expr {
        expr: Arc<dyn PhysicalExpr>,
        columns: Vec<usize>,
        schema: SchemaRef,
    },
}

/// A distinct conjunct.
#[derive(Debug, Clone)]
pub struct Atom {
    /// As SQL, for people; equal texts are one atom.
    pub text: String,
    pub(crate) test: Test,
}

impl Atom {
    /// Cheap enough to run over the whole batch and share?
    pub(crate) fn is_guard(&self) -> bool {
        matches!(self.test, Test::U8 { .. } | Test::U16 { .. })
    }

    /// Order in which a rule's atoms run: the most selective and cheapest first.
    pub(crate) fn cost(&self) -> (u8, u32) {
        match &self.test {
            Test::U8 { set, .. } => (0, set.iter().map(|w| w.count_ones()).sum()),
            Test::U16 { values, .. } => (1, u32::try_from(values.len()).unwrap_or(u32::MAX)),
            Test::Range { .. } => (2, 0),
            Test::Expr { columns, .. } => (3, u32::try_from(columns.len()).unwrap_or(u32::MAX)),
        }
    }

    /// The whole batch, for guards.
    pub(crate) fn guard(&self, batch: &RecordBatch, out: &mut Bits) {
        let rows = batch.num_rows();
        match &self.test {
            Test::U8 { column, set } => {
                let array = batch.column(*column).as_primitive::<UInt8Type>();
                let values = array.values();
                let single =
                    (set.iter().map(|w| w.count_ones()).sum::<u32>() == 1).then(|| first_of(set));
                match single {
                    Some(one) => out.collect(rows, |row| values.get(row) == Some(&one)),
                    None => {
                        out.collect(rows, |row| values.get(row).is_some_and(|v| holds(set, *v)));
                    }
                }
                clear_nulls(array, out);
            }
            Test::U16 {
                column,
                values: wanted,
            } => {
                let array = batch.column(*column).as_primitive::<UInt16Type>();
                let values = array.values();
                match wanted.as_slice() {
                    [one] => out.collect(rows, |row| values.get(row) == Some(one)),
                    many => out.collect(rows, |row| {
                        values.get(row).is_some_and(|v| many.contains(v))
                    }),
                }
                clear_nulls(array, out);
            }
            Test::Range { .. } | Test::Expr { .. } => {
                out.fill(rows);
                self.refine(batch, out);
            }
        }
    }

    /// Only rows that are still in question; is any left? An expression that
    /// fails on these rows passes none of them.
    pub(crate) fn refine(&self, batch: &RecordBatch, bits: &mut Bits) -> bool {
        match &self.test {
            Test::U8 { .. } | Test::U16 { .. } => {
                let mut own = Bits::default();
                self.guard(batch, &mut own);
                bits.and(&own)
            }
            Test::Range { column, low, high } => {
                let array = batch.column(*column);
                let inside = |v: Option<u64>| v.is_some_and(|v| (*low..=*high).contains(&v));
                macro_rules! typed {
                    ($t:ty) => {{
                        let typed = array.as_primitive::<$t>();
                        let values = typed.values();
                        match typed.nulls() {
                            None => {
                                bits.refine(|row| inside(values.get(row).map(|v| u64::from(*v))))
                            }
                            Some(nulls) => bits.refine(|row| {
                                nulls.is_valid(row)
                                    && inside(values.get(row).map(|v| u64::from(*v)))
                            }),
                        }
                    }};
                }
                match array.data_type() {
                    arrow_schema::DataType::UInt8 => typed!(UInt8Type),
                    arrow_schema::DataType::UInt16 => typed!(UInt16Type),
                    arrow_schema::DataType::UInt32 => typed!(UInt32Type),
                    _ => typed!(UInt64Type),
                }
            }
            Test::Expr {
                expr,
                columns,
                schema,
            } => {
                let rows: Vec<usize> = bits.rows().collect();
                let passed = evaluate(expr, columns, schema, batch, &rows);
                let mut answers = passed.iter();
                bits.refine(|_| answers.next().copied().unwrap_or(false))
            }
        }
    }
}

fn holds(set: &[u64; 4], value: u8) -> bool {
    set.get(usize::from(value >> 6))
        .is_some_and(|w| w >> (value & 63) & 1 == 1)
}

fn first_of(set: &[u64; 4]) -> u8 {
    (0..=u8::MAX).find(|v| holds(set, *v)).unwrap_or(0)
}

fn clear_nulls<T: arrow_array::ArrowPrimitiveType>(
    array: &arrow_array::PrimitiveArray<T>,
    out: &mut Bits,
) {
    if let Some(nulls) = array.nulls().filter(|n| n.null_count() > 0) {
        out.refine(|row| nulls.is_valid(row));
    }
}

/// The expression's answer for each of `rows`; NULL and failure are false.
fn evaluate(
    expr: &Arc<dyn PhysicalExpr>,
    columns: &[usize],
    schema: &SchemaRef,
    batch: &RecordBatch,
    rows: &[usize],
) -> Vec<bool> {
    let indices: UInt32Array = rows.iter().map(|r| u32::try_from(*r).ok()).collect();
    let answer = (|| -> Option<ArrayRef> {
        let taken: Vec<ArrayRef> = columns
            .iter()
            .map(|c| arrow_select::take::take(batch.column(*c), &indices, None).ok())
            .collect::<Option<_>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        let small = RecordBatch::try_new_with_options(schema.clone(), taken, &options).ok()?;
        expr.evaluate(&small).ok()?.into_array(rows.len()).ok()
    })();
    match answer.as_ref().and_then(|a| a.as_boolean_opt()) {
        Some(answer) => (0..rows.len())
            .map(|row| answer.is_valid(row) && answer.value(row))
            .collect(),
        None => vec![false; rows.len()],
    }
}

//! Conjuncts that DataFusion evaluates: text patterns, look-ups, arithmetic.

use arrow_array::cast::AsArray as _;
use arrow_array::{
    Array as _, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, UInt32Array,
};
use arrow_schema::SchemaRef;
use datafusion_physical_expr::PhysicalExpr;
use std::sync::Arc;

/// An expression over some columns of a table.
pub(crate) struct Slow<'a> {
    pub(crate) expr: &'a Arc<dyn PhysicalExpr>,
    pub(crate) columns: &'a [usize],
    pub(crate) schema: &'a SchemaRef,
}

impl Slow<'_> {
    /// Calls `answer(row)` for each of `rows` that passes; NULL does not. A row on
    /// which the expression fails (a division by zero) does not pass either, and
    /// takes no other row with it: the answer for a row is the same in any batch.
    /// Gives the number of rows that failed.
    pub(crate) fn passing(
        &self,
        batch: &RecordBatch,
        rows: &[u32],
        pass: &mut impl FnMut(u32),
    ) -> u64 {
        if rows.is_empty() {
            return 0;
        }
        if let Some(answer) = self.evaluate(batch, rows) {
            for (at, row) in rows.iter().enumerate() {
                if answer.is_valid(at) && answer.value(at) {
                    pass(*row);
                }
            }
            return 0;
        }
        if rows.len() == 1 {
            return 1;
        }
        let (left, right) = rows.split_at(rows.len() / 2);
        self.passing(batch, left, pass) + self.passing(batch, right, pass)
    }

    fn evaluate(&self, batch: &RecordBatch, rows: &[u32]) -> Option<BooleanArray> {
        let whole = rows.len() == batch.num_rows();
        let indices = (!whole).then(|| UInt32Array::from(rows.to_vec()));
        let columns: Vec<ArrayRef> = self
            .columns
            .iter()
            .map(|c| {
                let column = batch.columns().get(*c)?;
                match &indices {
                    None => Some(column.clone()),
                    Some(indices) => arrow_select::take::take(column, indices, None).ok(),
                }
            })
            .collect::<Option<_>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        let part =
            RecordBatch::try_new_with_options(self.schema.clone(), columns, &options).ok()?;
        let answer = self.expr.evaluate(&part).ok()?;
        let answer = answer.into_array(rows.len()).ok()?;
        answer.as_boolean_opt().cloned()
    }
}

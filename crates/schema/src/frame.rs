//! What travels: all rows of one sensor's flush.

use crate::tables::TableId;
use arrow_array::cast::AsArray as _;
use arrow_array::types::TimestampNanosecondType;
use arrow_array::{ArrayRef, PrimitiveArray, RecordBatch};
use std::sync::Arc;

/// Rows of one table.
#[derive(Debug, Clone, PartialEq)]
pub struct TableBatch {
    /// Which table.
    pub table: TableId,
    /// Its rows, with the schema of the table.
    pub batch: RecordBatch,
}

/// All tables of one sensor for one flush. `row_no` rises over all of them.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Name of the site.
    pub site: Arc<str>,
    /// Name of the sensor.
    pub sensor: Arc<str>,
    /// Number of this frame, from 0, without gaps.
    pub seq: u64,
    /// No later frame holds a row older than this (nanoseconds since 1970-01-01 UTC).
    pub watermark: i64,
    /// Rows by table, in the order of [`TableId`]; tables without rows are left out.
    pub batches: Vec<TableBatch>,
}

impl Frame {
    /// Rows over all tables.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.batches.iter().map(|b| b.batch.num_rows()).sum()
    }

    /// Newest time in it: of its rows or its watermark.
    #[must_use]
    pub fn newest(&self) -> i64 {
        let columns = self.batches.iter().flat_map(|b| b.batch.columns());
        let times = columns.filter_map(|c| c.as_primitive_opt::<TimestampNanosecondType>());
        times
            .flat_map(|t| t.values().iter().copied())
            .fold(self.watermark, i64::max)
    }

    /// The same frame, all its times so many nanoseconds earlier.
    #[must_use]
    pub fn earlier_by(&self, ns: i64) -> Self {
        let moved = |column: &ArrayRef| -> ArrayRef {
            match column.as_primitive_opt::<TimestampNanosecondType>() {
                None => column.clone(),
                Some(times) => {
                    let moved: PrimitiveArray<TimestampNanosecondType> =
                        times.unary(|t| t.saturating_sub(ns));
                    Arc::new(moved.with_timezone_opt(times.timezone()))
                }
            }
        };
        let batches = self.batches.iter().map(|b| {
            let columns = b.batch.columns().iter().map(moved).collect();
            // as many columns of as many rows and of the same types
            let batch = RecordBatch::try_new(b.batch.schema(), columns);
            TableBatch {
                table: b.table,
                batch: batch.unwrap_or_else(|_| b.batch.clone()),
            }
        });
        Self {
            batches: batches.collect(),
            watermark: self.watermark.saturating_sub(ns),
            ..self.clone()
        }
    }

    /// The batch of one table.
    #[must_use]
    pub fn table(&self, table: TableId) -> Option<&RecordBatch> {
        self.batches
            .iter()
            .find(|b| b.table == table)
            .map(|b| &b.batch)
    }
}

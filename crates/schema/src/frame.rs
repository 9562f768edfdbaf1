//! What travels: all rows of one sensor's flush.

use crate::tables::TableId;
use arrow_array::RecordBatch;
use std::sync::Arc;

/// Rows of one table.
#[derive(Debug, Clone)]
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

    /// The batch of one table.
    #[must_use]
    pub fn table(&self, table: TableId) -> Option<&RecordBatch> {
        self.batches
            .iter()
            .find(|b| b.table == table)
            .map(|b| &b.batch)
    }
}

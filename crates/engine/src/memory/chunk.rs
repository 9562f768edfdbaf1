//! Rows whose turn has come: all that are older than the watermark.

use arrow_array::cast::AsArray as _;
use arrow_array::types::{TimestampNanosecondType, UInt64Type};
use telltale_rules::Finding;
use telltale_schema::value::{RowValues, row};
use telltale_schema::{TableBatch, TableId};

/// A row of a chunk: batch and row.
pub(crate) type Hit = (u32, u32);

/// One batch of a chunk; its rows' times rise.
pub(crate) struct Part {
    /// Place of its sensor among the names of all sensors of the chunk.
    pub rank: u32,
    pub batch: TableBatch,
    time: usize,
    number: usize,
}

impl Part {
    pub(crate) fn new(rank: u32, batch: TableBatch) -> Self {
        let at = |name| batch.table.def().column(name).map_or(usize::MAX, |c| c.0);
        Self {
            rank,
            time: at("event_time"),
            number: at("row_no"),
            batch,
        }
    }

    pub(crate) fn times(&self) -> &[i64] {
        self.batch
            .batch
            .columns()
            .get(self.time)
            .and_then(|c| c.as_primitive_opt::<TimestampNanosecondType>())
            .map_or(&[], |a| a.values())
    }

    pub(crate) fn numbers(&self) -> &[u64] {
        self.batch
            .batch
            .columns()
            .get(self.number)
            .and_then(|c| c.as_primitive_opt::<UInt64Type>())
            .map_or(&[], |a| a.values())
    }
}

/// Rows whose turn has come.
pub(crate) struct Chunk {
    pub parts: Vec<Part>,
    /// All of them are older, and no timer up to here is left.
    pub until: i64,
    /// Up to here it is known that nothing more came: what rests on an absence is only
    /// found up to here. Differs from `until` at the end of the input.
    pub silent: i64,
    /// The watermark that had passed them when they came, for rows that come late.
    pub passed: Option<i64>,
    /// `until` was moved by a clock, not by the sensors.
    pub provisional: bool,
}

impl Chunk {
    pub(crate) fn time(&self, hit: Hit) -> i64 {
        self.parts
            .get(hit.0 as usize)
            .and_then(|p| p.times().get(hit.1 as usize).copied())
            .unwrap_or(0)
    }

    fn order(&self, hit: Hit) -> (i64, u32, u64) {
        let Some(part) = self.parts.get(hit.0 as usize) else {
            return (0, 0, 0);
        };
        let at = hit.1 as usize;
        (
            part.times().get(at).copied().unwrap_or(0),
            part.rank,
            part.numbers().get(at).copied().unwrap_or(0),
        )
    }

    /// Puts rows in the order of their times.
    pub(crate) fn sort(&self, hits: &mut [Hit]) {
        let one = hits
            .first()
            .is_none_or(|f| hits.last().is_some_and(|l| l.0 == f.0))
            && hits.windows(2).all(|w| w.first() < w.last());
        if !one {
            hits.sort_by_key(|hit| self.order(*hit));
        }
    }

    /// Is a row in a list that is in order?
    pub(crate) fn find(&self, list: &[Hit], hit: Hit) -> bool {
        if self.parts.len() == 1 {
            return list.binary_search(&hit).is_ok();
        }
        let order = self.order(hit);
        list.binary_search_by_key(&order, |h| self.order(*h))
            .is_ok()
    }

    pub(crate) fn row(&self, hit: Hit) -> Option<(TableId, RowValues)> {
        let part = self.parts.get(hit.0 as usize)?;
        Some((part.batch.table, row(&part.batch, hit.1 as usize)))
    }

    /// A finding on a row.
    pub(crate) fn finding(&self, rule: usize, hit: Hit) -> Option<Found> {
        let (table, values) = self.row(hit)?;
        let (time, rank, row_no) = self.order(hit);
        let mut finding = Finding::of_row(rule, table, row_no, time, values);
        finding.delayed_by = self.passed.map_or(0, |passed| (passed - time).max(0));
        Some(Found {
            order: (time, 1, rank, row_no, rule),
            key: Vec::new(),
            finding,
        })
    }
}

/// A finding with its place in the order: (time, timers before rows, sensor, row
/// number, rule), then key.
pub(crate) struct Found {
    pub order: (i64, u8, u32, u64, usize),
    pub key: Vec<u8>,
    pub finding: Finding,
}

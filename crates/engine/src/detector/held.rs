//! Rows that wait for the watermark.

use super::Detector;
use crate::memory::chunk::{Chunk, Part};
use arrow_array::cast::AsArray as _;
use arrow_array::types::{TimestampNanosecondType, UInt64Type};
use arrow_array::{RecordBatch, UInt32Array};
use std::sync::Arc;
use telltale_rules::Finding;
use telltale_schema::TableBatch;

/// A batch of which no row has had its turn.
pub(crate) struct Held {
    pub sensor: Arc<str>,
    /// Times rise.
    pub batch: TableBatch,
    pub first: i64,
    pub last: i64,
    /// Does it wait in its sensor's catch-up lane?
    pub lane: bool,
}

fn times(batch: &TableBatch) -> &[i64] {
    let at = batch.table.def().column("event_time").map(|c| c.0);
    at.and_then(|at| batch.batch.columns().get(at))
        .and_then(|c| c.as_primitive_opt::<TimestampNanosecondType>())
        .map_or(&[], |a| a.values())
}

/// The batch with its rows in the order of their times.
fn sorted(batch: &TableBatch) -> TableBatch {
    let times = times(batch);
    let at = batch.table.def().column("row_no").map(|c| c.0);
    let numbers = at
        .and_then(|at| batch.batch.columns().get(at))
        .and_then(|c| c.as_primitive_opt::<UInt64Type>())
        .map_or(&[][..], |a| a.values());
    if times.is_sorted() && numbers.is_sorted() {
        return batch.clone();
    }
    let mut order: Vec<u32> = (0..times.len() as u32).collect();
    order.sort_by_key(|at| {
        let at = *at as usize;
        (times.get(at).copied(), numbers.get(at).copied())
    });
    take(batch, order)
}

fn take(batch: &TableBatch, rows: Vec<u32>) -> TableBatch {
    let rows = UInt32Array::from(rows);
    let columns = batch
        .batch
        .columns()
        .iter()
        .map(|c| arrow_select::take::take(c, &rows, None))
        .collect::<Result<Vec<_>, _>>();
    let taken = columns.and_then(|c| RecordBatch::try_new(batch.batch.schema(), c));
    TableBatch {
        table: batch.table,
        // the rows are the batch's own, and so is the schema
        batch: taken.unwrap_or_else(|_| batch.batch.clone()),
    }
}

/// The rows before `time`, and the others.
fn cut(batch: &TableBatch, time: i64) -> (Option<TableBatch>, Option<TableBatch>) {
    let times = times(batch);
    let at = times.partition_point(|t| *t < time);
    let part = |from: usize, to: usize| {
        (to > from).then(|| TableBatch {
            table: batch.table,
            batch: batch.batch.slice(from, to - from),
        })
    };
    (part(0, at), part(at, times.len()))
}

impl Detector {
    /// Puts a batch where it waits: before the watermark, in its sensor's lane, or (late
    /// rows) nowhere: rules of single rows see those at once.
    pub(super) fn hold(
        &mut self,
        sensor: &Arc<str>,
        batch: &TableBatch,
        own: i64,
        out: &mut Vec<Finding>,
    ) {
        if batch.batch.num_rows() == 0 {
            return;
        }
        let batch = sorted(batch);
        let (passed, on_time) = cut(&batch, self.watermark);
        if let Some(on_time) = on_time {
            self.wait(sensor, on_time, false);
        }
        let Some(passed) = passed else {
            return;
        };
        let (late, caught_up) = cut(&passed, own);
        if let Some(caught_up) = caught_up {
            self.counters.caught_up += caught_up.batch.num_rows() as u64;
            self.wait(sensor, caught_up, true);
            let engine = &self.engine;
            let main = &self.main;
            self.lanes
                .entry(sensor.clone())
                .or_insert_with(|| main.empty(engine));
        }
        if let Some(late) = late {
            self.counters.late += late.batch.num_rows() as u64;
            self.late.push(late.clone());
            self.late(late, out);
        }
    }

    pub(super) fn wait(&mut self, sensor: &Arc<str>, batch: TableBatch, lane: bool) {
        let times = times(&batch);
        let (Some(first), Some(last)) = (times.first().copied(), times.last().copied()) else {
            return;
        };
        self.held_bytes += size(&batch);
        self.held.push(Held {
            sensor: sensor.clone(),
            batch,
            first,
            last,
            lane,
        });
    }

    /// Takes the rows before `until` out; of a sensor's lane, or of the site.
    pub(super) fn due(&mut self, lane: Option<&Arc<str>>, until: i64) -> Vec<Part> {
        let mut due: Vec<(Arc<str>, TableBatch)> = Vec::new();
        let mut rest = Vec::new();
        let mut bytes = 0;
        for held in std::mem::take(&mut self.held) {
            let here = match lane {
                Some(sensor) => held.lane && held.sensor == *sensor,
                None => !held.lane,
            };
            if !here || held.first >= until {
                bytes += size(&held.batch);
                rest.push(held);
                continue;
            }
            if held.last < until {
                due.push((held.sensor, held.batch));
                continue;
            }
            let (before, after) = cut(&held.batch, until);
            due.extend(before.map(|b| (held.sensor.clone(), b)));
            if let Some(batch) = after {
                bytes += size(&batch);
                rest.push(Held {
                    first: times(&batch).first().copied().unwrap_or(held.last),
                    batch,
                    ..held
                });
            }
        }
        self.held = rest;
        self.held_bytes = bytes;
        let mut names: Vec<Arc<str>> = due.iter().map(|d| d.0.clone()).collect();
        names.sort();
        names.dedup();
        due.into_iter()
            .map(|(sensor, batch)| {
                let rank = names.binary_search(&sensor).unwrap_or(0);
                Part::new(rank as u32, batch)
            })
            .collect()
    }

    /// How far it is known that nothing more came: at the end of the input, up to the
    /// last row or watermark.
    fn silent(&self, until: i64) -> i64 {
        if until < i64::MAX {
            return until;
        }
        let rows = self.held.iter().map(|h| h.last);
        let sensors = self.sensors.values().map(|s| s.watermark);
        rows.chain(sensors).fold(self.watermark, i64::max)
    }

    fn late(&mut self, batch: TableBatch, out: &mut Vec<Finding>) {
        let chunk = Chunk {
            parts: vec![Part::new(0, batch)],
            until: self.watermark,
            silent: self.watermark,
            passed: Some(self.watermark),
            provisional: false,
        };
        self.run(&chunk, None, true, out);
    }

    /// Rows of the site up to `until`.
    pub(super) fn release(&mut self, until: i64, provisional: bool, out: &mut Vec<Finding>) {
        let silent = self.silent(until);
        let parts = self.due(None, until);
        self.watermark = until;
        let chunk = Chunk {
            parts,
            until,
            silent,
            passed: None,
            provisional,
        };
        self.run(&chunk, None, false, out);
    }

    /// Rows of a sensor's lane up to `until`; with no end, the lane is done.
    pub(super) fn catch_up(&mut self, sensor: &Arc<str>, until: i64, out: &mut Vec<Finding>) {
        let silent = self.silent(until);
        let parts = self.due(Some(sensor), until);
        let chunk = Chunk {
            parts,
            until,
            silent,
            passed: Some(self.watermark),
            provisional: false,
        };
        self.run(&chunk, Some(sensor), false, out);
        if until == i64::MAX
            && let Some(lane) = self.lanes.remove(sensor)
        {
            self.counters.refused += lane.refused();
            self.counters.evicted += lane.evicted();
        }
    }
}

/// Bytes of a batch: of a slice, its share.
fn size(batch: &TableBatch) -> usize {
    batch.batch.num_rows() * 256
}

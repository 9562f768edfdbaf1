//! Rows from Parquet files, one or more for each table, as frames in the order of time.

use anyhow::{Context as _, Result, bail};
use arrow_array::cast::AsArray as _;
use arrow_array::types::TimestampNanosecondType;
use arrow_array::{BooleanArray, RecordBatch};
use indicatif::ProgressBar;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use telltale_schema::{Frame, TableBatch, TableId};

/// Rows of one batch.
const ROWS: usize = 8192;

/// How far rows of a file may be out of the order of time, nanoseconds: what the
/// collector allows for.
const LATENESS: i64 = 2_000_000_000;

/// Is it a Parquet file, by its name?
pub(super) fn is_parquet(path: &Path) -> bool {
    path.extension().is_some_and(|e| e == "parquet")
}

/// A file that is being read.
struct Open {
    table: TableId,
    path: PathBuf,
    reader: ParquetRecordBatchReader,
    /// Its next rows, with the time of the first.
    next: Option<(i64, RecordBatch)>,
}

fn times(batch: &RecordBatch) -> &[i64] {
    batch
        .column_by_name("event_time")
        .and_then(|c| c.as_primitive_opt::<TimestampNanosecondType>())
        .map_or(&[], |a| a.values())
}

impl Open {
    fn of(path: &Path) -> Result<(Self, u64)> {
        let name = || path.display();
        let file = File::open(path).with_context(|| format!("cannot read {}", name()))?;
        let builder = ParquetRecordBatchReaderBuilder::try_new(file)
            .with_context(|| format!("{} is no Parquet file", name()))?;
        let have = builder.schema().clone();
        let same = |table: &TableId| {
            let columns = table.def().columns;
            columns.len() == have.fields().len()
                && columns
                    .iter()
                    .zip(have.fields())
                    .all(|(a, b)| a.name == b.name() && a.kind.data_type() == *b.data_type())
        };
        let Some(table) = TableId::ALL.iter().copied().find(same) else {
            bail!(
                "the columns of {} are those of no table of this release; decode the captures again with `telltale decode --format parquet`",
                name()
            );
        };
        let rows = u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0);
        let reader = builder.with_batch_size(ROWS).build()?;
        let mut file = Self {
            table,
            path: path.to_owned(),
            reader,
            next: None,
        };
        file.advance()?;
        Ok((file, rows))
    }

    fn advance(&mut self) -> Result<()> {
        self.next = None;
        for batch in self.reader.by_ref() {
            let batch = batch.with_context(|| format!("{} is damaged", self.path.display()))?;
            if let Some(first) = times(&batch).iter().min() {
                self.next = Some((*first, batch));
                break;
            }
        }
        Ok(())
    }
}

/// Only the rows of a span of time.
fn cut(batch: &TableBatch, (since, until): (Option<i64>, Option<i64>)) -> TableBatch {
    let inside: BooleanArray = times(&batch.batch)
        .iter()
        .map(|t| Some(since.is_none_or(|s| *t >= s) && until.is_none_or(|u| *t < u)))
        .collect();
    TableBatch {
        table: batch.table,
        // the mask is as long as the batch
        batch: arrow_select::filter::filter_record_batch(&batch.batch, &inside)
            .unwrap_or_else(|_| batch.batch.slice(0, 0)),
    }
}

/// A frame with the rows of a span of time only.
pub(super) fn within(mut frame: Frame, span: (Option<i64>, Option<i64>)) -> Frame {
    if span != (None, None) {
        frame.batches = frame.batches.iter().map(|b| cut(b, span)).collect();
    }
    frame
}

/// Reads all files side by side; frames go to `each` in the order of their first rows.
pub(super) fn read(
    paths: &[PathBuf],
    span: (Option<i64>, Option<i64>),
    quiet: bool,
    each: &mut impl FnMut(&Frame),
) -> Result<()> {
    let mut open = Vec::new();
    let mut total = 0;
    for path in paths {
        let (file, rows) = Open::of(path)?;
        total += rows;
        open.push(file);
    }
    let bar = if quiet {
        ProgressBar::hidden()
    } else {
        ProgressBar::new(total)
    };
    let (site, sensor): (Arc<str>, Arc<str>) = (Arc::from("backtest"), Arc::from("backtest"));
    let mut seq = 0;
    loop {
        let due = open.iter().enumerate();
        let due = due.filter_map(|(n, o)| Some((o.next.as_ref()?.0, n))).min();
        let Some(file) = due.and_then(|(_, n)| open.get_mut(n)) else {
            break;
        };
        let Some((_, batch)) = file.next.take() else {
            break;
        };
        let table = file.table;
        file.advance()?;
        let oldest = open.iter().filter_map(|o| Some(o.next.as_ref()?.0)).min();
        bar.inc(batch.num_rows() as u64);
        let frame = Frame {
            site: site.clone(),
            sensor: sensor.clone(),
            seq,
            watermark: oldest.map_or(i64::MIN, |t| t.saturating_sub(LATENESS)),
            batches: vec![TableBatch { table, batch }],
        };
        seq += 1;
        each(&within(frame, span));
    }
    bar.finish_and_clear();
    Ok(())
}

//! Rows of one table as an Arrow IPC record batch message, without its schema.

mod check;

use crate::error::RecordError;
use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow_buffer::Buffer;
use arrow_ipc::MetadataVersion;
use arrow_ipc::reader::RecordBatchDecoder;
use arrow_ipc::writer::{IpcWriteOptions, StreamEncoder};
use arrow_schema::{ArrowError, DataType, Schema};
use std::collections::HashMap;
use std::sync::Arc;
use telltale_schema::{TableBatch, TableId};

/// Everything in a record begins at a multiple of this.
pub(crate) const ALIGNMENT: usize = 8;

/// Which columns of a table are sent: bit n (lowest first) for column n.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Columns(pub Vec<u8>);

impl Columns {
    /// Those that have a value in any row, and those that every row has.
    fn with_values(batch: &TableBatch) -> Self {
        let defs = batch.table.def().columns;
        let mut bits = vec![0_u8; defs.len().div_ceil(8)];
        for (at, (def, column)) in defs.iter().zip(batch.batch.columns()).enumerate() {
            let empty = def.nullable && column.null_count() == column.len();
            if let (false, Some(byte)) = (empty, bits.get_mut(at / 8)) {
                *byte |= 1 << (at % 8);
            }
        }
        Self(bits)
    }

    /// Is the column at this position sent?
    fn has(&self, at: usize) -> bool {
        self.0
            .get(at / 8)
            .is_some_and(|byte| byte >> (at % 8) & 1 == 1)
    }

    /// Positions of those that are sent.
    fn positions(&self) -> Vec<usize> {
        (0..self.0.len() * 8).filter(|at| self.has(*at)).collect()
    }

    /// As wide as the table, and no column left out that every row has.
    fn check(&self, table: TableId) -> Result<(), RecordError> {
        let defs = table.def().columns;
        let fits = self.0.len() == defs.len().div_ceil(8)
            && self.positions().last().is_none_or(|at| *at < defs.len())
            && defs
                .iter()
                .enumerate()
                .all(|(at, d)| d.nullable || self.has(at));
        match fits {
            true => Ok(()),
            false => Err(RecordError::Message {
                table: table.as_str(),
                reason: "the columns sent are not columns that the table can do with",
            }),
        }
    }
}

/// Bytes before an encapsulated message: a marker and the message's length. The
/// record's header says the length, so they are not sent.
const PREFIX_BYTES: usize = 8;

/// A batch as message and body, still in the memory of its columns.
#[derive(Debug)]
pub(crate) struct Encoded {
    /// Which columns are in it.
    pub columns: Columns,
    /// Bytes of the message, filled up to [`ALIGNMENT`].
    pub metadata_bytes: usize,
    /// Bytes of its body.
    pub body_bytes: usize,
    buffers: Vec<Buffer>,
}

impl Encoded {
    /// Appends message and body.
    pub fn write(&self, out: &mut Vec<u8>) {
        for buffer in self.buffers.iter().skip(1) {
            out.extend_from_slice(buffer);
        }
    }
}

/// Turns batches into messages without copying their values.
pub(crate) struct Writer {
    /// Knows no schema of ours: the schema goes with its first message, which is
    /// thrown away, and no later message depends on it.
    stream: StreamEncoder,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}

impl Writer {
    /// Writes aligned to [`ALIGNMENT`], metadata version 5, uncompressed.
    pub fn new() -> Result<Self, RecordError> {
        let refused = |_| RecordError::Header("Arrow refuses the alignment");
        let options =
            IpcWriteOptions::try_new(ALIGNMENT, false, MetadataVersion::V5).map_err(refused)?;
        let nothing = RecordBatch::new_empty(Arc::new(Schema::empty()));
        let mut stream =
            StreamEncoder::try_new_with_options(nothing.schema_ref(), options).map_err(refused)?;
        stream.encode(&nothing).map_err(refused)?;
        Ok(Self { stream })
    }

    /// The message and body of a batch.
    pub fn encode(&mut self, rows: &TableBatch) -> Result<Encoded, RecordError> {
        let table = rows.table.as_str();
        let schema = rows.table.schema();
        if rows.batch.schema_ref().fields() != schema.fields() {
            return Err(RecordError::Schema(table));
        }
        let columns = Columns::with_values(rows);
        let refused = |e: ArrowError| RecordError::Values {
            table,
            reason: e.to_string(),
        };
        let sent = rows.batch.project(&columns.positions()).map_err(refused)?;
        let buffers = self.stream.encode(&sent).map_err(refused)?;
        let odd = RecordError::Message {
            table,
            reason: "Arrow does not write its prefix as expected",
        };
        let prefix = buffers.first().map(Buffer::as_slice);
        let Some(&[0xff, 0xff, 0xff, 0xff, a, b, c, d]) = prefix else {
            return Err(odd);
        };
        let metadata = usize::try_from(u32::from_le_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        let total: usize = buffers.iter().map(Buffer::len).sum();
        let body_bytes = total
            .checked_sub(PREFIX_BYTES)
            .and_then(|rest| rest.checked_sub(metadata))
            .ok_or(odd)?;
        Ok(Encoded {
            columns,
            metadata_bytes: metadata,
            body_bytes,
            buffers,
        })
    }
}

/// What the record says about a batch, and its bytes.
pub(crate) struct Sent<'a> {
    pub table: TableId,
    pub rows: usize,
    pub columns: &'a Columns,
    pub metadata: &'a [u8],
    pub body: &'a Buffer,
}

/// The rows again. Values stay where they are in `body` if they are aligned there.
pub(crate) fn decode(sent: &Sent<'_>) -> Result<TableBatch, RecordError> {
    let table = sent.table;
    let refused = |e: ArrowError| RecordError::Values {
        table: table.as_str(),
        reason: e.to_string(),
    };
    sent.columns.check(table)?;
    let schema = table.schema();
    let positions = sent.columns.positions();
    let part = Arc::new(schema.project(&positions).map_err(refused)?);
    let message = check::message(sent, part.fields())?;
    let dictionaries = HashMap::new();
    let batch = RecordBatchDecoder::try_new(
        sent.body,
        message,
        part,
        &dictionaries,
        &MetadataVersion::V5,
    )
    .and_then(RecordBatchDecoder::read_record_batch)
    .map_err(refused)?;

    let mut sent_columns = batch.columns().iter().cloned();
    let mut nulls = Nulls::default();
    let columns: Vec<ArrayRef> = schema
        .fields()
        .iter()
        .enumerate()
        .filter_map(|(at, field)| match sent.columns.has(at) {
            true => sent_columns.next(),
            false => Some(nulls.get(field.data_type(), sent.rows)),
        })
        .collect();
    let options = RecordBatchOptions::new().with_row_count(Some(sent.rows));
    let batch = RecordBatch::try_new_with_options(schema, columns, &options).map_err(refused)?;
    Ok(TableBatch { table, batch })
}

/// Columns without a value: one array for all columns of a type.
#[derive(Default)]
struct Nulls(Vec<ArrayRef>);

impl Nulls {
    fn get(&mut self, data_type: &DataType, rows: usize) -> ArrayRef {
        if let Some(known) = self.0.iter().find(|a| a.data_type() == data_type) {
            return Arc::clone(known);
        }
        let array = new_null_array(data_type, rows);
        self.0.push(Arc::clone(&array));
        array
    }
}

#[cfg(test)]
mod tests;

//! Rows of one table as an Arrow IPC record batch message, without its schema.

mod check;

use crate::error::RecordError;
use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow_buffer::Buffer;
use arrow_ipc::MetadataVersion;
use arrow_ipc::reader::RecordBatchDecoder;
use arrow_ipc::writer::{
    DictionaryTracker, EncodedData, IpcDataGenerator, IpcWriteContext, IpcWriteOptions,
};
use arrow_schema::{ArrowError, DataType};
use std::collections::HashMap;
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

/// Turns batches into messages; keeps the memory of the last one for the next.
pub(crate) struct Writer {
    options: IpcWriteOptions,
    context: IpcWriteContext,
    generator: IpcDataGenerator,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}

impl Writer {
    /// Writes aligned to [`ALIGNMENT`], metadata version 5, uncompressed.
    pub fn new() -> Result<Self, RecordError> {
        let options = IpcWriteOptions::try_new(ALIGNMENT, false, MetadataVersion::V5)
            .map_err(|_| RecordError::Header("Arrow refuses the alignment"))?;
        Ok(Self {
            options,
            context: IpcWriteContext::default(),
            generator: IpcDataGenerator::default(),
        })
    }

    /// The message and body of a batch.
    pub fn encode(&mut self, rows: &TableBatch) -> Result<(Columns, EncodedData), RecordError> {
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
        let mut dictionaries = DictionaryTracker::new(true);
        let (_, encoded) = self
            .generator
            .encode(&sent, &mut dictionaries, &self.options, &mut self.context)
            .map_err(refused)?;
        Ok((columns, encoded))
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
    let part = std::sync::Arc::new(schema.project(&positions).map_err(refused)?);
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
            return std::sync::Arc::clone(known);
        }
        let array = new_null_array(data_type, rows);
        self.0.push(std::sync::Arc::clone(&array));
        array
    }
}

#[cfg(test)]
mod tests;

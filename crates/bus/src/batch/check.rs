//! Looks at an Arrow message before Arrow does: its reader asserts where a message
//! of others could be wrong. What passes here has, for every column, the buffers
//! that its type needs, inside the body, in order, and lengths that its rows allow.
//! The values (offsets, views, UTF-8, counts of nulls) are then checked by Arrow.

use super::{ALIGNMENT, Sent};
use crate::error::RecordError;
use arrow_ipc::{MessageHeader, MetadataVersion, RecordBatch};
use arrow_schema::{DataType, Fields};
use flatbuffers::VerifierOptions;

/// A message has its own table, the batch's, and none of those that we refuse.
const MAX_TABLES: usize = 8;
/// Tables within tables.
const MAX_DEPTH: usize = 8;

/// Reads the buffers and nodes of a message in order.
struct Walk<'a> {
    sent: &'a Sent<'a>,
    nodes: flatbuffers::VectorIter<'a, arrow_ipc::FieldNode>,
    buffers: flatbuffers::VectorIter<'a, arrow_ipc::Buffer>,
    variadic: Vec<i64>,
    /// End of the last buffer.
    end: usize,
}

type Wrong = &'static str;

impl Walk<'_> {
    /// The next buffer's length: it begins behind the last one and ends in the body.
    fn buffer(&mut self) -> Result<usize, Wrong> {
        let buffer = self.buffers.next().ok_or("a buffer is missing")?;
        let wrong = "a buffer lies outside the body";
        let offset = usize::try_from(buffer.offset()).map_err(|_| wrong)?;
        let length = usize::try_from(buffer.length()).map_err(|_| wrong)?;
        let end = offset.checked_add(length).ok_or(wrong)?;
        if end > self.sent.body.len() {
            return Err(wrong);
        }
        if offset < self.end {
            return Err("a buffer begins before the last one ends");
        }
        if !offset.is_multiple_of(ALIGNMENT) {
            return Err("a buffer is not aligned");
        }
        self.end = end;
        Ok(length)
    }

    /// The next node: its length, and whether it has nulls.
    fn node(&mut self, nullable: bool) -> Result<(usize, bool), Wrong> {
        let node = self.nodes.next().ok_or("a column is missing")?;
        let wrong = "a column has an impossible length";
        let length = usize::try_from(node.length()).map_err(|_| wrong)?;
        let nulls = usize::try_from(node.null_count()).map_err(|_| wrong)?;
        if nulls > length {
            return Err("a column has more nulls than rows");
        }
        if nulls > 0 && !nullable {
            return Err("a column that every row has lacks values");
        }
        // a value takes a bit at least
        if length.div_ceil(8) > self.sent.body.len() {
            return Err(wrong);
        }
        Ok((length, nulls > 0))
    }

    /// The next buffer is a bitmap of validity for a column of this length.
    fn validity(&mut self, (length, nulls): (usize, bool)) -> Result<(), Wrong> {
        match self.buffer()? < length.div_ceil(8) && nulls {
            true => Err("a bitmap of nulls is too short"),
            false => Ok(()),
        }
    }

    /// The next buffer holds at least so many values of so many bytes.
    fn values(&mut self, count: usize, width: usize) -> Result<(), Wrong> {
        let need = count.checked_mul(width).ok_or("a column is too long")?;
        match self.buffer()? < need {
            true => Err("a column has fewer values than rows"),
            false => Ok(()),
        }
    }

    /// Everything of one column; how long it is.
    fn column(&mut self, data_type: &DataType, nullable: bool) -> Result<usize, Wrong> {
        let node = self.node(nullable)?;
        self.validity(node)?;
        match data_type {
            DataType::Boolean => self.values(node.0.div_ceil(8), 1)?,
            DataType::FixedSizeBinary(width) => {
                let width = usize::try_from(*width).map_err(|_| "a width is negative")?;
                self.values(node.0, width)?;
            }
            DataType::Utf8View => {
                self.values(node.0, size_of::<u128>())?;
                let count = match self.variadic.is_empty() {
                    true => return Err("a column of text does not say how many buffers it has"),
                    false => self.variadic.remove(0),
                };
                // a count below zero or above what there is ends the loop early
                for _ in 0..u32::try_from(count).map_err(|_| "a count of buffers is impossible")? {
                    self.buffer()?;
                }
            }
            DataType::List(field) => {
                // no rows, no offsets
                let offsets = if node.0 == 0 { 0 } else { node.0 + 1 };
                self.values(offsets, size_of::<i32>())?;
                self.column(field.data_type(), field.is_nullable())?;
            }
            plain => match plain.primitive_width() {
                Some(width) => self.values(node.0, width)?,
                None => return Err("the table has a type that is never sent"),
            },
        }
        Ok(node.0)
    }
}

/// Verifies a message and hands out its batch.
pub(super) fn message<'a>(
    sent: &'a Sent<'a>,
    fields: &Fields,
) -> Result<RecordBatch<'a>, RecordError> {
    verified(sent, fields).map_err(|reason| RecordError::Message {
        table: sent.table.as_str(),
        reason,
    })
}

fn verified<'a>(sent: &'a Sent<'a>, fields: &Fields) -> Result<RecordBatch<'a>, Wrong> {
    let options = VerifierOptions {
        max_depth: MAX_DEPTH,
        max_tables: MAX_TABLES,
        max_apparent_size: sent.metadata.len().saturating_mul(4),
        ignore_missing_null_terminator: false,
    };
    let message = arrow_ipc::root_as_message_with_opts(&options, sent.metadata)
        .map_err(|_| "its Arrow message is malformed")?;
    if message.version() != MetadataVersion::V5 {
        return Err("its Arrow message is not of metadata version 5");
    }
    if message.header_type() != MessageHeader::RecordBatch {
        return Err("its Arrow message is no record batch");
    }
    if message.custom_metadata().is_some() {
        return Err("its Arrow message has metadata of its own");
    }
    if usize::try_from(message.bodyLength()) != Ok(sent.body.len()) {
        return Err("its Arrow message is of a body of another length");
    }
    let batch = message
        .header_as_record_batch()
        .ok_or("its Arrow message is empty")?;
    if batch.compression().is_some() {
        return Err("its Arrow message is compressed");
    }
    if usize::try_from(batch.length()) != Ok(sent.rows) {
        return Err("its Arrow message has another number of rows");
    }
    let mut walk = Walk {
        sent,
        nodes: batch
            .nodes()
            .ok_or("its Arrow message has no columns")?
            .iter(),
        buffers: batch
            .buffers()
            .ok_or("its Arrow message has no buffers")?
            .iter(),
        variadic: batch
            .variadicBufferCounts()
            .map(|counts| counts.iter().take(fields.len()).collect())
            .unwrap_or_default(),
        end: 0,
    };
    let counts = batch.variadicBufferCounts().map_or(0, |c| c.len());
    if counts > fields.len() {
        return Err("its Arrow message has too many columns of text");
    }
    for field in fields {
        if walk.column(field.data_type(), field.is_nullable())? != sent.rows {
            return Err("a column has another number of rows");
        }
    }
    match walk.nodes.next().is_none() && walk.buffers.next().is_none() && walk.variadic.is_empty() {
        true => Ok(batch),
        false => Err("its Arrow message has columns that the table does not have"),
    }
}

//! Frames as bytes.

use super::{
    Cursor, Kind, MAX_METADATA_BYTES, MAX_RECORD_BYTES, MAX_ROWS, MAX_TEXT_BYTES, bound, header,
    read,
};
use crate::batch::{self, ALIGNMENT, Columns, Sent, Writer};
use crate::error::RecordError;
use crate::fingerprint::{Fingerprint, fingerprint, table_of};
use crate::record::SensorFrame;
use crate::v1;
use telltale_schema::{Frame, TableBatch, TableId};

/// A length that fits the header's 32 bits.
fn small(what: &'static str, have: usize, limit: usize) -> Result<u32, RecordError> {
    bound(what, have, limit)?;
    u32::try_from(have).map_err(|_| RecordError::TooLarge {
        what,
        have: have as u64,
        bound: u32::MAX.into(),
    })
}

/// Tables come in their order, each once.
fn in_order(last: &mut Option<TableId>, table: TableId) -> Result<(), RecordError> {
    match last.replace(table).is_none_or(|l| l < table) {
        true => Ok(()),
        false => Err(RecordError::Header("its tables are not in order")),
    }
}

/// Writes a frame behind an empty `out`.
pub(super) fn encode(
    record: &SensorFrame,
    writer: &mut Writer,
    out: &mut Vec<u8>,
) -> Result<(), RecordError> {
    let frame = &record.frame;
    bound("site", frame.site.len(), MAX_TEXT_BYTES)?;
    bound("sensor", frame.sensor.len(), MAX_TEXT_BYTES)?;
    let mut parts = Vec::with_capacity(frame.batches.len());
    let mut bodies = Vec::with_capacity(frame.batches.len());
    let mut last = None;
    let mut bytes = 0_usize;
    for rows in &frame.batches {
        in_order(&mut last, rows.table)?;
        let count = small("rows of a table", rows.batch.num_rows(), MAX_ROWS)?;
        let encoded = writer.encode(rows)?;
        let (metadata, body) = (encoded.metadata_bytes, encoded.body_bytes);
        parts.push(v1::Part {
            table: rows.table.as_str().to_owned(),
            fingerprint: fingerprint(rows.table).0.to_vec(),
            rows: count,
            columns: encoded.columns.0.clone(),
            metadata_bytes: small("Arrow message", metadata, MAX_METADATA_BYTES)?,
            body_bytes: small("Arrow body", body, MAX_RECORD_BYTES)?,
        });
        bytes += metadata + body;
        bound("record", bytes, MAX_RECORD_BYTES)?;
        bodies.push(encoded);
    }
    let message = v1::FrameHeader {
        site: frame.site.to_string(),
        sensor: frame.sensor.to_string(),
        epoch: record.epoch,
        seq: frame.seq,
        watermark: frame.watermark,
        parts,
    };
    out.reserve_exact(2 * ALIGNMENT + prost::Message::encoded_len(&message) + bytes);
    header(out, Kind::Frame, &message)?;
    for encoded in bodies {
        encoded.write(out);
    }
    Ok(())
}

/// Reads a frame: its header, and the parts behind it.
pub(super) fn decode(header: &[u8], rest: &mut Cursor<'_>) -> Result<SensorFrame, RecordError> {
    let message: v1::FrameHeader = read(header)?;
    bound("site", message.site.len(), MAX_TEXT_BYTES)?;
    bound("sensor", message.sensor.len(), MAX_TEXT_BYTES)?;
    bound("tables", message.parts.len(), TableId::ALL.len())?;
    let mut batches = Vec::with_capacity(message.parts.len());
    let mut last = None;
    for part in message.parts {
        let batch = decode_part(part, rest)?;
        in_order(&mut last, batch.table)?;
        batches.push(batch);
    }
    Ok(SensorFrame {
        epoch: message.epoch,
        frame: Frame {
            site: message.site.into(),
            sensor: message.sensor.into(),
            seq: message.seq,
            watermark: message.watermark,
            batches,
        },
    })
}

/// Reads the rows of one table.
fn decode_part(part: v1::Part, rest: &mut Cursor<'_>) -> Result<TableBatch, RecordError> {
    let hash = <[u8; _]>::try_from(part.fingerprint.as_slice())
        .map_err(|_| RecordError::Header("a fingerprint is not of 16 bytes"))?;
    let hash = Fingerprint(hash);
    let table = table_of(hash).ok_or_else(|| RecordError::Fingerprint {
        // for people: the first characters are enough
        table: part.table.chars().take(64).collect(),
        fingerprint: hash.to_string(),
    })?;
    if part.table != table.as_str() {
        return Err(RecordError::Header("a fingerprint is of another table"));
    }
    let size = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
    let rows = size(part.rows);
    bound("rows of a table", rows, MAX_ROWS)?;
    bound(
        "Arrow message",
        size(part.metadata_bytes),
        MAX_METADATA_BYTES,
    )?;
    if !size(part.body_bytes).is_multiple_of(ALIGNMENT) {
        return Err(RecordError::Header("a body is not aligned"));
    }
    let metadata = rest.take(size(part.metadata_bytes))?;
    let body = rest.share(size(part.body_bytes))?;
    batch::decode(&Sent {
        table,
        rows,
        columns: &Columns(part.columns),
        metadata,
        body: &body,
    })
}

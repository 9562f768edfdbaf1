//! Records as bytes: version, kind, a protobuf header, and for frames Arrow bodies.
//!
//! | bytes | what |
//! |---|---|
//! | 0 | format version, 1 |
//! | 1 | kind: 1 frame, 2 control, 3 loss |
//! | 2–3 | zero |
//! | 4–7 | length of the header, little endian |
//! | 8… | the header, filled up with zeroes to a multiple of 8 |
//! | … | frames only: per part the Arrow message, filled up to 8, and its body |

mod frame;
mod small;

use crate::batch::{ALIGNMENT, Writer};
use crate::error::RecordError;
use crate::record::Record;
use arrow_buffer::Buffer;

/// Version of the format; a reader refuses others.
pub const FORMAT_VERSION: u8 = 1;
/// Longest record in bytes.
pub const MAX_RECORD_BYTES: usize = 64 << 20;
/// Longest header in bytes.
pub const MAX_HEADER_BYTES: usize = 64 << 10;
/// Longest Arrow message (without its body) in bytes.
pub const MAX_METADATA_BYTES: usize = 1 << 20;
/// Most rows of one table in a frame.
pub const MAX_ROWS: usize = 1 << 22;
/// Longest name of a site or a sensor, longest argument of a command, in bytes.
pub const MAX_TEXT_BYTES: usize = 4096;
/// Most arguments of a command.
pub const MAX_ARGS: usize = 16;

/// Bytes before the header.
const PREFIX_BYTES: usize = 8;

/// What a record is, by the number in its second byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Frame = 1,
    Control = 2,
    Loss = 3,
}

impl TryFrom<u8> for Kind {
    type Error = RecordError;
    fn try_from(byte: u8) -> Result<Self, RecordError> {
        [Self::Frame, Self::Control, Self::Loss]
            .into_iter()
            .find(|k| *k as u8 == byte)
            .ok_or(RecordError::Kind(byte))
    }
}

/// Refuses what is above its bound.
fn bound(what: &'static str, have: usize, bound: usize) -> Result<(), RecordError> {
    match have <= bound {
        true => Ok(()),
        false => Err(RecordError::TooLarge {
            what,
            have: have as u64,
            bound: bound as u64,
        }),
    }
}

/// Appends zeroes up to a multiple of [`ALIGNMENT`].
fn pad(out: &mut Vec<u8>) {
    out.resize(out.len().next_multiple_of(ALIGNMENT), 0);
}

/// Writes version, kind and header.
fn header(out: &mut Vec<u8>, kind: Kind, message: &impl prost::Message) -> Result<(), RecordError> {
    let length = message.encoded_len();
    bound("header", length, MAX_HEADER_BYTES)?;
    out.extend([FORMAT_VERSION, kind as u8, 0, 0]);
    // above: at most 64 KiB
    out.extend((length as u32).to_le_bytes());
    message
        .encode(out)
        .map_err(|_| RecordError::Header("no room"))?;
    pad(out);
    Ok(())
}

/// Turns records into bytes; keeps the memory of the last one for the next.
#[derive(Debug)]
pub struct Encoder {
    writer: Writer,
}

impl Encoder {
    /// An encoder.
    ///
    /// # Errors
    /// Only if Arrow refuses its own options.
    pub fn new() -> Result<Self, RecordError> {
        Ok(Self {
            writer: Writer::new()?,
        })
    }

    /// A record's bytes.
    ///
    /// # Errors
    /// [`RecordError`] if the record is above a bound, or a batch does not have the
    /// schema of its table.
    pub fn encode(&mut self, record: &Record) -> Result<Vec<u8>, RecordError> {
        let mut out = Vec::new();
        self.encode_into(record, &mut out)?;
        Ok(out)
    }

    /// Replaces what is in `out` by a record's bytes.
    ///
    /// # Errors
    /// As [`Encoder::encode`]; `out` then holds nothing of use.
    pub fn encode_into(&mut self, record: &Record, out: &mut Vec<u8>) -> Result<(), RecordError> {
        out.clear();
        match record {
            Record::Frame(frame) => frame::encode(frame, &mut self.writer, out)?,
            Record::Control(control) => header(out, Kind::Control, &small::control(control)?)?,
            Record::Loss(loss) => header(out, Kind::Loss, &small::loss(loss)?)?,
        }
        bound("record", out.len(), MAX_RECORD_BYTES)
    }
}

/// Walks over a record's bytes.
struct Cursor<'a> {
    bytes: &'a Buffer,
    at: usize,
}

impl<'a> Cursor<'a> {
    /// The next bytes, without what fills them up.
    fn take(&mut self, length: usize) -> Result<&'a [u8], RecordError> {
        let start = self.at;
        let end = start.saturating_add(length);
        let have = self.bytes.len();
        let short = RecordError::Length { have, need: end };
        let taken = self.bytes.get(start..end).ok_or(short)?;
        self.at = end.next_multiple_of(ALIGNMENT);
        match self.bytes.get(end..self.at) {
            Some(fill) if fill.iter().all(|b| *b == 0) => Ok(taken),
            Some(_) => Err(RecordError::Header("its bytes of padding are not zero")),
            None => Err(RecordError::Length {
                have,
                need: self.at,
            }),
        }
    }

    /// The next bytes as a buffer that shares the record's memory.
    fn share(&mut self, length: usize) -> Result<Buffer, RecordError> {
        let start = self.at;
        let length = self.take(length)?.len();
        Ok(self.bytes.slice_with_length(start, length))
    }

    /// Nothing may be left.
    fn end(&self) -> Result<(), RecordError> {
        match self.at == self.bytes.len() {
            true => Ok(()),
            false => Err(RecordError::Length {
                have: self.bytes.len(),
                need: self.at,
            }),
        }
    }
}

impl Record {
    /// Reads a record. The values of a frame stay where they are in `bytes`, as far
    /// as they are aligned there. Bytes of others are safe to give: what is handed out
    /// holds together, the rest is refused, at a cost bounded by the length. That the
    /// values make sense (rising row numbers, a site that exists) is not looked at.
    ///
    /// # Errors
    /// [`RecordError`] says what is wrong with the bytes.
    pub fn decode(bytes: &Buffer) -> Result<Self, RecordError> {
        bound("record", bytes.len(), MAX_RECORD_BYTES)?;
        let mut cursor = Cursor { bytes, at: 0 };
        let prefix = cursor.take(PREFIX_BYTES)?;
        let &[version, kind, zero, zero_too, a, b, c, d] = prefix else {
            return Err(RecordError::Header("no prefix"));
        };
        if version != FORMAT_VERSION {
            return Err(RecordError::Version(version));
        }
        let kind = Kind::try_from(kind)?;
        if [zero, zero_too] != [0, 0] {
            return Err(RecordError::Header("its reserved bytes are not zero"));
        }
        let length = usize::try_from(u32::from_le_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        bound("header", length, MAX_HEADER_BYTES)?;
        let header = cursor.take(length)?;
        let record = match kind {
            Kind::Frame => Self::Frame(frame::decode(header, &mut cursor)?),
            Kind::Control => Self::Control(small::read_control(header)?),
            Kind::Loss => Self::Loss(small::read_loss(header)?),
        };
        cursor.end()?;
        Ok(record)
    }
}

/// Reads a protobuf message.
fn read<M: prost::Message + Default>(bytes: &[u8]) -> Result<M, RecordError> {
    M::decode(bytes).map_err(|_| RecordError::Header("its protobuf cannot be read"))
}

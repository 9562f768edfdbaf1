//! Reads records in their order.

use super::error::LogError;
use super::format::{ALIGNMENT, RECORD_HEADER_BYTES, RecordHead, Salt};
use super::scan::Records;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::PathBuf;

/// Bytes that are read ahead.
const AHEAD: usize = 256 << 10;

/// A record and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its place in the log.
    pub offset: u64,
    /// When it was appended, nanoseconds since 1970-01-01 UTC; never falls.
    pub time_ns: i64,
    /// The record.
    pub payload: Vec<u8>,
}

/// A segment, as it was when the reader was made.
#[derive(Debug)]
pub(super) struct Piece {
    /// Its file.
    pub path: PathBuf,
    /// Where to begin: the byte of the record that is due next there.
    pub at: u64,
    /// The record that should stand there.
    pub offset: u64,
    /// Offset behind its last record.
    pub next: u64,
    /// Bytes of the file that hold records.
    pub end: u64,
}

/// The segment being read.
#[derive(Debug)]
struct Open {
    piece: Piece,
    file: BufReader<File>,
}

/// Hands out the records that were there when it was made, in their order. Damage is
/// an error that says what is lost; the next call goes on behind it. After any other
/// error there is nothing more.
#[derive(Debug)]
pub struct Reader {
    pieces: VecDeque<Piece>,
    open: Option<Open>,
    /// Records before this one are passed over.
    wanted: u64,
    salt: Salt,
    lost: u64,
    buffer: Vec<u8>,
}

impl Reader {
    pub(super) fn new(pieces: VecDeque<Piece>, wanted: u64, salt: Salt) -> Self {
        Self {
            pieces,
            open: None,
            wanted,
            salt,
            lost: 0,
            buffer: Vec::new(),
        }
    }

    /// Records that damage has cost so far.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// The next record, `None` at the end.
    fn advance(&mut self) -> Result<Option<Entry>, LogError> {
        loop {
            let open = match &mut self.open {
                Some(open) if open.piece.offset < open.piece.next => open,
                _ => match self.pieces.pop_front() {
                    Some(piece) => self.open.insert(Open::new(piece, self.wanted)?),
                    None => return Ok(None),
                },
            };
            if open.piece.offset >= open.piece.next {
                continue;
            }
            match open.step(self.wanted, self.salt)? {
                Step::Entry(entry) => return Ok(Some(entry)),
                Step::Passed => {}
                Step::Damage => {
                    let position = open.piece.at;
                    let from = open.piece.offset.max(self.wanted);
                    open.resync(self.salt, &mut self.buffer)?;
                    let to = open.piece.offset;
                    if from < to {
                        self.lost += to - from;
                        return Err(LogError::Damaged {
                            file: open.piece.path.clone(),
                            position,
                            from,
                            to,
                        });
                    }
                }
            }
        }
    }
}

impl Iterator for Reader {
    type Item = Result<Entry, LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        let entry = self.advance();
        if let Err(e) = &entry
            && !matches!(e, LogError::Damaged { .. })
        {
            self.open = None;
            self.pieces.clear();
        }
        entry.transpose()
    }
}

/// What a step over a segment gave.
enum Step {
    Entry(Entry),
    Passed,
    Damage,
}

impl Open {
    fn new(piece: Piece, wanted: u64) -> Result<Self, LogError> {
        let file = File::open(&piece.path).map_err(|e| match e.kind() {
            ErrorKind::NotFound => LogError::Gone {
                wanted: piece.offset.max(wanted),
                first: piece.next,
            },
            _ => LogError::io(&piece.path, "open")(e),
        })?;
        let mut file = BufReader::with_capacity(AHEAD, file);
        file.seek(SeekFrom::Start(piece.at))
            .map_err(LogError::io(&piece.path, "seek in"))?;
        Ok(Self { piece, file })
    }

    /// The record that is due: handed out, or passed over if it is not wanted.
    fn step(&mut self, wanted: u64, salt: Salt) -> Result<Step, LogError> {
        let piece = &mut self.piece;
        let path = &piece.path;
        let left = piece.end.saturating_sub(piece.at);
        if left < RECORD_HEADER_BYTES {
            return Ok(Step::Damage);
        }
        let mut bytes = [0; RECORD_HEADER_BYTES as usize];
        self.file
            .read_exact(&mut bytes)
            .map_err(LogError::io(path, "read"))?;
        let Some(head) = RecordHead::parse(&bytes, salt) else {
            return Ok(Step::Damage);
        };
        if head.offset != piece.offset || head.room() > left {
            return Ok(Step::Damage);
        }
        let padding = head.room() - RECORD_HEADER_BYTES - u64::from(head.length);
        let step = if head.offset < wanted {
            let rest = i64::from(head.length);
            self.file
                .seek_relative(rest)
                .map_err(LogError::io(path, "read"))?;
            Step::Passed
        } else {
            let length = u64::from(head.length);
            let mut payload = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
            self.file
                .by_ref()
                .take(length)
                .read_to_end(&mut payload)
                .map_err(LogError::io(path, "read"))?;
            if payload.len() as u64 != length || crc32c::crc32c(&payload) != head.check {
                return Ok(Step::Damage);
            }
            Step::Entry(Entry {
                offset: head.offset,
                time_ns: head.time_ns,
                payload,
            })
        };
        let skip = i64::try_from(padding.min(ALIGNMENT)).unwrap_or(0);
        self.file
            .seek_relative(skip)
            .map_err(LogError::io(path, "read"))?;
        piece.at += head.room();
        piece.offset += 1;
        Ok(step)
    }

    /// Goes behind damage, to the next good record or the end of the segment.
    fn resync(&mut self, salt: Salt, buffer: &mut Vec<u8>) -> Result<(), LogError> {
        let piece = &mut self.piece;
        let records = Records {
            file: self.file.get_ref(),
            path: &piece.path,
            end: piece.end,
            salt,
        };
        match records.behind(piece.at, piece.offset, buffer)? {
            Some((at, head)) if head.offset < piece.next => {
                piece.at = at;
                piece.offset = head.offset;
            }
            _ => {
                piece.at = piece.end;
                piece.offset = piece.next;
            }
        }
        self.file
            .seek(SeekFrom::Start(piece.at))
            .map_err(LogError::io(&piece.path, "seek in"))?;
        Ok(())
    }
}

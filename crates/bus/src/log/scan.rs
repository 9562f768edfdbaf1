//! Walks over the records of a segment, and finds the next good one behind damage.

use super::error::LogError;
use super::format::{ALIGNMENT, HEADER_BYTES, RECORD_HEADER_BYTES, RecordHead, Salt};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Bytes that are read at once when a file is searched.
const WINDOW: usize = 256 << 10;
/// A place is kept for each stretch of this many bytes.
pub(super) const INDEX_EVERY: u64 = 256 << 10;

/// A segment's file, as far as it holds records.
#[derive(Debug)]
pub(super) struct Records<'a> {
    pub file: &'a File,
    pub path: &'a Path,
    pub end: u64,
    pub salt: Salt,
}

/// What stands at a place.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A whole record.
    Good(RecordHead),
    /// A good head before a record that is damaged or cut.
    BadBody(RecordHead),
    /// No head.
    Nothing,
}

impl Records<'_> {
    fn read(&self, buffer: &mut [u8], at: u64) -> Result<(), LogError> {
        self.file
            .read_exact_at(buffer, at)
            .map_err(LogError::io(self.path, "read"))
    }

    /// The head at a place, if there is one and its record ends within the file.
    pub fn head(&self, at: u64) -> Result<Option<RecordHead>, LogError> {
        if at.saturating_add(RECORD_HEADER_BYTES) > self.end {
            return Ok(None);
        }
        let mut bytes = [0; RECORD_HEADER_BYTES as usize];
        self.read(&mut bytes, at)?;
        Ok(RecordHead::parse(&bytes, self.salt))
    }

    /// Does a record end within the file?
    pub fn fits(&self, at: u64, head: &RecordHead) -> bool {
        at.saturating_add(head.room()) <= self.end
    }

    /// What stands at a place; reads the record into `buffer` to check it.
    fn look(&self, at: u64, buffer: &mut Vec<u8>) -> Result<Found, LogError> {
        let Some(head) = self.head(at)? else {
            return Ok(Found::Nothing);
        };
        if !self.fits(at, &head) {
            return Ok(Found::BadBody(head));
        }
        buffer.resize(usize::try_from(head.length).unwrap_or(usize::MAX), 0);
        self.read(buffer, at + RECORD_HEADER_BYTES)?;
        match crc32c::crc32c(buffer) == head.check {
            true => Ok(Found::Good(head)),
            false => Ok(Found::BadBody(head)),
        }
    }

    /// The first good record at or behind `from` whose offset is above `last` (and
    /// not impossibly far), with its place.
    pub fn find(
        &self,
        from: u64,
        last: u64,
        buffer: &mut Vec<u8>,
    ) -> Result<Option<(u64, RecordHead)>, LogError> {
        let mark = self.salt.mark().to_le_bytes();
        let mut window = Vec::new();
        let mut at = from.next_multiple_of(ALIGNMENT);
        while at.saturating_add(RECORD_HEADER_BYTES) <= self.end {
            let size = usize::try_from(self.end - at).unwrap_or(WINDOW).min(WINDOW);
            window.resize(size & !7, 0);
            self.read(&mut window, at)?;
            for (place, word) in (at..).step_by(8).zip(window.chunks_exact(8)) {
                if word.starts_with(&mark)
                    && let Found::Good(head) = self.look(place, buffer)?
                    && head.offset > last
                    && (head.offset - last) <= self.end / RECORD_HEADER_BYTES
                {
                    return Ok(Some((place, head)));
                }
            }
            at += window.len() as u64;
        }
        Ok(None)
    }

    /// Behind damage at `at`, where `offset` should have stood: the next good record.
    pub fn behind(
        &self,
        at: u64,
        offset: u64,
        buffer: &mut Vec<u8>,
    ) -> Result<Option<(u64, RecordHead)>, LogError> {
        let from = match self.head(at)? {
            // its own length is to be trusted: what it holds need not be searched
            Some(head) if head.offset == offset && self.fits(at, &head) => at + head.room(),
            _ => at,
        };
        self.find(from, offset, buffer)
    }
}

/// What a whole walk over a segment found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Walked {
    /// Places of some records: offset and byte.
    pub index: Vec<(u64, u64)>,
    /// Offset behind the last good record.
    pub next: u64,
    /// Byte behind the last good record.
    pub end: u64,
    /// When the last good record was appended.
    pub last_time: Option<i64>,
    /// Records that are lost between good ones.
    pub lost: u64,
}

/// Adds a place to an index, if the last one is far enough.
pub(super) fn note(index: &mut Vec<(u64, u64)>, offset: u64, at: u64) {
    if index.last().is_none_or(|l| at - l.1 >= INDEX_EVERY) {
        index.push((offset, at));
    }
}

/// Walks over a segment from its first record. Whatever stands behind the last good
/// record was never whole.
pub(super) fn walk(records: &Records<'_>, base: u64) -> Result<Walked, LogError> {
    let mut walked = Walked {
        next: base,
        end: HEADER_BYTES,
        ..Walked::default()
    };
    let mut buffer = Vec::new();
    loop {
        let (at, head) = match records.look(walked.end, &mut buffer)? {
            Found::Good(head) if head.offset == walked.next => (walked.end, head),
            _ => match records.behind(walked.end, walked.next, &mut buffer)? {
                Some(found) => found,
                None => return Ok(walked),
            },
        };
        walked.lost += head.offset - walked.next;
        note(&mut walked.index, head.offset, at);
        walked.next = head.offset + 1;
        walked.end = at + head.room();
        walked.last_time = Some(head.time_ns);
    }
}

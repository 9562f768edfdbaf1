//! The spool: records in the order they were appended, in segment files on disk.
//!
//! - **One writer.** A lock on `log.meta` keeps a second one out.
//! - **What is there after a crash.** A record is in the file when [`Log::append`]
//!   returns, so it outlives the process (`kill -9`). It outlives the machine once
//!   [`Log::sync`] has returned, or [`SyncPolicy`] has brought it to disk:
//!   [`Log::synced_offset`] says how far that is. Acknowledge nothing beyond it.
//! - **A torn last write** is cut off when the log is opened, and reported.
//! - **Damage** further up is a typed error of the [`Reader`]; the next call goes on
//!   behind it, and the records in between are counted as lost.
//! - **Bounds**: `retain_bytes` for all files; whole segments go from the old end,
//!   counted. [`Log::excess`] says beforehand which records that would be.

mod config;
mod error;
mod format;
mod open;
mod reader;
mod scan;
mod segment;

pub use config::{LogConfig, MAX_SEGMENT_BYTES, MIN_SEGMENT_BYTES, SyncPolicy};
pub use error::LogError;
pub use open::{Opened, Torn};
pub use reader::{Entry, Reader};

use format::{FileHead, HEADER_BYTES, NEVER, RecordHead, Salt, VERSION, room};
use reader::Piece;
use segment::Segment;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{ErrorKind, IoSlice, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// What a log has done since it was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Records appended.
    pub appended_records: u64,
    /// Their bytes, without heads and padding.
    pub appended_bytes: u64,
    /// Times the log was brought to disk.
    pub syncs: u64,
    /// Records that went because the log was full or they were too old.
    pub dropped_records: u64,
    /// Bytes of the files that went with them.
    pub dropped_bytes: u64,
    /// Records that went because the caller was done with them.
    pub released_records: u64,
    /// Bytes of the files that went with them.
    pub released_bytes: u64,
}

/// A log on disk, open for writing.
#[derive(Debug)]
pub struct Log {
    folder: PathBuf,
    config: LogConfig,
    /// Holds the lock as long as the log lives.
    _lock: File,
    salt: Salt,
    /// From old to new; the last one is written to. Never empty.
    segments: VecDeque<Segment>,
    file: File,
    next: u64,
    synced: u64,
    unsynced_bytes: u64,
    last_time: i64,
    opened: Opened,
    counters: Counters,
    /// A segment could not be begun: its file may be there, so that nothing may be
    /// added to the one before.
    roll_due: bool,
    in_doubt: bool,
}

impl Log {
    /// Opens the log in a folder, or begins one there.
    ///
    /// # Errors
    /// [`LogError::Locked`] if another writer has it, [`LogError::Foreign`],
    /// [`LogError::Version`] or [`LogError::Unreadable`] if the folder holds something
    /// else, [`LogError::Config`], [`LogError::Io`].
    pub fn open(folder: &Path, config: LogConfig) -> Result<Self, LogError> {
        open::open(folder, config)
    }

    fn new(
        folder: &Path,
        config: LogConfig,
        lock: File,
        salt: Salt,
        segments: VecDeque<Segment>,
        file: File,
        opened: Opened,
    ) -> Self {
        Self {
            folder: folder.to_owned(),
            config,
            _lock: lock,
            salt,
            segments,
            file,
            next: 0,
            synced: 0,
            unsynced_bytes: 0,
            last_time: NEVER,
            opened,
            counters: Counters::default(),
            roll_due: false,
            in_doubt: false,
        }
    }

    /// What was found when the log was opened.
    #[must_use]
    pub fn opened(&self) -> &Opened {
        &self.opened
    }

    /// What the log has done since it was opened.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Offset of the oldest record; that of the next one if there is none.
    #[must_use]
    pub fn first_offset(&self) -> u64 {
        self.segments.front().map_or(self.next, |s| s.base)
    }

    /// Offset that the next record will get.
    #[must_use]
    pub fn next_offset(&self) -> u64 {
        self.next
    }

    /// Records before this one are on disk.
    #[must_use]
    pub fn synced_offset(&self) -> u64 {
        self.synced
    }

    /// Bytes of all files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|s| s.bytes).sum()
    }

    /// Appends a record and says its offset. `time_ns` is when that was, nanoseconds
    /// since 1970-01-01 UTC, of the caller's clock; a clock that goes back is held at
    /// its highest value. Full segments are closed; if the log would grow above its
    /// bounds, its oldest segments go first and are counted.
    ///
    /// # Errors
    /// [`LogError::TooLarge`] if the record fits no segment; [`LogError::Io`], and
    /// then nothing was appended; [`LogError::InDoubt`] after an error that left it
    /// open what is on disk.
    pub fn append(&mut self, time_ns: i64, record: &[u8]) -> Result<u64, LogError> {
        self.usable()?;
        let bound = self.config.max_record_bytes();
        let length = match u32::try_from(record.len()) {
            Ok(length) if record.len() <= bound => length,
            _ => {
                return Err(LogError::TooLarge {
                    have: record.len(),
                    bound,
                });
            }
        };
        let need = room(record.len());
        let time_ns = time_ns.max(self.last_time);
        self.drop_oldest(self.surplus(need, time_ns))?;
        let used = self.segments.back().map_or(0, |s| s.bytes);
        let full = used > HEADER_BYTES && used + need > self.config.segment_bytes;
        if full || self.roll_due {
            self.roll()?;
        }
        let head = RecordHead {
            length,
            offset: self.next,
            time_ns,
            check: crc32c::crc32c(record),
        };
        self.write(&head, record)?;
        let offset = self.next;
        if let Some(active) = self.segments.back_mut() {
            scan::note(&mut active.index, offset, active.bytes);
            active.bytes += need;
        }
        self.next += 1;
        self.last_time = time_ns;
        self.unsynced_bytes += need;
        self.counters.appended_records += 1;
        self.counters.appended_bytes += u64::from(length);
        let due = match self.config.sync {
            SyncPolicy::Each => true,
            SyncPolicy::Bytes(n) => self.unsynced_bytes >= n,
            SyncPolicy::Asked => false,
        };
        if due {
            self.sync()?;
        }
        Ok(offset)
    }

    /// Brings all records to disk.
    ///
    /// # Errors
    /// [`LogError::Io`]: what is on disk is then not known, and the log takes nothing
    /// more until it is opened again.
    pub fn sync(&mut self) -> Result<(), LogError> {
        self.usable()?;
        if let Err(e) = self.file.sync_data() {
            // after a failed sync the system may have forgotten what was not written
            self.in_doubt = true;
            return Err(LogError::io(&self.folder, "sync")(e));
        }
        self.synced = self.next;
        self.unsynced_bytes = 0;
        self.counters.syncs += 1;
        Ok(())
    }

    /// Reads from a record on, up to the last one appended so far. A reader that must
    /// not run ahead of the disk stops at [`Log::synced_offset`].
    ///
    /// # Errors
    /// [`LogError::Gone`] or [`LogError::Beyond`] if the record is not there.
    pub fn read_from(&self, offset: u64) -> Result<Reader, LogError> {
        let first = self.first_offset();
        if offset < first {
            return Err(LogError::Gone {
                wanted: offset,
                first,
            });
        }
        if offset > self.next {
            return Err(LogError::Beyond {
                wanted: offset,
                next: self.next,
            });
        }
        let ends = self.segments.iter().skip(1).map(|s| s.base);
        let pieces = self
            .segments
            .iter()
            .zip(ends.chain([self.next]))
            .filter(|(_, end)| *end > offset)
            .map(|(s, next)| {
                let (begin, at) = s.place(offset);
                Piece {
                    path: s.path.clone(),
                    at,
                    offset: begin,
                    next,
                    end: s.bytes,
                }
            })
            .collect();
        Ok(Reader::new(pieces, offset, self.salt))
    }

    /// Deletes segments whose records are all before an offset: the caller is done
    /// with them. Says where the log begins now.
    ///
    /// # Errors
    /// [`LogError::Io`] if a file cannot be deleted.
    pub fn truncate_before(&mut self, offset: u64) -> Result<u64, LogError> {
        let closed = self.segments.iter().skip(1);
        let count = closed.take_while(|s| s.base <= offset).count();
        for _ in 0..count {
            let (records, bytes) = self.delete_oldest()?;
            self.counters.released_records += records;
            self.counters.released_bytes += bytes;
        }
        Ok(self.first_offset())
    }

    /// The records that would be dropped if a record of so many bytes were appended
    /// now: read them first to say in a loss marker what they held.
    #[must_use]
    pub fn excess(&self, time_ns: i64, record_bytes: usize) -> Option<Range<u64>> {
        match self.surplus(room(record_bytes), time_ns.max(self.last_time)) {
            0 => None,
            count => self
                .segments
                .get(count)
                .map(|kept| self.first_offset()..kept.base),
        }
    }

    fn usable(&self) -> Result<(), LogError> {
        match self.in_doubt {
            true => Err(LogError::InDoubt),
            false => Ok(()),
        }
    }

    /// How many of the oldest segments have to go before so many bytes are added.
    fn surplus(&self, need: u64, now: i64) -> usize {
        let oldest = self.config.retain_ns.map(|ns| {
            let ns = i64::try_from(ns).unwrap_or(i64::MAX);
            now.saturating_sub(ns)
        });
        // a new segment may have to be begun as well
        let mut total = self.bytes() + need + HEADER_BYTES;
        let next = self.segments.iter().skip(1);
        let pairs = self.segments.iter().zip(next);
        pairs
            .take_while(|(segment, behind)| {
                // time never falls: the segment's last record is its newest
                let newest = behind.before_ns;
                let expired = newest != NEVER && oldest.is_some_and(|oldest| newest < oldest);
                let goes = total > self.config.retain_bytes || expired;
                total -= segment.bytes;
                goes
            })
            .count()
    }

    /// Makes room, or lets go of what is too old.
    fn drop_oldest(&mut self, count: usize) -> Result<(), LogError> {
        for _ in 0..count {
            let (records, bytes) = self.delete_oldest()?;
            self.counters.dropped_records += records;
            self.counters.dropped_bytes += bytes;
        }
        Ok(())
    }

    /// Deletes the oldest segment; how many records and bytes it held.
    fn delete_oldest(&mut self) -> Result<(u64, u64), LogError> {
        let Some(oldest) = self.segments.front() else {
            return Ok((0, 0));
        };
        match std::fs::remove_file(&oldest.path) {
            Err(e) if e.kind() != ErrorKind::NotFound => {
                return Err(LogError::io(&oldest.path, "delete")(e));
            }
            _ => {}
        }
        let (base, bytes) = (oldest.base, oldest.bytes);
        self.segments.pop_front();
        Ok((self.first_offset() - base, bytes))
    }

    /// Closes the segment and begins the next one. Only the last segment can be torn:
    /// the one before is on disk.
    fn roll(&mut self) -> Result<(), LogError> {
        self.sync()?;
        self.roll_due = true;
        let head = FileHead {
            version: VERSION,
            base: self.next,
            salt: self.salt,
            before_ns: self.last_time,
        };
        let (file, segment) = segment::create(&self.folder, &head)?;
        self.file = file;
        self.segments.push_back(segment);
        self.roll_due = false;
        Ok(())
    }

    /// Writes a record behind the last one, without copying it. If that fails, the
    /// file is cut back to where it was.
    fn write(&mut self, head: &RecordHead, record: &[u8]) -> Result<(), LogError> {
        let Some(active) = self.segments.back() else {
            return Err(LogError::InDoubt);
        };
        let head_bytes = head.bytes(self.salt);
        let fill = record.len().next_multiple_of(8) - record.len();
        let zeroes = [0; 8];
        let padding = zeroes.get(..fill).unwrap_or_default();
        let mut slices = [
            IoSlice::new(&head_bytes),
            IoSlice::new(record),
            IoSlice::new(padding),
        ];
        let Err(e) = write_all(&mut self.file, &mut slices) else {
            return Ok(());
        };
        let end = active.bytes;
        let cut = self.file.set_len(end);
        self.in_doubt = cut
            .and_then(|()| self.file.seek(SeekFrom::Start(end)))
            .is_err();
        Err(LogError::io(&active.path, "write")(e))
    }
}

/// Writes all slices; a call may take only some of them.
fn write_all(file: &mut File, mut slices: &mut [IoSlice<'_>]) -> std::io::Result<()> {
    IoSlice::advance_slices(&mut slices, 0);
    while !slices.is_empty() {
        match file.write_vectored(slices) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(n) => IoSlice::advance_slices(&mut slices, n),
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

//! Opening a log: the lock, the salt, heads, and the cut of what was never whole.

use super::config::LogConfig;
use super::error::LogError;
use super::format::{FileHead, NEVER, Salt, VERSION};
use super::scan::{Records, Walked, walk};
use super::segment::{self, Segment};
use super::{Counters, Log};
use std::collections::VecDeque;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Name of the file that holds the salt and the lock.
const META: &str = "log.meta";

/// What was cut off at the end of the last segment: a write that never became whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Torn {
    /// The file.
    pub file: PathBuf,
    /// Where it ends now.
    pub position: u64,
    /// Bytes cut off.
    pub bytes: u64,
}

/// What was found when the log was opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Opened {
    /// What was cut off at the end.
    pub torn: Option<Torn>,
    /// Records lost to damage in the last segment; earlier ones show when they are read.
    pub lost: u64,
    /// Heads of files that were damaged and written again.
    pub repaired_heads: u64,
}

/// Opens the file that holds the lock, and takes the lock.
fn lock(folder: &Path) -> Result<(File, PathBuf), LogError> {
    let path = folder.join(META);
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(LogError::io(&path, "open"))?;
    match file.try_lock() {
        Ok(()) => Ok((file, path)),
        Err(TryLockError::WouldBlock) => Err(LogError::Locked { file: path }),
        Err(TryLockError::Error(e)) => Err(LogError::io(&path, "lock")(e)),
    }
}

/// Offsets at which the folder's segments begin, in their order.
fn bases(folder: &Path) -> Result<Vec<u64>, LogError> {
    let mut bases = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(LogError::io(folder, "list"))? {
        let entry = entry.map_err(LogError::io(folder, "list"))?;
        bases.extend(entry.file_name().to_str().and_then(segment::base_of));
    }
    bases.sort_unstable();
    Ok(bases)
}

/// A segment's file, its head as far as it can be read.
struct Found {
    base: u64,
    path: PathBuf,
    file: File,
    head: Option<FileHead>,
}

impl Found {
    fn open(folder: &Path, base: u64) -> Result<Self, LogError> {
        let path = segment::path(folder, base);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&path)
            .map_err(LogError::io(&path, "open"))?;
        let head = segment::read_head(&file, &path)?;
        Ok(Self {
            base,
            path,
            file,
            head,
        })
    }

    /// The head says what the log and the file's name say; a damaged one is written again.
    fn mend(&mut self, salt: Salt, opened: &mut Opened) -> Result<(), LogError> {
        let foreign = |reason| LogError::Foreign {
            file: self.path.clone(),
            reason,
        };
        match self.head {
            Some(head) if head.salt != salt => Err(foreign("another log wrote it")),
            Some(head) if head.base != self.base => Err(foreign("it has another name inside")),
            Some(_) => Ok(()),
            None => {
                opened.repaired_heads += 1;
                let head = FileHead {
                    version: VERSION,
                    base: self.base,
                    salt,
                    before_ns: NEVER,
                };
                self.head = Some(head);
                segment::write_head(&self.file, &self.path, &head)
            }
        }
    }

    /// When the last record before this segment was appended.
    fn before_ns(&self) -> i64 {
        self.head.map_or(NEVER, |head| head.before_ns)
    }

    fn bytes(&self) -> Result<u64, LogError> {
        let meta = self.file.metadata();
        Ok(meta.map_err(LogError::io(&self.path, "read"))?.len())
    }

    fn walk(&self, salt: Salt) -> Result<Walked, LogError> {
        let records = Records {
            file: &self.file,
            path: &self.path,
            end: self.bytes()?,
            salt,
        };
        walk(&records, self.base)
    }

    /// Cuts off what was never whole.
    fn cut(&mut self, end: u64, opened: &mut Opened) -> Result<(), LogError> {
        let bytes = self.bytes()?;
        if bytes > end {
            self.file
                .set_len(end)
                .and_then(|()| self.file.sync_all())
                .map_err(LogError::io(&self.path, "cut"))?;
            opened.torn = Some(Torn {
                file: self.path.clone(),
                position: end,
                bytes: bytes - end,
            });
        }
        self.file
            .seek(SeekFrom::Start(end))
            .map_err(LogError::io(&self.path, "seek in"))?;
        Ok(())
    }
}

/// The log's salt: in `log.meta` and in the head of each segment. Any copy will do.
fn salt(
    folder: &Path,
    meta: &File,
    path: &Path,
    found: &[Found],
    opened: &mut Opened,
) -> Result<Salt, LogError> {
    if let Some(head) = segment::read_head(meta, path)? {
        return Ok(head.salt);
    }
    let salt = match found.iter().find_map(|f| f.head) {
        Some(head) => {
            opened.repaired_heads += 1;
            head.salt
        }
        None if found.is_empty() => Salt(getrandom::u64().map_err(|e| {
            LogError::io(path, "draw a salt for")(std::io::Error::other(e.to_string()))
        })?),
        None => {
            return Err(LogError::Unreadable {
                folder: folder.to_owned(),
            });
        }
    };
    let head = FileHead {
        version: VERSION,
        base: 0,
        salt,
        before_ns: NEVER,
    };
    segment::write_head(meta, path, &head)?;
    segment::sync_folder(folder)?;
    Ok(salt)
}

/// Opens the log in a folder, or begins one there.
pub(super) fn open(folder: &Path, config: LogConfig) -> Result<Log, LogError> {
    config.check()?;
    std::fs::create_dir_all(folder).map_err(LogError::io(folder, "create"))?;
    let (lock, meta) = lock(folder)?;
    let mut opened = Opened::default();
    let mut found = Vec::new();
    for base in bases(folder)? {
        found.push(Found::open(folder, base)?);
    }
    let salt = salt(folder, &lock, &meta, &found, &mut opened)?;
    for file in &mut found {
        file.mend(salt, &mut opened)?;
    }
    let mut segments = VecDeque::with_capacity(found.len());
    let Some(mut last) = found.pop() else {
        let head = FileHead {
            version: VERSION,
            base: 0,
            salt,
            before_ns: NEVER,
        };
        let (file, segment) = segment::create(folder, &head)?;
        segments.push_back(segment);
        return Ok(Log::new(folder, config, lock, salt, segments, file, opened));
    };
    let walked = last.walk(salt)?;
    last.cut(walked.end, &mut opened)?;
    opened.lost = walked.lost;
    let mut before_ns = last.before_ns();
    if let (NEVER, Some(before)) = (before_ns, found.last()) {
        // the head was damaged; the records before it still say
        before_ns = before.walk(salt)?.last_time.unwrap_or(NEVER);
    }
    for file in found {
        segments.push_back(Segment {
            bytes: file.bytes()?,
            before_ns: file.before_ns(),
            base: file.base,
            path: file.path,
            index: Vec::new(),
        });
    }
    segments.push_back(Segment {
        base: last.base,
        path: last.path,
        bytes: walked.end,
        before_ns,
        index: walked.index,
    });
    let mut log = Log::new(folder, config, lock, salt, segments, last.file, opened);
    log.next = walked.next;
    log.last_time = walked.last_time.unwrap_or(before_ns);
    // what the last run wrote may not be on disk yet
    log.sync()?;
    log.counters = Counters::default();
    Ok(log)
}

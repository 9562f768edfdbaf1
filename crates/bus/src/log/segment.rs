//! One file of the log.

use super::error::LogError;
use super::format::{FileHead, HEADER_BYTES, VERSION};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// What is known of a segment.
#[derive(Debug)]
pub(super) struct Segment {
    /// Offset of its first record.
    pub base: u64,
    /// Its file.
    pub path: PathBuf,
    /// Bytes of the file.
    pub bytes: u64,
    /// When the last record before it was appended; [`super::format::NEVER`] if that is not known.
    pub before_ns: i64,
    /// Places of some records: offset and byte. Empty in segments of earlier runs.
    pub index: Vec<(u64, u64)>,
}

impl Segment {
    /// The nearest known place at or before a record.
    pub fn place(&self, offset: u64) -> (u64, u64) {
        let at = self.index.partition_point(|e| e.0 <= offset);
        at.checked_sub(1)
            .and_then(|at| self.index.get(at))
            .copied()
            .unwrap_or((self.base, HEADER_BYTES))
    }
}

/// The file of the segment that begins at an offset.
pub(super) fn path(folder: &Path, base: u64) -> PathBuf {
    folder.join(format!("{base:020}.log"))
}

/// The offset in a segment's file name; `None` if it is no segment.
pub(super) fn base_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".log")?;
    match digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit()) {
        true => digits.parse().ok(),
        false => None,
    }
}

/// Brings a folder's list of files to disk.
pub(super) fn sync_folder(folder: &Path) -> Result<(), LogError> {
    File::open(folder)
        .and_then(|f| f.sync_all())
        .map_err(LogError::io(folder, "sync"))
}

/// Creates the segment's file with its head, on disk when this returns.
pub(super) fn create(folder: &Path, head: &FileHead) -> Result<(File, Segment), LogError> {
    let path = path(folder, head.base);
    // a file of this name can only be what a failed attempt left
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(&path)
        .and_then(|mut file| {
            file.write_all(&head.bytes())?;
            file.sync_all()?;
            Ok(file)
        })
        .map_err(LogError::io(&path, "create"))?;
    sync_folder(folder)?;
    let segment = Segment {
        base: head.base,
        path,
        bytes: HEADER_BYTES,
        before_ns: head.before_ns,
        index: Vec::new(),
    };
    Ok((file, segment))
}

/// The head of a file: `None` if it is damaged or cut.
pub(super) fn read_head(file: &File, path: &Path) -> Result<Option<FileHead>, LogError> {
    let mut bytes = [0; HEADER_BYTES as usize];
    match file.read_exact_at(&mut bytes, 0) {
        Err(e) if e.kind() == ErrorKind::UnexpectedEof => return Ok(None),
        read => read.map_err(LogError::io(path, "read"))?,
    }
    let head = FileHead::parse(&bytes);
    match head {
        Some(h) if h.version != VERSION => Err(LogError::Version {
            file: path.to_owned(),
            version: h.version,
        }),
        head => Ok(head),
    }
}

/// Writes a file's head in its place.
pub(super) fn write_head(file: &File, path: &Path, head: &FileHead) -> Result<(), LogError> {
    file.write_all_at(&head.bytes(), 0)
        .and_then(|()| file.sync_all())
        .map_err(LogError::io(path, "write the head of"))
}

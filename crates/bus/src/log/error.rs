//! What can go wrong with the log.

use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// What can go wrong with the log.
#[derive(Debug, Error)]
pub enum LogError {
    /// A file or the folder cannot be read or written.
    #[error("{}: cannot {action}: {source}", .file.display())]
    Io {
        /// The file or folder.
        file: PathBuf,
        /// What was tried.
        action: &'static str,
        /// The system's words.
        source: io::Error,
    },
    /// Another process, or another part of this one, writes to the log.
    #[error("{}: another process has this log open; a log has one writer", .file.display())]
    Locked {
        /// The file that is locked.
        file: PathBuf,
    },
    /// Bounds that contradict each other.
    #[error("log configuration: {0}")]
    Config(&'static str),
    /// Written by a release that this one does not know.
    #[error("{}: log is of format version {version}; this release reads version 1", .file.display())]
    Version {
        /// The file.
        file: PathBuf,
        /// Its version.
        version: u32,
    },
    /// A file that is whole, and not of this log.
    #[error("{}: does not belong to this log ({reason}); move it away", .file.display())]
    Foreign {
        /// The file.
        file: PathBuf,
        /// What differs.
        reason: &'static str,
    },
    /// The head of every file is damaged: nothing says which records are the log's own.
    #[error(
        "{}: damaged in the heads of all its files; move the folder away to start a new log", .folder.display()
    )]
    Unreadable {
        /// The log's folder.
        folder: PathBuf,
    },
    /// Records that were written cannot be read back. Reading goes on behind them.
    #[error(
        "{}: damaged at byte {position}: records {from} to {} are lost", .file.display(), .to.saturating_sub(1)
    )]
    Damaged {
        /// The file.
        file: PathBuf,
        /// Where the damage begins.
        position: u64,
        /// First lost record.
        from: u64,
        /// First record behind the damage.
        to: u64,
    },
    /// Records that retention has deleted.
    #[error("record {wanted} is gone; the log begins at {first}")]
    Gone {
        /// The record asked for.
        wanted: u64,
        /// The first record there is.
        first: u64,
    },
    /// Records that were never written.
    #[error("record {wanted} was never written; the log ends before {next}")]
    Beyond {
        /// The record asked for.
        wanted: u64,
        /// The next record to be written.
        next: u64,
    },
    /// A record that fits no segment.
    #[error("record of {have} bytes; a segment of this log holds one of {bound} at most")]
    TooLarge {
        /// Its bytes.
        have: usize,
        /// The bound.
        bound: usize,
    },
    /// A write or sync failed, and it is not known what is on disk.
    #[error("an earlier write failed and left the log in doubt; open it again")]
    InDoubt,
}

impl LogError {
    /// Stable code for documentation and counters.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Io { .. } => "TT-LOG-001",
            Self::Locked { .. } => "TT-LOG-002",
            Self::Config(_) => "TT-LOG-003",
            Self::Version { .. } => "TT-LOG-004",
            Self::Foreign { .. } => "TT-LOG-005",
            Self::Unreadable { .. } => "TT-LOG-006",
            Self::Damaged { .. } => "TT-LOG-007",
            Self::Gone { .. } => "TT-LOG-008",
            Self::Beyond { .. } => "TT-LOG-009",
            Self::TooLarge { .. } => "TT-LOG-010",
            Self::InDoubt => "TT-LOG-011",
        }
    }

    /// Names the file and what was tried.
    pub(super) fn io(file: &Path, action: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            file: file.to_owned(),
            action,
            source,
        }
    }
}

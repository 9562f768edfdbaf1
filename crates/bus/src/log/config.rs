//! How large the log may grow and how often it is brought to disk.

use super::error::LogError;
use super::format::{HEADER_BYTES, room};

/// Smallest segment that makes sense: below this, files would be headers mostly.
pub const MIN_SEGMENT_BYTES: u64 = 4096;
/// Largest segment: positions in it are bounded, and so is the scan at open.
pub const MAX_SEGMENT_BYTES: u64 = 4 << 30;

/// When appended records are brought to disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncPolicy {
    /// Before [`append`](super::Log::append) returns.
    Each,
    /// Once so many bytes are not on disk yet, and whenever the caller asks.
    Bytes(u64),
    /// Only when the caller asks, or a segment is full.
    Asked,
}

/// Bounds of a log.
#[derive(Debug, Clone)]
pub struct LogConfig {
    /// A segment is closed before it grows above this.
    pub segment_bytes: u64,
    /// The oldest segment goes before all files together grow above this.
    pub retain_bytes: u64,
    /// A segment goes once all its records are older than the newest by this.
    pub retain_ns: Option<u64>,
    /// When records are brought to disk.
    pub sync: SyncPolicy,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            segment_bytes: 128 << 20,
            retain_bytes: 8 << 30,
            retain_ns: None,
            sync: SyncPolicy::Bytes(4 << 20),
        }
    }
}

impl LogConfig {
    /// Room for a segment, and for a second one beside it.
    pub(super) fn check(&self) -> Result<(), LogError> {
        if !(MIN_SEGMENT_BYTES..=MAX_SEGMENT_BYTES).contains(&self.segment_bytes) {
            return Err(LogError::Config(
                "segment_bytes must be between 4 KiB and 4 GiB",
            ));
        }
        if self.retain_bytes / 2 < self.segment_bytes {
            return Err(LogError::Config(
                "retain_bytes must hold two segments at least",
            ));
        }
        Ok(())
    }

    /// Bytes of the longest record that fits a segment, and the format.
    #[must_use]
    pub fn max_record_bytes(&self) -> usize {
        let space = self.segment_bytes.saturating_sub(HEADER_BYTES + room(0));
        usize::try_from(space & !7)
            .unwrap_or(usize::MAX)
            .min(crate::MAX_RECORD_BYTES)
    }
}

//! What can go wrong with a record's bytes.

use thiserror::Error;

/// Bytes that are no record, or a record that cannot be made into bytes.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RecordError {
    /// Fewer or more bytes than the record says.
    #[error("record has {have} bytes where its header says {need}")]
    Length {
        /// Bytes there are.
        have: usize,
        /// Bytes there should be.
        need: usize,
    },
    /// Written by a release that this one does not know.
    #[error("record is of format version {0}; this release reads version 1")]
    Version(u8),
    /// A kind of record that this release does not know.
    #[error("record is of unknown kind {0}")]
    Kind(u8),
    /// The header cannot be read or contradicts itself.
    #[error("record header: {0}")]
    Header(&'static str),
    /// More than the stated bound.
    #[error("record: {what} is {have}, the bound is {bound}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// How large it is.
        have: u64,
        /// How large it may be.
        bound: u64,
    },
    /// Rows with a schema that is not compiled in.
    #[error(
        "rows of table `{table}` have the schema {fingerprint}, which this release does not know: run the same release at both ends"
    )]
    Fingerprint {
        /// Table that the record names.
        table: String,
        /// The fingerprint in hex.
        fingerprint: String,
    },
    /// A batch whose columns are not those of its table.
    #[error("rows of table `{0}` do not have the schema of the table")]
    Schema(&'static str),
    /// The Arrow message of a table is not what Telltale writes.
    #[error("rows of table `{table}`: {reason}")]
    Message {
        /// The table.
        table: &'static str,
        /// What is wrong with the message.
        reason: &'static str,
    },
    /// Arrow refuses the values.
    #[error("rows of table `{table}`: {reason}")]
    Values {
        /// The table.
        table: &'static str,
        /// What Arrow said.
        reason: String,
    },
}

impl RecordError {
    /// Stable code for documentation and counters.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Length { .. } => "TT-BUS-001",
            Self::Version(_) => "TT-BUS-002",
            Self::Kind(_) => "TT-BUS-003",
            Self::Header(_) => "TT-BUS-004",
            Self::TooLarge { .. } => "TT-BUS-005",
            Self::Fingerprint { .. } => "TT-BUS-006",
            Self::Schema(_) => "TT-BUS-007",
            Self::Message { .. } => "TT-BUS-008",
            Self::Values { .. } => "TT-BUS-009",
        }
    }
}

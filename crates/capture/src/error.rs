use std::path::PathBuf;
use thiserror::Error;

/// What can go wrong with a capture file as a whole. What goes wrong inside
/// packets becomes rows of `packet_error` instead.
#[derive(Debug, Error)]
pub enum CaptureError {
    /// The file cannot be opened or read.
    #[error("{file}: cannot read: {source}")]
    Io {
        /// The file.
        file: String,
        /// The system's words.
        source: std::io::Error,
    },
    /// Neither pcap nor pcapng.
    #[error(
        "{file}: neither pcap nor pcapng (starts with {start}); give a capture file, or one packed with gzip or zstd"
    )]
    Format {
        /// The file.
        file: String,
        /// First bytes in hex.
        start: String,
    },
    /// The file is damaged from here on; packets before it were read.
    #[error("{file}: damaged after packet {packet}: {reason}; the packets before it were read")]
    Damaged {
        /// The file.
        file: String,
        /// Last good packet.
        packet: u64,
        /// What is wrong.
        reason: String,
    },
    /// A compressed file unpacks to more than allowed.
    #[error(
        "{file}: unpacks to more than {limit} bytes, stopped after packet {packet}; unpack it first if it is meant to be that large"
    )]
    TooLarge {
        /// The file.
        file: String,
        /// Last good packet.
        packet: u64,
        /// The bound in bytes.
        limit: u64,
    },
    /// No capture in a folder.
    #[error("{}: no capture files in this folder", .folder.display())]
    EmptyFolder {
        /// The folder.
        folder: PathBuf,
    },
    /// Rows could not be made into Arrow batches.
    #[error("rows of frame {seq} lost: {source}")]
    Rows {
        /// Number of the frame.
        seq: u64,
        /// What Arrow said.
        source: telltale_schema::SchemaError,
    },
}

impl CaptureError {
    /// Stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io { .. } => "TT-CAP-001",
            Self::Format { .. } => "TT-CAP-002",
            Self::Damaged { .. } => "TT-CAP-003",
            Self::TooLarge { .. } => "TT-CAP-004",
            Self::EmptyFolder { .. } => "TT-CAP-005",
            Self::Rows { .. } => "TT-CAP-006",
        }
    }
}

//! What travels between collector and detector.
//!
//! - [`Record`]: a frame of rows, a control record or a loss marker, and its bytes;
//! - [`log`]: the spool, a log on disk that outlives `kill -9`.
//!
//! Bytes of both are described in `docs/log.md`.
#![forbid(unsafe_code)]

mod batch;
mod error;
mod fingerprint;
pub mod log;
mod record;
mod wire;

/// Generated from `proto/telltale/v1/bus.proto`.
#[allow(missing_docs, clippy::all)]
mod v1 {
    include!(concat!(env!("OUT_DIR"), "/telltale.v1.rs"));
}

pub use error::RecordError;
pub use fingerprint::{FINGERPRINT_BYTES, Fingerprint, fingerprint, table_of};
pub use record::{Command, CommandKind, ContentHash, Control, Loss, Record, SensorFrame};
pub use wire::{
    Encoder, FORMAT_VERSION, MAX_ARGS, MAX_HEADER_BYTES, MAX_METADATA_BYTES, MAX_RECORD_BYTES,
    MAX_ROWS, MAX_TEXT_BYTES,
};

//! What every protocol says of a window of bytes: is it mine, and where does the
//! next PDU end?
use crate::Error;

/// Does this payload belong to a protocol?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// The bytes are this protocol's, beyond reasonable doubt.
    Yes,
    /// The bytes are not this protocol's.
    No,
    /// Too few bytes to tell.
    NeedMore,
}

/// Where the next PDU of a stream ends, given a contiguous window of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// A whole PDU is the first `len` bytes of the window.
    Pdu {
        /// Length in bytes, never zero and never beyond the window.
        len: usize,
    },
    /// The window must grow to at least this many bytes before a PDU is whole.
    NeedMore {
        /// Bytes the window must hold in total; always more than it holds now.
        at_least: usize,
    },
    /// The window does not start with a PDU: skip `skip` bytes (never zero) and
    /// look again. `error` says what was wrong.
    Resync {
        /// Bytes to skip.
        skip: usize,
        /// What was wrong with the skipped bytes.
        error: Error,
    },
}

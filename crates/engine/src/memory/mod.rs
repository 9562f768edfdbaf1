//! What rules remember: windows, sequences, and what was seen before.
//!
//! Rows come in the order of their event time (see [`crate::detector`]), timers before
//! rows of the same time. Each rule's state depends on nothing but its own rows, so
//! rules are run one after the other over a chunk of rows, and what they find is put in
//! order at the end.

pub(crate) mod chunk;
pub(crate) mod first_seen;
pub(crate) mod groups;
pub(crate) mod keys;
pub(crate) mod pack;
pub(crate) mod pages;
pub(crate) mod sequence;
pub(crate) mod slots;
pub(crate) mod window;

/// Bounds of what one rule remembers. At a bound, what is out of date goes first; if
/// that makes no room, new keys are not taken in and are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Open groups of a set of keys that windows share.
    pub groups: usize,
    /// Keys of one `first_seen()`.
    pub first_seen: usize,
    /// Keys of a sequence with a begun match.
    pub sequences: usize,
    /// Begun matches of one key; at the bound the oldest goes.
    pub partials: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            groups: 1_000_000,
            first_seen: 1_000_000,
            sequences: 1_000_000,
            partials: 64,
        }
    }
}

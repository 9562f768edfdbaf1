//! Which request a response answers.
use super::Adu;
use crate::pending::{Pending, Request};

/// Requests of one connection that may wait at once; the oldest goes first. The
/// Implementation Guide (4.4.1.2) speaks of 1 to 16.
const MAX_PENDING: usize = 64;
/// Bytes kept of a request: the longest standard PDU without its function code.
const MAX_REQUEST: usize = 256;

/// What pairs a response with its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Transaction identifier.
    pub transaction_id: u16,
    /// Unit identifier.
    pub unit_id: u8,
    /// Function code without the exception bit.
    pub function: u8,
}

/// Requests of one connection that wait. `M` is what the caller wants back with
/// the response: identity, time.
#[derive(Debug)]
pub struct Session<M> {
    /// The requests, oldest first.
    pub pending: Pending<Key, M>,
}

impl<M> Default for Session<M> {
    fn default() -> Self {
        Self {
            pending: Pending::new(MAX_PENDING, MAX_REQUEST),
        }
    }
}

impl Key {
    /// The key of an ADU.
    #[must_use]
    pub const fn of(adu: &Adu<'_>) -> Self {
        Self {
            transaction_id: adu.transaction_id,
            unit_id: adu.unit_id,
            function: adu.function,
        }
    }
}

impl<M> Session<M> {
    /// A connection of which nothing is known.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Remembers a request; the answer is the one that had to go for it.
    pub fn request(&mut self, adu: &Adu<'_>, mark: M) -> Option<Request<Key, M>> {
        self.pending.insert(Key::of(adu), mark, adu.data)
    }

    /// The request that a response answers: the newest with its transaction,
    /// unit and function. Clients that never count their transactions send one
    /// request at a time, so an older equal one went unanswered.
    pub fn response(&mut self, adu: &Adu<'_>) -> Option<Request<Key, M>> {
        let key = Key::of(adu);
        self.pending.take_newest_if(|request| request.key == key)
    }
}

impl Key {
    /// The request that was remembered, as an ADU again (its data may be cut).
    #[must_use]
    pub const fn adu<'a>(&self, data: &'a [u8]) -> Adu<'a> {
        Adu {
            transaction_id: self.transaction_id,
            unit_id: self.unit_id,
            function: self.function,
            exception: false,
            data,
        }
    }
}

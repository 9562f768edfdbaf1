//! Who owns a partition, and what it may send: the commit protocol, without I/O.
//!
//! What comes of records is sent in transactions, each with the offset up to which the
//! log was read, so that outputs and offset are committed together or not at all. An
//! owner that begins restores a snapshot (taken at offset S), and reads on from there in
//! silence up to the committed offset C: what comes of those records was sent already,
//! and is held against it. From C on it sends. It takes snapshots only when all it has
//! done is committed, so that S is never beyond C. After an abort it sends the same
//! again; after an answer that never came it cannot know, drops its state and recovers.

use crate::Output;

/// A state that goes from record to record.
pub trait State {
    /// What a record is.
    type Record;
    /// Offset of the record that is due.
    fn due(&self) -> u64;
    /// Takes the record at an offset.
    fn step(&mut self, offset: u64, time_ns: i64, record: &Self::Record, out: &mut Vec<Output>);
}

impl<L: crate::Library> State for crate::Partition<L> {
    type Record = telltale_bus::Record;

    fn due(&self) -> u64 {
        self.next_offset()
    }

    fn step(&mut self, offset: u64, time_ns: i64, record: &Self::Record, out: &mut Vec<Output>) {
        Self::step(self, offset, time_ns, record, out);
    }
}

/// Outputs that are sent together, with the offset that is committed with them.
#[derive(Debug, Clone, PartialEq)]
pub struct Transaction {
    /// The log was read up to here: offset of the record that is due.
    pub next_offset: u64,
    /// What came of the records since the last transaction, by record.
    pub outputs: Vec<(u64, Vec<Output>)>,
}

/// What the broker said of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It is committed.
    Committed,
    /// It is not, and the owner is still the owner.
    Aborted,
    /// No answer came, or the owner is no longer the owner.
    Unknown,
}

/// What an owner does then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// It goes on.
    GoOn,
    /// It sends the same transaction again.
    SendAgain,
    /// It drops its state; whoever owns the partition recovers.
    Recover,
}

/// Why an owner cannot begin or go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OwnerError {
    /// The snapshot is newer than what was committed.
    #[error(
        "TT-OWNER-001: the snapshot was taken at offset {snapshot}, and only {committed} is committed: the broker has lost what was sent, or this is another topic's snapshot; stop, and restore an older one"
    )]
    Beyond {
        /// Where the snapshot was taken.
        snapshot: u64,
        /// What is committed.
        committed: u64,
    },
    /// The replay gives something else than what was sent.
    #[error(
        "TT-OWNER-002: record {offset} now gives {have}, and {sent} was sent (replay_divergence)"
    )]
    Diverged {
        /// The record.
        offset: u64,
        /// What was sent of it.
        sent: String,
        /// What comes of it now.
        have: String,
    },
}

/// The owner of a partition.
#[derive(Debug)]
pub struct Owner<S> {
    state: S,
    committed: u64,
    pending: Vec<(u64, Vec<Output>)>,
}

impl<S: State> Owner<S> {
    /// An owner that goes on from a restored state, where `committed` is the offset up to
    /// which outputs were sent.
    ///
    /// # Errors
    /// [`OwnerError::Beyond`].
    pub fn begin(state: S, committed: u64) -> Result<Self, OwnerError> {
        if state.due() > committed {
            return Err(OwnerError::Beyond {
                snapshot: state.due(),
                committed,
            });
        }
        Ok(Self {
            state,
            committed,
            pending: Vec::new(),
        })
    }

    /// The state.
    pub fn state(&self) -> &S {
        &self.state
    }

    /// Is the record that is due one of which the outputs were sent?
    pub fn is_muted(&self) -> bool {
        self.state.due() < self.committed
    }

    /// Takes the record that is due. While muted, `sent` says what was sent of it.
    ///
    /// # Errors
    /// [`OwnerError::Diverged`].
    pub fn step(
        &mut self,
        time_ns: i64,
        record: &S::Record,
        sent: impl FnOnce(u64) -> Vec<String>,
    ) -> Result<(), OwnerError> {
        let offset = self.state.due();
        let muted = self.is_muted();
        let mut out = Vec::new();
        self.state.step(offset, time_ns, record, &mut out);
        if !muted {
            self.pending.push((offset, out));
            return Ok(());
        }
        let have: Vec<String> = out.iter().map(Output::identity).collect();
        let sent = sent(offset);
        if have == sent {
            return Ok(());
        }
        Err(OwnerError::Diverged {
            offset,
            sent: sent.join("; "),
            have: have.join("; "),
        })
    }

    /// What is to be sent now, if anything is.
    pub fn transaction(&self) -> Option<Transaction> {
        (!self.pending.is_empty()).then(|| Transaction {
            next_offset: self.state.due(),
            outputs: self.pending.clone(),
        })
    }

    /// The broker has answered to the last transaction.
    pub fn answered(&mut self, answer: Answer) -> After {
        match answer {
            Answer::Committed => {
                self.pending.clear();
                self.committed = self.state.due();
                After::GoOn
            }
            Answer::Aborted => After::SendAgain,
            Answer::Unknown => After::Recover,
        }
    }

    /// May a snapshot be taken: is all that was done committed?
    pub fn may_snapshot(&self) -> bool {
        self.pending.is_empty() && !self.is_muted()
    }
}

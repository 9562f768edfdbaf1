//! Which frames of a sensor were taken.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Missing ranges that are remembered for an epoch; beyond, the oldest are given up:
/// frames of them that come later are dropped as seen.
pub const MAX_MISSING: usize = 64;

/// Epochs of a sensor that are remembered: frames of older ones are dropped as seen.
pub const MAX_EPOCHS: usize = 4;

/// What becomes of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is new, and nothing is missing before it.
    Next,
    /// It is new, and these before it are missing: first and last.
    Gap(u64, u64),
    /// It was missing.
    Late,
    /// It was taken before, or its epoch is forgotten.
    Seen,
}

/// One spool of a sensor.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Epoch {
    /// The frame that comes next.
    next: u64,
    /// First and last frames of what is missing, rising.
    missing: Vec<(u64, u64)>,
}

impl Epoch {
    fn take(&mut self, seq: u64) -> Verdict {
        if seq >= self.next {
            let from = self.next;
            self.next = seq.saturating_add(1);
            if seq == from {
                return Verdict::Next;
            }
            self.missing.push((from, seq - 1));
            let over = self.missing.len().saturating_sub(MAX_MISSING);
            self.missing.drain(..over);
            return Verdict::Gap(from, seq - 1);
        }
        let Some(at) = self
            .missing
            .iter()
            .position(|(from, to)| (*from..=*to).contains(&seq))
        else {
            return Verdict::Seen;
        };
        let (from, to) = self.missing.remove(at);
        if seq < to {
            self.missing.insert(at, (seq + 1, to));
        }
        if from < seq {
            self.missing.insert(at, (from, seq - 1));
        }
        Verdict::Late
    }

    /// These frames will not come.
    fn lose(&mut self, from: u64, to: u64) {
        let mut kept = Vec::new();
        for (a, b) in std::mem::take(&mut self.missing) {
            if a < from {
                kept.push((a, b.min(from.saturating_sub(1))));
            }
            if b > to {
                kept.push((a.max(to.saturating_add(1)), b));
            }
            if b < from || a > to {
                kept.retain(|k| *k != (a, b));
                kept.push((a, b));
            }
        }
        kept.sort_unstable();
        kept.dedup();
        self.missing = kept;
        if self.next < from {
            self.missing.push((self.next, from - 1));
        }
        self.next = self.next.max(to.saturating_add(1));
    }
}

/// What was taken of a sensor.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    epochs: BTreeMap<u64, Epoch>,
    /// Epochs up to here are forgotten.
    forgotten: Option<u64>,
}

impl Taken {
    fn epoch(&mut self, epoch: u64) -> Option<&mut Epoch> {
        if self.forgotten.is_some_and(|f| epoch <= f) {
            return None;
        }
        self.epochs.entry(epoch).or_default();
        while self.epochs.len() > MAX_EPOCHS {
            self.forgotten = self.epochs.pop_first().map(|e| e.0);
        }
        self.epochs.get_mut(&epoch)
    }

    /// Takes a frame.
    pub fn take(&mut self, epoch: u64, seq: u64) -> Verdict {
        self.epoch(epoch)
            .map_or(Verdict::Seen, |known| known.take(seq))
    }

    /// These frames of an epoch were dropped before they could be delivered.
    pub fn lose(&mut self, epoch: u64, from: u64, to: u64) {
        if let Some(known) = self.epoch(epoch) {
            known.lose(from, to);
        }
    }

    /// Frames that are missing in all epochs that are remembered.
    #[must_use]
    pub fn missing(&self) -> u64 {
        let ranges = self.epochs.values().flat_map(|e| &e.missing);
        ranges.map(|(from, to)| to - from + 1).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_taken_once() {
        let mut taken = Taken::default();
        assert_eq!(taken.take(0, 0), Verdict::Next);
        assert_eq!(taken.take(0, 0), Verdict::Seen);
        assert_eq!(taken.take(0, 5), Verdict::Gap(1, 4));
        assert_eq!(taken.take(0, 3), Verdict::Late);
        assert_eq!(taken.take(0, 3), Verdict::Seen);
        assert_eq!(taken.missing(), 3);
        taken.lose(0, 1, 2);
        assert_eq!(taken.missing(), 1);
        assert_eq!(taken.take(0, 2), Verdict::Seen);
        assert_eq!(taken.take(0, 4), Verdict::Late);
        taken.lose(0, 8, 9);
        assert_eq!(taken.missing(), 2, "6 and 7");
        assert_eq!(taken.take(0, 10), Verdict::Next);
        // another spool begins at 0 again, and the old one is not forgotten at once
        assert_eq!(taken.take(1, 0), Verdict::Next);
        assert_eq!(taken.take(0, 7), Verdict::Late);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut taken = Taken::default();
        for seq in 0..1000 {
            taken.take(0, seq * 2);
        }
        assert_eq!(taken.missing(), MAX_MISSING as u64);
        assert_eq!(taken.take(0, 1), Verdict::Seen, "given up");
        for epoch in 1..10 {
            taken.take(epoch, 0);
        }
        assert_eq!(taken.take(2, 1), Verdict::Seen, "forgotten");
        assert_eq!(taken.take(9, 1), Verdict::Next);
    }

    /// Against a plain set of frames.
    #[test]
    fn it_agrees_with_a_set() {
        let mut taken = Taken::default();
        let mut set = std::collections::BTreeSet::new();
        let mut word = 7_u64;
        for _ in 0..2000 {
            word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let seq = (word >> 33) % 40;
            let verdict = taken.take(0, seq);
            assert_eq!(set.insert(seq), verdict != Verdict::Seen, "{seq}");
        }
    }
}

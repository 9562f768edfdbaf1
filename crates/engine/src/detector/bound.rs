//! What a detector's memory weighs, and what it forgets when that is too much.
//!
//! A weight is counted from what is remembered, not from what the allocator gave, so
//! that it is the same after state was put back. What is out of date weighs nothing once
//! [`Detector::tidy`] has been called.

use super::Detector;
use crate::memory::groups::GONE;
use std::sync::Arc;

/// Something that remembers, of which the oldest half can be forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder(Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    /// Keys of a `first_seen()`: of what is asked of rows, which call.
    Seen(usize, usize),
    /// Groups of windows with the same keys, of the site or of a sensor's lane.
    Groups(Option<Arc<str>>, usize),
    /// Begun matches of a sequence.
    Sequence(Option<Arc<str>>, usize),
}

/// What was forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forgotten {
    /// Ids of the rules that remembered it.
    pub rules: Vec<String>,
    /// Keys, groups, or keys of begun sequences.
    pub entries: u64,
}

/// The entries that are kept when the oldest half goes: the newer ones, by time and key.
fn newer_half<'k>(
    count: usize,
    time: impl Fn(u32) -> i64,
    key: impl Fn(u32) -> &'k [u8],
) -> Vec<bool> {
    let mut all: Vec<u32> = (0..count as u32).collect();
    all.sort_unstable_by(|a, b| (time(*a), key(*a)).cmp(&(time(*b), key(*b))));
    let mut keep = vec![true; count];
    for old in all.iter().take(count.div_ceil(2)) {
        if let Some(keep) = keep.get_mut(*old as usize) {
            *keep = false;
        }
    }
    keep
}

impl Detector {
    /// Bytes of what rules remember, by count; what is out of date may be among it.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.holders().iter().map(|h| h.1).sum()
    }

    /// All that remember, with their weights in bytes.
    #[must_use]
    pub fn holders(&self) -> Vec<(Holder, usize)> {
        let mut out = Vec::new();
        for (asked, calls) in self.seen.iter().enumerate() {
            let calls = calls.iter().enumerate();
            out.extend(calls.map(|(n, seen)| (Holder(Kind::Seen(asked, n)), seen.weight())));
        }
        let lanes = self.lanes.iter().map(|(name, lane)| (Some(name), lane));
        for (name, lane) in std::iter::once((None, &self.main)).chain(lanes) {
            for (at, keys) in lane.key_sets.iter().enumerate() {
                let windows = lane.windows.iter().filter(|w| w.1.key_set == at);
                let weight = keys.groups.weight()
                    + windows
                        .map(|w| w.1.weight(keys.groups.len()))
                        .sum::<usize>();
                out.push((Holder(Kind::Groups(name.cloned(), at)), weight));
            }
            for (at, (_, sequence)) in lane.sequences.iter().enumerate() {
                let holder = Holder(Kind::Sequence(name.cloned(), at));
                out.push((holder, sequence.weight()));
            }
        }
        out
    }

    /// Forgets all that is out of date.
    pub fn tidy(&mut self) {
        let lanes = self.lanes.values().map(|lane| lane.until);
        let now = lanes.fold(self.watermark, i64::min);
        for seen in self.seen.iter_mut().flatten() {
            seen.forget(now);
        }
        for lane in std::iter::once(&mut self.main).chain(self.lanes.values_mut()) {
            let until = lane.until;
            lane.sweep(until, |_| true);
            for (_, window) in &mut lane.windows {
                window.sweep_values(true);
            }
            for (_, sequence) in &mut lane.sequences {
                sequence.sweep(until);
            }
        }
    }

    /// Forgets the oldest half of what a holder remembers; its windows and sequences say
    /// from then on that they may have seen too little.
    pub fn forget_half(&mut self, holder: &Holder) -> Forgotten {
        let mut rules: Vec<usize> = Vec::new();
        let mut entries = 0;
        match &holder.0 {
            Kind::Seen(asked, n) => {
                rules.extend(self.engine.asked().get(*asked).map(|a| a.rule));
                let calls = self.seen.get_mut(*asked);
                if let Some(seen) = calls.and_then(|calls| calls.get_mut(*n)) {
                    let last = |g: u32| seen.entries.get(g as usize).map_or(i64::MIN, |e| e.last);
                    let keep = newer_half(seen.keys.len(), last, |g| seen.keys.key(g));
                    entries = seen.keys.len();
                    seen.keep(|group| keep.get(group as usize).copied().unwrap_or(false));
                    entries -= seen.keys.len();
                }
            }
            Kind::Groups(name, at) => {
                if let Some(lane) = self.lane_mut(name.as_ref()) {
                    let until = lane.until;
                    entries = lane.forget_groups(*at);
                    for (_, window) in lane.windows.iter_mut().filter(|w| w.1.key_set == *at) {
                        window.since = window.since.max(until);
                        rules.push(window.rule);
                    }
                }
            }
            Kind::Sequence(name, at) => {
                if let Some(lane) = self.lane_mut(name.as_ref())
                    && let Some((_, sequence)) = lane.sequences.get_mut(*at)
                {
                    let partials = &sequence.partials;
                    let last = |g| partials.of(g).map(|p| p.last).max().unwrap_or(i64::MIN);
                    let keep = newer_half(sequence.keys.len(), last, |g| sequence.keys.key(g));
                    for group in (0..sequence.keys.len() as u32).zip(&keep) {
                        if !group.1 && !sequence.partials.is_empty(group.0) {
                            sequence.partials.set(group.0, &[]);
                            entries += 1;
                        }
                    }
                    sequence.since = sequence.since.max(lane.until);
                    sequence.sweep(lane.until);
                    rules.push(sequence.rule);
                }
            }
        }
        self.counters.forgotten += entries as u64;
        let ids = self.main.rules();
        let id = |rule: &usize| ids.rules.get(*rule).map(|r| r.id.clone());
        Forgotten {
            rules: rules.iter().filter_map(id).collect(),
            entries: entries as u64,
        }
    }
}

impl super::lane::Lane {
    /// Forgets the groups of a set of keys whose last row is oldest; says how many.
    fn forget_groups(&mut self, at: usize) -> usize {
        let Some(keys) = self.key_sets.get_mut(at) else {
            return 0;
        };
        let before = keys.groups.len();
        let windows = &self.windows;
        let newest = |group: u32| {
            let of_set = windows.iter().map(|w| &w.1).filter(|w| w.key_set == at);
            of_set.map(|w| w.newest(group)).max().unwrap_or(i64::MIN)
        };
        let keep = newer_half(before, newest, |g| keys.groups.key(g));
        let remap = keys.sweep(|group| keep.get(group as usize).copied().unwrap_or(false));
        let windows = self.windows.iter_mut().map(|w| &mut w.1);
        for window in windows.filter(|w| w.key_set == at) {
            window.renumber(&remap);
        }
        before - remap.iter().filter(|to| **to != GONE).count()
    }
}

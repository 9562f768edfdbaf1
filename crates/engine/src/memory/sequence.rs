//! Sequences: steps that follow one another.
//!
//! For each key, begun matches ("partials") wait for their next row. A row extends every
//! partial that it fits, and the partial that was extended stays, because a later row may
//! fit better ("skip till any match"). A row that completes a match is a finding, of the
//! partial that began last; then all partials of the key are gone ("skip past last row").
//! Of two partials that wait for the same step, one is dropped when the other began, and
//! went on, no earlier, and conditions between steps cannot tell them apart: whatever
//! completes the one completes the other.

mod advance;
pub(crate) mod lists;
mod room;
mod steps;
pub(crate) mod taken;
mod tell;

use super::chunk::{Chunk, Found, Hit};
use super::groups::{GONE, Groups};
use super::pack::pack;
use crate::cells::Cells;
use crate::sql::calls::Crossed;
use lists::{Lists, Partial};
use room::{Expiries, goes_on};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use steps::{Place, Step};
use taken::Taken;
use telltale_rules::{Says, Sequence as Form};
use telltale_schema::ColumnDef;

/// A rule of steps with its state.
pub(crate) struct Sequence {
    pub rule: usize,
    pub within: i64,
    pub steps: Vec<Step>,
    places: Vec<Place>,
    /// May a partial be dropped for a better one?
    prunes: bool,
    pub keys: Groups,
    /// Of each key.
    pub partials: Lists,
    pub taken: Taken,
    deadlines: BinaryHeap<Reverse<(i64, u32)>>,
    /// Once keys have found no room.
    expiries: Option<Expiries>,
    /// Rows whose key found no room.
    pub refused: u64,
    /// Partials that went because their key had too many.
    pub evicted: u64,
    /// So many keys, or taken rows, make it worth looking for what is out of date.
    sweep_at: (usize, usize),
    /// Absences that a clock found: they are taken back if the row comes after all.
    pub provisional: VecDeque<(Vec<u8>, Partial)>,
    /// Sequences that began before this may lack rows: the rule was not loaded yet.
    pub since: i64,
    key: Vec<u8>,
    cells: Vec<u8>,
    /// Begun matches of the key at hand, and those that its row makes.
    open: Vec<Partial>,
    fresh: Vec<Partial>,
}

/// Fewest keys and taken rows for which a sweep is worth while.
const SWEEP: (usize, usize) = (4096, 16_384);

/// Absences found by a clock that are remembered, the oldest go: they cannot be taken back then.
const PROVISIONAL: usize = 1024;

impl Sequence {
    /// A sequence that has seen nothing; see [`steps::build`].
    pub(crate) fn new(
        rule: usize,
        form: &Form,
        with: Vec<(Vec<Crossed>, &'static [ColumnDef])>,
        named: impl Fn(&str) -> Vec<String>,
    ) -> Self {
        let steps = steps::build(form, with, named);
        let places = steps::places(&steps);
        let prunes = steps
            .iter()
            .rev()
            .skip(1)
            .all(|s| !s.absent || s.within.is_none());
        Self {
            rule,
            within: form.within_ns,
            steps,
            places,
            prunes,
            keys: Groups::default(),
            partials: Lists::default(),
            taken: Taken::default(),
            deadlines: BinaryHeap::new(),
            expiries: None,
            refused: 0,
            evicted: 0,
            sweep_at: SWEEP,
            provisional: VecDeque::new(),
            since: i64::MIN,
            key: Vec::new(),
            cells: Vec::new(),
            open: Vec::new(),
            fresh: Vec::new(),
        }
    }

    /// Rows that a match needs.
    pub(crate) fn places(&self) -> usize {
        self.places.len()
    }

    /// Bytes of its state.
    pub(crate) fn bytes(&self) -> usize {
        self.keys.bytes() + self.partials.bytes() + self.taken.bytes() + self.deadlines.len() * 16
    }

    /// Bytes of its state, by count.
    pub(crate) fn weight(&self) -> usize {
        self.keys.weight() + self.partials.weight() + self.taken.weight()
    }

    /// Takes a chunk's rows in; `hits` are rows in order, each with a bit for every step
    /// that it fits.
    pub(crate) fn run(
        &mut self,
        chunk: &Chunk,
        hits: &[(Hit, u64)],
        limits: super::Limits,
        out: &mut Vec<Found>,
    ) {
        let mut part = u32::MAX;
        let mut cells: Vec<Vec<Cells<'_>>> = Vec::new();
        let mut times: &[i64] = &[];
        for (hit, fits) in hits {
            if part != hit.0 {
                let Some(now) = chunk.parts.get(hit.0 as usize) else {
                    continue;
                };
                part = hit.0;
                times = now.times();
                let all = now.batch.batch.columns();
                cells = self
                    .steps
                    .iter()
                    .map(|s| {
                        s.by.iter()
                            .filter_map(|c| all.get(*c))
                            .map(Cells::of)
                            .collect()
                    })
                    .collect();
            }
            let time = times.get(hit.1 as usize).copied().unwrap_or(0);
            self.pass_deadlines(time, chunk, out);
            // steps with their own columns may tie the row to another key
            let mut left = *fits;
            while left != 0 {
                let step = left.trailing_zeros() as usize;
                let by = self.steps.get(step).map(|s| s.by.as_slice());
                let same = (step..self.steps.len())
                    .filter(|s| {
                        left >> s & 1 == 1 && self.steps.get(*s).map(|s| s.by.as_slice()) == by
                    })
                    .fold(0_u64, |bits, s| bits | 1 << s);
                left &= !same;
                self.key.clear();
                let Some(of_key) = cells.get(step) else {
                    continue;
                };
                let row = hit.1 as usize;
                if of_key.iter().any(|c| c.is_null(row)) {
                    continue;
                }
                for cell in of_key {
                    pack(cell, row, &mut self.key);
                }
                self.row(*hit, same, time, chunk, limits, out);
            }
        }
        self.pass_deadlines(chunk.until.min(chunk.silent), chunk, out);
        if self.keys.len() >= self.sweep_at.0 || self.taken.len() >= self.sweep_at.1 {
            self.sweep(chunk.until);
        }
    }

    /// One row of the key in `self.key` that fits the steps of the bits.
    fn row(
        &mut self,
        hit: Hit,
        fits: u64,
        time: i64,
        chunk: &Chunk,
        limits: super::Limits,
        out: &mut Vec<Found>,
    ) {
        let begins = fits & 1 == 1;
        let mut group = self.keys.find(&self.key);
        let mut open = std::mem::take(&mut self.open);
        open.clear();
        if let Some(group) = group {
            let within = self.within;
            let all = self.partials.of(group);
            open.extend(all.filter(|p| goes_on(p, time, within)));
        }
        let anew = open.is_empty();
        if anew {
            if let Some(group) = group {
                self.partials.set(group, &[]);
            }
            if !begins {
                self.open = open;
                return;
            }
            group = if self.has_room(time, limits.sequences) {
                group.or_else(|| self.keys.insert(&self.key, GONE as usize))
            } else {
                None
            };
        }
        let Some(group) = group else {
            self.refused += 1;
            self.open = open;
            return;
        };
        let mut fresh = std::mem::take(&mut self.fresh);
        for partial in &open {
            self.extend(partial, hit, fits, time, chunk, &mut fresh);
        }
        let mut gone = fits & self.absent();
        while gone != 0 {
            let step = gone.trailing_zeros() as usize;
            gone &= gone - 1;
            open.retain(|p| !self.ends(p, step, hit, time, chunk));
        }
        if begins {
            fresh.extend(self.take(None, 0, hit, time, chunk));
        }
        let last = self.places.len().saturating_sub(1);
        let waits = self.steps.last().is_some_and(|s| s.absent);
        let best = fresh
            .iter()
            .filter(|p| !waits && usize::from(p.place) == last)
            .max_by_key(|p| (p.start, p.last));
        if let Some(best) = best {
            self.complete(best, hit, group, chunk, out);
            fresh.clear();
            open.clear();
        }
        for partial in fresh.drain(..) {
            if partial.deadline != i64::MAX {
                self.deadlines.push(Reverse((partial.deadline, group)));
            }
            self.keep(&mut open, partial);
        }
        if open.len() > limits.partials.max(1) {
            let over = open.len() - limits.partials.max(1);
            self.evicted += over as u64;
            open.drain(..over);
        }
        self.partials.set(group, &open);
        if anew && !open.is_empty() {
            self.takes_room(group);
        }
        self.fresh = fresh;
        self.open = open;
    }

    fn absent(&self) -> u64 {
        let bits = self.steps.iter().enumerate();
        bits.filter(|(_, s)| s.absent)
            .fold(0, |bits, (at, _)| bits | 1 << at)
    }

    /// Partials whose absent row did not come in time are findings.
    fn pass_deadlines(&mut self, until: i64, chunk: &Chunk, out: &mut Vec<Found>) {
        while let Some(Reverse((deadline, group))) = self.deadlines.peek().copied() {
            if deadline > until {
                return;
            }
            self.deadlines.pop();
            let due = self.partials.of(group).filter(|p| p.deadline == deadline);
            let Some(partial) = due.max_by_key(|p| p.start).copied() else {
                continue;
            };
            self.partials.set(group, &[]);
            let key = self.keys.key(group).to_vec();
            self.elapse(&partial, deadline, &key, chunk, out);
            if chunk.provisional {
                if self.provisional.len() >= PROVISIONAL {
                    self.provisional.pop_front();
                }
                self.provisional.push_back((key, partial));
            }
        }
    }

    /// Rows of a sensor that was away: absences that they disprove are taken back.
    pub(crate) fn take_back(&mut self, chunk: &Chunk, hits: &[(Hit, u64)], out: &mut Vec<Found>) {
        let last = self.steps.len().saturating_sub(1);
        let Some(step) = self.steps.get(last).filter(|s| s.absent) else {
            return;
        };
        if self.provisional.is_empty() {
            return;
        }
        let by = step.by.clone();
        let mut list = std::mem::take(&mut self.provisional);
        for (hit, fits) in hits {
            let Some(part) = chunk.parts.get(hit.0 as usize) else {
                continue;
            };
            if fits >> last & 1 == 0 {
                continue;
            }
            let all = part.batch.batch.columns();
            let mut key = Vec::new();
            for column in by.iter().filter_map(|c| all.get(*c)) {
                pack(&Cells::of(column), hit.1 as usize, &mut key);
            }
            let time = chunk.time(*hit);
            list.retain(|(of, partial)| {
                let disproved = *of == key
                    && (partial.last..partial.deadline).contains(&time)
                    && self.ends(partial, last, *hit, time, chunk);
                if disproved {
                    let before = out.len();
                    self.elapse(partial, partial.deadline, of, chunk, out);
                    for found in out.iter_mut().skip(before) {
                        found.finding.says = Says::TakenBack;
                        found.finding.provisional = false;
                    }
                }
                !disproved
            });
        }
        self.provisional = list;
    }

    /// Forgets partials that cannot go on, keys without any, and rows that none took.
    pub(crate) fn sweep(&mut self, until: i64) {
        let within = self.within;
        let goes_on = |p: &&Partial| goes_on(p, until, within);
        let mut open = std::mem::take(&mut self.open);
        for group in 0..self.keys.len() as u32 {
            if self.partials.of(group).all(|p| goes_on(&p)) {
                continue;
            }
            open.clear();
            open.extend(self.partials.of(group).filter(goes_on));
            self.partials.set(group, &open);
        }
        self.open = open;
        let partials = &self.partials;
        let remap = self.keys.retain(|group| !partials.is_empty(group));
        self.partials.renumber(&remap);
        self.expiries = None;
        let provisional = self.provisional.iter().map(|(_, p)| p.taken);
        let used = self.partials.all().map(|(_, p)| p.taken).chain(provisional);
        let (taken, numbers) = self.taken.compact(used);
        let new = |old: u32| numbers.get(old as usize).copied().unwrap_or(taken::NONE);
        self.partials.each(|p| p.taken = new(p.taken));
        for (_, partial) in &mut self.provisional {
            partial.taken = new(partial.taken);
        }
        self.taken = taken;
        self.sweep_at = (
            (2 * self.keys.len()).max(SWEEP.0),
            (2 * self.taken.len()).max(SWEEP.1),
        );
        self.set_deadlines();
    }

    /// Puts the timers of partials that wait for an absence back.
    pub(crate) fn set_deadlines(&mut self) {
        let all = self.partials.all();
        self.deadlines = all
            .map(|(group, p)| Reverse((p.deadline, group)))
            .filter(|Reverse((deadline, _))| *deadline != i64::MAX)
            .collect();
    }
}

//! Sequences: steps that follow one another.
//!
//! For each key, begun matches ("partials") wait for their next row. A row extends every
//! partial that it fits, and the partial that was extended stays, because a later row may
//! fit better ("skip till any match"). A row that completes a match is a finding, of the
//! partial that began last; then all partials of the key are gone ("skip past last row").
//! Of two partials that wait for the same step, one is dropped when the other began, and
//! went on, no earlier, and conditions between steps cannot tell them apart: whatever
//! completes the one completes the other.

mod tell;

use super::chunk::{Chunk, Found, Hit};
use super::groups::{GONE, Groups};
use super::pack::{compare, cut, hash, pack, pack_any};
use crate::cells::Cells;
use crate::sql::calls::Crossed;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;
use telltale_rules::{Says, Sequence as Form};
use telltale_schema::{ColumnDef, TableId};

/// A row that a partial has taken.
#[derive(Debug)]
pub(crate) struct Taken {
    pub before: Option<Arc<Taken>>,
    pub step: u16,
    pub table: TableId,
    pub row_no: u64,
    /// The step's kept columns, packed.
    pub cells: Box<[u8]>,
}

/// A begun match.
#[derive(Debug, Clone)]
pub(crate) struct Partial {
    /// The place that its last row has taken.
    pub place: u16,
    pub start: i64,
    pub last: i64,
    /// Time of the last row of the step before its present one.
    pub anchor: i64,
    /// Time at which the absence of a row completes it.
    pub deadline: i64,
    /// What conditions of later steps can tell it by.
    pub told_by: u64,
    pub taken: Arc<Taken>,
}

/// One step, ready to run.
pub(crate) struct Step {
    pub name: String,
    pub crossed: Vec<Crossed>,
    pub by: Vec<usize>,
    pub within: Option<i64>,
    pub times: u16,
    pub optional: bool,
    pub absent: bool,
    pub columns: &'static [ColumnDef],
    /// Columns that are kept of its row.
    pub kept: Vec<usize>,
    /// Places in `kept` that conditions of later steps name.
    told_by: Vec<usize>,
}

/// Columns that are kept of each step's row, where its table has them.
const KEPT: [&str; 19] = [
    "row_no",
    "event_time",
    "site",
    "sensor",
    "segment",
    "flow_id",
    "flow_ordinal",
    "capture_file",
    "packet",
    "protocol",
    "client_ip",
    "client_mac",
    "server_ip",
    "server_mac",
    "server_station",
    "operation",
    "function",
    "object",
    "direction",
];

/// One row that a match needs.
#[derive(Debug, Clone, Copy)]
struct Place {
    step: u16,
    /// Is it the first or the last row of its step?
    first: bool,
    last: bool,
}

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
    pub partials: Vec<Vec<Partial>>,
    deadlines: BinaryHeap<Reverse<(i64, u32)>>,
    /// Rows whose key found no room.
    pub refused: u64,
    /// Partials that went because their key had too many.
    pub evicted: u64,
    sweep_at: usize,
    /// Absences that a clock found: they are taken back if the row comes after all.
    pub provisional: VecDeque<(Vec<u8>, Partial)>,
    /// Sequences that began before this may lack rows: the rule was not loaded yet.
    pub since: i64,
    key: Vec<u8>,
    fresh: Vec<Partial>,
}

const SWEEP: usize = 4096;

/// Absences found by a clock that are remembered, the oldest go: they cannot be taken back then.
const PROVISIONAL: usize = 1024;

impl Sequence {
    /// `steps` has each step's conditions on earlier ones, its key columns and the
    /// columns of its table; `named` says which columns of a step's row texts speak of.
    pub(crate) fn new(
        rule: usize,
        form: &Form,
        steps: Vec<(Vec<Crossed>, &'static [ColumnDef])>,
        named: impl Fn(&str) -> Vec<String>,
    ) -> Self {
        let mut made: Vec<Step> = Vec::new();
        for (form, (crossed, columns)) in form.steps.iter().zip(steps) {
            let position = |name: &str| columns.iter().position(|c| c.name == name);
            let mut kept: Vec<usize> = KEPT.iter().filter_map(|n| position(n)).collect();
            kept.extend(named(&form.name).iter().filter_map(|n| position(n)));
            kept.extend(form.by.iter().filter_map(|n| position(n)));
            made.push(Step {
                name: form.name.clone(),
                by: form.by.iter().filter_map(|n| position(n)).collect(),
                within: form.within_ns,
                times: form.times as u16,
                optional: form.optional,
                absent: form.absent,
                columns,
                crossed,
                kept,
                told_by: Vec::new(),
            });
        }
        let told: Vec<(usize, usize)> = made
            .iter()
            .flat_map(|s| s.crossed.iter().map(|c| (c.step, c.of_step)))
            .collect();
        for (at, step) in made.iter_mut().enumerate() {
            step.kept
                .extend(told.iter().filter(|t| t.0 == at).map(|t| t.1));
            step.kept.sort_unstable();
            step.kept.dedup();
            let of = |column: &usize| told.contains(&(at, *column));
            step.told_by = (0..step.kept.len())
                .filter(|k| step.kept.get(*k).is_some_and(of))
                .collect();
        }
        let mut places = Vec::new();
        for (at, step) in made.iter().enumerate().filter(|(_, s)| !s.absent) {
            places.extend((0..step.times).map(|n| Place {
                step: at as u16,
                first: n == 0,
                last: n + 1 == step.times,
            }));
        }
        let prunes = made
            .iter()
            .rev()
            .skip(1)
            .all(|s| !s.absent || s.within.is_none());
        Self {
            rule,
            within: form.within_ns,
            steps: made,
            places,
            prunes,
            keys: Groups::default(),
            partials: Vec::new(),
            deadlines: BinaryHeap::new(),
            refused: 0,
            evicted: 0,
            sweep_at: SWEEP,
            provisional: VecDeque::new(),
            since: i64::MIN,
            key: Vec::new(),
            fresh: Vec::new(),
        }
    }

    /// Rows that a match needs.
    pub(crate) fn places(&self) -> usize {
        self.places.len()
    }

    /// Bytes of its state; rows that several partials share are counted with each.
    pub(crate) fn bytes(&self) -> usize {
        let taken = size_of::<Taken>() + 16;
        let of = |p: &Partial| size_of::<Partial>() + taken + p.taken.cells.len();
        let lists = self.partials.capacity() * size_of::<Vec<Partial>>();
        self.keys.bytes() + lists + self.partials.iter().flatten().map(of).sum::<usize>()
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
        if self.keys.len() >= self.sweep_at {
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
        if group.is_none() {
            if !begins {
                return;
            }
            group = self.keys.touch(&self.key, limits.sequences);
            if group.is_none() {
                self.sweep(time);
                group = self.keys.touch(&self.key, limits.sequences);
            }
        }
        let Some(group) = group else {
            self.refused += 1;
            return;
        };
        if self.partials.len() <= group as usize {
            self.partials.resize_with(group as usize + 1, Vec::new);
        }
        let Some(partials) = self.partials.get_mut(group as usize) else {
            return;
        };
        let mut partials = std::mem::take(partials);
        let within = self.within;
        partials.retain(|p| p.deadline != i64::MAX || time.saturating_sub(p.start) <= within);
        let mut fresh = std::mem::take(&mut self.fresh);
        for partial in &partials {
            self.extend(partial, hit, fits, time, chunk, &mut fresh);
        }
        let mut gone = fits & self.absent();
        while gone != 0 {
            let step = gone.trailing_zeros() as usize;
            gone &= gone - 1;
            partials.retain(|p| !self.ends(p, step, hit, time, chunk));
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
            partials.clear();
        }
        for partial in fresh.drain(..) {
            if partial.deadline != i64::MAX {
                self.deadlines.push(Reverse((partial.deadline, group)));
            }
            self.keep(&mut partials, partial);
        }
        if partials.len() > limits.partials.max(1) {
            let over = partials.len() - limits.partials.max(1);
            self.evicted += over as u64;
            partials.drain(..over);
        }
        self.fresh = fresh;
        if let Some(home) = self.partials.get_mut(group as usize) {
            *home = partials;
        }
    }

    fn absent(&self) -> u64 {
        let bits = self.steps.iter().enumerate();
        bits.filter(|(_, s)| s.absent)
            .fold(0, |bits, (at, _)| bits | 1 << at)
    }

    /// Keeps a partial, unless another is as good; drops those that it makes needless.
    fn keep(&self, partials: &mut Vec<Partial>, new: Partial) {
        if self.prunes {
            let waits = new.deadline != i64::MAX;
            let covers = |a: &Partial, b: &Partial| {
                a.place == b.place
                    && a.told_by == b.told_by
                    && if waits {
                        // the earlier deadline is found first, and of those the later start
                        (a.deadline, Reverse(a.start)) <= (b.deadline, Reverse(b.start))
                    } else {
                        a.start >= b.start && a.last >= b.last && a.anchor >= b.anchor
                    }
            };
            if waits && partials.iter().any(|old| covers(old, &new)) {
                return;
            }
            partials.retain(|old| !covers(&new, old));
        }
        partials.push(new);
    }

    /// Where a partial can go with a row that fits these steps.
    fn extend(
        &self,
        partial: &Partial,
        hit: Hit,
        fits: u64,
        time: i64,
        chunk: &Chunk,
        out: &mut Vec<Partial>,
    ) {
        let from = usize::from(partial.place);
        let mut at = from + 1;
        while let Some(place) = self.places.get(at) {
            if fits >> place.step & 1 == 1 {
                out.extend(self.take(Some(partial), at, hit, time, chunk));
            }
            let optional = self
                .steps
                .get(usize::from(place.step))
                .is_some_and(|s| s.optional);
            // an optional step is left out as a whole: only before its first row
            if !optional || !place.first {
                break;
            }
            at += self
                .steps
                .get(usize::from(place.step))
                .map_or(1, |s| usize::from(s.times));
        }
    }

    /// The row as place `at`, after a partial or as the first.
    fn take(
        &self,
        partial: Option<&Partial>,
        at: usize,
        hit: Hit,
        time: i64,
        chunk: &Chunk,
    ) -> Option<Partial> {
        let place = self.places.get(at)?;
        let number = usize::from(place.step);
        let step = self.steps.get(number)?;
        let anchor = match partial {
            None => time,
            Some(p) if place.first => p.last,
            Some(p) => p.anchor,
        };
        let start = partial.map_or(time, |p| p.start);
        if time.saturating_sub(start) > self.within
            || step.within.is_some_and(|w| time.saturating_sub(anchor) > w)
        {
            return None;
        }
        if let Some(p) = partial
            && !self.crosses(&step.crossed, p, hit, chunk)
        {
            return None;
        }
        let part = chunk.parts.get(hit.0 as usize)?;
        let batch = &part.batch.batch;
        let mut cells = Vec::with_capacity(96);
        let mut told = Vec::new();
        for (k, column) in step.kept.iter().enumerate() {
            let (array, def) = (batch.columns().get(*column)?, step.columns.get(*column)?);
            let from = cells.len();
            pack_any(array, def, batch, *column, hit.1 as usize, &mut cells);
            if step.told_by.contains(&k) {
                told.extend_from_slice(cells.get(from..).unwrap_or_default());
            }
        }
        let mut told_by = partial.map_or(0, |p| p.told_by);
        if !told.is_empty() {
            told.extend(told_by.to_le_bytes());
            told_by = hash(&told);
        }
        let last_step = self.steps.len().saturating_sub(1);
        let wait = self
            .steps
            .get(last_step)
            .filter(|s| s.absent && at + 1 == self.places.len())
            .and_then(|s| s.within);
        Some(Partial {
            place: at as u16,
            start,
            last: time,
            anchor,
            deadline: wait.map_or(i64::MAX, |w| time.saturating_add(w)),
            told_by,
            taken: Arc::new(Taken {
                before: partial.map(|p| p.taken.clone()),
                step: place.step,
                table: part.batch.table,
                row_no: part.numbers().get(hit.1 as usize).copied().unwrap_or(0),
                cells: cells.into_boxed_slice(),
            }),
        })
    }

    /// Do a row's conditions on earlier steps hold? A step that was left out has no
    /// cells: as with NULL, the condition does not hold.
    fn crosses(&self, crossed: &[Crossed], partial: &Partial, hit: Hit, chunk: &Chunk) -> bool {
        crossed
            .iter()
            .all(|c| self.cross(c, partial, hit, chunk) == Some(true))
    }

    fn cross(&self, crossed: &Crossed, partial: &Partial, hit: Hit, chunk: &Chunk) -> Option<bool> {
        let mut taken = Some(&partial.taken);
        let theirs = loop {
            let now = taken?;
            if usize::from(now.step) == crossed.step {
                break now;
            }
            taken = now.before.as_ref();
        };
        let step = self.steps.get(crossed.step)?;
        let k = step.kept.iter().position(|c| *c == crossed.of_step)?;
        let mut bytes = &*theirs.cells;
        let mut cell = cut(&mut bytes)?;
        for _ in 0..k {
            cell = cut(&mut bytes)?;
        }
        let their_kind = step.columns.get(crossed.of_step)?.kind;
        let part = chunk.parts.get(hit.0 as usize)?;
        let own_kind = part.batch.table.def().columns.get(crossed.column)?.kind;
        let array = part.batch.batch.columns().get(crossed.column)?;
        let mut own = Vec::new();
        pack(&Cells::of(array), hit.1 as usize, &mut own);
        let order = compare((&own, own_kind), (cell, their_kind))?;
        Some(crossed.comparison.holds(order))
    }

    /// Does a row that fits an absent step end the partial?
    fn ends(&self, partial: &Partial, step: usize, hit: Hit, time: i64, chunk: &Chunk) -> bool {
        let (Some(place), Some(absent)) = (
            self.places.get(usize::from(partial.place)),
            self.steps.get(step),
        ) else {
            return false;
        };
        let between = usize::from(place.step) + 1..step;
        let guards = place.last
            && step > usize::from(place.step)
            && self
                .steps
                .get(between)
                .is_some_and(|all| all.iter().all(|s| s.absent || s.optional));
        guards
            && absent
                .within
                .is_none_or(|w| time.saturating_sub(partial.last) <= w)
            && self.crosses(&absent.crossed, partial, hit, chunk)
    }

    /// Partials whose absent row did not come in time are findings.
    fn pass_deadlines(&mut self, until: i64, chunk: &Chunk, out: &mut Vec<Found>) {
        while let Some(Reverse((deadline, group))) = self.deadlines.peek().copied() {
            if deadline > until {
                return;
            }
            self.deadlines.pop();
            let Some(partials) = self.partials.get_mut(group as usize) else {
                continue;
            };
            let due = partials.iter().enumerate();
            let Some(at) = due
                .filter(|(_, p)| p.deadline == deadline)
                .max_by_key(|(_, p)| p.start)
                .map(|(at, _)| at)
            else {
                continue;
            };
            let partial = partials.swap_remove(at);
            partials.clear();
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

    /// Forgets keys without partials that can go on.
    fn sweep(&mut self, until: i64) {
        let within = self.within;
        for partials in &mut self.partials {
            partials.retain(|p| p.deadline != i64::MAX || until.saturating_sub(p.start) <= within);
        }
        let partials = &self.partials;
        let remap = self
            .keys
            .retain(|group| partials.get(group as usize).is_some_and(|p| !p.is_empty()));
        let old = std::mem::take(&mut self.partials);
        for (list, to) in old.into_iter().zip(&remap) {
            if *to != GONE {
                self.partials.push(list);
            }
        }
        self.sweep_at = (2 * self.keys.len()).max(SWEEP);
        self.set_deadlines();
    }

    /// Puts the timers of partials that wait for an absence back.
    pub(crate) fn set_deadlines(&mut self) {
        let all = self.partials.iter().enumerate();
        self.deadlines = all
            .flat_map(|(group, list)| {
                list.iter()
                    .map(move |p| Reverse((p.deadline, group as u32)))
            })
            .filter(|Reverse((deadline, _))| *deadline != i64::MAX)
            .collect();
    }
}

//! Where begun matches go with a row.

use super::super::chunk::{Chunk, Hit};
use super::super::pack::{compare, cut, hash, pack, pack_any};
use super::Sequence;
use super::lists::Partial;
use super::taken::NONE;
use crate::cells::Cells;
use crate::sql::calls::Crossed;
use std::cmp::Reverse;

impl Sequence {
    /// Keeps a partial, unless another is as good; drops those that it makes needless.
    pub(super) fn keep(&self, partials: &mut Vec<Partial>, new: Partial) {
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
    pub(super) fn extend(
        &mut self,
        partial: &Partial,
        hit: Hit,
        fits: u64,
        time: i64,
        chunk: &Chunk,
        out: &mut Vec<Partial>,
    ) {
        let from = usize::from(partial.place);
        let mut at = from + 1;
        while let Some(place) = self.places.get(at).copied() {
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
    pub(super) fn take(
        &mut self,
        partial: Option<&Partial>,
        at: usize,
        hit: Hit,
        time: i64,
        chunk: &Chunk,
    ) -> Option<Partial> {
        let place = *self.places.get(at)?;
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
        let cells = &mut self.cells;
        cells.clear();
        let mut told = Vec::new();
        for (k, column) in step.kept.iter().enumerate() {
            let (array, def) = (batch.columns().get(*column)?, step.columns.get(*column)?);
            let from = cells.len();
            pack_any(array, def, batch, *column, hit.1 as usize, cells);
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
        let row_no = part.numbers().get(hit.1 as usize).copied().unwrap_or(0);
        let before = partial.map_or(NONE, |p| p.taken);
        let row = (before, place.step, part.batch.table, row_no);
        let taken = self.taken.add(row, &self.cells);
        (taken != NONE).then(|| Partial {
            place: at as u16,
            taken,
            start,
            last: time,
            anchor,
            deadline: wait.map_or(i64::MAX, |w| time.saturating_add(w)),
            told_by,
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
        let mut chain = self.taken.chain(partial.taken);
        let (_, _, mut bytes) =
            chain.find(|(_, head, _)| usize::from(head.step) == crossed.step)?;
        let step = self.steps.get(crossed.step)?;
        let k = step.kept.iter().position(|c| *c == crossed.of_step)?;
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
    pub(super) fn ends(
        &self,
        partial: &Partial,
        step: usize,
        hit: Hit,
        time: i64,
        chunk: &Chunk,
    ) -> bool {
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
}

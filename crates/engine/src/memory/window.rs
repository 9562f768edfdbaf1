//! Windows: tumbling, hopping and session.
//!
//! A rule whose HAVING can only become true with more rows fires at the row that
//! crosses, once per group and window, and gives the window's totals when it closes.
//! Any other fires when the window closes.

mod tell;

use super::chunk::{Chunk, Found, Hit};
use super::groups::GONE;
use super::keys::{KeySet, SWEEP};
use super::pack::distinct;
use super::slots::{Cell, Layout};
use crate::cells::{Cells, key_of_i64};
use crate::sql::window::{Span, Windowed};
use hashbrown::HashTable;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use telltale_rules::Says;
use telltale_schema::{ColumnDef, TableId};

/// A value of a group, and the newest pane (or session) that it was seen in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Was {
    pub hash: u64,
    pub pane: i64,
    pub group: u32,
}

impl Was {
    fn place(hash: u64, group: u32) -> u64 {
        (hash ^ u64::from(group).wrapping_mul(0x9e37_79b9_7f4a_7c15))
            .wrapping_mul(0xd6e8_feb8_6659_fd93)
            .rotate_left(32)
    }
}

/// Distinct values of all groups for one cell.
#[derive(Debug, Clone)]
pub(crate) struct Values {
    pub cell: usize,
    column: usize,
    pub table: HashTable<Was>,
    sweep_at: usize,
}

/// A windowed rule with its state.
pub(crate) struct Window {
    pub rule: usize,
    pub key_set: usize,
    pub spec: Windowed,
    tables: Vec<TableId>,
    columns: &'static [ColumnDef],
    pub layout: Layout,
    early: bool,
    /// Cells of all groups.
    pub slots: Vec<u64>,
    pub values: Vec<Values>,
    /// Windows that fired and are open: by their first pane.
    pub fired: BTreeMap<i64, Vec<u32>>,
    /// Groups with rows in a pane: for rules that fire at the close.
    pub touched: BTreeMap<i64, Vec<u32>>,
    /// Windows whose first pane is not later than this are closed.
    pub closed: i64,
    /// Time of the last row of each group, for sessions.
    pub lasts: Vec<i64>,
    deadlines: BinaryHeap<Reverse<(i64, u32)>>,
    groups: Vec<u32>,
    /// Windows that begin before this may have missed rows: the rule was not loaded yet.
    pub since: i64,
}

impl Window {
    pub(crate) fn new(
        rule: usize,
        key_set: usize,
        spec: Windowed,
        tables: Vec<TableId>,
        columns: &'static [ColumnDef],
    ) -> Self {
        let panes = match spec.span {
            Span::Panes { panes, .. } => panes as usize,
            Span::Session { .. } => 1,
        };
        let layout = Layout::new(&spec.aggregates, columns, panes);
        let early = spec
            .having
            .is_monotone(&|at| layout.rises(at), &|at| layout.falls(at));
        let values = layout.cells.iter().enumerate().filter_map(|(cell, how)| {
            let Cell::Distinct(column) = how else {
                return None;
            };
            Some(Values {
                cell,
                column: *column,
                table: HashTable::new(),
                sweep_at: SWEEP,
            })
        });
        Self {
            values: values.collect(),
            rule,
            key_set,
            spec,
            tables,
            columns,
            layout,
            early,
            slots: Vec::new(),
            fired: BTreeMap::new(),
            touched: BTreeMap::new(),
            closed: i64::MIN,
            lasts: Vec::new(),
            deadlines: BinaryHeap::new(),
            groups: Vec::new(),
            since: i64::MIN,
        }
    }

    /// How long a window needs a group after the group's last row.
    pub(crate) fn span(&self) -> i64 {
        match self.spec.span {
            Span::Panes { slide, panes } => slide.saturating_mul(panes),
            Span::Session { gap } => gap,
        }
    }

    /// Bytes of its state.
    pub(crate) fn bytes(&self) -> usize {
        let lists = self.fired.values().chain(self.touched.values());
        self.slots.capacity() * 8
            + self.lasts.capacity() * 8
            + self.deadlines.len() * 16
            + lists.map(|l| l.capacity() * 4).sum::<usize>()
            + self
                .values
                .iter()
                .map(|v| v.table.capacity() * (size_of::<Was>() + 1))
                .sum::<usize>()
    }

    /// Bytes of its state for so many groups, by count; without the groups' keys.
    pub(crate) fn weight(&self, groups: usize) -> usize {
        let values = self.values.iter().map(|v| v.table.len()).sum::<usize>();
        groups * (self.layout.stride() + 1) * 8 + values * size_of::<Was>()
    }

    /// Time up to which a group's last row is known to be, to a pane.
    pub(crate) fn newest(&self, group: u32) -> i64 {
        let newest = self.slot(group).first().copied().unwrap_or(0);
        match self.spec.span {
            _ if newest == 0 => i64::MIN,
            Span::Panes { slide, .. } => crate::cells::i64_of_key(newest).saturating_mul(slide),
            Span::Session { .. } => {
                let last = self.lasts.get(group as usize).copied();
                last.unwrap_or(i64::MIN)
            }
        }
    }

    /// Takes a chunk's rows in, in order, then time up to the chunk's end.
    pub(crate) fn run(
        &mut self,
        chunk: &Chunk,
        hits: &[Hit],
        keys: &mut KeySet,
        most: usize,
        out: &mut Vec<Found>,
    ) {
        let mut part = u32::MAX;
        let mut own: Vec<Cells<'_>> = Vec::new();
        let mut of_key: Vec<Cells<'_>> = Vec::new();
        let mut times: &[i64] = &[];
        let mut groups = std::mem::take(&mut self.groups);
        let mut left = hits;
        while let Some(first) = left.first() {
            if part != first.0 {
                let Some(now) = chunk.parts.get(first.0 as usize) else {
                    break;
                };
                part = first.0;
                times = now.times();
                let all = now.batch.batch.columns();
                own.clear();
                own.extend(
                    self.layout
                        .columns
                        .iter()
                        .filter_map(|c| all.get(*c))
                        .map(Cells::of),
                );
                of_key.clear();
                of_key.extend(
                    keys.columns
                        .iter()
                        .filter_map(|c| all.get(*c))
                        .map(Cells::of),
                );
            }
            let time = |hit: &Hit| times.get(hit.1 as usize).copied().unwrap_or(0);
            let of_part = left.iter().position(|hit| hit.0 != part);
            let of_part = left.get(..of_part.unwrap_or(left.len())).unwrap_or(left);
            let taken = match self.spec.span {
                Span::Panes { slide, .. } => {
                    let pane = time(first).div_euclid(slide);
                    let turn = (pane + 1).saturating_mul(slide);
                    self.close_panes(pane, keys, chunk, out);
                    let here = of_part.partition_point(|hit| time(hit) < turn).max(1);
                    let here = of_part.get(..here).unwrap_or(of_part);
                    keys.groups(here, &of_key, most, &mut groups);
                    for (hit, group) in here.iter().zip(&groups) {
                        if *group == GONE {
                            continue;
                        }
                        self.take(*group, pane, &own, hit.1 as usize);
                        if self.early {
                            self.fire_panes(*group, pane, *hit, keys, chunk, out);
                        }
                    }
                    here.len()
                }
                Span::Session { gap } => {
                    keys.groups(of_part, &of_key, most, &mut groups);
                    for (hit, group) in of_part.iter().zip(&groups) {
                        self.close_sessions(time(hit), gap, keys, chunk, out);
                        if *group == GONE {
                            continue;
                        }
                        let start = self.session(*group, time(hit), gap);
                        self.take(*group, start, &own, hit.1 as usize);
                        if self.early {
                            self.fire_session(*group, start, *hit, keys, chunk, out);
                        }
                    }
                    of_part.len()
                }
            };
            left = left.get(taken.max(1)..).unwrap_or_default();
        }
        self.groups = groups;
        match self.spec.span {
            Span::Panes { slide, .. } => {
                self.close_panes(chunk.until.div_euclid(slide), keys, chunk, out);
            }
            Span::Session { gap } => self.close_sessions(chunk.until, gap, keys, chunk, out),
        }
        self.sweep_values(false);
    }

    /// The first time after `now` at which a group may be out of date.
    pub(crate) fn next_close(&self, now: i64) -> i64 {
        match self.spec.span {
            Span::Panes { slide, .. } => (now.div_euclid(slide) + 1).saturating_mul(slide),
            Span::Session { .. } => now.saturating_add(1),
        }
    }

    /// Does an open window still need the group?
    pub(crate) fn needs(&self, group: u32, until: i64) -> bool {
        let Some(newest) = self.slot(group).first().filter(|n| **n != 0) else {
            return false;
        };
        match self.spec.span {
            Span::Panes { slide, panes } => {
                let newest = crate::cells::i64_of_key(*newest);
                newest.saturating_add(panes).saturating_mul(slide) > until
            }
            Span::Session { .. } => {
                let last = self.lasts.get(group as usize).copied();
                last.is_some_and(|last| last != i64::MIN)
            }
        }
    }

    /// A row into a pane or session of a group.
    #[inline]
    fn take(&mut self, group: u32, pane: i64, cells: &[Cells<'_>], row: usize) {
        let stride = self.layout.stride();
        let from = group as usize * stride;
        if self.slots.len() < from + stride {
            self.slots.resize(from + stride, 0);
        }
        let Some(slot) = self.slots.get_mut(from..from + stride) else {
            return;
        };
        let fresh = self.layout.advance(slot, pane);
        if fresh && !self.early && matches!(self.spec.span, Span::Panes { .. }) {
            self.touched.entry(pane).or_default().push(group);
        }
        self.layout.add(slot, pane, cells, row);
        let panes = self.layout.panes as i64;
        for values in &mut self.values {
            let Some(hash) = cells.get(values.column).and_then(|c| distinct(c, row)) else {
                continue;
            };
            let place = Was::place(hash, group);
            let entry = values.table.entry(
                place,
                |w| w.hash == hash && w.group == group,
                |w| Was::place(w.hash, w.group),
            );
            let mut old = None;
            match entry {
                hashbrown::hash_table::Entry::Occupied(mut known) => {
                    let known = known.get_mut();
                    if known.pane == pane {
                        continue;
                    }
                    old = (known.pane > pane - panes).then_some(known.pane);
                    known.pane = pane;
                }
                hashbrown::hash_table::Entry::Vacant(vacant) => {
                    vacant.insert(Was { hash, pane, group });
                }
            }
            if let Some(old) = old.filter(|_| panes > 1)
                && let Some(count) = slot.get_mut(self.layout.at(old) + values.cell)
            {
                *count = count.saturating_sub(1);
            }
            if let Some(count) = slot.get_mut(self.layout.at(pane) + values.cell) {
                *count += 1;
            }
        }
    }

    fn slot(&self, group: u32) -> &[u64] {
        let stride = self.layout.stride();
        let from = group as usize * stride;
        self.slots.get(from..from + stride).unwrap_or_default()
    }

    fn holds(&self, slot: &[u64], from: i64) -> bool {
        self.spec
            .having
            .holds(&|at| self.layout.number(slot, from, at))
    }

    /// The windows that the group's row at `pane` made true.
    #[inline]
    fn fire_panes(
        &mut self,
        group: u32,
        pane: i64,
        hit: Hit,
        keys: &KeySet,
        chunk: &Chunk,
        out: &mut Vec<Found>,
    ) {
        let Span::Panes { slide, panes } = self.spec.span else {
            return;
        };
        let slot = self.slot(group);
        let fired = slot.get(1).copied().unwrap_or(0);
        // later windows hold fewer rows: once one is not true, none after it is
        let mut first = pane - panes + 1;
        if fired != 0 {
            first = first.max(crate::cells::i64_of_key(fired) + 1);
        }
        let mut next = first;
        while next <= pane && self.holds(slot, next) {
            next += 1;
        }
        if next == first {
            return;
        }
        for window in first..next {
            let bounds = (window * slide, (window + panes) * slide);
            self.fire_row(group, window, bounds, hit, keys, chunk, out);
            self.fired.entry(window).or_default().push(group);
        }
        let at = group as usize * self.layout.stride() + 1;
        if let Some(fired) = self.slots.get_mut(at) {
            *fired = key_of_i64(next - 1);
        }
    }

    fn fire_session(
        &mut self,
        group: u32,
        start: i64,
        hit: Hit,
        keys: &KeySet,
        chunk: &Chunk,
        out: &mut Vec<Found>,
    ) {
        let Span::Session { gap } = self.spec.span else {
            return;
        };
        let slot = self.slot(group);
        if slot.get(1) == Some(&key_of_i64(start)) || !self.holds(slot, start) {
            return;
        }
        let end = chunk.time(hit).saturating_add(gap);
        self.fire_row(group, start, (start, end), hit, keys, chunk, out);
        let at = group as usize * self.layout.stride() + 1;
        if let Some(fired) = self.slots.get_mut(at) {
            *fired = key_of_i64(start);
        }
    }

    /// The session that a row at `time` belongs to: its start.
    fn session(&mut self, group: u32, time: i64, gap: i64) -> i64 {
        let at = group as usize;
        if self.lasts.len() <= at {
            self.lasts.resize(at + 1, i64::MIN);
        }
        let Some(last) = self.lasts.get_mut(at) else {
            return time;
        };
        let open = *last != i64::MIN;
        *last = time;
        if open {
            let key = self.slot(group).first().copied().unwrap_or(0);
            return crate::cells::i64_of_key(key);
        }
        self.deadlines
            .push(Reverse((time.saturating_add(gap), group)));
        time
    }

    /// Closes windows that end at or before the start of `pane`.
    fn close_panes(&mut self, pane: i64, keys: &KeySet, chunk: &Chunk, out: &mut Vec<Found>) {
        let Span::Panes { slide, panes } = self.spec.span else {
            return;
        };
        let last = pane.saturating_sub(panes);
        let known = chunk.silent.div_euclid(slide).saturating_sub(panes);
        while let Some(entry) = self.fired.first_entry()
            && *entry.key() <= last
        {
            let (window, groups) = entry.remove_entry();
            let bounds = (window * slide, (window + panes) * slide);
            for group in groups {
                self.close(group, window, bounds, Says::Totals, keys, chunk, out);
            }
        }
        while let Some(oldest) = self.touched.first_key_value().map(|e| *e.0) {
            let window = (oldest - panes + 1).max(self.closed.saturating_add(1));
            if window > last.min(known) {
                break;
            }
            if window > oldest {
                self.touched.remove(&oldest);
                continue;
            }
            let mut groups: Vec<u32> = self
                .touched
                .range(window..window + panes)
                .flat_map(|e| e.1.iter().copied())
                .collect();
            groups.sort_unstable();
            groups.dedup();
            let bounds = (window * slide, (window + panes) * slide);
            for group in groups {
                if self.holds(self.slot(group), window) {
                    self.close(group, window, bounds, Says::Fired, keys, chunk, out);
                }
            }
            self.closed = window;
        }
        self.closed = self.closed.max(last);
    }

    fn close_sessions(
        &mut self,
        until: i64,
        gap: i64,
        keys: &KeySet,
        chunk: &Chunk,
        out: &mut Vec<Found>,
    ) {
        while let Some(Reverse((deadline, group))) = self.deadlines.peek().copied() {
            if deadline > until {
                return;
            }
            self.deadlines.pop();
            let last = self.lasts.get(group as usize).copied().unwrap_or(i64::MIN);
            if last == i64::MIN {
                continue;
            }
            let end = last.saturating_add(gap);
            if end > deadline {
                self.deadlines.push(Reverse((end, group)));
                continue;
            }
            let slot = self.slot(group);
            let start = crate::cells::i64_of_key(slot.first().copied().unwrap_or(0));
            if self.early {
                if slot.get(1) == Some(&key_of_i64(start)) {
                    self.close(group, start, (start, end), Says::Totals, keys, chunk, out);
                }
            } else if end <= chunk.silent && self.holds(slot, start) {
                self.close(group, start, (start, end), Says::Fired, keys, chunk, out);
            }
            if let Some(last) = self.lasts.get_mut(group as usize) {
                *last = i64::MIN;
            }
            // the next session is another one, even if it begins at the same time
            if let Some(newest) = self.slots.get_mut(group as usize * self.layout.stride()) {
                *newest = 0;
            }
        }
    }

    /// Forgets distinct values that no open window counts.
    pub(crate) fn sweep_values(&mut self, all: bool) {
        let (stride, panes) = (self.layout.stride(), self.layout.panes as i64);
        for values in &mut self.values {
            if !all && values.table.len() < values.sweep_at {
                continue;
            }
            let slots = &self.slots;
            values.table.retain(|was| {
                let newest = slots.get(was.group as usize * stride).copied();
                let newest = crate::cells::i64_of_key(newest.unwrap_or(0));
                was.pane > newest.saturating_sub(panes)
            });
            values.sweep_at = (2 * values.table.len()).max(SWEEP);
        }
    }

    /// Groups have new numbers.
    pub(crate) fn renumber(&mut self, remap: &[u32]) {
        let stride = self.layout.stride();
        let to = |group: u32| remap.get(group as usize).copied().unwrap_or(GONE);
        let kept = remap.iter().filter(|t| **t != GONE).count();
        let mut slots = vec![0; kept * stride];
        for (old, new) in self.slots.chunks_exact(stride).zip(remap) {
            if let Some(slot) = slots.get_mut(*new as usize * stride..)
                && *new != GONE
                && let Some(slot) = slot.get_mut(..stride)
            {
                slot.copy_from_slice(old);
            }
        }
        self.slots = slots;
        for list in self.fired.values_mut().chain(self.touched.values_mut()) {
            list.iter_mut().for_each(|g| *g = to(*g));
            list.retain(|g| *g != GONE);
        }
        if !self.lasts.is_empty() {
            let mut lasts = vec![i64::MIN; kept];
            for (old, new) in self.lasts.iter().zip(remap) {
                if let Some(last) = lasts.get_mut(*new as usize) {
                    *last = *old;
                }
            }
            self.lasts = lasts;
        }
        self.deadlines = std::mem::take(&mut self.deadlines)
            .into_iter()
            .map(|Reverse((deadline, group))| Reverse((deadline, to(group))))
            .filter(|Reverse((_, group))| *group != GONE)
            .collect();
        for values in &mut self.values {
            let old = std::mem::take(&mut values.table);
            for was in old {
                let group = to(was.group);
                if group != GONE {
                    values.insert(Was { group, ..was });
                }
            }
        }
    }

    /// Puts the timers of open sessions back.
    pub(crate) fn set_deadlines(&mut self) {
        let Span::Session { gap } = self.spec.span else {
            return;
        };
        let open = self.lasts.iter().enumerate();
        self.deadlines = open
            .filter(|(_, last)| **last != i64::MIN)
            .map(|(group, last)| Reverse((last.saturating_add(gap), group as u32)))
            .collect();
    }
}

impl Values {
    /// Puts a value in that is not there.
    pub(crate) fn insert(&mut self, was: Was) {
        self.table
            .insert_unique(Was::place(was.hash, was.group), was, |w| {
                Was::place(w.hash, w.group)
            });
    }
}

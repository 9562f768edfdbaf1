//! Numbers of groups: what a window has counted, pane by pane.
//!
//! A group has a row of 64-bit cells: its newest pane, the newest window it fired in,
//! and for each pane a cell or two per aggregate. Panes lie in a ring, so that an old
//! one is overwritten; a group that was never touched is all zeros.

use crate::cells::{Cells, f64_of_key, i64_of_key, key_of_i64};
use crate::sql::window::{Aggregate, What};
use telltale_schema::value::Value;
use telltale_schema::{ColumnDef, ColumnKind};

/// How a cell takes a row in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cell {
    /// Counts rows.
    Rows,
    /// Counts rows in which the column (by place among those that are read) is not NULL.
    Present(usize),
    /// Counts distinct values; [`super::window`] keeps which.
    Distinct(usize),
    /// Adds whole numbers; stops at the ends of 64 bits.
    Whole(usize),
    /// Adds numbers.
    Floating(usize),
    /// Smallest sort key; [`u64::MAX`] for none.
    Least(usize),
    /// Largest sort key plus one; 0 for none.
    Most(usize),
}

/// How the value of an aggregate comes from its cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reads {
    Count(usize),
    /// Sum, rows, is the column unsigned?
    Whole(usize, usize, bool),
    Floating(usize, usize),
    WholeAverage(usize, usize),
    FloatingAverage(usize, usize),
    Least(usize, ColumnKind),
    Most(usize, ColumnKind),
}

/// The layout of a group's cells.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    /// Columns that are read.
    pub columns: Vec<usize>,
    pub cells: Vec<Cell>,
    reads: Vec<Reads>,
    pub panes: usize,
}

/// Cells before the first pane: newest pane and newest fired window, as sort keys.
pub(crate) const HEAD: usize = 2;

fn is_unsigned(kind: ColumnKind) -> bool {
    matches!(
        kind,
        ColumnKind::U8 | ColumnKind::U16 | ColumnKind::U32 | ColumnKind::U64
    )
}

impl Layout {
    pub(crate) fn new(
        aggregates: &[Aggregate],
        columns: &'static [ColumnDef],
        panes: usize,
    ) -> Self {
        let mut layout = Self {
            columns: Vec::new(),
            cells: Vec::new(),
            reads: Vec::new(),
            panes,
        };
        for aggregate in aggregates {
            let kind = aggregate
                .what
                .column()
                .and_then(|c| columns.get(c))
                .map_or(ColumnKind::U64, |d| d.kind);
            let floating = kind == ColumnKind::F64;
            let reads = match aggregate.what {
                What::Count => Reads::Count(layout.cell(Cell::Rows)),
                What::CountOf(c) => {
                    let at = layout.column(c);
                    Reads::Count(layout.cell(Cell::Present(at)))
                }
                What::Distinct(c) => {
                    let at = layout.column(c);
                    Reads::Count(layout.cell(Cell::Distinct(at)))
                }
                What::Sum(c) | What::Avg(c) => {
                    let at = layout.column(c);
                    let sum = layout.cell(if floating {
                        Cell::Floating(at)
                    } else {
                        Cell::Whole(at)
                    });
                    let rows = layout.cell(Cell::Present(at));
                    match (aggregate.what, floating) {
                        (What::Sum(_), false) => Reads::Whole(sum, rows, is_unsigned(kind)),
                        (What::Sum(_), true) => Reads::Floating(sum, rows),
                        (_, false) => Reads::WholeAverage(sum, rows),
                        (_, true) => Reads::FloatingAverage(sum, rows),
                    }
                }
                What::Min(c) => {
                    let at = layout.column(c);
                    Reads::Least(layout.cell(Cell::Least(at)), kind)
                }
                What::Max(c) => {
                    let at = layout.column(c);
                    Reads::Most(layout.cell(Cell::Most(at)), kind)
                }
            };
            layout.reads.push(reads);
        }
        layout
    }

    fn column(&mut self, column: usize) -> usize {
        let known = self.columns.iter().position(|c| *c == column);
        known.unwrap_or_else(|| {
            self.columns.push(column);
            self.columns.len() - 1
        })
    }

    fn cell(&mut self, cell: Cell) -> usize {
        let known = self.cells.iter().position(|c| *c == cell);
        known.unwrap_or_else(|| {
            self.cells.push(cell);
            self.cells.len() - 1
        })
    }

    /// Cells of one group.
    pub(crate) fn stride(&self) -> usize {
        HEAD + self.panes * self.cells.len()
    }

    /// Where a pane's cells begin in a group's.
    #[inline]
    pub(crate) fn at(&self, pane: i64) -> usize {
        if self.panes == 1 {
            return HEAD;
        }
        HEAD + pane.rem_euclid(self.panes as i64) as usize * self.cells.len()
    }

    /// Empties a pane.
    #[inline]
    fn clear(&self, slot: &mut [u64], pane: i64) {
        let at = self.at(pane);
        for (value, cell) in slot.iter_mut().skip(at).zip(&self.cells) {
            *value = if matches!(cell, Cell::Least(_)) {
                u64::MAX
            } else {
                0
            };
        }
    }

    /// Makes `pane` the group's newest; is it newly so?
    #[inline]
    pub(crate) fn advance(&self, slot: &mut [u64], pane: i64) -> bool {
        let key = key_of_i64(pane);
        let Some(newest) = slot.first_mut() else {
            return false;
        };
        if *newest == key {
            return false;
        }
        let before = i64_of_key(*newest);
        *newest = key;
        let oldest = pane - self.panes as i64;
        for empty in before.max(oldest) + 1..=pane {
            self.clear(slot, empty);
        }
        true
    }

    /// Takes a row into a pane's cells, but for distinct values.
    #[inline]
    pub(crate) fn add(&self, slot: &mut [u64], pane: i64, cells: &[Cells<'_>], row: usize) {
        let at = self.at(pane);
        for (value, cell) in slot.iter_mut().skip(at).zip(&self.cells) {
            let there = |at: usize| cells.get(at).filter(|c| !c.is_null(row));
            match *cell {
                Cell::Rows => *value += 1,
                Cell::Distinct(_) => {}
                Cell::Present(c) => *value += u64::from(there(c).is_some()),
                Cell::Whole(c) => {
                    let more = there(c).map_or(0, |c| c.whole(row));
                    *value = value.cast_signed().saturating_add(more).cast_unsigned();
                }
                Cell::Floating(c) => {
                    let more = there(c).map_or(0.0, |c| f64_of_key(c.word(row)));
                    *value = (f64::from_bits(*value) + more).to_bits();
                }
                Cell::Least(c) => {
                    *value = there(c).map_or(*value, |c| c.word(row).min(*value));
                }
                Cell::Most(c) => {
                    let key = there(c).map_or(0, |c| c.word(row).saturating_add(1));
                    *value = key.max(*value);
                }
            }
        }
    }

    /// A cell over the panes `from` and later, up to the newest.
    fn fold(&self, slot: &[u64], from: i64, cell: usize) -> u64 {
        let newest = i64_of_key(slot.first().copied().unwrap_or(0));
        let from = from.max(newest.saturating_sub(self.panes as i64 - 1));
        let of = |pane| slot.get(self.at(pane) + cell).copied().unwrap_or(0);
        let panes = (from..=newest).map(of);
        match self.cells.get(cell) {
            Some(Cell::Least(_)) => panes.min().unwrap_or(u64::MAX),
            Some(Cell::Most(_)) => panes.max().unwrap_or(0),
            Some(Cell::Floating(_)) => panes.map(f64::from_bits).sum::<f64>().to_bits(),
            Some(Cell::Whole(_)) => panes
                .map(u64::cast_signed)
                .fold(0_i64, i64::saturating_add)
                .cast_unsigned(),
            _ => panes.sum(),
        }
    }

    /// An aggregate over the panes `from` and later.
    pub(crate) fn value(&self, slot: &[u64], from: i64, aggregate: usize) -> Value {
        let cell = |at| self.fold(slot, from, at);
        let some = |rows: usize, value: fn(u64) -> Value, at: usize| {
            if cell(rows) == 0 {
                Value::Null
            } else {
                value(cell(at))
            }
        };
        match self.reads.get(aggregate) {
            None => Value::Null,
            Some(Reads::Count(at)) => Value::U64(cell(*at)),
            Some(Reads::Whole(at, rows, true)) => some(*rows, Value::U64, *at),
            Some(Reads::Whole(at, rows, false)) => {
                some(*rows, |v| Value::I64(v.cast_signed()), *at)
            }
            Some(Reads::Floating(at, rows)) => some(*rows, |v| Value::F64(f64::from_bits(v)), *at),
            Some(Reads::WholeAverage(at, rows)) => match cell(*rows) {
                0 => Value::Null,
                n => Value::F64(cell(*at).cast_signed() as f64 / n as f64),
            },
            Some(Reads::FloatingAverage(at, rows)) => match cell(*rows) {
                0 => Value::Null,
                n => Value::F64(f64::from_bits(cell(*at)) / n as f64),
            },
            Some(Reads::Least(at, kind)) => match cell(*at) {
                u64::MAX => Value::Null,
                key => super::pack::value_of_word(key, *kind),
            },
            Some(Reads::Most(at, kind)) => match cell(*at) {
                0 => Value::Null,
                key => super::pack::value_of_word(key - 1, *kind),
            },
        }
    }

    /// The same as a number; NaN for NULL.
    #[inline]
    pub(crate) fn number(&self, slot: &[u64], from: i64, aggregate: usize) -> f64 {
        if let Some(Reads::Count(at)) = self.reads.get(aggregate) {
            return self.fold(slot, from, *at) as f64;
        }
        self.value(slot, from, aggregate)
            .as_f64()
            .unwrap_or(f64::NAN)
    }

    /// Can the aggregate only rise with more rows?
    pub(crate) fn rises(&self, aggregate: usize) -> bool {
        matches!(
            self.reads.get(aggregate),
            Some(Reads::Count(_) | Reads::Most(..) | Reads::Whole(_, _, true))
        )
    }

    /// Can it only fall?
    pub(crate) fn falls(&self, aggregate: usize) -> bool {
        matches!(self.reads.get(aggregate), Some(Reads::Least(..)))
    }
}

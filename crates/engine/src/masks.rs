//! Ranges that many rules ask of one column, asked all at once.
//!
//! The ends of all ranges cut a column's values into stretches; of each stretch it is
//! known which rules it leaves possible, a bit each. A row of a state with many rules
//! looks its stretch up and is left with the rules whose ranges it fulfils.

use crate::cells::Cells;

/// Rules of a table for which there are masks, at most: sixteen words.
const RULES: usize = 1024;
/// Words of a mask.
pub(crate) const WORDS: usize = RULES / 64;
/// Rules of a state, and ranges of a column, that are asked one by one.
const FEW: usize = 8;
/// Columns, at most.
const COLUMNS: usize = 2;
/// Stretches below this are found without a search.
const DIRECT: u64 = 4096;

/// A range that a rule asks of a column, by the column's slot.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    pub rule: usize,
    pub slot: usize,
    pub low: u64,
    pub span: u64,
    pub inside: bool,
    /// Does NULL pass?
    pub null: bool,
}

impl Asked {
    fn passes(&self, word: u64) -> bool {
        (word.wrapping_sub(self.low) <= self.span) == self.inside
    }
}

#[derive(Debug)]
struct Column {
    slot: usize,
    /// First value of each stretch but the first, which begins at 0.
    starts: Vec<u64>,
    /// Stretch of each small value.
    direct: Vec<u16>,
    /// Rules of each stretch.
    masks: Vec<u64>,
    null: Vec<u64>,
}

/// Masks of one table's rules.
#[derive(Debug, Default)]
pub(crate) struct Masks {
    words: usize,
    columns: Vec<Column>,
    /// Of each state where its rules begin in `rules`, if it has many.
    states: Vec<Option<u32>>,
    rules: Vec<u64>,
}

fn all(words: usize) -> Vec<u64> {
    vec![u64::MAX; words]
}

fn clear(mask: &mut [u64], rule: usize) {
    if let Some(word) = mask.get_mut(rule >> 6) {
        *word &= !(1 << (rule & 63));
    }
}

impl Column {
    fn new(slot: usize, asked: &[Asked], words: usize) -> Self {
        let mut starts: Vec<u64> = asked
            .iter()
            .flat_map(|a| [Some(a.low), a.low.wrapping_add(a.span).checked_add(1)])
            .flatten()
            .filter(|start| *start > 0)
            .collect();
        starts.sort_unstable();
        starts.dedup();
        let mut masks = Vec::with_capacity((starts.len() + 1) * words);
        for first in std::iter::once(0).chain(starts.iter().copied()) {
            let mut mask = all(words);
            for one in asked.iter().filter(|a| !a.passes(first)) {
                clear(&mut mask, one.rule);
            }
            masks.extend(mask);
        }
        let mut null = all(words);
        for one in asked.iter().filter(|a| !a.null) {
            clear(&mut null, one.rule);
        }
        let mut column = Self {
            slot,
            starts,
            direct: Vec::new(),
            masks,
            null,
        };
        let last = column.starts.last().copied().unwrap_or(0);
        if last < DIRECT {
            let found = (0..=last).map(|v| column.search(v) as u16);
            column.direct = found.collect();
        }
        column
    }

    fn search(&self, word: u64) -> usize {
        self.starts.partition_point(|start| *start <= word)
    }

    #[inline]
    fn mask(&self, cells: &Cells<'_>, row: usize, words: usize) -> &[u64] {
        if cells.is_null(row) {
            return &self.null;
        }
        let word = cells.word(row);
        let at = if self.direct.is_empty() {
            self.search(word)
        } else {
            let known = usize::try_from(word).ok().and_then(|w| self.direct.get(w));
            // beyond the last end all values are alike
            known.map_or(self.starts.len(), |at| usize::from(*at))
        };
        self.masks
            .get(at * words..(at + 1) * words)
            .unwrap_or_default()
    }
}

impl Masks {
    /// For `count` rules and the rules of each state; `asked` are the ranges that the
    /// index leaves.
    pub(crate) fn build<'r>(
        count: usize,
        asked: &[Asked],
        states: impl Iterator<Item = &'r [u32]>,
    ) -> Self {
        let mut slots: Vec<(usize, usize)> = Vec::new();
        for one in asked {
            match slots.iter_mut().find(|s| s.1 == one.slot) {
                Some(known) => known.0 += 1,
                None => slots.push((1, one.slot)),
            }
        }
        slots.retain(|s| s.0 > FEW);
        slots.sort_unstable_by_key(|s| std::cmp::Reverse(*s));
        if count > RULES || slots.is_empty() {
            return Self::default();
        }
        let words = count.div_ceil(64);
        let mut masks = Self {
            words,
            ..Self::default()
        };
        for (_, slot) in slots.into_iter().take(COLUMNS) {
            let of: Vec<Asked> = asked.iter().filter(|a| a.slot == slot).copied().collect();
            masks.columns.push(Column::new(slot, &of, words));
        }
        for rules in states {
            if rules.len() <= FEW {
                masks.states.push(None);
                continue;
            }
            let from = masks.rules.len();
            masks.states.push(u32::try_from(from).ok());
            masks.rules.resize(from + words, 0);
            for rule in rules {
                let word = masks.rules.get_mut(from + (*rule as usize >> 6));
                if let Some(word) = word {
                    *word |= 1 << (rule & 63);
                }
            }
        }
        masks
    }

    /// Are the ranges of this column asked here, of states with many rules?
    pub(crate) fn decides(&self, slot: usize) -> bool {
        self.columns.iter().any(|c| c.slot == slot)
    }

    /// The rules of a state that the row's values leave; `None` where the state has few.
    #[inline]
    pub(crate) fn left<'m>(
        &self,
        state: u32,
        cells: &[Cells<'_>],
        row: usize,
        mask: &'m mut [u64; WORDS],
    ) -> Option<&'m [u64]> {
        let from = (*self.states.get(state as usize)?)? as usize;
        let rules = self.rules.get(from..from + self.words)?;
        let mask = mask.get_mut(..self.words)?;
        mask.copy_from_slice(rules);
        for column in &self.columns {
            let Some(cells) = cells.get(column.slot) else {
                continue;
            };
            let of_value = column.mask(cells, row, self.words);
            for (word, other) in mask.iter_mut().zip(of_value) {
                *word &= other;
            }
        }
        Some(mask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{ArrayRef, UInt64Array};
    use proptest::prelude::*;
    use std::sync::Arc;

    fn asked() -> impl Strategy<Value = (u64, u64, bool, bool)> {
        let value = prop_oneof![
            0..40_u64,
            Just(u64::MAX),
            Just(u64::MAX - 1),
            4090..4100_u64
        ];
        (value.clone(), value, any::<bool>(), any::<bool>())
            .prop_map(|(a, b, inside, null)| (a.min(b), a.max(b) - a.min(b), inside, null))
    }

    proptest! {
        /// What is left is what asking one by one leaves.
        #[test]
        fn leave_what_asking_leaves(
            ranges in prop::collection::vec(asked(), 9..150),
            values in prop::collection::vec(prop::option::of(prop_oneof![0..42_u64, Just(u64::MAX), 4080..4110_u64]), 1..20),
        ) {
            let asked: Vec<Asked> = ranges
                .iter()
                .enumerate()
                .map(|(rule, (low, span, inside, null))| Asked {
                    rule, slot: 0, low: *low, span: *span, inside: *inside, null: *null,
                })
                .collect();
            let every: Vec<u32> = (0..ranges.len() as u32).collect();
            let masks = Masks::build(ranges.len(), &asked, [&[][..], &every].into_iter());
            let array: ArrayRef = Arc::new(UInt64Array::from(values.clone()));
            let cells = [Cells::of(&array)];
            let mut mask = [0; WORDS];
            for (row, value) in values.iter().enumerate() {
                prop_assert!(masks.left(0, &cells, row, &mut mask).is_none());
                let left = masks.left(1, &cells, row, &mut mask).unwrap();
                let left: Vec<usize> = (0..ranges.len()).filter(|r| left[r >> 6] >> (r & 63) & 1 == 1).collect();
                let wanted: Vec<usize> = asked
                    .iter()
                    .filter(|a| value.map_or(a.null, |v| a.passes(v)))
                    .map(|a| a.rule)
                    .collect();
                prop_assert_eq!(left, wanted);
            }
        }
    }
}

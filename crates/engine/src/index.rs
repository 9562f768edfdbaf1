//! Rules by what they demand to be equal.
//!
//! Each indexed column sorts its values into classes: values that all rules treat
//! alike are one class. A row walks over the columns from state to state; a state
//! stands for the set of rules that are still possible, and equal sets are one
//! state. State 0 is the empty set: the row is dropped. So a row meets only rules
//! whose equality conditions it fulfils, however many rules there are.

use crate::cells::{Cells, Kind, Values, kind};
use crate::set::Set;
use crate::test::CellTest;
use arrow_array::RecordBatch;
use arrow_schema::DataType;
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// Columns that an index has at most.
const COLUMNS: usize = 12;
/// Entries of one column's transitions at most; a column that needs more is left
/// to the conditions that run row by row.
const TRANSITIONS: usize = 1 << 18;
/// States at most.
const STATES: usize = 1 << 15;

/// A set of rules.
type Rules = Box<[u64]>;

/// Which class a value is of.
#[derive(Debug)]
enum Classes {
    /// Eight bits.
    Byte(Box<[u16; 256]>),
    /// Sixteen bits, up to a greatest value of interest.
    Short {
        of: Vec<u16>,
        rest: u16,
    },
    Word {
        of: FxHashMap<u64, u16>,
        rest: u16,
    },
    Wide {
        of: FxHashMap<u128, u16>,
        rest: u16,
    },
    Text {
        of: FxHashMap<Arc<str>, u16>,
        rest: u16,
    },
}

/// One column of the index.
#[derive(Debug)]
struct Stage {
    column: usize,
    classes: Classes,
    null: u16,
    width: usize,
    /// State and class to state.
    next: Vec<u32>,
    /// Where all classes lead, for states that do not care.
    uniform: Vec<Option<u32>>,
}

/// The index of one table's rules.
#[derive(Debug, Default)]
pub(crate) struct Index {
    stages: Vec<Stage>,
    /// Rules of each final state, as a part of `rules`.
    states: Vec<(u32, u32)>,
    rules: Vec<u32>,
}

/// Rows that are left, with the rules that are possible for them.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    pub(crate) rows: Vec<u32>,
    states: Vec<u32>,
}

fn has(rules: &[u64], at: usize) -> bool {
    rules.get(at >> 6).is_some_and(|w| w >> (at & 63) & 1 == 1)
}

fn put(rules: &mut [u64], at: usize) {
    if let Some(word) = rules.get_mut(at >> 6) {
        *word |= 1 << (at & 63);
    }
}

fn all_of(count: usize) -> Rules {
    let mut rules = vec![0; count.div_ceil(64)].into_boxed_slice();
    (0..count).for_each(|r| put(&mut rules, r));
    rules
}

/// Numbers for sets; the empty set is 0.
struct Numbers {
    of: FxHashMap<Rules, u32>,
    sets: Vec<Rules>,
}

impl Numbers {
    fn new(count: usize) -> Self {
        let empty: Rules = vec![0; count.div_ceil(64)].into_boxed_slice();
        Self {
            of: [(empty.clone(), 0)].into_iter().collect(),
            sets: vec![empty],
        }
    }

    fn number(&mut self, set: Rules) -> u32 {
        let next = u32::try_from(self.sets.len()).unwrap_or(u32::MAX);
        *self.of.entry(set).or_insert_with_key(|set| {
            self.sets.push(set.clone());
            next
        })
    }
}

/// Distinct classes while they are found.
struct ClassMaker<'t> {
    tests: &'t [(usize, &'t CellTest)],
    count: usize,
    accepts: Vec<Rules>,
    of: FxHashMap<Rules, u16>,
}

impl ClassMaker<'_> {
    /// The class of what passes these tests; `None` if there are too many classes.
    fn class(&mut self, passes: impl Fn(&CellTest) -> bool) -> Option<u16> {
        let mut set = all_of(self.count);
        for (rule, test) in self.tests {
            if !passes(test)
                && let Some(word) = set.get_mut(rule >> 6)
            {
                *word &= !(1 << (rule & 63));
            }
        }
        if let Some(known) = self.of.get(&set) {
            return Some(*known);
        }
        let next = u16::try_from(self.accepts.len()).ok()?;
        self.accepts.push(set.clone());
        self.of.insert(set, next);
        Some(next)
    }
}

/// The values that a test names.
fn words(set: &Set) -> Vec<u64> {
    match set {
        Set::Words { values, .. } => values.clone(),
        Set::Range { low, high, .. } if low == high => vec![*low],
        _ => Vec::new(),
    }
}

fn wides(set: &Set) -> Vec<u128> {
    match set {
        Set::Wides { values, .. } => values.clone(),
        Set::Wide { low, high, .. } if low == high => vec![*low],
        _ => Vec::new(),
    }
}

/// Is a test of this column decided by the index?
pub(crate) fn is_indexed(data_type: &DataType, test: &CellTest) -> bool {
    match data_type {
        DataType::UInt8 => true,
        DataType::UInt16 => matches!(test.set, Set::Bits { .. } | Set::Every(_)),
        _ => matches!(test.set, Set::Every(_)) || test.set.is_pointed(),
    }
}

fn classes(data_type: &DataType, make: &mut ClassMaker<'_>) -> Option<(Classes, u16)> {
    let tests = make.tests;
    let classes = match (data_type, kind(data_type)) {
        (DataType::UInt8, _) => {
            let mut of = Box::new([0_u16; 256]);
            for (value, slot) in (0..).zip(of.iter_mut()) {
                *slot = make.class(|t| t.set.has_word(value))?;
            }
            Classes::Byte(of)
        }
        (DataType::UInt16, _) => {
            let rest = make.class(|t| t.set.has_word(u64::MAX))?;
            let bits = |t: &CellTest| match &t.set {
                Set::Bits { bits, rest } => (bits.clone(), *rest),
                _ => (Vec::new(), t.set.has_word(u64::MAX)),
            };
            let sets: Vec<_> = tests.iter().map(|(_, t)| bits(t)).collect();
            let length = sets.iter().map(|(b, _)| b.len()).max().unwrap_or(0);
            let mut of = Vec::with_capacity(length * 64);
            for word in 0..length {
                let plain = sets.iter().all(|(bits, rest)| {
                    bits.get(word)
                        .is_none_or(|w| *w == if *rest { u64::MAX } else { 0 })
                });
                for bit in 0..64 {
                    let value = (word * 64 + bit) as u64;
                    of.push(if plain {
                        rest
                    } else {
                        make.class(|t| t.set.has_word(value))?
                    });
                }
            }
            Classes::Short { of, rest }
        }
        (_, Kind::Word) => {
            let mut of = FxHashMap::default();
            for value in tests.iter().flat_map(|(_, t)| words(&t.set)) {
                of.insert(value, make.class(|t| t.set.has_word(value))?);
            }
            // a value that no test names
            let rest = make.class(|t| matches!(t.set, Set::Every(true)))?;
            Classes::Word { of, rest }
        }
        (_, Kind::Wide) => {
            let mut of = FxHashMap::default();
            for value in tests.iter().flat_map(|(_, t)| wides(&t.set)) {
                of.insert(value, make.class(|t| t.set.has_wide(value))?);
            }
            let rest = make.class(|t| matches!(t.set, Set::Every(true)))?;
            Classes::Wide { of, rest }
        }
        (_, Kind::Text) => {
            let mut of = FxHashMap::default();
            for (_, test) in tests {
                if let Set::Texts { values, .. } = &test.set {
                    for value in values {
                        of.insert(value.clone(), make.class(|t| t.set.has_text(value))?);
                    }
                }
            }
            let rest = make.class(|t| matches!(t.set, Set::Every(true)))?;
            Classes::Text { of, rest }
        }
        (_, Kind::Other) => return None,
    };
    let null = make.class(|t| t.null)?;
    Some((classes, null))
}

/// Columns worth indexing, best first.
fn order(rules: &[Vec<CellTest>], types: &[DataType]) -> Vec<usize> {
    let mut uses: Vec<(bool, usize, usize)> = Vec::new();
    for (column, data_type) in types.iter().enumerate() {
        let pointed = rules
            .iter()
            .flatten()
            .filter(|t| t.column == column && is_indexed(data_type, t))
            .filter(|t| t.set.is_pointed())
            .count();
        let direct = matches!(data_type, DataType::UInt8 | DataType::UInt16);
        if pointed >= if direct { 2 } else { 4 } {
            uses.push((!direct, usize::MAX - pointed, column));
        }
    }
    uses.sort_unstable();
    uses.into_iter().map(|u| u.2).take(COLUMNS).collect()
}

impl Index {
    /// An index over rules, each with at most one indexed test a column; and the
    /// columns that it decides.
    pub(crate) fn build(rules: &[Vec<CellTest>], types: &[DataType]) -> (Self, Vec<usize>) {
        let count = rules.len();
        let mut states = vec![Numbers::new(count).sets.remove(0), all_of(count)];
        let mut stages = Vec::new();
        let mut decided = Vec::new();
        for column in order(rules, types) {
            let Some(data_type) = types.get(column) else {
                continue;
            };
            let tests: Vec<(usize, &CellTest)> = rules
                .iter()
                .enumerate()
                .flat_map(|(r, tests)| tests.iter().map(move |t| (r, t)))
                .filter(|(_, t)| t.column == column && is_indexed(data_type, t))
                .collect();
            let mut make = ClassMaker {
                tests: &tests,
                count,
                accepts: Vec::new(),
                of: FxHashMap::default(),
            };
            let Some((classes, null)) = classes(data_type, &mut make) else {
                continue;
            };
            let width = make.accepts.len();
            if states.len().saturating_mul(width) > TRANSITIONS {
                continue;
            }
            let mut numbers = Numbers::new(count);
            let mut next = Vec::with_capacity(states.len() * width);
            for state in &states {
                for accepts in &make.accepts {
                    let both = state.iter().zip(accepts).map(|(a, b)| a & b).collect();
                    next.push(numbers.number(both));
                }
            }
            if numbers.sets.len() > STATES {
                continue;
            }
            let uniform = next
                .chunks(width)
                .map(|row| {
                    let first = row.first().copied();
                    first.filter(|f| row.iter().all(|n| n == f))
                })
                .collect();
            stages.push(Stage {
                column,
                classes,
                null,
                width,
                next,
                uniform,
            });
            decided.push(column);
            states = numbers.sets;
        }
        let mut index = Self {
            stages,
            ..Self::default()
        };
        for state in &states {
            let from = index.rules.len() as u32;
            index
                .rules
                .extend((0..count).filter(|r| has(state, *r)).map(|r| r as u32));
            index.states.push((from, index.rules.len() as u32));
        }
        (index, decided)
    }

    /// How many states and columns it has.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.states.len(), self.stages.len())
    }

    /// Rows of a batch for which any rule is possible.
    pub(crate) fn walk(&self, batch: &RecordBatch, walk: &mut Walk) {
        let rows = batch.num_rows();
        walk.rows.clear();
        walk.states.clear();
        walk.rows.extend(0..rows as u32);
        // state 1 of the first column is the set of all rules
        walk.states.resize(rows, 1);
        for stage in &self.stages {
            stage.step(&Cells::of(batch.column(stage.column)), walk);
            if walk.rows.is_empty() {
                break;
            }
        }
    }

    /// Rules of each state.
    pub(crate) fn lists(&self) -> impl Iterator<Item = &[u32]> {
        self.states.iter().map(|(from, to)| {
            let rules = self.rules.get(*from as usize..*to as usize);
            rules.unwrap_or_default()
        })
    }

    /// Calls `meet(row, state, rules)` for each row that is left.
    pub(crate) fn meet(&self, walk: &Walk, mut meet: impl FnMut(usize, u32, &[u32])) {
        for (row, state) in walk.rows.iter().zip(&walk.states) {
            let rules = self
                .states
                .get(*state as usize)
                .and_then(|(from, to)| self.rules.get(*from as usize..*to as usize));
            if let Some(rules) = rules {
                meet(*row as usize, *state, rules);
            }
        }
    }
}

impl Stage {
    fn step(&self, cells: &Cells<'_>, walk: &mut Walk) {
        match (&self.classes, &cells.values) {
            (Classes::Byte(of), Values::U8(values)) => self.dense(cells, walk, |row| {
                values.get(row).map_or(0, |v| of[usize::from(*v)])
            }),
            (Classes::Short { of, rest }, Values::U16(values)) => {
                self.dense(cells, walk, |row| {
                    let value = values.get(row).copied().unwrap_or_default();
                    of.get(usize::from(value)).copied().unwrap_or(*rest)
                });
            }
            (Classes::Word { of, rest }, _) => self.sparse(cells, walk, |row| {
                of.get(&cells.word(row)).copied().unwrap_or(*rest)
            }),
            (Classes::Wide { of, rest }, _) => self.sparse(cells, walk, |row| {
                of.get(&cells.wide(row)).copied().unwrap_or(*rest)
            }),
            (Classes::Text { of, rest }, _) => self.sparse(cells, walk, |row| {
                of.get(cells.text(row)).copied().unwrap_or(*rest)
            }),
            // a batch of another schema has no rows for these rules
            (Classes::Byte(_) | Classes::Short { .. }, _) => walk.clear(),
        }
    }

    /// A look-up that costs less than asking whether it is needed.
    fn dense(&self, cells: &Cells<'_>, walk: &mut Walk, class: impl Fn(usize) -> u16) {
        match cells.nulls {
            None => walk.advance(|row, state| self.next(state, class(row))),
            Some(nulls) => walk.advance(|row, state| {
                let class = if nulls.is_null(row) {
                    self.null
                } else {
                    class(row)
                };
                self.next(state, class)
            }),
        }
    }

    fn sparse(&self, cells: &Cells<'_>, walk: &mut Walk, class: impl Fn(usize) -> u16) {
        walk.advance(|row, state| {
            if let Some(Some(next)) = self.uniform.get(state as usize) {
                return *next;
            }
            let class = if cells.is_null(row) {
                self.null
            } else {
                class(row)
            };
            self.next(state, class)
        });
    }

    #[inline]
    fn next(&self, state: u32, class: u16) -> u32 {
        self.next
            .get(state as usize * self.width + usize::from(class))
            .copied()
            .unwrap_or(0)
    }
}

impl Walk {
    fn clear(&mut self) {
        self.rows.clear();
        self.states.clear();
    }

    /// Moves all rows on and drops those that no rule wants.
    #[inline]
    fn advance(&mut self, mut next: impl FnMut(usize, u32) -> u32) {
        let count = self.rows.len().min(self.states.len());
        let (rows, states) = (&mut self.rows[..count], &mut self.states[..count]);
        let mut kept = 0;
        for at in 0..count {
            let row = rows[at];
            let state = next(row as usize, states[at]);
            // `kept` never passes `at`
            rows[kept] = row;
            states[kept] = state;
            kept += usize::from(state != 0);
        }
        self.rows.truncate(kept);
        self.states.truncate(kept);
    }
}

//! The rules of one table, ready to run.

use crate::atom::Atom;
use crate::cells::Cells;
use crate::index::{Index, Walk, is_indexed};
use crate::look::{Answers, Look};
use crate::masks::{Asked, Masks, WORDS};
use crate::quick::{self, How, Quick};
use crate::set::Set;
use crate::slow::Slow;
use crate::test::{CellTest, Test, Tree};
use arrow_array::RecordBatch;
use arrow_schema::DataType;
use std::collections::BTreeMap;

/// A rule of the table.
#[derive(Debug)]
struct Runs {
    /// Its index in the rule set.
    rule: usize,
    /// All its conjuncts, in the order in which people read them.
    atoms: Vec<usize>,
    /// Columns of which the index decides what it asks of them.
    indexed: Vec<usize>,
}

/// What the index leaves of a rule to be asked of a row: small, because a row meets
/// several rules.
#[derive(Debug, Clone, Copy, Default)]
struct Rest {
    /// Part of `tests`.
    tests: (u32, u32),
    /// Part of `trees`.
    trees: (u32, u32),
    /// Part of `asks`.
    asks: (u32, u32),
    rule: u32,
    /// Has it conjuncts that DataFusion evaluates?
    slow: bool,
}

/// A test of one cell, over a column that is at hand.
#[derive(Debug)]
struct Residual {
    slot: u16,
    null: bool,
    test: Form,
}

/// The frequent test, and all others by their place.
#[derive(Debug)]
enum Form {
    Range { low: u64, span: u64, inside: bool },
    Other(u32),
}

impl Residual {
    #[inline]
    fn passes(&self, cells: &[Cells<'_>], others: &[CellTest], row: usize) -> bool {
        let Some(cells) = cells.get(usize::from(self.slot)) else {
            return false;
        };
        if cells.is_null(row) {
            return self.null;
        }
        match self.test {
            Form::Range { low, span, inside } => {
                (cells.word(row).wrapping_sub(low) <= span) == inside
            }
            Form::Other(at) => others
                .get(at as usize)
                .is_some_and(|test| test.passes(cells, row)),
        }
    }
}

/// A conjunct that DataFusion evaluates, once a batch for all rules that share it.
#[derive(Debug)]
struct Shared {
    atom: usize,
    rules: Vec<u32>,
}

/// The rules of one table.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) atoms: Vec<Atom>,
    known: BTreeMap<String, usize>,
    rules: Vec<Runs>,
    index: Index,
    /// Of each of `rules`.
    rests: Vec<Rest>,
    /// Of each of `rules`: what is left of it by the index, and by the masks too.
    quick: Vec<(Quick, Quick)>,
    masks: Masks,
    /// Slots of the columns that quick rules read.
    quick_slots: Vec<usize>,
    tests: Vec<Residual>,
    others: Vec<CellTest>,
    trees: Vec<Tree>,
    /// Which of `looks` are asked.
    asks: Vec<usize>,
    /// Distinct look-ups, with the answers that are known.
    looks: Vec<(usize, Look, Answers)>,
    /// Columns that tests, trees and look-ups read.
    columns: Vec<usize>,
    /// Where each column of the table is in `columns`.
    slots: Vec<Option<usize>>,
    shared: Vec<Shared>,
    scratch: Scratch,
    /// Rows on which an expression failed.
    pub(crate) failed: u64,
}

/// Memory that is used again for each batch.
#[derive(Debug, Default)]
struct Scratch {
    walk: Walk,
    /// Rows of each rule that wait for a shared conjunct.
    waiting: Vec<Vec<u32>>,
    asked: Vec<u64>,
    passed: Vec<u64>,
    rows: Vec<u32>,
}

fn set(bits: &mut [u64], at: u32) {
    if let Some(word) = bits.get_mut((at >> 6) as usize) {
        *word |= 1 << (at & 63);
    }
}

fn has(bits: &[u64], at: u32) -> bool {
    bits.get((at >> 6) as usize)
        .is_some_and(|w| w >> (at & 63) & 1 == 1)
}

fn part<T>(all: &[T], (from, to): (u32, u32)) -> &[T] {
    all.get(from as usize..to as usize).unwrap_or_default()
}

/// Where a column is among those that are read.
fn slot(columns: &mut Vec<usize>, column: usize) -> usize {
    columns
        .iter()
        .position(|c| *c == column)
        .unwrap_or_else(|| {
            columns.push(column);
            columns.len() - 1
        })
}

impl Plan {
    /// Adds a rule; equal conjuncts of several rules are one.
    pub(crate) fn add(&mut self, rule: usize, atoms: &[Atom]) {
        let mut at: Vec<usize> = atoms
            .iter()
            .map(|atom| {
                *self.known.entry(atom.key.clone()).or_insert_with(|| {
                    self.atoms.push(atom.clone());
                    self.atoms.len() - 1
                })
            })
            .collect();
        at.sort_by_key(|a| self.atoms.get(*a).map(|a| a.test.cost()));
        at.dedup();
        self.rules.push(Runs {
            rule,
            atoms: at,
            indexed: Vec::new(),
        });
    }

    /// Indexes the rules, once all are added.
    pub(crate) fn finish(&mut self, types: &[DataType]) {
        let cell_tests: Vec<Vec<CellTest>> = self
            .rules
            .iter()
            .map(|runs| self.cell_tests(runs))
            .collect();
        let (index, decided) = Index::build(&cell_tests, types);
        self.index = index;
        let mut shared: BTreeMap<usize, Vec<u32>> = BTreeMap::new();
        for (n, (runs, tests)) in self.rules.iter_mut().zip(cell_tests).enumerate() {
            let mut rest = Rest {
                rule: runs.rule as u32,
                ..Rest::default()
            };
            let from = self.tests.len() as u32;
            for test in tests {
                let by_index = decided.contains(&test.column)
                    && types.get(test.column).is_some_and(|t| is_indexed(t, &test));
                if by_index {
                    runs.indexed.push(test.column);
                    continue;
                }
                let slot = slot(&mut self.columns, test.column);
                let form = match test.set {
                    Set::Range { low, high, inside } => Form::Range {
                        low,
                        span: high.wrapping_sub(low),
                        inside,
                    },
                    _ => {
                        self.others.push(test.clone());
                        Form::Other(self.others.len() as u32 - 1)
                    }
                };
                self.tests.push(Residual {
                    slot: slot as u16,
                    null: test.null,
                    test: form,
                });
            }
            rest.tests = (from, self.tests.len() as u32);
            let from = self.trees.len() as u32;
            let from_asks = self.asks.len() as u32;
            for at in &runs.atoms {
                match self.atoms.get(*at).map(|a| &a.test) {
                    Some(Test::Expr { .. }) => {
                        shared.entry(*at).or_default().push(n as u32);
                        rest.slow = true;
                    }
                    Some(Test::Tree(tree)) => {
                        for column in tree.columns() {
                            slot(&mut self.columns, column);
                        }
                        self.trees.push(tree.clone());
                    }
                    Some(Test::Look(look)) => {
                        for column in look.reads() {
                            slot(&mut self.columns, column);
                        }
                        let known = self.looks.iter().position(|(atom, ..)| atom == at);
                        self.asks.push(known.unwrap_or_else(|| {
                            self.looks.push((*at, look.clone(), Answers::default()));
                            self.looks.len() - 1
                        }));
                    }
                    _ => {}
                }
            }
            rest.trees = (from, self.trees.len() as u32);
            rest.asks = (from_asks, self.asks.len() as u32);
            self.rests.push(rest);
        }
        let asked = self.asked();
        self.masks = Masks::build(self.rests.len(), &asked, self.index.lists());
        self.quick = (0..self.rests.len())
            .map(|n| (self.quick(n, false), self.quick(n, true)))
            .collect();
        self.slots = (0..types.len())
            .map(|column| self.columns.iter().position(|c| *c == column))
            .collect();
        self.shared = shared
            .into_iter()
            .map(|(atom, rules)| Shared { atom, rules })
            .collect();
        self.shared
            .sort_by_key(|s| (self.atoms.get(s.atom).map(|a| a.test.cost()), s.atom));
        self.scratch.waiting.resize(self.rules.len(), Vec::new());
    }

    /// All ranges that the index leaves.
    fn asked(&self) -> Vec<Asked> {
        let mut out = Vec::new();
        for (rule, rest) in self.rests.iter().enumerate() {
            for test in part(&self.tests, rest.tests) {
                if let Form::Range { low, span, inside } = test.test {
                    out.push(Asked {
                        rule,
                        slot: usize::from(test.slot),
                        low,
                        span,
                        inside,
                        null: test.null,
                    });
                }
            }
        }
        out
    }

    /// What is left of a rule (by the masks too), if it is nothing or one range.
    fn quick(&mut self, rule: usize, masked: bool) -> Quick {
        let Some(rest) = self.rests.get(rule) else {
            return Quick::default();
        };
        let alone = rest.trees.0 == rest.trees.1 && rest.asks.0 == rest.asks.1 && !rest.slow;
        let is_masked = |test: &&Residual| {
            masked
                && matches!(test.test, Form::Range { .. })
                && self.masks.decides(usize::from(test.slot))
        };
        let mut left = part(&self.tests, rest.tests)
            .iter()
            .filter(|test| !is_masked(test));
        let (test, more) = (left.next(), left.next());
        if !alone || more.is_some() {
            return Quick::default();
        }
        let Some(test) = test else {
            return Quick {
                rule: rest.rule,
                how: How::Always,
                ..Quick::default()
            };
        };
        let Form::Range { low, span, inside } = test.test else {
            return Quick::default();
        };
        let column = usize::from(test.slot);
        let known = self.quick_slots.iter().position(|s| *s == column);
        let slot = known.unwrap_or(self.quick_slots.len());
        if slot >= quick::COLUMNS {
            return Quick::default();
        }
        if known.is_none() {
            self.quick_slots.push(column);
        }
        Quick {
            low,
            span,
            rule: rest.rule,
            slot: slot as u8,
            how: if inside { How::Inside } else { How::Outside },
            null: test.null,
        }
    }

    /// A rule's tests of cells, joined where they are of one column.
    fn cell_tests(&self, runs: &Runs) -> Vec<CellTest> {
        let mut tests: Vec<CellTest> = Vec::new();
        for at in &runs.atoms {
            let Some(Test::Cell(test)) = self.atoms.get(*at).map(|a| &a.test) else {
                continue;
            };
            let joined = tests
                .iter_mut()
                .find_map(|other| other.and(test).map(|both| (other, both)));
            match joined {
                Some((other, both)) => *other = both,
                None => tests.push(test.clone()),
            }
        }
        tests
    }

    /// Times that the answers of a list's look-ups were too many and forgotten.
    pub(crate) fn forgotten(&self) -> u64 {
        self.looks
            .iter()
            .map(|(.., answers)| answers.forgotten)
            .sum()
    }

    /// How many states and columns the index has.
    pub(crate) fn size(&self) -> (usize, usize) {
        self.index.size()
    }

    /// The conjuncts of a rule.
    pub(crate) fn conjuncts(&self, rule: usize) -> Vec<&Atom> {
        let runs = self.rules.iter().find(|r| r.rule == rule);
        runs.map_or_else(Vec::new, |r| {
            r.atoms.iter().filter_map(|a| self.atoms.get(*a)).collect()
        })
    }

    /// Each conjunct of a rule with how it is decided: by the rules' index, by a
    /// look at one cell, or by an expression of DataFusion's.
    pub(crate) fn forms(&self, rule: usize) -> Vec<(&'static str, &str)> {
        let Some(runs) = self.rules.iter().find(|r| r.rule == rule) else {
            return Vec::new();
        };
        let atoms = runs.atoms.iter().filter_map(|a| self.atoms.get(*a));
        atoms
            .map(|atom| {
                let form = match &atom.test {
                    Test::Cell(test) if runs.indexed.contains(&test.column) => "index",
                    Test::Cell(_) => "cell",
                    Test::Tree(_) => "cells",
                    Test::Look(_) => "list",
                    Test::Expr { .. } => "expression",
                };
                (form, atom.text.as_str())
            })
            .collect()
    }

    /// Calls `hit(rule, row)` for every rule and row that match.
    pub(crate) fn run(&mut self, batch: &RecordBatch, mut hit: impl FnMut(usize, usize)) {
        let rows = batch.num_rows();
        if rows == 0 || self.rules.is_empty() {
            return;
        }
        let scratch = &mut self.scratch;
        self.index.walk(batch, &mut scratch.walk);
        if scratch.walk.rows.is_empty() {
            return;
        }
        let cells: Vec<Cells<'_>> = self
            .columns
            .iter()
            .filter_map(|c| batch.columns().get(*c))
            .map(Cells::of)
            .collect();
        if cells.len() != self.columns.len() {
            return;
        }
        let (waiting, looks) = (&mut scratch.waiting, &mut self.looks);
        let at_hand = |column: usize| cells.get((*self.slots.get(column)?)?);
        let mut any = false;
        let quick_cells: Vec<&Cells<'_>> = self
            .quick_slots
            .iter()
            .filter_map(|slot| cells.get(*slot))
            .collect();
        let mut words = [(0_u64, false); quick::COLUMNS];
        let mut mask = [0_u64; WORDS];
        // row by row: its cells are near by for all the rules that it meets
        self.index.meet(&scratch.walk, |row, state, rules| {
            for (word, cells) in words.iter_mut().zip(&quick_cells) {
                *word = (cells.word(row), cells.is_null(row));
            }
            let mut one = |at: u32, quick: Quick| {
                if quick.how != How::Not {
                    if quick.passes(&words) {
                        hit(quick.rule as usize, row);
                    }
                    return;
                }
                let Some(rest) = self.rests.get(at as usize) else {
                    return;
                };
                let passes = part(&self.tests, rest.tests)
                    .iter()
                    .all(|test| test.passes(&cells, &self.others, row))
                    && part(&self.trees, rest.trees)
                        .iter()
                        .all(|tree| tree.passes(&at_hand, row))
                    && part(&self.asks, rest.asks).iter().all(|ask| {
                        looks.get_mut(*ask).is_some_and(|(_, look, answers)| {
                            look.passes(answers, &at_hand, batch, row)
                        })
                    });
                if !passes {
                    return;
                }
                if !rest.slow {
                    hit(rest.rule as usize, row);
                } else if let Some(rows) = waiting.get_mut(at as usize) {
                    rows.push(row as u32);
                    any = true;
                }
            };
            let Some(left) = self.masks.left(state, &cells, row, &mut mask) else {
                for at in rules {
                    one(
                        *at,
                        self.quick.get(*at as usize).copied().unwrap_or_default().0,
                    );
                }
                return;
            };
            for (n, word) in (0_u32..).zip(left) {
                let mut word = *word;
                while word != 0 {
                    let at = n * 64 + word.trailing_zeros();
                    word &= word - 1;
                    one(
                        at,
                        self.quick.get(at as usize).copied().unwrap_or_default().1,
                    );
                }
            }
        });
        if any {
            self.run_shared(batch, hit);
        }
    }

    /// The conjuncts that DataFusion evaluates, each once, on the rows that any
    /// rule still asks about.
    fn run_shared(&mut self, batch: &RecordBatch, mut hit: impl FnMut(usize, usize)) {
        let scratch = &mut self.scratch;
        let words = batch.num_rows().div_ceil(64);
        for shared in &self.shared {
            let waits = |r: &u32| {
                scratch
                    .waiting
                    .get(*r as usize)
                    .is_some_and(|w| !w.is_empty())
            };
            if !shared.rules.iter().any(waits) {
                continue;
            }
            let Some(Test::Expr {
                expr,
                columns,
                schema,
            }) = self.atoms.get(shared.atom).map(|a| &a.test)
            else {
                continue;
            };
            scratch.asked.clear();
            scratch.asked.resize(words, 0);
            scratch.passed.clear();
            scratch.passed.resize(words, 0);
            for rule in &shared.rules {
                for row in scratch.waiting.get(*rule as usize).into_iter().flatten() {
                    set(&mut scratch.asked, *row);
                }
            }
            scratch.rows.clear();
            for (n, word) in scratch.asked.iter().enumerate() {
                let mut left = *word;
                while left != 0 {
                    scratch.rows.push(n as u32 * 64 + left.trailing_zeros());
                    left &= left - 1;
                }
            }
            let slow = Slow {
                expr,
                columns,
                schema,
            };
            let passed = &mut scratch.passed;
            self.failed += slow.passing(batch, &scratch.rows, &mut |row| set(passed, row));
            for rule in &shared.rules {
                if let Some(rows) = scratch.waiting.get_mut(*rule as usize) {
                    rows.retain(|row| has(passed, *row));
                }
            }
        }
        for (runs, rows) in self.rules.iter().zip(&mut scratch.waiting) {
            for row in rows.drain(..) {
                hit(runs.rule, row as usize);
            }
        }
    }
}

//! Why a rule fired, or why not: the conjunct that was false.

use crate::atom::Atom;
use crate::cells::Cells;
use crate::engine::Engine;
use crate::look::Answers;
use crate::near::near;
use crate::slow::Slow;
use crate::test::Test;
use telltale_schema::TableBatch;
use telltale_schema::value::{RowValues, row};

/// What one conjunct says of some rows.
#[derive(Debug, Clone)]
pub struct Step {
    /// The conjunct as SQL.
    pub text: String,
    /// Rows that pass it, looked at alone.
    pub alone: usize,
    /// Rows that pass it and all before it.
    pub together: usize,
}

/// One row against a rule.
#[derive(Debug, Clone)]
pub struct RowAnswer {
    /// The row.
    pub row: RowValues,
    /// Each conjunct and whether the row passes it; if not, with what the row has
    /// instead: `object_first >= 100 (is 99, 1 below)`.
    pub steps: Vec<(String, bool)>,
}

impl RowAnswer {
    /// Does the rule fire on the row?
    #[must_use]
    pub fn fires(&self) -> bool {
        !self.steps.is_empty() && self.steps.iter().all(|s| s.1)
    }

    /// Conjuncts that are false.
    #[must_use]
    pub fn missing(&self) -> usize {
        self.steps.iter().filter(|s| !s.1).count()
    }
}

fn passes(atom: &Atom, batch: &TableBatch) -> Vec<bool> {
    let batch = &batch.batch;
    let mut answer = vec![false; batch.num_rows()];
    match &atom.test {
        Test::Cell(test) => {
            if let Some(column) = batch.columns().get(test.column) {
                let cells = Cells::of(column);
                for (row, slot) in answer.iter_mut().enumerate() {
                    *slot = test.passes(&cells, row);
                }
            }
        }
        Test::Tree(tree) => {
            let columns = tree.columns();
            let cells: Vec<(usize, Cells<'_>)> = columns
                .iter()
                .filter_map(|c| batch.columns().get(*c).map(|a| (*c, Cells::of(a))))
                .collect();
            let at_hand = |column| cells.iter().find(|c| c.0 == column).map(|c| &c.1);
            for (row, slot) in answer.iter_mut().enumerate() {
                *slot = tree.passes(&at_hand, row);
            }
        }
        Test::Look(look) => {
            let cells: Vec<(usize, Cells<'_>)> = look
                .reads()
                .filter_map(|c| batch.columns().get(c).map(|a| (c, Cells::of(a))))
                .collect();
            let at_hand = |column| cells.iter().find(|c| c.0 == column).map(|c| &c.1);
            let mut answers = Answers::default();
            for (row, slot) in answer.iter_mut().enumerate() {
                *slot = look.passes(&mut answers, &at_hand, batch, row);
            }
        }
        Test::Expr {
            expr,
            columns,
            schema,
        } => {
            let slow = Slow {
                expr,
                columns,
                schema,
            };
            let rows: Vec<u32> = (0..batch.num_rows() as u32).collect();
            slow.passing(batch, &rows, &mut |row| {
                if let Some(slot) = answer.get_mut(row as usize) {
                    *slot = true;
                }
            });
        }
    }
    answer
}

impl Engine {
    /// How many rows of a batch each conjunct of a rule (or of a step of it) lets through.
    #[must_use]
    pub fn explain(&self, rule: usize, step: usize, batch: &TableBatch) -> Vec<Step> {
        let mut together = vec![true; batch.batch.num_rows()];
        self.conjuncts(rule, step, batch.table)
            .into_iter()
            .map(|atom| {
                let alone = passes(atom, batch);
                together.iter_mut().zip(&alone).for_each(|(t, a)| *t &= a);
                let count = |v: &[bool]| v.iter().filter(|b| **b).count();
                Step {
                    text: atom.text.clone(),
                    alone: count(&alone),
                    together: count(&together),
                }
            })
            .collect()
    }

    /// Each row of a batch against a rule, or a step of it.
    #[must_use]
    pub fn explain_rows(&self, rule: usize, step: usize, batch: &TableBatch) -> Vec<RowAnswer> {
        let columns = batch.table.def().columns;
        let answers: Vec<(&Atom, Vec<bool>)> = self
            .conjuncts(rule, step, batch.table)
            .into_iter()
            .map(|a| (a, passes(a, batch)))
            .collect();
        (0..batch.batch.num_rows())
            .map(|at| RowAnswer {
                row: row(batch, at),
                steps: answers
                    .iter()
                    .map(|(atom, v)| {
                        let passes = v.get(at).copied().unwrap_or(false);
                        let text = if passes {
                            atom.text.clone()
                        } else {
                            format!("{} ({})", atom.text, near(atom, columns, &batch.batch, at))
                        };
                        (text, passes)
                    })
                    .collect(),
            })
            .collect()
    }
}

//! Why a rule fired, or why not: the conjunct that was false.

use crate::bits::Bits;
use crate::engine::Engine;
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
    /// Each conjunct and whether the row passes it.
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

fn passes(atom: &crate::atom::Atom, batch: &TableBatch) -> Vec<bool> {
    let rows = batch.batch.num_rows();
    let mut bits = Bits::default();
    bits.fill(rows);
    atom.refine(&batch.batch, &mut bits);
    let mut answer = vec![false; rows];
    for at in bits.rows() {
        if let Some(slot) = answer.get_mut(at) {
            *slot = true;
        }
    }
    answer
}

impl Engine {
    /// How many rows of a batch each conjunct of a rule lets through.
    #[must_use]
    pub fn explain(&self, rule: usize, batch: &TableBatch) -> Vec<Step> {
        let mut together = vec![true; batch.batch.num_rows()];
        self.conjuncts(rule, batch.table)
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

    /// Each row of a batch against a rule.
    #[must_use]
    pub fn explain_rows(&self, rule: usize, batch: &TableBatch) -> Vec<RowAnswer> {
        let answers: Vec<(String, Vec<bool>)> = self
            .conjuncts(rule, batch.table)
            .into_iter()
            .map(|a| (a.text.clone(), passes(a, batch)))
            .collect();
        (0..batch.batch.num_rows())
            .map(|at| RowAnswer {
                row: row(batch, at),
                steps: answers
                    .iter()
                    .map(|(text, v)| (text.clone(), v.get(at).copied().unwrap_or(false)))
                    .collect(),
            })
            .collect()
    }
}

//! All rules over frames.

use crate::atom::Atom;
use crate::bits::Bits;
use crate::compile::compile;
use crate::provider::Provider;
use std::collections::BTreeMap;
use std::sync::Arc;
use telltale_rules::site::Mode;
use telltale_rules::{Diagnostic, Finding, RuleSet, Site};
use telltale_schema::value::{self};
use telltale_schema::{Frame, TableBatch, TableId, col};

/// A rule that does not apply at a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotApplicable {
    /// Index of the rule in its set.
    pub rule: usize,
    /// What the site lacks.
    pub missing: Vec<String>,
}

struct Runs {
    rule: usize,
    atoms: Vec<usize>,
}

#[derive(Default)]
struct TablePlan {
    atoms: Vec<Atom>,
    rules: Vec<Runs>,
    /// Guards of the present batch.
    memo: Vec<Option<Bits>>,
    spare: Vec<Bits>,
}

/// Compiled rules of one site.
pub struct Engine {
    plans: Vec<TablePlan>,
    not_applicable: Vec<NotApplicable>,
    bits: Bits,
}

impl Engine {
    /// Compiles all rules that apply at the site. A rule that cannot run is
    /// refused alone, with diagnostics.
    #[must_use]
    pub fn compile(rules: &RuleSet, site: &Site) -> (Self, Vec<Diagnostic>) {
        let provider = Provider::new();
        let assets = Arc::new(site.assets.clone());
        let mut found = Vec::new();
        let mut plans: Vec<TablePlan> = TableId::ALL.iter().map(|_| TablePlan::default()).collect();
        let mut known: Vec<BTreeMap<String, usize>> =
            plans.iter().map(|_| BTreeMap::new()).collect();
        let mut not_applicable = Vec::new();
        for (index, rule) in rules.rules.iter().enumerate() {
            let compiled = match compile(rule, site, &assets, &provider) {
                Ok(compiled) => compiled,
                Err(mut diagnostics) => {
                    found.append(&mut diagnostics);
                    continue;
                }
            };
            let missing = site.missing(&rule.requires);
            if !missing.is_empty() {
                not_applicable.push(NotApplicable {
                    rule: index,
                    missing,
                });
                continue;
            }
            if site.mode(&rule.id) == Mode::Off {
                continue;
            }
            for table in &compiled.tables {
                let at = *table as usize;
                let (Some(plan), Some(known)) = (plans.get_mut(at), known.get_mut(at)) else {
                    continue;
                };
                let mut atoms: Vec<usize> = compiled
                    .atoms
                    .iter()
                    .map(|atom| {
                        *known.entry(atom.text.clone()).or_insert_with(|| {
                            plan.atoms.push(atom.clone());
                            plan.atoms.len() - 1
                        })
                    })
                    .collect();
                atoms.sort_by_key(|a| plan.atoms.get(*a).map(Atom::cost));
                plan.rules.push(Runs { rule: index, atoms });
            }
        }
        (
            Self {
                plans,
                not_applicable,
                bits: Bits::default(),
            },
            found,
        )
    }

    /// Rules that need site content which is not there.
    #[must_use]
    pub fn not_applicable(&self) -> &[NotApplicable] {
        &self.not_applicable
    }

    /// Distinct conjuncts over all tables.
    #[must_use]
    pub fn atoms(&self) -> usize {
        self.plans.iter().map(|p| p.atoms.len()).sum()
    }

    /// The conjuncts of a rule over a table, in the order in which they run.
    pub(crate) fn conjuncts(&self, rule: usize, table: TableId) -> Vec<&Atom> {
        let Some(plan) = self.plans.get(table as usize) else {
            return Vec::new();
        };
        let runs = plan.rules.iter().find(|r| r.rule == rule);
        runs.map_or_else(Vec::new, |r| {
            r.atoms.iter().filter_map(|a| plan.atoms.get(*a)).collect()
        })
    }

    /// Calls `hit(rule, row)` for every rule and row of a batch that match.
    pub fn matches(&mut self, batch: &TableBatch, mut hit: impl FnMut(usize, usize)) {
        let Some(plan) = self.plans.get_mut(batch.table as usize) else {
            return;
        };
        let rows = batch.batch.num_rows();
        if rows == 0 || plan.rules.is_empty() {
            return;
        }
        plan.memo.resize(plan.atoms.len(), None);
        let bits = &mut self.bits;
        for runs in &plan.rules {
            bits.fill(rows);
            let mut alive = true;
            for at in &runs.atoms {
                let Some(atom) = plan.atoms.get(*at) else {
                    continue;
                };
                alive = if atom.is_guard() {
                    let Some(slot) = plan.memo.get_mut(*at) else {
                        continue;
                    };
                    let guard = slot.get_or_insert_with(|| {
                        let mut own = plan.spare.pop().unwrap_or_default();
                        atom.guard(&batch.batch, &mut own);
                        own
                    });
                    bits.and(guard)
                } else {
                    atom.refine(&batch.batch, bits)
                };
                if !alive {
                    break;
                }
            }
            if alive {
                for row in bits.rows() {
                    hit(runs.rule, row);
                }
            }
        }
        for slot in &mut plan.memo {
            plan.spare.extend(slot.take());
        }
    }

    /// All findings of a frame, ordered by (row number, rule): independent of
    /// how rows were cut into batches.
    pub fn evaluate(&mut self, frame: &Frame) -> Vec<Finding> {
        let mut findings = Vec::new();
        for batch in &frame.batches {
            let mut hits = Vec::new();
            self.matches(batch, |rule, row| hits.push((rule, row)));
            for (rule, row) in hits {
                let values = value::row(batch, row);
                let row_no = values.get("row_no").as_u64().unwrap_or(0);
                let event_time = match values.get("event_time") {
                    value::Value::Time(ns) => *ns,
                    _ => 0,
                };
                findings.push(Finding {
                    rule,
                    table: batch.table,
                    row_no,
                    event_time,
                    row: values,
                });
            }
        }
        debug_assert_eq!(col::ROW_NO, 0);
        findings.sort_by_key(|f| (f.row_no, f.rule));
        findings
    }
}

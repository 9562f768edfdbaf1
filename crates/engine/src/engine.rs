//! All rules over frames.

use crate::atom::Atom;
use crate::compile::compile;
use crate::context::Context;
use crate::plan::Plan;
use crate::provider::Provider;
use telltale_rules::site::Mode;
use telltale_rules::{Diagnostic, Finding, RuleSet, Site};
use telltale_schema::value;
use telltale_schema::{Frame, TableBatch, TableId};

/// A rule that does not apply at a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotApplicable {
    /// Index of the rule in its set.
    pub rule: usize,
    /// What the site lacks.
    pub missing: Vec<String>,
}

/// Compiled rules of one site.
pub struct Engine {
    plans: Vec<Plan>,
    not_applicable: Vec<NotApplicable>,
    hits: Vec<(usize, usize)>,
}

impl Engine {
    /// Compiles all rules that apply at the site. A rule that cannot run is
    /// refused alone, with diagnostics.
    #[must_use]
    pub fn compile(rules: &RuleSet, site: &Site) -> (Self, Vec<Diagnostic>) {
        let provider = Provider::new();
        let context = Context::of(site);
        let mut found = Vec::new();
        let mut plans: Vec<Plan> = TableId::ALL.iter().map(|_| Plan::default()).collect();
        let mut not_applicable = Vec::new();
        for (index, rule) in rules.rules.iter().enumerate() {
            let compiled = match compile(rule, site, &context, &provider) {
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
                if let Some(plan) = plans.get_mut(*table as usize) {
                    plan.add(index, &compiled.atoms);
                }
            }
        }
        for (table, plan) in TableId::ALL.iter().zip(&mut plans) {
            let types: Vec<_> = table
                .def()
                .columns
                .iter()
                .map(|c| c.kind.data_type())
                .collect();
            plan.finish(&types);
        }
        (
            Self {
                plans,
                not_applicable,
                hits: Vec::new(),
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

    /// States and columns of each table's index.
    #[must_use]
    pub fn indexes(&self) -> Vec<(TableId, usize, usize)> {
        TableId::ALL
            .iter()
            .zip(&self.plans)
            .map(|(table, plan)| (*table, plan.size().0, plan.size().1))
            .collect()
    }

    /// Rows on which a condition could not be worked out, such as a division by
    /// zero; they do not match.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.plans.iter().map(|p| p.failed).sum()
    }

    /// Times that a list's kept answers reached their bound and were forgotten: each
    /// costs new look-ups, nothing else.
    #[must_use]
    pub fn forgotten(&self) -> u64 {
        self.plans.iter().map(Plan::forgotten).sum()
    }

    /// The conjuncts of a rule over a table, in the order in which people read them.
    pub(crate) fn conjuncts(&self, rule: usize, table: TableId) -> Vec<&Atom> {
        self.plans
            .get(table as usize)
            .map_or_else(Vec::new, |plan| plan.conjuncts(rule))
    }

    /// The form in which a rule runs over a table: each conjunct, with how it is
    /// decided: `index` (with all other rules, by what they demand to be equal),
    /// `cell` (one comparison), `cells` (some, with OR), `list` (a look-up) or `expression` (DataFusion's, shared by rules).
    #[must_use]
    pub fn forms(&self, rule: usize, table: TableId) -> Vec<(&'static str, &str)> {
        self.plans
            .get(table as usize)
            .map_or_else(Vec::new, |plan| plan.forms(rule))
    }

    /// Calls `hit(rule, row)` for every rule and row of a batch that match: rows
    /// rise for one rule, rules come in no order.
    pub fn matches(&mut self, batch: &TableBatch, hit: impl FnMut(usize, usize)) {
        if let Some(plan) = self.plans.get_mut(batch.table as usize) {
            plan.run(&batch.batch, hit);
        }
    }

    /// All findings of a frame, ordered by (row number, rule): independent of
    /// how rows were cut into batches.
    pub fn evaluate(&mut self, frame: &Frame) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut hits = std::mem::take(&mut self.hits);
        for batch in &frame.batches {
            hits.clear();
            self.matches(batch, |rule, row| hits.push((rule, row)));
            for (rule, row) in &hits {
                let values = value::row(batch, *row);
                let row_no = values.get("row_no").as_u64().unwrap_or(0);
                let event_time = match values.get("event_time") {
                    value::Value::Time(ns) => *ns,
                    _ => 0,
                };
                findings.push(Finding::of_row(
                    *rule,
                    batch.table,
                    row_no,
                    event_time,
                    values,
                ));
            }
        }
        self.hits = hits;
        findings.sort_by_key(|f| (f.row_no, f.rule));
        findings
    }
}

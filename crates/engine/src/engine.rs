//! What all rules ask of single rows.

use crate::atom::Atom;
use crate::compile::{Compiled, compile};
use crate::context::Context;
use crate::plan::Plan;
use crate::provider::Provider;
use telltale_rules::site::Mode;
use telltale_rules::{Diagnostic, RuleSet, Site};
use telltale_schema::{TableBatch, TableId};

/// A rule that does not apply at a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotApplicable {
    /// Index of the rule in its set.
    pub rule: usize,
    /// What the site lacks.
    pub missing: Vec<String>,
}

/// What the conditions of a row are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Asked {
    /// Index of the rule in its set.
    pub rule: usize,
    /// Which of its steps; 0 for a rule without.
    pub step: usize,
}

/// A rule that remembers, as it was compiled.
pub(crate) struct Stateful {
    pub rule: usize,
    /// Place of its first conditions among all that are asked.
    pub first: usize,
    pub parts: Vec<Compiled>,
    /// What it means, parameters filled in: equal for rules that remember the same.
    pub fingerprint: u64,
}

/// Compiled rules of one site: what they ask of single rows.
pub struct Engine {
    plans: Vec<Plan>,
    not_applicable: Vec<NotApplicable>,
    asked: Vec<Asked>,
    stateful: Vec<Stateful>,
}

/// Tells apart what rules remember; texts for people do not count.
fn fingerprint(rule: &telltale_rules::Rule, parts: &[Compiled]) -> u64 {
    let mut text = String::new();
    for part in parts {
        let atoms: Vec<&str> = part.atoms.iter().map(|a| a.key.as_str()).collect();
        let calls: Vec<&str> = part.first_seen.iter().map(|c| c.text.as_str()).collect();
        text.push_str(&format!(
            "{:?} {atoms:?} {calls:?} {:?} {:?}\n",
            part.tables, part.crossed, part.window
        ));
    }
    if let Some(sequence) = &rule.sequence {
        text.push_str(&format!("{}", sequence.within_ns));
        for s in &sequence.steps {
            text.push_str(&format!(
                "|{} {:?} {} {:?} {} {}",
                s.name, s.by, s.times, s.within_ns, s.optional, s.absent
            ));
        }
    }
    crate::memory::pack::hash(text.as_bytes())
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
        let (mut asked, mut stateful) = (Vec::new(), Vec::new());
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
            let first = asked.len();
            for (step, part) in compiled.iter().enumerate() {
                for table in &part.tables {
                    if let Some(plan) = plans.get_mut(*table as usize) {
                        plan.add(asked.len(), &part.atoms);
                    }
                }
                asked.push(Asked { rule: index, step });
            }
            let plain = |c: &Compiled| c.window.is_none() && c.first_seen.is_empty();
            if rule.sequence.is_some() || !compiled.iter().all(plain) {
                stateful.push(Stateful {
                    fingerprint: fingerprint(rule, &compiled),
                    rule: index,
                    first,
                    parts: compiled,
                });
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
                asked,
                stateful,
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

    /// All that is asked of rows, by number.
    pub(crate) fn asked(&self) -> &[Asked] {
        &self.asked
    }

    /// Rules that remember.
    pub(crate) fn stateful(&self) -> &[Stateful] {
        &self.stateful
    }

    fn number(&self, rule: usize, step: usize) -> Option<usize> {
        self.asked.iter().position(|a| *a == Asked { rule, step })
    }

    /// How many steps a rule has; 1 for a rule without, 0 for one that does not run.
    #[must_use]
    pub fn steps(&self, rule: usize) -> usize {
        self.asked.iter().filter(|a| a.rule == rule).count()
    }

    /// The conjuncts of a rule's step over a table, in the order in which people read them.
    pub(crate) fn conjuncts(&self, rule: usize, step: usize, table: TableId) -> Vec<&Atom> {
        let Some(number) = self.number(rule, step) else {
            return Vec::new();
        };
        self.plans
            .get(table as usize)
            .map_or_else(Vec::new, |plan| plan.conjuncts(number))
    }

    /// The form in which a rule (or a step of it) runs over a table: each conjunct, with how it is
    /// decided: `index` (with all other rules, by what they demand to be equal),
    /// `cell` (one comparison), `cells` (some, with OR), `list` (a look-up) or `expression` (DataFusion's, shared by rules).
    #[must_use]
    pub fn forms(&self, rule: usize, step: usize, table: TableId) -> Vec<(&'static str, &str)> {
        let Some(number) = self.number(rule, step) else {
            return Vec::new();
        };
        self.plans
            .get(table as usize)
            .map_or_else(Vec::new, |plan| plan.forms(number))
    }

    /// Calls `hit(asked, row)` for everything that is asked and every row of a batch
    /// that fit: rows rise for one, all come in no order.
    pub(crate) fn ask(&mut self, batch: &TableBatch, hit: impl FnMut(usize, usize)) {
        if let Some(plan) = self.plans.get_mut(batch.table as usize) {
            plan.run(&batch.batch, hit);
        }
    }

    /// Calls `hit(rule, row)` for every rule and row of a batch whose conditions on
    /// the row alone match: rows rise for one rule, rules come in no order.
    pub fn matches(&mut self, batch: &TableBatch, mut hit: impl FnMut(usize, usize)) {
        let asked = &self.asked;
        if let Some(plan) = self.plans.get_mut(batch.table as usize) {
            plan.run(&batch.batch, |number, row| {
                if let Some(asked) = asked.get(number) {
                    hit(asked.rule, row);
                }
            });
        }
    }
}

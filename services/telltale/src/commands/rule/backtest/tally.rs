//! What a backtest counts, and how it is shown.

use anyhow::Result;
use chrono::{DateTime, Utc};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;
use telltale_alert::Alert;
use telltale_alert::v1::RecordKind;
use telltale_rules::RuleSet;

/// Sentences shown of a rule.
const EXAMPLES: usize = 3;
/// Entities shown of a rule.
const ENTITIES: usize = 5;
/// Alerts of a rule that are remembered one by one, to be compared.
const COMPARED: usize = 100_000;

/// What one rule did.
#[derive(Debug, Default)]
struct OfRule {
    name: String,
    severity: String,
    alerts: u64,
    per_day: BTreeMap<String, u64>,
    per_actor: BTreeMap<String, u64>,
    examples: Vec<String>,
    /// Correlation key and time of each alert: equal in another version of the rule.
    each: BTreeSet<(String, i64)>,
}

/// What all rules did.
#[derive(Debug, Default)]
pub struct Tally {
    pub rows: u64,
    pub took: Duration,
    pub detecting: Duration,
    pub not_applicable: BTreeMap<String, String>,
    rules: BTreeMap<String, OfRule>,
}

fn day(ns: i64) -> String {
    DateTime::<Utc>::from_timestamp_nanos(ns)
        .format("%Y-%m-%d")
        .to_string()
}

impl Tally {
    pub fn take(&mut self, alert: &Alert) {
        if alert.record() != RecordKind::Created {
            return;
        }
        let rule = alert.rule.clone().unwrap_or_default();
        let of = self.rules.entry(rule.id).or_default();
        of.name = rule.name;
        of.severity.clone_from(&alert.severity_name);
        of.alerts += 1;
        *of.per_day.entry(day(alert.event_time_ns)).or_default() += 1;
        let actor = alert
            .actor
            .as_ref()
            .map_or("?", |a| if a.value.is_empty() { "?" } else { &a.value });
        *of.per_actor.entry(actor.to_owned()).or_default() += 1;
        if of.examples.len() < EXAMPLES {
            of.examples.push(alert.sentence.clone());
        }
        if of.each.len() < COMPARED {
            of.each
                .insert((alert.correlation_key.clone(), alert.event_time_ns));
        }
    }

    /// Alerts of the loudest rule on its loudest day.
    pub fn loudest(&self) -> u64 {
        let days = self.rules.values().flat_map(|r| r.per_day.values());
        days.copied().max().unwrap_or(0)
    }

    fn days(&self) -> BTreeSet<&str> {
        let days = self.rules.values().flat_map(|r| r.per_day.keys());
        days.map(String::as_str).collect()
    }

    /// Alerts that only this run, and only the other, has.
    fn compared(&self, other: &Self, rule: &str) -> (u64, u64) {
        let none = BTreeSet::new();
        let of = |tally: &'_ Self| tally.rules.get(rule).map(|r| r.each.clone());
        let (mine, theirs) = (of(self).unwrap_or_default(), of(other).unwrap_or(none));
        (
            mine.difference(&theirs).count() as u64,
            theirs.difference(&mine).count() as u64,
        )
    }

    pub fn text(&self, rules: &RuleSet, before: Option<&Self>) -> String {
        let mut out = String::new();
        let seconds = self.detecting.as_secs_f64().max(1e-9);
        // writing to a String cannot fail
        let mut line = |text: std::fmt::Arguments<'_>| writeln!(out, "{text}").unwrap_or_default();
        line(format_args!(
            "{} rows, {} rules, {:.1} s; detection alone {:.2} s, {:.2} million rows/s",
            self.rows,
            rules.rules.len(),
            self.took.as_secs_f64(),
            seconds,
            self.rows as f64 / seconds / 1e6
        ));
        let mut all: Vec<&OfRule> = self.rules.values().collect();
        all.sort_by(|a, b| b.alerts.cmp(&a.alerts).then_with(|| a.name.cmp(&b.name)));
        let days = self.days().len().max(1);
        for of in &all {
            line(format_args!(
                "\n{:<8} {} alerts, {:.1} a day: {}",
                of.severity,
                of.alerts,
                of.alerts as f64 / days as f64,
                of.name
            ));
            let most: Vec<String> = of
                .per_day
                .iter()
                .take(31)
                .map(|(day, n)| format!("{day} {n}"))
                .collect();
            line(format_args!("  by day     {}", most.join(", ")));
            let mut actors: Vec<(&String, &u64)> = of.per_actor.iter().collect();
            actors.sort_by(|a, b| b.1.cmp(a.1).then_with(|| a.0.cmp(b.0)));
            let more = actors.len().saturating_sub(ENTITIES);
            let shown: Vec<String> = actors
                .iter()
                .take(ENTITIES)
                .map(|(who, n)| format!("{who} {n}"))
                .collect();
            let rest = if more > 0 {
                format!(", and {more} more")
            } else {
                String::new()
            };
            line(format_args!("  by device  {}{rest}", shown.join(", ")));
            for example in &of.examples {
                line(format_args!("  such as    {example}"));
            }
        }
        let silent = rules.rules.iter().filter(|r| {
            !self.rules.contains_key(&r.id) && !self.not_applicable.contains_key(&r.id)
        });
        line(format_args!("\n{} rules found nothing", silent.count()));
        for (rule, missing) in &self.not_applicable {
            line(format_args!("not applicable: {rule} (no {missing})"));
        }
        if let Some(before) = before {
            line(format_args!("\nagainst the rules before:"));
            let mut same = true;
            let ids: BTreeSet<&String> = self.rules.keys().chain(before.rules.keys()).collect();
            for id in ids {
                let (new, gone) = self.compared(before, id);
                if new + gone == 0 {
                    continue;
                }
                same = false;
                let name = self.rules.get(id).or_else(|| before.rules.get(id));
                let name = name.map_or("?", |r| r.name.as_str());
                line(format_args!("  {new} new, {gone} gone: {name}"));
            }
            if same {
                line(format_args!("  the same alerts"));
            }
        }
        out
    }

    pub fn json(&self, rules: &RuleSet, before: Option<&Self>) -> serde_json::Value {
        let of = |id: &String, r: &OfRule| {
            let (new, gone) = before.map_or((0, 0), |b| self.compared(b, id));
            json!({
                "id": id, "name": r.name, "severity": r.severity, "alerts": r.alerts,
                "per_day": r.per_day, "per_actor": r.per_actor, "examples": r.examples,
                "new": before.map(|_| new), "gone": before.map(|_| gone),
            })
        };
        let list: Vec<_> = self.rules.iter().map(|(id, r)| of(id, r)).collect();
        json!({
            "rows": self.rows, "rules": rules.rules.len(), "seconds": self.took.as_secs_f64(),
            "detection_seconds": self.detecting.as_secs_f64(), "found": list,
            "not_applicable": self.not_applicable,
        })
    }

    /// One case for each rule; one that is louder than `most` a day fails.
    pub fn junit(&self, rules: &RuleSet, most: Option<u64>) -> Result<String> {
        let mut report = Report::new("telltale rule backtest");
        let mut suite = TestSuite::new("alerts a day");
        for rule in &rules.rules {
            let loudest = self
                .rules
                .get(&rule.id)
                .and_then(|r| r.per_day.values().copied().max())
                .unwrap_or(0);
            let status = if most.is_some_and(|most| loudest > most) {
                let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                status.set_message(format!("{loudest} alerts on one day"));
                status
            } else {
                TestCaseStatus::success()
            };
            suite.add_test_case(TestCase::new(rule.name.clone(), status));
        }
        report.add_test_suite(suite);
        Ok(report.to_string()?)
    }
}

//! One site of a partition.

use crate::clock::{Change, Clock};
use crate::taken::Taken;
use crate::{Config, Health, Output};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use telltale_alert::{Alert, Stage};
use telltale_bus::ContentHash;
use telltale_engine::Detector;
use telltale_rules::{Finding, RuleSet, Site};
use telltale_schema::Frame;
use telltale_schema::value::Value;

/// State of one site.
pub(crate) struct SiteRun {
    pub context: Option<ContentHash>,
    pub site: Arc<Site>,
    pub rules: Arc<RuleSet>,
    pub detector: Detector,
    pub stage: Stage,
    pub taken: BTreeMap<Arc<str>, Taken>,
    /// Of sensors whose clock is or was wrong.
    pub clocks: BTreeMap<Arc<str>, Clock>,
    /// Rules that were said to be over their budget.
    pub said_over: BTreeSet<String>,
    config: Config,
}

/// A detector for other rules or content, with what it took over.
pub(crate) struct Fresh {
    rules: Arc<RuleSet>,
    site: Arc<Site>,
    detector: Detector,
}

/// Says what keeps a rule set from running at a site.
pub(crate) fn check(rules: &RuleSet, site: &Site) -> Result<(), String> {
    let (_, found) = Detector::compile(rules, site, telltale_engine::detector::Config::default());
    found.first().map_or(Ok(()), |d| Err(d.to_string()))
}

impl SiteRun {
    pub(crate) fn new(rules: Arc<RuleSet>, site: Arc<Site>, config: Config) -> Self {
        // rules that cannot run here were refused when they were loaded
        let (detector, _) = Detector::compile(&rules, &site, config.detector);
        Self {
            context: None,
            stage: Stage::shared(rules.clone(), site.clone(), config.alerts),
            site,
            rules,
            detector,
            taken: BTreeMap::new(),
            clocks: BTreeMap::new(),
            said_over: BTreeSet::new(),
            config,
        }
    }

    fn tell(&mut self, mut findings: Vec<Finding>, out: &mut Vec<Output>) {
        let mut alerts = Vec::new();
        self.mark(&mut findings);
        for finding in &findings {
            self.stage.push(finding, &mut alerts);
        }
        self.stage.advance(self.detector.watermark(), &mut alerts);
        extend(out, alerts);
    }

    /// Says of findings on rows that were moved back by how much they were. A finding
    /// that names no sensor may rest on rows of any.
    fn mark(&self, findings: &mut [Finding]) {
        let (Some(bound), false) = (self.config.ahead_ns, self.clocks.is_empty()) else {
            return;
        };
        for finding in findings {
            let moved = |clock: &Clock| clock.moved(finding.event_time, bound);
            finding.retimed_by = match finding.row.get("sensor") {
                Value::Text(sensor) => self.clocks.get(sensor.as_str()).map_or(0, moved),
                _ => self.clocks.values().map(moved).max().unwrap_or(0),
            };
        }
    }

    /// Takes a frame; returns how many rows were moved back because the sensor's clock is
    /// ahead.
    pub(crate) fn frame(&mut self, frame: &Frame, now: i64, out: &mut Vec<Output>) -> u64 {
        let by = self.ahead(frame, now, out);
        let moved = (by > 0).then(|| frame.earlier_by(by));
        let mut findings = Vec::new();
        self.detector
            .frame(moved.as_ref().unwrap_or(frame), now, &mut findings);
        self.tell(findings, out);
        moved.map_or(0, |m| m.rows() as u64)
    }

    /// By how much the frame's times are to be moved back.
    fn ahead(&mut self, frame: &Frame, now: i64, out: &mut Vec<Output>) -> i64 {
        let Some(bound) = self.config.ahead_ns else {
            return 0;
        };
        let newest = frame.newest();
        if newest.saturating_sub(now) <= bound && !self.clocks.contains_key(&frame.sensor) {
            return 0;
        }
        let clock = self.clocks.entry(frame.sensor.clone()).or_default();
        let (by, change) = clock.note(newest, now, bound);
        out.extend(change.map(|change| {
            Output::Health(match change {
                Change::Wrong(by) => Health::ahead(frame, by, now),
                Change::Right => Health::right_again(frame, now),
            })
        }));
        by
    }

    pub(crate) fn tick(&mut self, now: i64, out: &mut Vec<Output>) {
        let mut findings = Vec::new();
        self.detector.tick(now, &mut findings);
        self.tell(findings, out);
    }

    pub(crate) fn finish(&mut self, out: &mut Vec<Output>) {
        let (mut findings, mut alerts) = (Vec::new(), Vec::new());
        self.detector.finish(&mut findings);
        self.mark(&mut findings);
        for finding in &findings {
            self.stage.push(finding, &mut alerts);
        }
        self.stage.finish(&mut alerts);
        extend(out, alerts);
    }

    pub(crate) fn settle(&mut self, rule: Option<usize>, key: &[String], approve: bool) -> usize {
        match rule {
            None => 0,
            Some(rule) if approve => self.detector.approve(rule, key),
            Some(rule) => self.detector.remove(rule, key),
        }
    }

    /// Rules that are newly over their budget, with the rows that found no room.
    pub(crate) fn over_budget(&mut self) -> Vec<(String, u64)> {
        let mut out = Vec::new();
        for (rule, rows) in self.detector.over_budget() {
            if let Some(rule) = self.rules.rules.get(rule)
                && self.said_over.insert(rule.id.clone())
            {
                out.push((rule.id.clone(), rows));
            }
        }
        out
    }

    /// A detector for other rules or content that goes on where this one is.
    pub(crate) fn reloaded(&self, rules: Arc<RuleSet>, site: Arc<Site>) -> Result<Fresh, String> {
        let detector = self
            .detector
            .reloaded(&rules, &site)
            .map_err(|found| found.first().map_or_else(String::new, ToString::to_string))?;
        Ok(Fresh {
            rules,
            site,
            detector,
        })
    }

    pub(crate) fn take_over(&mut self, fresh: Fresh, out: &mut Vec<Output>) {
        let mut alerts = Vec::new();
        let empty = Stage::shared(Arc::default(), fresh.site.clone(), self.config.alerts);
        let stage = std::mem::replace(&mut self.stage, empty);
        self.stage = stage.reload(fresh.rules.clone(), fresh.site.clone(), &mut alerts);
        self.rules = fresh.rules;
        self.site = fresh.site;
        self.detector = fresh.detector;
        self.said_over.clear();
        extend(out, alerts);
    }

    pub(crate) fn reload(
        &mut self,
        rules: Arc<RuleSet>,
        site: Arc<Site>,
    ) -> Result<Vec<Output>, String> {
        let fresh = self.reloaded(rules, site)?;
        let mut out = Vec::new();
        self.take_over(fresh, &mut out);
        Ok(out)
    }
}

fn extend(out: &mut Vec<Output>, alerts: Vec<Alert>) {
    out.extend(alerts.into_iter().map(|a| Output::Alert(Box::new(a))));
}

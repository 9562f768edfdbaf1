//! Other rules and another site under a stage that goes on.

use super::timed::Key;
use super::{Stage, risk, summary};
use crate::v1::Alert;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use telltale_rules::{RuleSet, Site};

impl Stage {
    /// Goes on with other rules or site content. What is held of a rule stays if the
    /// rule is there with the same version; of others, joined findings and the cap's
    /// summary are said now, and the entries are counted as dropped.
    #[must_use]
    pub fn reload(self, rules: Arc<RuleSet>, site: Arc<Site>, out: &mut Vec<Alert>) -> Self {
        let versions: BTreeMap<&str, &str> = rules
            .rules
            .iter()
            .map(|r| (r.id.as_str(), r.version.as_str()))
            .collect();
        let before = self.rules.rules.iter();
        let same = before.filter(|r| versions.get(r.id.as_str()) == Some(&r.version.as_str()));
        let stay: BTreeSet<Arc<str>> = same.map(|r| Arc::from(&*r.id)).collect();
        let hits: BTreeMap<&str, u64> = self
            .site
            .exceptions
            .iter()
            .zip(&self.hits)
            // of equal entries only the first covers anything
            .rev()
            .map(|(e, hits)| (e.key.as_str(), *hits))
            .collect();
        let mut stage = Self::shared(rules.clone(), site, self.limits);
        stage.put_hits(|key| hits.get(key).copied());
        stage.now_ns = self.now_ns;
        stage.open = self.open;
        stage.windows = self.windows;
        stage.told = self.told;
        stage.risk = self.risk;
        stage.counters = self.counters;
        stage.keep(&stay, out);
        stage
    }

    /// Sets the hits of exceptions by their keys.
    pub(super) fn put_hits(&mut self, hits: impl Fn(&str) -> Option<u64>) {
        let mut known = BTreeSet::new();
        for (exception, to) in self.site.exceptions.iter().zip(&mut self.hits) {
            if known.insert(exception.key.as_str()) {
                *to = hits(&exception.key).unwrap_or(0);
            }
        }
    }

    /// Drops what is held of other rules; says what must not be lost. Applies all bounds.
    pub(super) fn keep(&mut self, stay: &BTreeSet<Arc<str>>, out: &mut Vec<Alert>) {
        let keep = |key: &Key| &*key.0 == risk::RULE || stay.contains(&key.0);
        let mut dropped = 0;
        for (key, open) in self.open.take_out(keep) {
            dropped += 1;
            self.ended(&key, open, out);
        }
        for (_, window) in self.windows.take_out(keep) {
            dropped += 1;
            out.extend(summary(window));
        }
        for (_, told) in self.told.take_out(keep) {
            dropped += 1;
            out.extend(told.unsaid());
        }
        let devices: Vec<Key> = self.risk.devices.iter().map(|d| d.0.clone()).collect();
        for key in devices {
            if let Some(device) = self.risk.devices.get_mut(&key) {
                let parts = device.parts.len();
                device.parts.retain(|rule, _| stay.contains(rule));
                dropped += (parts - device.parts.len()) as u64;
            }
        }
        self.counters.dropped = self.counters.dropped.saturating_add(dropped);
        self.bound(out);
        self.forget(out);
        self.risk.bound(&self.site, &mut self.counters.risk_evicted);
    }
}

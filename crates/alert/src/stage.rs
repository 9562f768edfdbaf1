//! From findings to records of alerts.

use crate::make;
use crate::v1::{Alert, RecordKind};
use std::collections::BTreeMap;
use telltale_rules::{Finding, RuleSet, Site};

/// Bounds of the stage.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Created alerts per rule, site and window; beyond, they are counted and
    /// one summary alert says how many.
    pub cap: u64,
    /// The cap's window, nanoseconds of event time.
    pub cap_window_ns: i64,
    /// Suppressions held at once; when full, the one that ends first closes early.
    pub max_suppressions: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            cap: 100,
            cap_window_ns: 3_600_000_000_000,
            max_suppressions: 65_536,
        }
    }
}

/// What the stage did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    /// Findings taken.
    pub findings: u64,
    /// Alerts created.
    pub created: u64,
    /// Findings joined to an alert that exists.
    pub suppressed: u64,
    /// Findings covered by an exception.
    pub excepted: u64,
    /// Alerts beyond the cap.
    pub capped: u64,
    /// Suppressions closed early because too many were open.
    pub closed_early: u64,
}

struct Open {
    alert: Alert,
    until_ns: i64,
}

struct Window {
    start_ns: i64,
    created: u64,
    beyond: u64,
    last: Option<Alert>,
}

/// One stage after all kinds of rule.
pub struct Stage<'s> {
    rules: &'s RuleSet,
    site: &'s Site,
    limits: Limits,
    rule_set: String,
    /// Open suppressions by rule and key.
    open: BTreeMap<(usize, String), Open>,
    /// The same, by their end.
    ends: BTreeMap<(i64, usize, String), ()>,
    windows: BTreeMap<usize, Window>,
    counters: Counters,
    hits: Vec<u64>,
}

impl<'s> Stage<'s> {
    /// A stage for a rule set at a site.
    #[must_use]
    pub fn new(rules: &'s RuleSet, site: &'s Site, limits: Limits) -> Self {
        Self {
            rules,
            site,
            limits,
            rule_set: rules.hash(),
            open: BTreeMap::new(),
            ends: BTreeMap::new(),
            windows: BTreeMap::new(),
            counters: Counters::default(),
            hits: vec![0; site.exceptions.len()],
        }
    }

    /// What was done so far.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// How often each of the site's exceptions covered a finding.
    #[must_use]
    pub fn exception_hits(&self) -> &[u64] {
        &self.hits
    }

    /// Takes a finding; records go to `out`, in order.
    pub fn push(&mut self, finding: &Finding, out: &mut Vec<Alert>) {
        let Some(rule) = self.rules.rules.get(finding.rule) else {
            return;
        };
        self.counters.findings += 1;
        self.advance(finding.event_time, out);
        if let Some(at) = self
            .site
            .exceptions
            .iter()
            .position(|e| e.covers(&rule.id, &finding.row, finding.event_time))
        {
            self.counters.excepted += 1;
            if let Some(hits) = self.hits.get_mut(at) {
                *hits += 1;
            }
            return;
        }
        let key = rule.suppression.as_ref().map(|(columns, _)| {
            let values: Vec<String> = columns
                .iter()
                .map(|c| finding.row.get(c).to_string())
                .collect();
            (finding.rule, values.join("|"))
        });
        if let Some(open) = key.as_ref().and_then(|k| self.open.get_mut(k)) {
            open.alert.count += 1;
            open.alert.first_ns = open.alert.first_ns.min(finding.event_time);
            open.alert.last_ns = open.alert.last_ns.max(finding.event_time);
            self.counters.suppressed += 1;
            return;
        }
        let alert = make::created(rule, self.site, finding, &self.rule_set);
        if let (Some(key), Some((_, length))) = (key, &rule.suppression) {
            let until_ns = finding.event_time.saturating_add(*length);
            self.ends.insert((until_ns, key.0, key.1.clone()), ());
            self.open.insert(
                key,
                Open {
                    alert: alert.clone(),
                    until_ns,
                },
            );
            while self.open.len() > self.limits.max_suppressions.max(1) {
                self.counters.closed_early += 1;
                if !self.close_first(i64::MAX, out) {
                    break;
                }
            }
        }
        self.count(finding.rule, alert, out);
    }

    /// Applies the cap.
    fn count(&mut self, rule: usize, alert: Alert, out: &mut Vec<Alert>) {
        let now = alert.event_time_ns;
        if let Some(window) = self.windows.get(&rule)
            && now.saturating_sub(window.start_ns) >= self.limits.cap_window_ns
            && let Some(window) = self.windows.remove(&rule)
        {
            out.extend(summary(window));
        }
        let window = self.windows.entry(rule).or_insert(Window {
            start_ns: now,
            created: 0,
            beyond: 0,
            last: None,
        });
        if window.created < self.limits.cap {
            window.created += 1;
            self.counters.created += 1;
            out.push(alert);
        } else {
            window.beyond += 1;
            window.last = Some(alert);
            self.counters.capped += 1;
        }
    }

    /// Event time has come this far: suppressions that have ended say what they joined.
    pub fn advance(&mut self, now_ns: i64, out: &mut Vec<Alert>) {
        while self.close_first(now_ns, out) {}
    }

    fn close_first(&mut self, now_ns: i64, out: &mut Vec<Alert>) -> bool {
        let Some(entry) = self.ends.first_entry() else {
            return false;
        };
        if entry.key().0 > now_ns {
            return false;
        }
        let (until, rule, key) = entry.remove_entry().0;
        if let Some(open) = self.open.remove(&(rule, key)) {
            debug_assert_eq!(open.until_ns, until);
            if open.alert.count > 1 {
                out.push(Alert {
                    record: RecordKind::Updated.into(),
                    ..open.alert
                });
            }
        }
        true
    }

    /// The input has ended: all that is open is said.
    pub fn finish(&mut self, out: &mut Vec<Alert>) {
        self.advance(i64::MAX, out);
        for (_, window) in std::mem::take(&mut self.windows) {
            out.extend(summary(window));
        }
    }
}

/// One alert for those beyond the cap.
fn summary(window: Window) -> Option<Alert> {
    let last = window.last?;
    let rule = last.rule.clone().unwrap_or_default();
    Some(Alert {
        id: make::id(&[
            "summary",
            &rule.id,
            &rule.version,
            &window.start_ns.to_string(),
            &last.scope.clone().unwrap_or_default().site,
        ]),
        sentence: format!(
            "{} more alerts of the rule \"{}\" came in this time; the last: {}",
            window.beyond, rule.name, last.sentence
        ),
        summarises: window.beyond,
        count: window.beyond,
        first_ns: window.start_ns,
        ..last
    })
}

#[cfg(test)]
pub(crate) mod tests;

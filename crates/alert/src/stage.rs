//! From findings to records of alerts.

mod counters;
mod reload;
mod risk;
mod state;
mod timed;
mod told;

pub use counters::{Counters, Limits};
pub use state::{FORMAT, Restored, StateError};

use crate::make;
use crate::v1::{Alert, RecordKind};
use crate::words;
use risk::Risk;
use std::sync::Arc;
use telltale_rules::{Finding, Rule, RuleSet, Says, Site};
use timed::{Key, Timed};
use told::{Fate, Told};

/// An open suppression.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Open {
    alert: Alert,
    /// The count that was last said.
    said: u64,
    /// Nobody knows of the alert: it is beyond the cap.
    capped: bool,
    /// The group of the finding that made the alert, if more may be said of it.
    group: Option<String>,
}

/// What the cap has counted.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Window {
    start_ns: i64,
    created: u64,
    beyond: u64,
    last: Option<Alert>,
}

/// One stage after all kinds of rule.
pub struct Stage {
    rules: Arc<RuleSet>,
    site: Arc<Site>,
    limits: Limits,
    rule_set: String,
    /// Ids of the rules, by their index.
    ids: Vec<Arc<str>>,
    /// Event time has come this far.
    now_ns: i64,
    open: Timed<Open>,
    windows: Timed<Window>,
    told: Timed<Told>,
    risk: Risk,
    counters: Counters,
    hits: Vec<u64>,
}

impl Stage {
    /// A stage for a rule set at a site, of which it keeps copies.
    #[must_use]
    pub fn new(rules: &RuleSet, site: &Site, limits: Limits) -> Self {
        Self::shared(Arc::new(rules.clone()), Arc::new(site.clone()), limits)
    }

    /// A stage for a rule set at a site that others have too.
    #[must_use]
    pub fn shared(rules: Arc<RuleSet>, site: Arc<Site>, limits: Limits) -> Self {
        Self {
            limits,
            rule_set: rules.hash(),
            ids: rules.rules.iter().map(|r| Arc::from(&*r.id)).collect(),
            hits: vec![0; site.exceptions.len()],
            rules,
            site,
            now_ns: i64::MIN,
            open: Timed::default(),
            windows: Timed::default(),
            told: Timed::default(),
            risk: Risk::default(),
            counters: Counters::default(),
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
        let rules = self.rules.clone();
        let (Some(rule), Some(id)) = (rules.rules.get(finding.rule), self.ids.get(finding.rule))
        else {
            return;
        };
        let id = id.clone();
        self.advance(finding.event_time, out);
        let group = told::group(finding).unwrap_or_default().to_owned();
        match finding.says {
            Says::Fired => self.fired(rule, &id, finding, out),
            Says::Totals => self.totals(rule, &(id, group), finding, out),
            Says::TakenBack => self.taken_back(&(id, group), finding, out),
        }
    }

    fn fired(&mut self, rule: &Rule, id: &Arc<str>, finding: &Finding, out: &mut Vec<Alert>) {
        self.counters.findings += 1;
        let more = told::expects_more(finding)
            .map(|(group, until)| ((id.clone(), group.to_owned()), until));
        if let Some((group, _)) = &more
            && self.again(group, finding)
        {
            return;
        }
        let at = finding.event_time;
        let site = self.site.clone();
        let mut exceptions = site.exceptions.iter();
        if let Some(covers) = exceptions.position(|e| e.covers(&rule.id, &finding.row, at)) {
            self.counters.excepted += 1;
            if let Some(hits) = self.hits.get_mut(covers) {
                *hits += 1;
            }
            if let Some((group, until)) = more {
                self.remember(group, until, Told::silent(), out);
            }
            return;
        }
        let lowered = make::severity(rule, &site, finding).1.is_some();
        let key = rule.suppression.as_ref().map(|(columns, length)| {
            let values: Vec<String> = columns
                .iter()
                .map(|c| finding.row.get(c).to_string())
                .collect();
            // a finding of full severity is never hidden behind one that was lowered
            let of = format!(
                "{}{}",
                if lowered { "lowered|" } else { "" },
                values.join("|")
            );
            ((id.clone(), of), at.saturating_add(*length))
        });
        if let Some((key, _)) = &key
            && let Some(open) = self.open.get_mut(key)
        {
            join(&mut open.alert, finding);
            self.counters.suppressed += 1;
            let told = Told {
                fate: if open.capped {
                    Fate::Silent
                } else {
                    Fate::Joined
                },
                key: key.1.clone(),
                alert_id: open.alert.id.clone(),
                words: Vec::new(),
                alert: None,
                said: 0,
            };
            if let Some((group, until)) = more {
                self.remember(group, until, told, out);
            }
            return;
        }
        let alert = make::created(rule, &site, finding, &self.rule_set);
        self.counters.lowered += u64::from(lowered);
        let of = if lowered { "lowered" } else { "" };
        let capped = !self.within_cap((id.clone(), of.to_owned()), &alert);
        if let Some((group, until)) = &more {
            let told = Told {
                fate: if capped { Fate::Silent } else { Fate::Created },
                key: key.as_ref().map_or(String::new(), |k| k.0.1.clone()),
                alert_id: alert.id.clone(),
                words: words::kept(rule, &site, finding),
                alert: (key.is_none() && !capped).then(|| alert.clone()),
                said: 1,
            };
            self.remember(group.clone(), *until, told, out);
        }
        if let Some((key, until)) = key {
            let open = Open {
                alert: alert.clone(),
                said: 1,
                capped,
                group: more.map(|m| m.0.1),
            };
            self.open.insert(key, until, open);
            self.bound(out);
        }
        if !capped {
            self.counters.created += 1;
            out.push(alert.clone());
            self.weigh(&alert, out);
        }
    }

    /// A group that has an alert fires once more (a sensor that came back): the same alert.
    fn again(&mut self, group: &Key, finding: &Finding) -> bool {
        let Some(told) = self.told.get_mut(group) else {
            return false;
        };
        if told.fate != Fate::Created {
            return false;
        }
        if let Some(alert) = &mut told.alert {
            join(alert, finding);
        } else if let Some(open) = self.open.get_mut(&(group.0.clone(), told.key.clone())) {
            join(&mut open.alert, finding);
        }
        self.counters.suppressed += 1;
        true
    }

    /// Closes suppressions early while there are too many.
    fn bound(&mut self, out: &mut Vec<Alert>) {
        while self.open.len() > self.limits.max_suppressions.max(1) {
            let Some((key, open)) = self.open.pop() else {
                return;
            };
            self.counters.closed_early += 1;
            self.ended(&key, open, out);
        }
    }

    /// Adds an alert's points to its actor's.
    fn weigh(&mut self, alert: &Alert, out: &mut Vec<Alert>) {
        let evicted = &mut self.counters.risk_evicted;
        let Some(key) = self.risk.add(&self.site, alert, evicted) else {
            return;
        };
        let Some(device) = self.risk.devices.get_mut(&key) else {
            return;
        };
        let Some(risk) = risk::alert(&self.site, device, &self.rule_set) else {
            return;
        };
        if device.said {
            if !device.capped {
                out.push(told::record(&risk, RecordKind::Updated));
            }
            return;
        }
        device.said = true;
        self.counters.risks += 1;
        let capped = !self.within_cap((key.0.clone(), String::new()), &risk);
        if let Some(device) = self.risk.devices.get_mut(&key) {
            device.capped = capped;
        }
        if !capped {
            out.push(risk);
        }
    }

    /// Applies the cap; counts what is beyond.
    fn within_cap(&mut self, key: Key, alert: &Alert) -> bool {
        let at = alert.event_time_ns;
        if self.windows.get_mut(&key).is_none() {
            let window = Window {
                start_ns: at,
                created: 0,
                beyond: 0,
                last: None,
            };
            // late findings are capped for as long as others
            let until = at
                .max(self.now_ns)
                .saturating_add(self.limits.cap_window_ns);
            self.windows.insert(key.clone(), until, window);
        }
        let Some(window) = self.windows.get_mut(&key) else {
            return true;
        };
        if window.created < self.limits.cap {
            window.created += 1;
            return true;
        }
        window.beyond += 1;
        window.last = Some(alert.clone());
        if &*key.0 != risk::RULE {
            self.counters.capped += 1;
        }
        false
    }

    /// Event time has come this far: suppressions that have ended say what they joined,
    /// windows of the cap what was beyond it.
    pub fn advance(&mut self, now_ns: i64, out: &mut Vec<Alert>) {
        self.now_ns = self.now_ns.max(now_ns);
        loop {
            let ends = [
                (self.open.first_end(), 0),
                (self.windows.first_end(), 1),
                (self.told.first_end(), 2),
                (self.risk.devices.first_end(), 3),
            ];
            let next = ends.into_iter().filter_map(|(end, of)| Some((end?, of)));
            let Some((end, of)) = next.min() else { return };
            if end > now_ns {
                return;
            }
            match of {
                0 => {
                    if let Some((key, open)) = self.open.pop() {
                        self.ended(&key, open, out);
                    }
                }
                1 => out.extend(self.windows.pop().and_then(|(_, w)| summary(w))),
                2 => out.extend(self.told.pop().and_then(|(_, told)| told.unsaid())),
                _ => drop(self.risk.devices.pop()),
            }
        }
    }

    /// A suppression has ended.
    fn ended(&mut self, key: &Key, open: Open, out: &mut Vec<Alert>) {
        if open.capped {
            return;
        }
        if open.alert.count != open.said {
            out.push(told::record(&open.alert, RecordKind::Updated));
        }
        let group = open.group.map(|group| (key.0.clone(), group));
        if let Some(told) = group.and_then(|group| self.told.get_mut(&group))
            && told.alert_id == open.alert.id
        {
            told.said = open.alert.count;
            told.alert = Some(open.alert);
        }
    }

    /// The input has ended: all that is open is said.
    pub fn finish(&mut self, out: &mut Vec<Alert>) {
        self.advance(i64::MAX, out);
    }
}

/// One finding more in an alert.
fn join(alert: &mut Alert, finding: &Finding) {
    alert.count = alert.count.saturating_add(1);
    alert.first_ns = alert.first_ns.min(finding.event_time);
    alert.last_ns = alert.last_ns.max(finding.event_time);
}

/// One alert for those beyond the cap.
fn summary(window: Window) -> Option<Alert> {
    let last = window.last?;
    let rule = last.rule.clone().unwrap_or_default();
    let site = last.scope.clone().unwrap_or_default().site;
    let start = window.start_ns.to_string();
    let mut parts = vec!["summary", &rule.id, &rule.version, &start, &site];
    if !last.lowered_by.is_empty() {
        parts.push("lowered");
    }
    Some(Alert {
        id: make::id(&parts),
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

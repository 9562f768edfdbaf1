//! What becomes of an alert when its window closes, or when it was wrong.
//!
//! Of each finding that fired before its window's end, or that rests on silence, the stage
//! remembers what it did with it, until the totals come or [`TOLD_NS`] after its end:
//!
//! | the finding | totals | taken back |
//! |---|---|---|
//! | made an alert | `updated` with the new values and sentence, if a value is another | `closed` if nothing else was joined; else `updated`, one less |
//! | was joined to an alert | no record; the alert's last time is the window's end | no record now; one less in the `updated` at the suppression's end, `closed` if none is left |
//! | is covered by an exception, or beyond the cap | nothing: nobody knows of it | nothing |
//! | is not remembered | nothing, counted | nothing, counted |
//!
//! After the suppression of a joined finding has ended, its alert stays as it is.

use super::Stage;
use super::timed::Key;
use crate::v1::{Alert, Field, RecordKind};
use crate::words::{called, fill, worked_out};
use std::fmt::Write as _;
use telltale_rules::{Finding, Identity, Rule, Site};

/// How long after its end a window's alert is remembered: a session may go on.
pub(crate) const TOLD_NS: i64 = 7 * 86_400_000_000_000;

/// What the stage did with a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// An alert of its own.
    Created,
    /// It is one of several of an alert.
    Joined,
    /// An exception covers it, or it is beyond the cap.
    Silent,
}

/// A finding that more may be said of.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Told {
    pub(crate) fate: Fate,
    /// Key of the suppression of its alert; empty if there is none.
    pub(crate) key: String,
    /// Id of its alert.
    pub(crate) alert_id: String,
    /// What stood in the holes of the templates.
    pub(crate) words: Vec<(String, String)>,
    /// Its alert, once no suppression holds it.
    pub(crate) alert: Option<Alert>,
    /// The count of that alert that was last said.
    pub(crate) said: u64,
}

impl Told {
    pub(crate) fn silent() -> Self {
        Self {
            fate: Fate::Silent,
            key: String::new(),
            alert_id: String::new(),
            words: Vec::new(),
            alert: None,
            said: 0,
        }
    }

    /// What was joined since its alert was last spoken of.
    pub(super) fn unsaid(self) -> Option<Alert> {
        let alert = self.alert.filter(|alert| alert.count != self.said)?;
        Some(record(&alert, RecordKind::Updated))
    }
}

/// The group that a finding speaks of.
pub(super) fn group(finding: &Finding) -> Option<&str> {
    match &finding.identity {
        Identity::Group(group) => Some(group),
        Identity::Row => None,
    }
}

/// If more may come under the finding's identity: its group, and until when it is waited for.
pub(super) fn expects_more(finding: &Finding) -> Option<(&str, i64)> {
    let end = finding.row.get("window_end").as_i64();
    let end = end.unwrap_or(finding.event_time).max(finding.event_time);
    let more = finding.provisional || end > finding.event_time;
    let until = end.saturating_add(TOLD_NS);
    group(finding).filter(|_| more).map(|group| (group, until))
}

/// Puts a closed window's totals in an alert's place; is any value another?
fn renew(
    alert: &mut Alert,
    rule: &Rule,
    site: &Site,
    finding: &Finding,
    words: &[(String, String)],
) -> bool {
    let Some(own) = alert.evidence.last_mut() else {
        return false;
    };
    let mut changed = false;
    for (name, value) in worked_out(&finding.row) {
        let value = value.to_string();
        match own.fields.iter_mut().find(|f| f.name == name) {
            Some(field) => {
                changed |= field.value != value;
                field.value = value;
            }
            None => {
                changed = true;
                own.fields.push(Field {
                    name: name.to_owned(),
                    value,
                });
            }
        }
    }
    if !changed {
        return false;
    }
    let word = |hole: &str| {
        worked_out(&finding.row)
            .find(|(name, _)| *name == hole)
            .map(|(_, value)| called(site, value))
            .or_else(|| {
                let was = words.iter().find(|(name, _)| name == hole);
                was.map(|(_, word)| word.clone())
            })
            .unwrap_or_else(|| "something unnamed".to_owned())
    };
    alert.sentence = fill(&rule.sentence, word);
    if !alert.process_meaning.is_empty() {
        // writing to a String cannot fail
        write!(alert.sentence, ": {}", alert.process_meaning).unwrap_or_default();
    }
    alert.response = rule.response.iter().map(|r| fill(r, word)).collect();
    alert.last_ns = alert.last_ns.max(finding.event_time);
    true
}

/// The same alert with another record.
pub(super) fn record(alert: &Alert, record: RecordKind) -> Alert {
    Alert {
        record: record.into(),
        ..alert.clone()
    }
}

fn closed(alert: &Alert) -> Alert {
    Alert {
        sentence: format!(
            "Taken back, what had been missing came after all. It was: {}",
            alert.sentence
        ),
        ..record(alert, RecordKind::Closed)
    }
}

impl Stage {
    /// Remembers what was done with a finding.
    pub(super) fn remember(&mut self, key: Key, until_ns: i64, told: Told, out: &mut Vec<Alert>) {
        self.told.insert(key, until_ns, told);
        self.forget(out);
    }

    /// Forgets those that end first while there are too many.
    pub(super) fn forget(&mut self, out: &mut Vec<Alert>) {
        while self.told.len() > self.limits.max_suppressions.max(1) {
            let Some((_, told)) = self.told.pop() else {
                return;
            };
            self.counters.forgotten += 1;
            out.extend(told.unsaid());
        }
    }

    fn recall(&mut self, id: &Key, finding: &Finding) -> Option<(Key, Told)> {
        let told = group(finding).and_then(|_| self.told.remove(id));
        if told.is_none() {
            self.counters.unmatched += 1;
        }
        told.map(|told| ((id.0.clone(), told.key.clone()), told))
    }

    /// A window has closed.
    pub(super) fn totals(
        &mut self,
        rule: &Rule,
        id: &Key,
        finding: &Finding,
        out: &mut Vec<Alert>,
    ) {
        let Some((key, mut told)) = self.recall(id, finding) else {
            return;
        };
        let open = self
            .open
            .get_mut(&key)
            .filter(|open| open.alert.id == told.alert_id);
        let said = match (told.fate, open) {
            (Fate::Silent, _) | (Fate::Joined, None) => None,
            (Fate::Joined, Some(open)) => {
                open.alert.last_ns = open.alert.last_ns.max(finding.event_time);
                None
            }
            (Fate::Created, Some(open)) => {
                renew(&mut open.alert, rule, &self.site, finding, &told.words).then(|| {
                    open.said = open.alert.count;
                    record(&open.alert, RecordKind::Updated)
                })
            }
            (Fate::Created, None) => told.alert.take().and_then(|mut alert| {
                let renewed = renew(&mut alert, rule, &self.site, finding, &told.words);
                let joined = alert.count != told.said;
                (renewed || joined).then(|| record(&alert, RecordKind::Updated))
            }),
        };
        match said {
            Some(alert) => {
                self.counters.totals += 1;
                out.push(alert);
            }
            None => self.counters.unsaid += 1,
        }
    }

    /// A finding was wrong.
    pub(super) fn taken_back(&mut self, id: &Key, finding: &Finding, out: &mut Vec<Alert>) {
        let Some((key, told)) = self.recall(id, finding) else {
            return;
        };
        if told.fate == Fate::Silent {
            self.counters.unsaid += 1;
            return;
        }
        self.counters.taken_back += 1;
        if let Some(open) = self
            .open
            .get_mut(&key)
            .filter(|open| open.alert.id == told.alert_id && !open.capped)
        {
            open.alert.count = open.alert.count.saturating_sub(1);
            if open.alert.count == 0 {
                let alert = closed(&open.alert);
                self.open.remove(&key);
                self.close(alert, out);
            } else if told.fate == Fate::Created {
                open.said = open.alert.count;
                let mut alert = record(&open.alert, RecordKind::Updated);
                alert.sentence = format!(
                    "The first was taken back, {} of the kind remain. It was: {}",
                    alert.count, alert.sentence
                );
                out.push(alert);
            }
        } else if let Some(mut alert) = told.alert {
            alert.count = alert.count.saturating_sub(1);
            if alert.count == 0 {
                self.close(closed(&alert), out);
            } else {
                out.push(record(&alert, RecordKind::Updated));
            }
        }
    }

    fn close(&mut self, alert: Alert, out: &mut Vec<Alert>) {
        self.counters.closed += 1;
        self.risk.give_back(&alert);
        out.push(alert);
    }
}

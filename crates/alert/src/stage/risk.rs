//! One alert for what many alerts of one device say together.
//!
//! Alerts that are told add points to their actor (address space and value of the
//! rule's actor column). A device's window begins with its first alert and lasts
//! `[risk] window` of event time; each rule counts once in it, with its highest points.
//! At the threshold there is one alert with all that took part; another rule that joins
//! gives an `updated`. Shadow alerts, joined findings, and alerts beyond the cap add
//! nothing. An alert that is closed gives its points back, unless the risk alert is out.

use super::timed::{Key, Timed};
use crate::make;
use crate::v1::{Alert, Entity, Evidence, Field, RecordKind, Rule, Technique};
use crate::words::{called, duration};
use std::collections::BTreeMap;
use std::sync::Arc;
use telltale_rules::{Severity, Site};
use telltale_schema::value::{Value, time_text};

/// Id of the rule that risk alerts name.
pub(crate) const RULE: &str = "risk";
pub(crate) const VERSION: &str = "1.0.0";
/// Sentences that a risk alert's own sentence holds.
const SENTENCES: usize = 5;

/// What one device did.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Device {
    pub(crate) start_ns: i64,
    /// Event time at which the threshold was met.
    pub(crate) met_ns: Option<i64>,
    /// There is an alert.
    pub(crate) said: bool,
    /// The alert is beyond the cap: nobody hears of it.
    pub(crate) capped: bool,
    /// The part of each rule.
    pub(crate) parts: BTreeMap<Arc<str>, Alert>,
}

impl Device {
    fn points(&self) -> u64 {
        self.parts.values().map(|a| u64::from(a.risk)).sum()
    }
}

/// Devices with points.
#[derive(Debug, Default)]
pub(crate) struct Risk {
    pub(crate) devices: Timed<Device>,
}

/// The device that an alert speaks of; `None` where the row names none.
pub(crate) fn key(alert: &Alert) -> Option<Key> {
    let actor = alert.actor.as_ref().filter(|a| !a.value.is_empty())?;
    let scope = alert.scope.as_ref()?;
    let of = format!("{}|{}|{}", scope.site, scope.segment, actor.value);
    Some((Arc::from(RULE), of))
}

/// What is kept of an alert that takes part.
fn part(alert: &Alert) -> Alert {
    Alert {
        id: alert.id.clone(),
        rule: alert.rule.clone(),
        severity: alert.severity,
        severity_name: alert.severity_name.clone(),
        confidence: alert.confidence.clone(),
        scope: alert.scope.clone(),
        event_time_ns: alert.event_time_ns,
        actor: alert.actor.clone(),
        target: alert.target.clone(),
        sentence: alert.sentence.clone(),
        attack: alert.attack.clone(),
        iec62443: alert.iec62443.clone(),
        risk: alert.risk,
        ..Alert::default()
    }
}

impl Risk {
    /// Adds an alert; the device, if something is to be said of it.
    pub(crate) fn add(&mut self, site: &Site, alert: &Alert, evicted: &mut u64) -> Option<Key> {
        let wanted = &site.toml.risk;
        if wanted.threshold == 0 || alert.risk == 0 || alert.mode != "alert" {
            return None;
        }
        let key = key(alert)?;
        let rule: Arc<str> = Arc::from(alert.rule.as_ref()?.id.as_str());
        let now = alert.event_time_ns;
        if self.devices.get_mut(&key).is_none() {
            let device = Device {
                start_ns: now,
                ..Device::default()
            };
            let until = now.saturating_add(wanted.window_ns());
            self.devices.insert(key.clone(), until, device);
            self.bound(site, evicted);
        }
        let device = self.devices.get_mut(&key)?;
        let before = device.parts.get(&rule).map(|a| a.risk);
        if before.is_none_or(|before| before < alert.risk) {
            device.parts.insert(rule, part(alert));
        }
        if device.met_ns.is_some() {
            return before.is_none().then_some(key);
        }
        if device.points() < wanted.threshold {
            return None;
        }
        device.met_ns = Some(now);
        Some(key)
    }

    /// Gives up the devices whose windows began first while there are too many.
    pub(crate) fn bound(&mut self, site: &Site, evicted: &mut u64) {
        while self.devices.len() > site.toml.risk.max_entities.max(1)
            && self.devices.pop().is_some()
        {
            *evicted += 1;
        }
    }

    /// An alert was wrong.
    pub(crate) fn give_back(&mut self, alert: &Alert) {
        let rule = alert.rule.as_ref().map_or("", |r| r.id.as_str());
        if let Some(device) = key(alert).and_then(|key| self.devices.get_mut(&key))
            && device.met_ns.is_none()
            && device.parts.get(rule).is_some_and(|a| a.id == alert.id)
        {
            device.parts.remove(rule);
        }
    }
}

/// "first asked …; then wrote …; last stopped …". A sentence that begins with the device
/// goes on without it.
fn story(who: &str, parts: &[&Alert]) -> String {
    let mut said: Vec<String> = Vec::new();
    let left_out = parts.len().saturating_sub(SENTENCES);
    for (n, part) in parts.iter().enumerate() {
        let word = match n {
            0 => "first",
            n if n + 1 == parts.len() => "last",
            n if left_out > 0 && n == SENTENCES - 1 => {
                let more = if left_out == 1 { "thing" } else { "things" };
                said.push(format!("then {left_out} more {more}"));
                continue;
            }
            n if left_out > 0 && n >= SENTENCES => continue,
            _ => "then",
        };
        said.push(match did(who, part) {
            (true, what) => format!("{word} {what}"),
            (false, what) => format!("{word}: {what}"),
        });
    }
    said.join("; ")
}

/// An alert's sentence; and whether the device that it begins with was left out.
fn did<'a>(who: &str, part: &'a Alert) -> (bool, &'a str) {
    let sentence = part.sentence.trim_end_matches(['.', ' ']);
    let rest = sentence.strip_prefix(who);
    match rest.and_then(|rest| rest.strip_prefix(' ')) {
        Some(rest) => (true, rest),
        None => (false, sentence),
    }
}

fn sentence(site: &Site, actor: &Entity, points: u64, parts: &[&Alert], spent_ns: i64) -> String {
    let who = match actor.value.parse() {
        Ok(ip) => called(site, &Value::Ip(ip)),
        Err(_) => actor.value.clone(),
    };
    let threshold = site.toml.risk.threshold;
    match parts {
        [one] => format!(
            "{who} did one thing of {points} points (an alert from {threshold}): {}",
            did(&who, one).1
        ),
        parts => format!(
            "{who} did {} things in {} that together weigh {points} points (an alert from {threshold}): {}",
            parts.len(),
            duration(spent_ns),
            story(&who, parts)
        ),
    }
}

fn evidence(part: &Alert) -> Evidence {
    let rule = part.rule.clone().unwrap_or_default();
    let fields = [
        ("alert", part.id.clone()),
        ("event_time", time_text(part.event_time_ns)),
        ("rule", rule.id),
        ("rule_name", rule.name),
        ("severity", part.severity_name.clone()),
        ("risk", part.risk.to_string()),
        ("sentence", part.sentence.clone()),
    ];
    Evidence {
        table: "alert".to_owned(),
        fields: fields
            .into_iter()
            .map(|(name, value)| Field {
                name: name.to_owned(),
                value,
            })
            .collect(),
        ..Evidence::default()
    }
}

/// Values without repetition, in the order in which they first came.
fn united<T: Clone + PartialEq>(all: impl Iterator<Item = T>) -> Vec<T> {
    let mut out: Vec<T> = Vec::new();
    for one in all {
        if !out.contains(&one) {
            out.push(one);
        }
    }
    out
}

/// The alert of a device that has met the threshold.
pub(crate) fn alert(site: &Site, device: &Device, rule_set: &str) -> Option<Alert> {
    let mut parts: Vec<&Alert> = device.parts.values().collect();
    // rules are in the order of their ids; the sort is stable
    parts.sort_by_key(|a| a.event_time_ns);
    let (first, last) = (parts.first()?, parts.last()?);
    let scope = first.scope.clone().unwrap_or_default();
    let actor = first.actor.clone().unwrap_or_default();
    let points = device.points();
    let worst = parts.iter().copied().max_by_key(|a| a.severity)?;
    let (severity, severity_name) = if worst.severity > u32::from(Severity::High.score()) {
        (worst.severity, worst.severity_name.clone())
    } else {
        let high = Severity::High;
        (u32::from(high.score()), high.as_str().to_owned())
    };
    let sureness = ["high", "medium"];
    let confidence = sureness
        .into_iter()
        .find(|c| parts.iter().any(|a| a.confidence == *c))
        .unwrap_or("low");
    let same_target = parts.iter().all(|a| a.target == last.target);
    let spent = last.event_time_ns.saturating_sub(first.event_time_ns);
    let start = device.start_ns.to_string();
    let name = [&scope.tenant, &scope.site, &scope.segment, &actor.value].map(String::as_str);
    let [tenant, at, segment, who] = name;
    Some(Alert {
        id: make::id(&[RULE, tenant, at, segment, who, &start]),
        record: RecordKind::Created.into(),
        correlation_key: format!("{RULE}|{at}|segment={segment}|actor={who}"),
        rule: Some(Rule {
            id: RULE.to_owned(),
            version: VERSION.to_owned(),
            name: "One device did many things that add up".to_owned(),
            status: "stable".to_owned(),
        }),
        severity,
        severity_name,
        confidence: confidence.to_owned(),
        event_time_ns: device.met_ns.unwrap_or(last.event_time_ns),
        first_ns: first.event_time_ns,
        last_ns: last.event_time_ns,
        count: parts.len() as u64,
        target: last.target.clone().filter(|_| same_target),
        sentence: sentence(site, &actor, points, &parts, spent),
        description: "Each of these alerts may have a harmless reason. That one device gives cause \
                      for several different ones in a short time is how an intrusion looks from \
                      the network: looking around, trying, changing, hiding."
            .to_owned(),
        attack: united(parts.iter().flat_map(|a| a.attack.iter().cloned()))
            .into_iter()
            .collect::<Vec<Technique>>(),
        iec62443: united(parts.iter().flat_map(|a| a.iec62443.iter().cloned())),
        response: vec![
            "Find out who uses this device now, and whether the work is planned.".to_owned(),
            "Go through its alerts in their order; each says what to check.".to_owned(),
            "If nobody knows of it, keep the device from the control network where the control room agrees; leave the controllers running.".to_owned(),
        ],
        false_positives: vec![
            "Commissioning or maintenance that no calendar of the site knows: enter it there."
                .to_owned(),
            "A scanner of the plant's own: enter it in the site's lists, or except it.".to_owned(),
        ],
        evidence: parts.iter().map(|a| evidence(a)).collect(),
        mode: "alert".to_owned(),
        rule_set: rule_set.to_owned(),
        context: site.hash.clone(),
        risk: u32::try_from(points).unwrap_or(u32::MAX),
        scope: Some(scope),
        actor: Some(actor),
        ..Alert::default()
    })
}

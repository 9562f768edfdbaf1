//! Makes an alert of a finding.

use crate::v1::{Alert, Entity, Evidence, Field, RecordKind, Rule as RuleRef, Scope, Technique};
use crate::words::{fill, process_meaning, text, word};
use std::fmt::Write as _;
use telltale_rules::site::Mode;
use telltale_rules::site::assets::UNKNOWN;
use telltale_rules::{Finding, Identity, Rule, Severity, Site, attack};
use telltale_schema::TableId;
use telltale_schema::value::{RowValues, Value};

/// Identity of the row: the same on one node and on twenty.
fn row_identity(row: &RowValues) -> String {
    ["site", "sensor", "flow_id", "flow_ordinal", "event_time"]
        .map(|c| row.get(c).to_string())
        .join("|")
}

/// A UUID (version 8) from a hash of the parts.
pub(crate) fn id(parts: &[&str]) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("telltale 2026 alert id");
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let mut bytes = [0; 16];
    hasher.finalize_xof().fill(&mut bytes);
    uuid::Builder::from_custom_bytes(bytes)
        .into_uuid()
        .to_string()
}

/// The side of the row that a column is of.
fn side(column: &str) -> &'static str {
    let client = ["client", "src", "sender"];
    if client.iter().any(|c| column.starts_with(c)) {
        "client"
    } else {
        "server"
    }
}

/// The address of an entity: its column, or that of its side.
fn address(row: &RowValues, column: &str) -> Option<std::net::IpAddr> {
    match (row.get(column), row.get(&format!("{}_ip", side(column)))) {
        (Value::Ip(ip), _) | (_, Value::Ip(ip)) => Some(*ip),
        _ => None,
    }
}

fn entity(site: &Site, row: &RowValues, column: &str) -> Entity {
    let value = row.get(column);
    let side = side(column);
    let ip = address(row, column);
    let known = ip.and_then(|ip| site.assets.get(&ip));
    let of = |pick: fn(&telltale_rules::site::assets::Asset) -> &String| {
        known.map_or(UNKNOWN.to_owned(), |a| pick(a).clone())
    };
    Entity {
        value: text(value),
        ip: ip.map(|ip| ip.to_string()).unwrap_or_default(),
        mac: text(row.get(&format!("{side}_mac"))),
        station: text(row.get(&format!("{side}_station"))),
        port: row
            .get(&format!("{side}_port"))
            .as_u64()
            .and_then(|p| u32::try_from(p).ok())
            .unwrap_or(0),
        name: of(|a| &a.name),
        zone: of(|a| &a.zone),
        level: of(|a| &a.level),
        role: of(|a| &a.role),
    }
}

pub(crate) fn status(rule: &Rule) -> &'static str {
    match rule.status {
        telltale_rules::Status::Experimental => "experimental",
        telltale_rules::Status::Test => "test",
        telltale_rules::Status::Stable => "stable",
        telltale_rules::Status::Deprecated => "deprecated",
    }
}

/// The severity that holds at the site for a finding, and the calendar that lowered it:
/// the rule's `lower`, asked for the target's address and the finding's time.
pub(crate) fn severity<'r>(
    rule: &'r Rule,
    site: &Site,
    finding: &Finding,
) -> (Severity, Option<&'r str>) {
    let named = site.overrides.get(&rule.id).and_then(|o| o.severity);
    let severity = named.unwrap_or(rule.severity);
    let planned = rule.lower.as_ref().filter(|lower| {
        let device = address(&finding.row, &rule.entities.target);
        lower.to < severity
            && site
                .calendar(&lower.calendar)
                .is_some_and(|c| c.contains(device, finding.event_time))
    });
    match planned {
        Some(lower) => (lower.to, Some(&lower.calendar)),
        None => (severity, None),
    }
}

/// Points that an alert adds to its actor's risk. What a calendar lowered adds no more
/// than its lower severity does.
fn points(rule: &Rule, severity: Severity, lowered: bool) -> u32 {
    match rule.risk {
        Some(points) if lowered => points.min(severity.risk()),
        Some(points) => points,
        None => severity.risk(),
    }
}

/// A row as evidence.
fn evidence(step: &str, table: TableId, row_no: u64, row: &RowValues) -> Evidence {
    Evidence {
        table: table.name().to_owned(),
        fields: row
            .iter()
            .map(|(name, value)| Field {
                name: name.to_owned(),
                value: value.to_string(),
            })
            .collect(),
        capture_file: text(row.get("capture_file")),
        packet: row.get("packet").as_u64().unwrap_or(0),
        row_no,
        step: step.to_owned(),
    }
}

/// Rows of the steps, oldest first, and the finding's own row last. Where the own row is
/// that of the last step, it stands there once, with the step's name.
fn all_evidence(finding: &Finding) -> Vec<Evidence> {
    let same = finding.evidence.last().filter(|e| {
        (e.table, e.row_no) == (finding.table, finding.row_no)
            && e.row.get("sensor") == finding.row.get("sensor")
    });
    let others = finding.evidence.len() - usize::from(same.is_some());
    let own = same.map_or("", |e| e.step.as_str());
    finding
        .evidence
        .iter()
        .take(others)
        .map(|e| evidence(&e.step, e.table, e.row_no, &e.row))
        .chain([evidence(own, finding.table, finding.row_no, &finding.row)])
        .collect()
}

fn identity(rule: &Rule, scope: &Scope, finding: &Finding) -> String {
    let of = [&scope.tenant, &rule.id, &rule.version, &scope.site].map(String::as_str);
    let [tenant, id_of, version, site] = of;
    match &finding.identity {
        Identity::Row => id(&[tenant, id_of, version, site, &row_identity(&finding.row)]),
        // one part more: no group is ever a row
        Identity::Group(group) => id(&[tenant, id_of, version, site, "group", group]),
    }
}

/// The name of the site that a row is from.
pub(crate) fn site_of(site: &Site, row: &RowValues) -> String {
    let named = text(row.get("site"));
    if named.is_empty() {
        site.toml.name.clone()
    } else {
        named
    }
}

/// The `created` record of a finding.
pub(crate) fn created(rule: &Rule, site: &Site, finding: &Finding, rule_set: &str) -> Alert {
    let row = &finding.row;
    let scope = Scope {
        tenant: "default".to_owned(),
        site: site_of(site, row),
        sensor: text(row.get("sensor")),
        segment: text(row.get("segment")),
    };
    let (severity, lowered) = severity(rule, site, finding);
    let key_values = rule
        .correlation_key
        .iter()
        .map(|c| format!("{c}={}", text(row.get(c))));
    let correlation_key = [rule.id.clone(), scope.site.clone()]
        .into_iter()
        .chain(key_values)
        .collect::<Vec<_>>()
        .join("|");
    let process_meaning = process_meaning(site, row);
    let filled = |template: &str| fill(template, |hole| word(hole, rule, site, finding));
    let mut sentence = filled(&rule.sentence);
    if !process_meaning.is_empty() {
        write!(sentence, ": {process_meaning}").unwrap_or_default();
    }
    Alert {
        id: identity(rule, &scope, finding),
        record: RecordKind::Created.into(),
        correlation_key,
        rule: Some(RuleRef {
            id: rule.id.clone(),
            version: rule.version.clone(),
            name: rule.name.clone(),
            status: status(rule).to_owned(),
        }),
        severity: u32::from(severity.score()),
        severity_name: severity.as_str().to_owned(),
        confidence: rule.confidence.as_str().to_owned(),
        scope: Some(scope),
        event_time_ns: finding.event_time,
        first_ns: finding.event_time,
        last_ns: finding.event_time,
        count: 1,
        actor: Some(entity(site, row, &rule.entities.actor)),
        target: Some(entity(site, row, &rule.entities.target)),
        sentence,
        description: rule.description.trim().to_owned(),
        attack: rule
            .attack
            .iter()
            .filter_map(|t| attack::technique(t))
            .map(|t| Technique {
                id: t.id.clone(),
                name: t.name.clone(),
                tactics: t.tactics.clone(),
            })
            .collect(),
        iec62443: rule.iec62443.clone(),
        response: rule.response.iter().map(|r| filled(r)).collect(),
        false_positives: rule.false_positives.clone(),
        evidence: all_evidence(finding),
        mode: if site.mode(&rule.id) == Mode::Shadow {
            "shadow"
        } else {
            "alert"
        }
        .to_owned(),
        rule_set: rule_set.to_owned(),
        context: site.hash.clone(),
        summarises: 0,
        process_meaning,
        provisional: finding.provisional,
        delayed_by_ns: finding.delayed_by,
        retimed_by_ns: finding.retimed_by,
        warming_until_ns: finding.warming_until,
        lowered_by: lowered.unwrap_or_default().to_owned(),
        risk: points(rule, severity, lowered.is_some()),
    }
}

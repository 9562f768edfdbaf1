//! Makes an alert of a finding.

use crate::v1::{Alert, Entity, Evidence, Field, RecordKind, Rule as RuleRef, Scope, Technique};
use std::fmt::Write as _;
use telltale_rules::site::Mode;
use telltale_rules::site::assets::UNKNOWN;
use telltale_rules::{Finding, Rule, Severity, Site, attack};
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

fn text(value: &Value) -> String {
    if value.is_null() {
        String::new()
    } else {
        value.to_string()
    }
}

/// A device as people call it: "PLC-2 (10.20.1.32)", or its address.
fn called(site: &Site, value: &Value) -> String {
    match value {
        Value::Ip(ip) => match site.assets.get(ip) {
            Some(asset) if asset.name != UNKNOWN => format!("{} ({ip})", asset.name),
            Some(_) => ip.to_string(),
            None if site.assets.is_empty() => ip.to_string(),
            None => format!("an unknown device ({ip})"),
        },
        other => text(other),
    }
}

/// Fills the holes of a template; what a row lacks is said in words.
pub(crate) fn fill(template: &str, rule: &Rule, site: &Site, row: &RowValues) -> String {
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let Some((name, tail)) = after.split_once('}') else {
            out.push('{');
            rest = after;
            continue;
        };
        let column = match name {
            "client" => "client_ip",
            "server" => "server_ip",
            "actor" => rule.entities.actor.as_str(),
            "target" => rule.entities.target.as_str(),
            other => other,
        };
        let word = match row.get(column) {
            Value::Null => rule
                .parameters
                .get(column)
                .map_or_else(|| "something unnamed".to_owned(), ToString::to_string),
            value => called(site, value),
        };
        out.push_str(&word);
        rest = tail;
    }
    out.push_str(rest);
    out
}

/// "Tank 1 level setpoint = 98 %, outside its limits of 20 to 85": what the row's
/// `tag` and `value` say, in the words of the site's tag.
fn process_meaning(site: &Site, row: &RowValues) -> String {
    let (Value::Ip(device), Some(name)) = (row.get("server_ip"), row.get("tag").as_str()) else {
        return String::new();
    };
    let mut out = name.to_owned();
    let Some(value) = row.get("value").as_f64() else {
        return out;
    };
    let outside = site
        .tags
        .named(*device, name)
        .find(|tag| tag.is_outside(value));
    let tag = outside.or_else(|| site.tags.named(*device, name).next());
    let unit = tag.map_or("", |tag| tag.unit.as_str());
    // writing to a String cannot fail
    write!(
        out,
        " = {}{}{unit}",
        (value * 1000.0).round() / 1000.0,
        if unit.is_empty() { "" } else { " " },
    )
    .unwrap_or_default();
    if let Some(tag) = outside {
        let bound = |b: Option<f64>| b.map_or("…".to_owned(), |b| b.to_string());
        write!(
            out,
            ", outside its limits of {} to {}",
            bound(tag.low),
            bound(tag.high)
        )
        .unwrap_or_default();
    }
    out
}

fn entity(site: &Site, row: &RowValues, column: &str) -> Entity {
    let value = row.get(column);
    let side = if column.starts_with("client")
        || column.starts_with("src")
        || column.starts_with("sender")
    {
        "client"
    } else {
        "server"
    };
    let ip = match value {
        Value::Ip(ip) => Some(*ip),
        _ => match row.get(&format!("{side}_ip")) {
            Value::Ip(ip) => Some(*ip),
            _ => None,
        },
    };
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

/// The severity that holds at the site.
pub(crate) fn severity(rule: &Rule, site: &Site) -> Severity {
    site.overrides
        .get(&rule.id)
        .and_then(|o| o.severity)
        .unwrap_or(rule.severity)
}

/// The `created` record of a finding.
pub(crate) fn created(rule: &Rule, site: &Site, finding: &Finding, rule_set: &str) -> Alert {
    let row = &finding.row;
    let scope = Scope {
        tenant: "default".to_owned(),
        site: text(row.get("site")),
        sensor: text(row.get("sensor")),
        segment: text(row.get("segment")),
    };
    let severity = severity(rule, site);
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
    let mut sentence = fill(&rule.sentence, rule, site, row);
    if !process_meaning.is_empty() {
        write!(sentence, ": {process_meaning}").unwrap_or_default();
    }
    Alert {
        id: id(&[
            &scope.tenant,
            &rule.id,
            &rule.version,
            &scope.site,
            &row_identity(row),
        ]),
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
        response: rule
            .response
            .iter()
            .map(|r| fill(r, rule, site, row))
            .collect(),
        false_positives: rule.false_positives.clone(),
        evidence: vec![Evidence {
            table: finding.table.name().to_owned(),
            fields: row
                .iter()
                .map(|(name, value)| Field {
                    name: name.to_owned(),
                    value: value.to_string(),
                })
                .collect(),
            capture_file: text(row.get("capture_file")),
            packet: row.get("packet").as_u64().unwrap_or(0),
            row_no: finding.row_no,
        }],
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
    }
}

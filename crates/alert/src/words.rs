//! The words of an alert: sentences from templates, times and devices as people say them.

use chrono::TimeZone as _;
use std::fmt::Write as _;
use telltale_rules::site::assets::UNKNOWN;
use telltale_rules::{Finding, Rule, Site};
use telltale_schema::value::{RowValues, Value};

/// A value as text; nothing for a missing one.
pub(crate) fn text(value: &Value) -> String {
    if value.is_null() {
        String::new()
    } else {
        value.to_string()
    }
}

/// A value as people say it: "PLC-2 (10.20.1.32)" of a device, three decimals of a mean,
/// a time by the clock of the site.
pub(crate) fn called(site: &Site, value: &Value) -> String {
    match value {
        Value::Ip(ip) => match site.assets.get(ip) {
            Some(asset) if asset.name != UNKNOWN => format!("{} ({ip})", asset.name),
            Some(_) => ip.to_string(),
            None if site.assets.is_empty() => ip.to_string(),
            None => format!("an unknown device ({ip})"),
        },
        Value::F64(v) if v.abs() >= 0.001 => ((v * 1000.0).round() / 1000.0).to_string(),
        Value::Time(ns) => {
            let utc = chrono::DateTime::from_timestamp_nanos(*ns).naive_utc();
            let local = site.zone.from_utc_datetime(&utc);
            local.format("%Y-%m-%d %H:%M:%S %Z").to_string()
        }
        other => text(other),
    }
}

/// Fills the holes of a template.
pub(crate) fn fill(template: &str, word: impl Fn(&str) -> String) -> String {
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let Some((name, tail)) = after.split_once('}') else {
            out.push('{');
            rest = after;
            continue;
        };
        out.push_str(&word(name));
        rest = tail;
    }
    out.push_str(rest);
    out
}

/// Names of the holes of a rule's templates.
fn holes(rule: &Rule) -> impl Iterator<Item = &str> {
    std::iter::once(&rule.sentence)
        .chain(&rule.response)
        .flat_map(|template| template.split('{').skip(1))
        .filter_map(|rest| rest.split_once('}').map(|(name, _)| name))
}

/// What stands in a hole: a column of the row, `step.column` of a step's row (the last
/// one, where the step has several), or a parameter. What a row lacks is said in words.
pub(crate) fn word(hole: &str, rule: &Rule, site: &Site, finding: &Finding) -> String {
    let (row, column) = match hole.split_once('.') {
        None => (Some(&finding.row), hole),
        Some((step, column)) => {
            let of_step = finding.evidence.iter().rev().find(|e| e.step == step);
            (of_step.map(|e| &e.row), column)
        }
    };
    let column = match column {
        "client" => "client_ip",
        "server" => "server_ip",
        "actor" => rule.entities.actor.as_str(),
        "target" => rule.entities.target.as_str(),
        other => other,
    };
    match row.map(|row| row.get(column)) {
        None | Some(Value::Null) => rule
            .parameters
            .get(hole)
            .map_or_else(|| "something unnamed".to_owned(), ToString::to_string),
        Some(value) => called(site, value),
    }
}

/// All words of a rule's holes, for a finding whose values will be renewed.
pub(crate) fn kept(rule: &Rule, site: &Site, finding: &Finding) -> Vec<(String, String)> {
    let mut out: Vec<(String, String)> = Vec::new();
    for hole in holes(rule) {
        if out.iter().all(|(name, _)| name != hole) {
            out.push((hole.to_owned(), word(hole, rule, site, finding)));
        }
    }
    out
}

/// What was worked out for a row under names that are no columns.
pub(crate) fn worked_out(row: &RowValues) -> impl Iterator<Item = (&str, &Value)> {
    let columns = row.table.def();
    row.iter()
        .filter(|(name, _)| columns.column(name).is_none())
}

/// "Tank 1 level setpoint = 98 %, outside its limits of 20 to 85": what the row's
/// `tag` and `value` say, in the words of the site's tag.
pub(crate) fn process_meaning(site: &Site, row: &RowValues) -> String {
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

/// A length of time as people say it.
pub(crate) fn duration(ns: i64) -> String {
    let seconds = ns.max(0) / 1_000_000_000;
    let (number, unit) = match seconds {
        0 => return "less than a second".to_owned(),
        1..120 => (seconds, "second"),
        120..7200 => (seconds / 60, "minute"),
        7200..172_800 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}

//! What a person reads.

use crate::v1::{Alert, Evidence, RecordKind};
use crate::words::duration;
use chrono::TimeZone as _;
use std::fmt::Write as _;
use telltale_schema::value::parse_time;

/// How text looks.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// ANSI colours.
    pub color: bool,
    /// Zone in which times are shown.
    pub zone: chrono_tz::Tz,
}

/// What must be known to weigh the alert.
fn notes(alert: &Alert, time: &impl Fn(i64) -> String) -> Vec<String> {
    let mut out = Vec::new();
    if alert.provisional {
        out.push(
            "rests on silence; it is taken back if what is missing comes after all".to_owned(),
        );
    }
    if alert.delayed_by_ns > 0 {
        let late = duration(alert.delayed_by_ns);
        out.push(format!("known {late} late: the sensor had been away"));
    }
    if alert.retimed_by_ns > 0 {
        let ahead = duration(alert.retimed_by_ns);
        out.push(format!(
            "times moved back by {ahead}: the sensor's clock was ahead"
        ));
    }
    if let Some(until) = alert.warming_until_ns {
        let until = time(until);
        out.push(format!(
            "the rule has not seen a whole window yet; values may be too small until {until}"
        ));
    }
    if !alert.lowered_by.is_empty() {
        let calendar = &alert.lowered_by;
        out.push(format!(
            "less severe than the rule says: planned in the calendar {calendar}"
        ));
    }
    out
}

/// A row of evidence in one line.
fn seen(evidence: &Evidence, time: &impl Fn(i64) -> String) -> String {
    let field = |name: &str| {
        let mut named = evidence.fields.iter().filter(|f| f.name == name);
        named.next().map(|f| f.value.as_str())
    };
    let when = |name| field(name).and_then(parse_time).map(time);
    if evidence.table == "alert" {
        let word = |name| field(name).unwrap_or("?");
        return format!(
            "part: {} points, {}; {}; alert {}",
            word("risk"),
            word("rule_name"),
            when("event_time").unwrap_or_default(),
            word("alert")
        );
    }
    let mut facts: Vec<String> = ["function", "object", "data", "outcome", "reason"]
        .iter()
        .filter_map(|n| field(n).map(|v| format!("{n} {v}")))
        .collect();
    if let (Some(start), Some(end)) = (when("window_start"), when("window_end")) {
        facts.push(format!("between {start} and {end}"));
    }
    if evidence.packet > 0 || facts.is_empty() {
        let packet = evidence.packet;
        let file = &evidence.capture_file;
        let of = if file.is_empty() { "" } else { " of " };
        let place = format!("packet {packet}{of}{file}");
        match facts.last_mut() {
            Some(last) => {
                last.push_str("; ");
                last.push_str(&place);
            }
            None => facts.push(place),
        }
    }
    let step = match evidence.step.as_str() {
        "" => String::new(),
        step => format!("{step}: "),
    };
    format!("seen: {step}{}", facts.join(", "))
}

/// One alert, over several lines.
#[must_use]
pub fn text(alert: &Alert, style: Style) -> String {
    let rule = alert.rule.clone().unwrap_or_default();
    let time = |ns: i64| {
        let local = style
            .zone
            .from_utc_datetime(&chrono::DateTime::from_timestamp_nanos(ns).naive_utc());
        local.format("%Y-%m-%d %H:%M:%S%.3f %Z").to_string()
    };
    let paint = |code: &str, words: &str| {
        if style.color {
            format!("\x1b[{code}m{words}\x1b[0m")
        } else {
            words.to_owned()
        }
    };
    let code = match alert.severity_name.as_str() {
        "critical" => "1;97;41",
        "high" => "1;31",
        "medium" => "1;33",
        "low" => "36",
        _ => "37",
    };
    let mut out = String::new();
    let mut line = |words: std::fmt::Arguments<'_>| {
        // writing to a String cannot fail
        out.write_fmt(words).unwrap_or_default();
        out.push('\n');
    };
    let label = paint(code, &format!("{:<8}", alert.severity_name.to_uppercase()));
    let shadow = if alert.mode == "shadow" {
        " (shadow)"
    } else {
        ""
    };
    if alert.record() == RecordKind::Closed {
        line(format_args!(
            "{label} {}  closed{shadow}",
            time(alert.event_time_ns)
        ));
        line(format_args!("         {}", alert.sentence));
        line(format_args!(
            "         rule: {}  alert {}",
            rule.name, alert.id
        ));
        return out;
    }
    if alert.record() == RecordKind::Updated {
        let times = match alert.count {
            0 | 1 => String::new(),
            count => format!("{count} times "),
        };
        line(format_args!(
            "{label} {}  … {times}until {}{shadow}",
            time(alert.first_ns),
            time(alert.last_ns)
        ));
        line(format_args!("         {}", alert.sentence));
        line(format_args!(
            "         rule: {}  alert {}",
            rule.name, alert.id
        ));
        return out;
    }
    line(format_args!(
        "{label} {}  {}{shadow}",
        time(alert.event_time_ns),
        paint("1", &alert.sentence)
    ));
    line(format_args!(
        "         why:  {} (rule {} {}, confidence {})",
        rule.name,
        rule.id.get(..8).unwrap_or(&rule.id),
        rule.version,
        alert.confidence
    ));
    for note in notes(alert, &time) {
        line(format_args!("         note: {note}"));
    }
    for evidence in &alert.evidence {
        line(format_args!("         {}", seen(evidence, &time)));
    }
    let attack: Vec<String> = alert
        .attack
        .iter()
        .map(|t| format!("{} {}", t.id, t.name))
        .collect();
    let mut references = attack.join(", ");
    if !alert.iec62443.is_empty() {
        write!(references, "  IEC 62443-3-3 {}", alert.iec62443.join(", ")).unwrap_or_default();
    }
    line(format_args!("         ref:  {references}"));
    for (n, step) in alert.response.iter().enumerate() {
        line(format_args!(
            "         {} {}. {step}",
            if n == 0 { "do:  " } else { "     " },
            n + 1
        ));
    }
    line(format_args!("         alert {}", alert.id));
    out
}

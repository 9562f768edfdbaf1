//! What a person reads.

use crate::v1::{Alert, RecordKind};
use chrono::TimeZone as _;
use std::fmt::Write as _;

/// How text looks.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// ANSI colours.
    pub color: bool,
    /// Zone in which times are shown.
    pub zone: chrono_tz::Tz,
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
    if alert.record() == RecordKind::Updated {
        line(format_args!(
            "{label} {}  … {} times until {}{shadow}",
            time(alert.first_ns),
            alert.count,
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
    for evidence in &alert.evidence {
        let field = |name: &str| {
            evidence
                .fields
                .iter()
                .find(|f| f.name == name)
                .map(|f| f.value.as_str())
        };
        let facts: Vec<String> = ["function", "object", "data", "outcome", "reason"]
            .iter()
            .filter_map(|n| field(n).map(|v| format!("{n} {v}")))
            .collect();
        let place = if evidence.capture_file.is_empty() {
            format!("packet {}", evidence.packet)
        } else {
            format!("packet {} of {}", evidence.packet, evidence.capture_file)
        };
        line(format_args!(
            "         seen: {}{}{place}",
            facts.join(", "),
            if facts.is_empty() { "" } else { "; " }
        ));
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

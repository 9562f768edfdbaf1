//! What came of a record, in lines that people compare.

use std::fmt::Write as _;
use telltale_alert::Alert;
use telltale_partition::Output;
use telltale_rules::testcase::START_NS;

fn seconds(ns: i64) -> String {
    format!("{}s", ns as f64 / 1e9)
}

fn at(ns: i64) -> String {
    seconds(ns.saturating_sub(START_NS))
}

fn alert(alert: &Alert) -> String {
    let record = format!("{:?}", alert.record()).to_lowercase();
    let rule = alert.rule.as_ref().map_or("", |r| r.name.as_str());
    let mut line = format!(
        "{record} {} \"{rule}\" at {}, {} from {} to {}: {}",
        alert.severity_name,
        at(alert.event_time_ns),
        alert.count,
        at(alert.first_ns),
        at(alert.last_ns),
        alert.sentence
    );
    let mut more = vec![format!(
        "id {}",
        alert.id.chars().take(8).collect::<String>()
    )];
    if alert.provisional {
        more.push("provisional".to_owned());
    }
    if alert.delayed_by_ns > 0 {
        more.push(format!("delayed by {}", seconds(alert.delayed_by_ns)));
    }
    if alert.retimed_by_ns > 0 {
        more.push(format!("re-timed by {}", seconds(alert.retimed_by_ns)));
    }
    if let Some(until) = alert.warming_until_ns {
        more.push(format!("warming until {}", at(until)));
    }
    if !alert.lowered_by.is_empty() {
        more.push(format!("lowered by {}", alert.lowered_by));
    }
    if alert.mode != "alert" {
        more.push(format!("mode {}", alert.mode));
    }
    if alert.summarises > 0 {
        more.push(format!("sums up {}", alert.summarises));
    }
    if alert.risk > 0 {
        more.push(format!("risk {}", alert.risk));
    }
    let steps: Vec<&str> = alert.evidence.iter().map(|e| e.step.as_str()).collect();
    if steps.iter().any(|s| !s.is_empty()) {
        more.push(format!("steps {}", steps.join(", ")));
    }
    write!(line, " [{}]", more.join("; ")).expect("a text takes text");
    line
}

/// The record in words, then a line for each output; nothing where nothing came of it.
pub fn lines(record: &str, out: &mut Vec<Output>) -> String {
    if out.is_empty() {
        return String::new();
    }
    let mut text = format!("{record}:\n");
    for output in out.drain(..) {
        let line = match &output {
            Output::Alert(it) => alert(it),
            Output::Health(health) => format!("{} {}", health.code, health.sentence),
            Output::Quarantine { rule, why } => format!("to be quarantined: {rule}, {why}"),
            Output::Late(_) => output.identity(),
        };
        writeln!(text, "  {line}").expect("a text takes text");
    }
    text
}

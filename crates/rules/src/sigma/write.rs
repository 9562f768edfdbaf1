//! Writes a rule file.

use super::head::Head;
use serde_json::{Map, Value as Json};

/// A row of a test: its columns, in order.
pub(super) type Row = Map<String, Json>;

/// A test.
#[derive(Debug, Clone)]
pub(super) struct Case {
    /// What it shows.
    pub name: &'static str,
    /// `match`, `no_match` or `near_miss`.
    pub kind: &'static str,
    /// Its table.
    pub table: String,
    /// Its rows.
    pub rows: Vec<Row>,
}

/// A step of a sequence.
#[derive(Debug, Clone)]
pub(super) struct StepText {
    /// Its name.
    pub name: String,
    /// Its table.
    pub table: String,
    /// Its columns that tie.
    pub by: Vec<&'static str>,
    /// Its conditions.
    pub condition: String,
}

/// What the rule looks for.
#[derive(Debug, Clone)]
pub(super) enum Looks {
    /// SQL.
    Sql(String),
    /// Steps, and the time from first to last.
    Sequence {
        steps: Vec<StepText>,
        within: String,
    },
}

/// All that is not the head's.
#[derive(Debug, Clone)]
pub(super) struct Body {
    /// Id, if not the document's own.
    pub id: String,
    /// Name.
    pub name: String,
    /// What it looks for.
    pub looks: Looks,
    /// Parameters.
    pub parameters: Vec<(&'static str, Json)>,
    /// Actor and target.
    pub entities: (&'static str, &'static str),
    /// What to do.
    pub response: Vec<String>,
    /// The sentence.
    pub sentence: String,
    /// Correlation key, also of suppression.
    pub keys: Vec<&'static str>,
    /// Suppression.
    pub suppressed_for: String,
    /// Tests.
    pub tests: Vec<Case>,
}

/// Is the character fit to stand in a double-quoted scalar as it is?
fn printable(c: char) -> bool {
    matches!(c, ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
        && !matches!(c, '\u{2028}' | '\u{2029}')
}

/// A scalar; in quotes unless it is plain words.
pub(super) fn scalar(text: &str) -> String {
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || " ._-/".contains(c))
        && !text.ends_with(' ')
        && ![
            "true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf", "infinity",
        ]
        .contains(&text.to_lowercase().as_str());
    if plain {
        return text.to_owned();
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if printable(c) => out.push(c),
            c => out.push_str(&format!("\\U{:08X}", u32::from(c))),
        }
    }
    out.push('"');
    out
}

/// Several lines as a block, or in quotes where a block cannot hold them.
fn block(text: &str, indent: &str) -> String {
    let fits = text.chars().all(|c| c == '\n' || printable(c))
        && text.lines().all(|l| l.trim_end() == l)
        && !text.starts_with([' ', '\n'])
        && !text.trim().is_empty();
    if !fits {
        return scalar(text);
    }
    let mut out = String::from("|");
    for line in text.trim_end().lines() {
        out.push('\n');
        if !line.is_empty() {
            out.push_str(indent);
            out.push_str(line);
        }
    }
    out
}

fn value(json: &Json) -> String {
    match json {
        Json::String(text) => scalar(text),
        other => other.to_string(),
    }
}

fn flow(names: &[&str]) -> String {
    format!("[{}]", names.join(", "))
}

fn row(row: &Row) -> String {
    let cells: Vec<String> = row
        .iter()
        .map(|(k, v)| format!("{k}: {}", value(v)))
        .collect();
    format!("{{{}}}", cells.join(", "))
}

/// The text of a rule file.
pub(super) fn rule(head: &Head, body: &Body) -> String {
    let mut out = String::new();
    let mut say = |line: String| {
        out.push_str(&line);
        out.push('\n');
    };
    say(format!("id: {}", body.id));
    say(format!("name: {}", scalar(&body.name)));
    say(format!("description: {}", block(&head.description, "  ")));
    say("version: 1.0.0".to_owned());
    say(format!("severity: {}", head.severity.as_str()));
    say(format!("confidence: {}", head.standing.confidence));
    // a stable rule has a test of each kind
    let whole = ["match", "no_match", "near_miss"]
        .iter()
        .all(|kind| body.tests.iter().any(|t| t.kind == *kind));
    let status = match head.standing.status {
        "stable" if !whole => "test",
        other => other,
    };
    say(format!("status: {status}"));
    say("scope: site".to_owned());
    match &body.looks {
        Looks::Sql(sql) => say(format!("sql: {}", block(sql, "  "))),
        Looks::Sequence { steps, within } => {
            say("sequence:".to_owned());
            let first = steps.first();
            let (table, by) = first.map_or(("", &[][..]), |s| (s.table.as_str(), s.by.as_slice()));
            say(format!("  from: {table}"));
            say(format!("  by: {}", flow(by)));
            say(format!("  within: {within}"));
            say("  steps:".to_owned());
            for step in steps {
                say(format!("    - name: {}", step.name));
                if step.table != table {
                    say(format!("      from: {}", step.table));
                }
                if step.by != by {
                    say(format!("      by: {}", flow(&step.by)));
                }
                say(format!(
                    "      where: {}",
                    block(&step.condition, "        ")
                ));
            }
        }
    }
    if !body.parameters.is_empty() {
        say("parameters:".to_owned());
        for (name, json) in &body.parameters {
            say(format!("  {name}: {}", value(json)));
        }
    }
    say(format!(
        "entities: {{actor: {}, target: {}}}",
        body.entities.0, body.entities.1
    ));
    let attack: Vec<&str> = head.attack.iter().map(String::as_str).collect();
    say(format!("attack: {}", flow(&attack)));
    if !head.false_positives.is_empty() {
        say("false_positives:".to_owned());
        for text in &head.false_positives {
            say(format!("  - {}", scalar(text.trim())));
        }
    }
    say("response:".to_owned());
    for text in &body.response {
        say(format!("  - {}", scalar(text)));
    }
    say(format!("sentence: {}", scalar(&body.sentence)));
    say(format!("correlation_key: {}", flow(&body.keys)));
    say(format!(
        "suppression: {{key: {}, for: {}}}",
        flow(&body.keys),
        body.suppressed_for
    ));
    if body.tests.is_empty() {
        say("tests: []".to_owned());
    } else {
        say("tests:".to_owned());
    }
    for case in &body.tests {
        say(format!("  - name: {}", scalar(case.name)));
        say(format!("    kind: {}", case.kind));
        say(format!("    table: {}", case.table));
        say("    rows:".to_owned());
        for r in &case.rows {
            say(format!("      - {}", row(r)));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(text in ".{0,40}", lines in "([a-z'#: -]{0,12}\n){0,4}[\\PC]{0,8}") {
            let yaml = format!("a: {}\nb: {}\n", scalar(&text), block(&lines, "  "));
            let read: std::collections::BTreeMap<String, String> = serde_saphyr::from_str(&yaml)
                .map_err(|e| TestCaseError::fail(format!("{e}\n{yaml}")))?;
            prop_assert_eq!(&read["a"], &text);
            prop_assert_eq!(read["b"].trim_end(), lines.trim_end());
        }
    }
}

//! A rule with a detection: conditions of one row.

use super::cond::Cond;
use super::detection::Reader;
use super::head::Head;
use super::mapping::{Mapping, Source};
use super::node::Node;
use super::refusal::{Refusals, Why};
use super::sample;
use super::write::{self, Body, Looks};
use std::collections::BTreeMap;
use telltale_schema::TableId;

/// A detection over a table.
#[derive(Debug, Clone)]
pub(super) struct Compiled {
    /// Where the rows come from.
    pub source: Source,
    /// The condition, with what the log source implies.
    pub cond: Cond,
}

impl Compiled {
    /// The table of rows of tests.
    pub fn table(&self) -> TableId {
        TableId::from_name(&self.source.table).unwrap_or(TableId::Modbus)
    }
}

/// Reads log source and detection.
pub(super) fn compile(
    node: &Node,
    mapping: &Mapping,
    refusals: &mut Refusals<'_>,
) -> Option<Compiled> {
    let logsource = node.get("logsource");
    let keys: BTreeMap<String, String> = logsource
        .map(Node::entries)
        .unwrap_or_default()
        .iter()
        .filter_map(|(k, v)| Some((k.text()?.to_owned(), v.scalar()?.to_lowercase())))
        .filter(|(k, _)| ["product", "service", "category"].contains(&k.as_str()))
        .collect();
    let Some(source) = mapping.source(&keys) else {
        let said: Vec<String> = keys.iter().map(|(k, v)| format!("{k} {v}")).collect();
        let reason = format!(
            "no table for {}; `--mapping FILE` may name one",
            if said.is_empty() {
                "a rule without log source".to_owned()
            } else {
                said.join(", ")
            }
        );
        refusals.add(
            Why::Source,
            logsource.map_or(node.at, |l| l.at),
            "logsource",
            reason,
        );
        return None;
    };
    let detection = node.get("detection")?;
    let found = Reader { source, refusals }.detection(detection)?;
    let found = found.simple();
    if matches!(found, Cond::Always | Cond::Never) {
        let says = if matches!(found, Cond::Always) {
            "true of every row"
        } else {
            "true of no row"
        };
        let reason = format!(
            "{says} of `{}`: each has the column that it asks for",
            source.table
        );
        refusals.add(Why::Constant, detection.at, "detection", reason);
        return None;
    }
    let mut parts = vec![found.clone()];
    for (column, value) in source.implied(&found.columns()) {
        parts.push(Reader::implied(column, value));
    }
    Some(Compiled {
        source: source.clone(),
        cond: Cond::All(parts).simple(),
    })
}

/// Actor and target, and what the sentence says besides.
pub(super) fn roles(table: &str) -> ((&'static str, &'static str), &'static str) {
    match table {
        "arp" => (
            ("sender_ip", "target_ip"),
            "{sender_ip} ({sender_mac}), {function} for {target_ip}",
        ),
        "flow" => (
            ("client_ip", "server_ip"),
            "{client_ip} to {server_ip}, {transport} port {server_port}",
        ),
        "events" => (
            ("client_ip", "server_ip"),
            "{client_ip} to {server_ip} ({protocol} {function} {object})",
        ),
        _ => (
            ("client_ip", "server_ip"),
            "{client_ip} to {server_ip} ({function} {object})",
        ),
    }
}

/// What to do until the plant has written its own.
pub(super) fn response(actor: &str, target: &str) -> Vec<String> {
    vec![
        format!(
            "Ask who is responsible for {{{actor}}} whether this was planned work; compare with the maintenance schedule."
        ),
        format!("Look at the packets of the alert, and at what {{{actor}}} did before and after."),
        format!(
            "Do not block or restart {{{target}}} while the process runs; ask the control room first."
        ),
        "Imported from Sigma: replace these steps by those of your plant.".to_owned(),
    ]
}

/// The rule file of a plain rule.
pub(super) fn rule(head: &Head, compiled: &Compiled) -> String {
    let table = compiled.source.table.as_str();
    let ((actor, target), says) = roles(table);
    let tests = sample::cases(&compiled.cond, compiled.table());
    write::rule(
        head,
        &Body {
            id: head.id.clone(),
            name: head.title.clone(),
            looks: Looks::Sql(format!(
                "SELECT * FROM {table}\nWHERE {}",
                compiled.cond.sql()
            )),
            parameters: Vec::new(),
            entities: (actor, target),
            response: response(actor, target),
            sentence: format!("{}: {says}", head.title),
            keys: vec![actor, target],
            suppressed_for: "1h".to_owned(),
            tests,
        },
    )
}

//! `exceptions.yaml`: findings that are known and accepted, for a time.

use crate::diagnostic::Diagnostic;
use crate::site::list::List;
use serde::Deserialize;
use serde_json::{Map, Value as Json};
use telltale_schema::value::RowValues;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    rule: String,
    #[serde(rename = "match", default)]
    matches: Map<String, Json>,
    reason: String,
    owner: String,
    expires: serde_saphyr::Spanned<String>,
}

/// An accepted finding.
#[derive(Debug, Clone)]
pub struct Exception {
    /// Rule id, or `*`.
    pub rule: String,
    /// Why.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// Until when, nanoseconds of event time.
    pub expires_ns: i64,
    columns: Vec<String>,
    list: List,
}

impl Exception {
    /// Does it speak of this finding?
    #[must_use]
    pub fn covers(&self, rule: &str, row: &RowValues, at_ns: i64) -> bool {
        (self.rule == "*" || self.rule == rule) && at_ns < self.expires_ns && {
            let values: Vec<_> = self.columns.iter().map(|c| row.get(c).clone()).collect();
            self.list.contains(&values, at_ns)
        }
    }
}

/// Parses the file; bad entries are named and left out.
pub(crate) fn parse(name: &str, text: &str) -> (Vec<Exception>, Vec<Diagnostic>) {
    let entries: Option<Vec<Entry>> = match super::yaml(name, text, "TT-SITE-050") {
        Ok(entries) => entries,
        Err(diagnostic) => return (Vec::new(), vec![diagnostic]),
    };
    let (mut all, mut found) = (Vec::new(), Vec::new());
    for entry in entries.unwrap_or_default() {
        let line = u32::try_from(entry.expires.referenced.line()).unwrap_or(0);
        let Some(expires_ns) =
            telltale_schema::value::parse_time(&format!("{}T00:00:00Z", entry.expires.value))
                .or_else(|| telltale_schema::value::parse_time(&entry.expires.value))
        else {
            found.push(
                Diagnostic::error(
                    "TT-SITE-051",
                    name,
                    (line, 0),
                    format!("`expires: {}` is no date", entry.expires.value),
                )
                .help("write 2027-01-31"),
            );
            continue;
        };
        if entry.matches.is_empty() {
            found.push(
                Diagnostic::error(
                    "TT-SITE-052",
                    name,
                    (line, 0),
                    "an exception without `match` would hide everything",
                )
                .help("name columns and values; to silence a rule, set `mode: off` in rules.yaml"),
            );
            continue;
        }
        let list = List::from_json(std::slice::from_ref(&entry.matches));
        all.push(Exception {
            rule: entry.rule,
            reason: entry.reason,
            owner: entry.owner,
            expires_ns,
            columns: list.columns.clone(),
            list,
        });
    }
    (all, found)
}

//! `exceptions.yaml`: findings that are known and accepted, for a time.

use crate::diagnostic::Diagnostic;
use crate::site::list::List;
use serde::Deserialize;
use serde_json::{Map, Value as Json};
use telltale_schema::TableId;
use telltale_schema::value::RowValues;

#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Exception"))]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    /// Id of the rule, or `*` for every rule.
    #[cfg_attr(test, schemars(with = "String"))]
    rule: serde_saphyr::Spanned<String>,
    /// Columns with what they must be: an address, network, range, text or number, or several in `[]`.
    #[serde(rename = "match", default)]
    matches: Map<String, Json>,
    /// Why these findings are accepted.
    reason: String,
    /// Who answers for it.
    owner: String,
    /// The day (midnight UTC) from which it no longer holds.
    #[cfg_attr(test, schemars(with = "String"))]
    expires: serde_saphyr::Spanned<String>,
}

/// An accepted finding.
#[derive(Debug, Clone)]
pub struct Exception {
    /// Line and column of its `rule` in the file.
    pub place: (u32, u32),
    /// Rule id, or `*`.
    pub rule: String,
    /// Why.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// Until when, nanoseconds of event time.
    pub expires_ns: i64,
    /// Hash of all that it says: the same entry has it in any order of the file.
    pub key: String,
    conditions: Vec<(String, List)>,
}

impl Exception {
    /// Does it speak of this finding?
    #[must_use]
    pub fn covers(&self, rule: &str, row: &RowValues, at_ns: i64) -> bool {
        (self.rule == "*" || self.rule == rule) && at_ns < self.expires_ns && {
            // every column must fit one of its cells
            self.conditions
                .iter()
                .all(|(column, cells)| cells.contains(std::slice::from_ref(row.get(column)), at_ns))
        }
    }
}

/// A column with the cells that it may fit: one, or several in `[]`.
fn cells((column, value): (String, Json)) -> (String, List) {
    let several = match value {
        Json::Array(several) => several,
        one => vec![one],
    };
    let rows: Vec<Map<String, Json>> = several
        .into_iter()
        .map(|cell| std::iter::once((column.clone(), cell)).collect())
        .collect();
    let list = List::from_json(&rows);
    (column, list)
}

/// A name that is no column, and the nearest one that is.
fn unknown_column(name: &str) -> Option<(&str, Option<&'static str>)> {
    let columns = || TableId::ALL.iter().flat_map(|t| t.def().columns);
    let known = columns().any(|c| c.name == name);
    (!known).then(|| {
        (
            name,
            telltale_schema::nearest(name, columns().map(|c| c.name)),
        )
    })
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
        if let Some((column, near)) = entry.matches.keys().find_map(|c| unknown_column(c)) {
            found.push(
                Diagnostic::error(
                    "TT-SITE-053",
                    name,
                    (line, 0),
                    format!("no table has a column `{column}`"),
                )
                .help(near.map_or("see `telltale schema`".to_owned(), |n| {
                    format!("did you mean `{n}`?")
                })),
            );
            continue;
        }
        if entry.rule.value != "*" && uuid::Uuid::parse_str(&entry.rule.value).is_err() {
            found.push(
                Diagnostic::error(
                    "TT-SITE-054",
                    name,
                    super::place(&entry.rule),
                    format!("`rule: {}` is no rule id", entry.rule.value),
                )
                .help("write the rule's id (`telltale rule list`), or \"*\" for every rule"),
            );
            continue;
        }
        let says = serde_json::json!([
            entry.rule.value.to_lowercase(),
            entry.matches,
            entry.reason,
            entry.owner,
            expires_ns
        ]);
        let key = blake3::hash(says.to_string().as_bytes()).to_hex();
        let conditions = entry.matches.into_iter().map(cells).collect();
        all.push(Exception {
            place: super::place(&entry.rule),
            rule: entry.rule.value.to_lowercase(),
            reason: entry.reason,
            owner: entry.owner,
            expires_ns,
            key: key.as_str().to_owned(),
            conditions,
        });
    }
    (all, found)
}

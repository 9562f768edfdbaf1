//! One rule file.

use crate::attack;
use crate::diagnostic::Diagnostic;
use crate::testcase::{Kind, TestCase};
use serde::{Deserialize, Serialize};
use serde_saphyr::Spanned;
use telltale_schema::TableId;

/// How bad it is when the rule fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Look at it when there is time.
    Low,
    /// Look at it this shift.
    Medium,
    /// Look at it now.
    High,
    /// The process is in danger.
    Critical,
}

impl Severity {
    /// 0 to 100.
    #[must_use]
    pub const fn score(self) -> u8 {
        match self {
            Self::Info => 10,
            Self::Low => 30,
            Self::Medium => 50,
            Self::High => 75,
            Self::Critical => 95,
        }
    }

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// How sure it is that a finding means what the rule says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// Often something else.
    Low,
    /// Sometimes something else.
    Medium,
    /// Hardly ever something else.
    High,
}

impl Confidence {
    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// Where a rule is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Being tried.
    Experimental,
    /// Being tested in plants.
    Test,
    /// Relied on.
    Stable,
    /// Replaced; runs until it is removed.
    Deprecated,
}

/// Content of the site that a rule needs.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requires {
    /// Lists.
    #[serde(default)]
    pub lists: Vec<String>,
    /// Calendars.
    #[serde(default)]
    pub calendars: Vec<String>,
}

/// Who did it, to whom: columns.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entities {
    /// Column of who did it.
    #[serde(default = "client")]
    pub actor: String,
    /// Column of whom it was done to.
    #[serde(default = "server")]
    pub target: String,
}

fn client() -> String {
    "client_ip".to_owned()
}

fn server() -> String {
    "server_ip".to_owned()
}

impl Default for Entities {
    fn default() -> Self {
        Self {
            actor: client(),
            target: server(),
        }
    }
}

/// Findings with equal keys within this time are one alert.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suppression {
    /// Columns.
    pub key: Vec<String>,
    /// Event time, such as `1h`.
    #[serde(rename = "for")]
    pub duration: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    id: Spanned<String>,
    name: Spanned<String>,
    description: String,
    #[serde(default = "first_version")]
    version: String,
    severity: Severity,
    confidence: Confidence,
    status: Spanned<Status>,
    #[serde(default)]
    owner: Option<String>,
    scope: Spanned<String>,
    sql: Spanned<String>,
    #[serde(default)]
    parameters: std::collections::BTreeMap<String, serde_json::Value>,
    #[serde(default)]
    requires: Requires,
    #[serde(default)]
    entities: Entities,
    attack: Vec<Spanned<String>>,
    #[serde(default)]
    iec62443: Vec<Spanned<String>>,
    #[serde(default)]
    false_positives: Vec<String>,
    response: Vec<String>,
    sentence: Spanned<String>,
    correlation_key: Vec<Spanned<String>>,
    #[serde(default)]
    suppression: Option<Suppression>,
    tests: Vec<TestCase>,
}

fn first_version() -> String {
    "1.0.0".to_owned()
}

/// A rule that was read and linted.
#[derive(Debug, Clone)]
pub struct Rule {
    /// The file it was read from.
    pub file: String,
    /// UUID, for ever.
    pub id: String,
    /// A few words.
    pub name: String,
    /// In a plant engineer's words.
    pub description: String,
    /// Semantic version: changes when the meaning changes.
    pub version: String,
    /// How bad.
    pub severity: Severity,
    /// How sure.
    pub confidence: Confidence,
    /// Where in its life.
    pub status: Status,
    /// Who keeps it.
    pub owner: Option<String>,
    /// The SQL text.
    pub sql: String,
    /// Line of the file on which the SQL's first line stands, from 1.
    pub sql_line: u32,
    /// Columns by which the file indents the SQL.
    pub sql_indent: u32,
    /// Parameters with their defaults.
    pub parameters: std::collections::BTreeMap<String, serde_json::Value>,
    /// Needed site content.
    pub requires: Requires,
    /// Who and whom.
    pub entities: Entities,
    /// ATT&CK for ICS techniques.
    pub attack: Vec<String>,
    /// IEC 62443-3-3 system requirements.
    pub iec62443: Vec<String>,
    /// When it fires although all is well.
    pub false_positives: Vec<String>,
    /// What to do, safe for a running plant.
    pub response: Vec<String>,
    /// Template of the sentence.
    pub sentence: String,
    /// Columns that keep tickets together.
    pub correlation_key: Vec<String>,
    /// Columns and nanoseconds of suppression.
    pub suppression: Option<(Vec<String>, i64)>,
    /// Its tests.
    pub tests: Vec<TestCase>,
}

fn place<T>(s: &Spanned<T>) -> (u32, u32) {
    let narrow = |n: u64| u32::try_from(n).unwrap_or(0);
    (narrow(s.referenced.line()), narrow(s.referenced.column()))
}

/// Names in `{}` of a sentence template.
pub(crate) fn placeholders(template: &str) -> Vec<&str> {
    template
        .split('{')
        .skip(1)
        .filter_map(|rest| rest.split_once('}').map(|(name, _)| name))
        .collect()
}

fn is_column(name: &str) -> bool {
    TableId::ALL.iter().any(|t| t.def().column(name).is_some())
}

fn nearest_column(name: &str) -> Option<&'static str> {
    telltale_schema::nearest(
        name,
        TableId::ALL
            .iter()
            .flat_map(|t| t.def().columns.iter().map(|c| c.name)),
    )
}

impl Rule {
    /// Reads a rule file. All that is wrong is told at once; `None` when it does
    /// not load.
    #[must_use]
    pub fn parse(name: &str, text: &str) -> (Option<Self>, Vec<Diagnostic>) {
        let file: File = match serde_saphyr::from_str(text) {
            Ok(file) => file,
            Err(error) => {
                let at = error.location().map_or((0, 0), |l| {
                    (
                        u32::try_from(l.line()).unwrap_or(0),
                        u32::try_from(l.column()).unwrap_or(0),
                    )
                });
                let message = error.to_string();
                let message = message.lines().next().unwrap_or("unreadable").to_owned();
                return (
                    None,
                    vec![
                        Diagnostic::error("TT-RULE-001", name, at, message)
                            .help("see docs/rules.md for the form of a rule file"),
                    ],
                );
            }
        };
        let mut found = Vec::new();
        let mut error = |code, at, message: String, help: &str| {
            found.push(Diagnostic::error(code, name, at, message).help(help));
        };
        if uuid::Uuid::parse_str(&file.id.value).is_err() {
            error(
                "TT-RULE-002",
                place(&file.id),
                format!("`{}` is no UUID", file.id.value),
                "make one with `telltale rule new`",
            );
        }
        if file.scope.value != "site" {
            error(
                "TT-RULE-003",
                place(&file.scope),
                format!("scope `{}` is not built yet", file.scope.value),
                "write `scope: site`",
            );
        }
        for technique in &file.attack {
            if attack::technique(&technique.value).is_none() {
                error(
                    "TT-RULE-004",
                    place(technique),
                    format!(
                        "`{}` is no technique of ATT&CK for ICS 18.1",
                        technique.value
                    ),
                    "see `telltale rule coverage`",
                );
            }
        }
        for sr in &file.iec62443 {
            let well_formed = sr
                .value
                .strip_prefix("SR ")
                .and_then(|n| n.split_once('.'))
                .is_some_and(|(a, b)| {
                    matches!(a.parse::<u8>(), Ok(1..=7))
                        && matches!(
                            b.split_whitespace().next().unwrap_or("").parse::<u8>(),
                            Ok(1..=13)
                        )
                });
            if !well_formed {
                error(
                    "TT-RULE-005",
                    place(sr),
                    format!("`{}` is no system requirement of IEC 62443-3-3", sr.value),
                    "write it like `SR 2.8`",
                );
            }
        }
        let words = ["client", "server", "actor", "target"];
        for template in std::iter::once(file.sentence.value.as_str())
            .chain(file.response.iter().map(String::as_str))
        {
            for hole in placeholders(template) {
                if !is_column(hole) && !words.contains(&hole) && !file.parameters.contains_key(hole)
                {
                    let help = nearest_column(hole).map_or("name a column".to_owned(), |n| {
                        format!("did you mean `{{{n}}}`?")
                    });
                    error(
                        "TT-RULE-006",
                        place(&file.sentence),
                        format!("`{{{hole}}}` is neither a column nor a parameter"),
                        &help,
                    );
                }
            }
        }
        let keys = file
            .suppression
            .iter()
            .flat_map(|s| s.key.iter().map(|k| (k.as_str(), (0, 0))));
        let entities = [&file.entities.actor, &file.entities.target].map(|e| (e.as_str(), (0, 0)));
        for (column, at) in file
            .correlation_key
            .iter()
            .map(|k| (k.value.as_str(), place(k)))
            .chain(keys)
            .chain(entities)
        {
            if !is_column(column) {
                let help = nearest_column(column).map_or("name a column".to_owned(), |n| {
                    format!("did you mean `{n}`?")
                });
                error(
                    "TT-RULE-007",
                    at,
                    format!("no table has a column `{column}`"),
                    &help,
                );
            }
        }
        let suppression = match &file.suppression {
            None => None,
            Some(s) => match crate::testcase::duration_ns(&s.duration) {
                Some(ns) => Some((s.key.clone(), ns)),
                None => {
                    error(
                        "TT-RULE-008",
                        (0, 0),
                        format!("`for: {}` is no duration", s.duration),
                        "write 30s, 10m, 1h or 1d",
                    );
                    None
                }
            },
        };
        let has = |kind| file.tests.iter().any(|t| t.kind == kind);
        if file.status.value == Status::Stable
            && !(has(Kind::Match) && has(Kind::NoMatch) && has(Kind::NearMiss))
        {
            error(
                "TT-RULE-009",
                place(&file.status),
                "a stable rule needs a match, a no_match and a near_miss test".to_owned(),
                "add the test, or set `status: experimental`",
            );
        }
        for case in &file.tests {
            if let Err(why) = case.expand() {
                error(
                    "TT-RULE-010",
                    (0, 0),
                    format!("test `{}`: {why}", case.name),
                    "see `telltale schema TABLE` for its columns",
                );
            }
        }
        if !found.is_empty() {
            return (None, found);
        }
        // a block scalar's text begins on the line after its indicator
        let line = place(&file.sql).0;
        let source = text.lines().nth(line as usize).unwrap_or("");
        let block = text
            .lines()
            .nth((line as usize).saturating_sub(1))
            .is_some_and(|l| l.trim_end().ends_with(['|', '>', '-']));
        let sql_indent = if block {
            source.len() - source.trim_start().len()
        } else {
            place(&file.sql).1.saturating_sub(1) as usize
        };
        let rule = Self {
            file: name.to_owned(),
            id: file.id.value.to_lowercase(),
            name: file.name.value,
            description: file.description,
            version: file.version,
            severity: file.severity,
            confidence: file.confidence,
            status: file.status.value,
            owner: file.owner,
            sql: file.sql.value,
            sql_line: if block { line + 1 } else { line },
            sql_indent: u32::try_from(sql_indent).unwrap_or(0),
            parameters: file.parameters,
            requires: file.requires,
            entities: file.entities,
            attack: file.attack.into_iter().map(|a| a.value).collect(),
            iec62443: file.iec62443.into_iter().map(|a| a.value).collect(),
            false_positives: file.false_positives,
            response: file.response,
            sentence: file.sentence.value,
            correlation_key: file.correlation_key.into_iter().map(|k| k.value).collect(),
            suppression,
            tests: file.tests,
        };
        (Some(rule), Vec::new())
    }

    /// A place in the SQL (line and column from 1) as a place in the file.
    #[must_use]
    pub fn in_file(&self, line: u32, column: u32) -> (u32, u32) {
        (
            self.sql_line + line.saturating_sub(1),
            self.sql_indent + column,
        )
    }
}

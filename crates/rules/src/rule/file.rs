//! The form of a rule file, with the place of everything that lint may speak of.

use super::{Confidence, Requires, Severity, Status};
use crate::testcase::TestCase;
use serde::Deserialize;
use serde_saphyr::Spanned;
use std::collections::BTreeMap;

/// A rule file.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(title = "Telltale rule"))]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    /// UUID, for ever: alerts and site layers know the rule by it.
    #[cfg_attr(test, schemars(with = "String"))]
    pub id: Spanned<String>,
    /// What happened, in a few words.
    #[cfg_attr(test, schemars(with = "String"))]
    pub name: Spanned<String>,
    /// In a plant engineer's words: what it means, and why it matters.
    #[cfg_attr(test, schemars(with = "String"))]
    pub description: Spanned<String>,
    /// Semantic version; changes when the meaning changes. [default: 1.0.0]
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub version: Option<Spanned<String>>,
    /// How bad.
    pub severity: Severity,
    /// How sure.
    pub confidence: Confidence,
    /// Where in its life.
    #[cfg_attr(test, schemars(with = "Status"))]
    pub status: Spanned<Status>,
    /// Who keeps it.
    #[serde(default)]
    pub owner: Option<String>,
    /// `site`: a rule sees one site at a time.
    #[cfg_attr(test, schemars(with = "String"))]
    pub scope: Spanned<String>,
    /// `SELECT * FROM <table> WHERE <conditions>`, or a SELECT with GROUP BY … tumble(),
    /// hop() or session() and HAVING. A rule has `sql` or `sequence`.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub sql: Option<Spanned<String>>,
    /// Steps that follow one another.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Option<SequenceFile>"))]
    pub sequence: Option<Spanned<SequenceFile>>,
    /// Numbers, texts and truth values that the SQL names as `$name`; a site may change them.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "BTreeMap<String, serde_json::Value>"))]
    pub parameters: BTreeMap<String, Spanned<serde_json::Value>>,
    /// Content of the site that the rule needs. Where it is missing, the rule does not apply.
    #[serde(default)]
    pub requires: Requires,
    /// Columns of who did it and whom it was done to.
    #[serde(default)]
    pub entities: EntitiesFile,
    /// ATT&CK for ICS techniques, such as T0858.
    #[cfg_attr(test, schemars(with = "Vec<String>"))]
    pub attack: Vec<Spanned<String>>,
    /// IEC 62443-3-3 system requirements, such as SR 2.8.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Vec<String>"))]
    pub iec62443: Vec<Spanned<String>>,
    /// When it fires although all is well, and what to do about it.
    #[serde(default)]
    pub false_positives: Vec<String>,
    /// What to do, step by step, safe for a running plant.
    #[cfg_attr(test, schemars(with = "Vec<String>"))]
    pub response: Vec<Spanned<String>>,
    /// The alert in one sentence; `{column}` is replaced.
    #[cfg_attr(test, schemars(with = "String"))]
    pub sentence: Spanned<String>,
    /// Columns that keep tickets together.
    #[cfg_attr(test, schemars(with = "Vec<String>"))]
    pub correlation_key: Vec<Spanned<String>>,
    /// Findings that are one alert.
    #[serde(default)]
    pub suppression: Option<Suppression>,
    /// Points that an alert adds to the risk of its actor, 0 to 1000.
    /// [default: by severity: 5, 10, 25, 50, 80]
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Option<u32>"))]
    pub risk: Option<Spanned<u32>>,
    /// A time in which it is less bad.
    #[serde(default)]
    pub lower: Option<LowerFile>,
    /// What must fire, what must not, and what nearly does.
    #[cfg_attr(test, schemars(with = "Vec<TestCase>"))]
    pub tests: Vec<Spanned<TestCase>>,
}

/// A calendar within which an alert has a lower severity instead of falling silent.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Lower"))]
#[serde(deny_unknown_fields)]
pub(crate) struct LowerFile {
    /// The site's calendar, asked for the target and the time of the finding.
    pub calendar: String,
    /// The severity within it.
    #[cfg_attr(test, schemars(with = "Severity"))]
    pub to: Spanned<Severity>,
}

/// Steps that follow one another.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Sequence"))]
#[serde(deny_unknown_fields)]
pub(crate) struct SequenceFile {
    /// Table of the steps that name none.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub from: Option<Spanned<String>>,
    /// Columns whose values tie the steps together.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Option<Vec<String>>"))]
    pub by: Option<Vec<Spanned<String>>>,
    /// From the first row to the last, such as `10m`.
    #[cfg_attr(test, schemars(with = "String"))]
    pub within: Spanned<String>,
    /// The steps, in their order.
    #[cfg_attr(test, schemars(with = "Vec<StepFile>"))]
    pub steps: Vec<Spanned<StepFile>>,
}

/// One step.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Step"))]
#[serde(deny_unknown_fields)]
pub(crate) struct StepFile {
    /// By which later steps and the sentence speak of its row.
    #[cfg_attr(test, schemars(with = "String"))]
    pub name: Spanned<String>,
    /// Its table. [default: the sequence's]
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub from: Option<Spanned<String>>,
    /// Conditions of a row. `name.column` is the row of an earlier step.
    #[serde(rename = "where")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub condition: Spanned<String>,
    /// Columns that tie it to the other steps, where roles turn round. [default: the sequence's]
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Option<Vec<String>>"))]
    pub by: Option<Vec<Spanned<String>>>,
    /// So many rows. [default: 1]
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Option<u32>"))]
    pub times: Option<Spanned<u32>>,
    /// Since the step before; for a last, absent step: how long to wait for it.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub within: Option<Spanned<String>>,
    /// May it be left out?
    #[serde(default)]
    pub optional: bool,
    /// Is it that no such row comes, between the steps around it or after the last?
    #[serde(default)]
    pub absent: bool,
}

/// Columns of actor and target.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Entities"))]
#[serde(deny_unknown_fields)]
pub(crate) struct EntitiesFile {
    /// Who did it. [default: client_ip]
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub actor: Option<Spanned<String>>,
    /// Whom it was done to. [default: server_ip]
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub target: Option<Spanned<String>>,
}

/// Findings with equal keys within this time are one alert.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct Suppression {
    /// Columns.
    #[cfg_attr(test, schemars(with = "Vec<String>"))]
    pub key: Vec<Spanned<String>>,
    /// Event time, such as `1h`.
    #[serde(rename = "for")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub duration: Spanned<String>,
}

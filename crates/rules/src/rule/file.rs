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
    /// `SELECT * FROM <table> WHERE <conditions>`.
    #[cfg_attr(test, schemars(with = "String"))]
    pub sql: Spanned<String>,
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
    /// What must fire, what must not, and what nearly does.
    #[cfg_attr(test, schemars(with = "Vec<TestCase>"))]
    pub tests: Vec<Spanned<TestCase>>,
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

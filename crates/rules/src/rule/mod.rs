//! One rule file.

mod file;
mod lint;
mod lower;
mod recognize;
mod sequence;

use crate::diagnostic::Diagnostic;
use crate::testcase::TestCase;
use serde::{Deserialize, Serialize};

pub use lower::Lower;
pub use sequence::{MAX_STEPS, Sequence, Step};

#[cfg(test)]
pub(crate) use file::File;

/// How bad it is when the rule fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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

    /// Points that an alert adds to the risk of its actor, if its rule names none.
    #[must_use]
    pub const fn risk(self) -> u32 {
        match self {
            Self::Info => 5,
            Self::Low => 10,
            Self::Medium => 25,
            Self::High => 50,
            Self::Critical => 80,
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
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
#[derive(Debug, Clone)]
pub struct Entities {
    /// Column of who did it.
    pub actor: String,
    /// Column of whom it was done to.
    pub target: String,
}

impl Default for Entities {
    fn default() -> Self {
        Self {
            actor: "client_ip".to_owned(),
            target: "server_ip".to_owned(),
        }
    }
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
    /// The SQL text; empty in a rule of steps.
    pub sql: String,
    /// The steps, in a rule that has them.
    pub sequence: Option<Sequence>,
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
    /// Points that an alert adds to the risk of its actor; by severity, if not named.
    pub risk: Option<u32>,
    /// A time in which it is less bad.
    pub lower: Option<Lower>,
    /// Its tests.
    pub tests: Vec<TestCase>,
    /// Hash of the file's text.
    pub(crate) content: String,
    /// Place of its name.
    pub(crate) name_at: (u32, u32),
}

impl Rule {
    /// Reads a rule file. All that is wrong is told at once. `None` when it does not
    /// load; a rule that loads may still come with warnings.
    #[must_use]
    pub fn parse(name: &str, text: &str) -> (Option<Self>, Vec<Diagnostic>) {
        lint::parse(name, text)
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

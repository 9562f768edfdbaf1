//! What cannot be imported, and why.

use thiserror::Error;

/// One reason why a document cannot be imported.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{file}:{line}:{column}: refused[{code}]: `{field}`: {reason}")]
pub struct Refusal {
    /// Stable code, such as `TT-SIG-003`.
    pub code: &'static str,
    /// The file.
    pub file: String,
    /// Line from 1.
    pub line: u32,
    /// Column from 1.
    pub column: u32,
    /// The part of the document.
    pub field: String,
    /// Why.
    pub reason: String,
}

/// Kinds of refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// Not a Sigma document.
    Form,
    /// A log source that is no table.
    Source,
    /// A field that is no column.
    Field,
    /// A value that the column cannot have.
    Value,
    /// A modifier that has no meaning on columns.
    Modifier,
    /// The condition.
    Condition,
    /// An aggregation of old Sigma.
    Aggregation,
    /// Keywords.
    Keywords,
    /// A correlation's form.
    Correlation,
    /// What the rule language cannot say.
    Language,
    /// A rule that is not among the documents.
    Reference,
    /// A kind of document, or its status.
    Kind,
    /// True or false of every row.
    Constant,
    /// The made rule does not load.
    Made,
}

impl Why {
    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Form => "TT-SIG-001",
            Self::Source => "TT-SIG-002",
            Self::Field => "TT-SIG-003",
            Self::Value => "TT-SIG-004",
            Self::Modifier => "TT-SIG-005",
            Self::Condition => "TT-SIG-006",
            Self::Aggregation => "TT-SIG-007",
            Self::Keywords => "TT-SIG-008",
            Self::Correlation => "TT-SIG-009",
            Self::Language => "TT-SIG-010",
            Self::Reference => "TT-SIG-011",
            Self::Kind => "TT-SIG-012",
            Self::Constant => "TT-SIG-013",
            Self::Made => "TT-SIG-014",
        }
    }
}

/// Collects refusals of one document.
#[derive(Debug)]
pub(super) struct Refusals<'f> {
    file: &'f str,
    /// What was found.
    pub found: Vec<Refusal>,
}

/// Most refusals of a document; more say nothing new.
const MOST: usize = 50;

impl<'f> Refusals<'f> {
    /// None yet.
    pub fn of(file: &'f str) -> Self {
        Self {
            file,
            found: Vec::new(),
        }
    }

    /// One more.
    pub fn add(&mut self, why: Why, at: (u32, u32), field: &str, reason: impl Into<String>) {
        let refusal = Refusal {
            code: why.code(),
            file: self.file.to_owned(),
            line: at.0,
            column: at.1,
            field: field.to_owned(),
            reason: reason.into(),
        };
        if self.found.len() < MOST && !self.found.contains(&refusal) {
            self.found.push(refusal);
        }
    }
}

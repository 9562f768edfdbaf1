//! Rule files and site content: what a detection engineer and a plant write.
//!
//! Parses and lints; knows nothing of execution. SQL is handed on as text with
//! its place in the file.
#![forbid(unsafe_code)]

pub mod attack;
mod diagnostic;
#[cfg(test)]
mod editors;
mod finding;
mod rule;
mod ruleset;
pub mod sigma;
pub mod site;
pub mod testcase;

pub use diagnostic::{Diagnostic, Level};
pub use finding::{EvidenceRow, Finding, Identity, Says};
pub use rule::{
    Confidence, Entities, Lower, MAX_STEPS, Requires, Rule, Sequence, Severity, Status, Step,
};
pub use ruleset::RuleSet;
pub use site::Site;

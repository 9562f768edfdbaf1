//! What a Sigma document says about itself.

use super::node::Node;
use super::refusal::{Refusals, Why};
use crate::attack;
use crate::rule::Severity;

/// Namespace of ids that are made from texts, as UUID v5.
const NAMESPACE: uuid::Uuid = uuid::Uuid::from_bytes(*b"telltale-sigma-1");

/// Longest title that becomes a name.
const LONGEST: usize = 200;

/// Status of an imported rule, and how sure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    /// `status` of the rule file.
    pub status: &'static str,
    /// `confidence` of the rule file.
    pub confidence: &'static str,
}

/// The head of a document.
#[derive(Debug, Clone)]
pub(super) struct Head {
    /// Its place.
    pub at: (u32, u32),
    /// Title, in one line.
    pub title: String,
    /// Its id, or one made from its text.
    pub id: String,
    /// The id as written, if any.
    pub given_id: String,
    /// `name`, by which correlations speak of it.
    pub name: String,
    /// Severity.
    pub severity: Severity,
    /// Status and confidence.
    pub standing: Standing,
    /// ATT&CK for ICS techniques.
    pub attack: Vec<String>,
    /// Description, authors, references.
    pub description: String,
    /// When it fires although all is well.
    pub false_positives: Vec<String>,
    /// What was left out.
    pub notes: Vec<String>,
}

/// One line without signs that a template would read.
fn line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words
        .join(" ")
        .replace(['{', '}'], "")
        .chars()
        .take(LONGEST)
        .collect()
}

/// A made id: the same for the same text.
pub(super) fn made_id(text: &str) -> String {
    uuid::Uuid::new_v5(&NAMESPACE, text.as_bytes()).to_string()
}

fn standing(status: &str) -> Option<Standing> {
    let (status, confidence) = match status {
        "stable" => ("stable", "high"),
        "test" => ("test", "medium"),
        "experimental" | "" => ("experimental", "low"),
        "deprecated" => ("deprecated", "low"),
        _ => return None,
    };
    Some(Standing { status, confidence })
}

fn severity(level: &str) -> Option<Severity> {
    Some(match level {
        "informational" => Severity::Info,
        "low" => Severity::Low,
        "medium" | "" => Severity::Medium,
        "high" => Severity::High,
        "critical" => Severity::Critical,
        _ => return None,
    })
}

impl Head {
    /// Reads it.
    pub fn read(file: &str, node: &Node, refusals: &mut Refusals<'_>) -> Self {
        let at = |key: &str| node.get(key).map_or(node.at, |n| n.at);
        let mut notes = Vec::new();
        let title = line(&node.words("title"));
        if title.is_empty() {
            refusals.add(Why::Form, node.at, "title", "there is none");
        }
        let given_id = node.words("id");
        let name = node.words("name");
        let id = uuid::Uuid::parse_str(&given_id).map_or_else(
            |_| {
                notes.push("no UUID in `id`: one was made from file and title".to_owned());
                made_id(&format!("{file}\n{title}\n{name}\n{given_id}"))
            },
            |id| id.to_string(),
        );
        let status = node.words("status");
        let standing = standing(&status).unwrap_or_else(|| {
            let reason = match status.as_str() {
                "unsupported" => "its author says that it cannot be used",
                _ => "no status of Sigma",
            };
            refusals.add(Why::Kind, at("status"), "status", reason);
            Standing {
                status: "experimental",
                confidence: "low",
            }
        });
        let level = node.words("level");
        let severity = severity(&level).unwrap_or_else(|| {
            refusals.add(Why::Form, at("level"), "level", "no level of Sigma");
            Severity::Medium
        });
        let mut techniques: Vec<String> = Vec::new();
        for tag in node.all_words("tags") {
            let Some(technique) = tag
                .strip_prefix("attack.")
                .map(|t| t.strip_prefix("ics.").unwrap_or(t))
                .filter(|t| {
                    t.starts_with(['t', 'T'])
                        && t.chars().nth(1).is_some_and(|c| c.is_ascii_digit())
                })
            else {
                continue;
            };
            let technique = technique.to_uppercase();
            if attack::technique(&technique).is_none() {
                notes.push(format!(
                    "{technique} is no technique of ATT&CK for ICS: left out"
                ));
            } else if !techniques.contains(&technique) {
                techniques.push(technique);
            }
        }
        let description = describe(file, node, &title, &given_id);
        Self {
            at: node.at,
            title,
            id,
            given_id,
            name,
            severity,
            standing,
            attack: techniques,
            description,
            false_positives: node
                .all_words("falsepositives")
                .into_iter()
                .filter(|f| {
                    !["unknown", "none", "unlikely"].contains(&f.trim().to_lowercase().as_str())
                })
                .collect(),
            notes,
        }
    }
}

fn describe(file: &str, node: &Node, title: &str, id: &str) -> String {
    let mut out = node.words("description");
    if out.is_empty() {
        title.clone_into(&mut out);
    }
    out.push_str("\n\nImported from Sigma: ");
    out.push_str(file);
    for (what, text) in [
        ("id", id.to_owned()),
        ("by", node.words("author")),
        ("date", node.words("date")),
        ("licence", node.words("license")),
    ] {
        if !text.is_empty() {
            out.push_str(&format!(", {what} {}", line(&text)));
        }
    }
    out.push('.');
    let references = node.all_words("references");
    if !references.is_empty() {
        out.push_str("\nReferences: ");
        out.push_str(
            &references
                .iter()
                .map(|r| line(r))
                .collect::<Vec<_>>()
                .join(", "),
        );
    }
    out
}

/// Small letters, digits and `-`, for names of files and steps.
pub(super) fn slug(text: &str, between: char) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            out.push(c.to_ascii_lowercase());
        } else if !out.is_empty() && !out.ends_with(between) {
            out.push(between);
        }
        if out.len() >= 60 {
            break;
        }
    }
    out.trim_end_matches(between).to_owned()
}

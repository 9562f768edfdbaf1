//! Conditions over columns, with two truth values as in Sigma: a row without the
//! value does not match, and so its negation does. [`Cond::sql`] says the same in
//! SQL, which has three.

use super::atom::Atom;
use std::collections::BTreeSet;

/// Most comparisons of a rule.
pub(super) const MOST_ATOMS: usize = 2_000;

/// A condition.
#[derive(Debug, Clone)]
pub(super) enum Cond {
    /// Always so.
    Always,
    /// Never so.
    Never,
    /// All of these.
    All(Vec<Cond>),
    /// At least one of these.
    Any(Vec<Cond>),
    /// Not so.
    Not(Box<Cond>),
    /// A comparison.
    Is(Atom),
}

/// Leaves out what stands there twice.
fn once(parts: &mut Vec<Cond>) {
    let mut seen = BTreeSet::new();
    parts.retain(|part| seen.insert(part.part()));
}

impl Cond {
    /// Without NOT (each comparison knows its own negation), and without constants inside.
    pub fn simple(self) -> Self {
        self.push(false)
    }

    fn push(self, negated: bool) -> Self {
        match self {
            Self::Always if negated => Self::Never,
            Self::Never if negated => Self::Always,
            Self::Always | Self::Never => self,
            Self::Not(inner) => inner.push(!negated),
            Self::Is(atom) => {
                if negated {
                    Self::Is(atom.negate())
                } else {
                    Self::Is(atom)
                }
            }
            Self::All(parts) if negated => Self::any(parts, true),
            Self::Any(parts) if negated => Self::all(parts, true),
            Self::All(parts) => Self::all(parts, false),
            Self::Any(parts) => Self::any(parts, false),
        }
    }

    fn all(parts: Vec<Self>, negated: bool) -> Self {
        let mut out = Vec::new();
        for part in parts {
            match part.push(negated) {
                Self::Always => {}
                Self::Never => return Self::Never,
                Self::All(inner) => out.extend(inner),
                other => out.push(other),
            }
        }
        once(&mut out);
        match out.len() {
            0 => Self::Always,
            1 => out.pop().unwrap_or(Self::Always),
            _ => Self::All(out),
        }
    }

    fn any(parts: Vec<Self>, negated: bool) -> Self {
        let mut out = Vec::new();
        for part in parts {
            match part.push(negated) {
                Self::Never => {}
                Self::Always => return Self::Always,
                Self::Any(inner) => out.extend(inner),
                other => out.push(other),
            }
        }
        once(&mut out);
        match out.len() {
            0 => Self::Never,
            1 => out.pop().unwrap_or(Self::Never),
            _ => Self::Any(out),
        }
    }

    /// Its comparisons.
    pub fn atoms(&self) -> Vec<&Atom> {
        match self {
            Self::Always | Self::Never => Vec::new(),
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::atoms).collect(),
            Self::Not(inner) => inner.atoms(),
            Self::Is(atom) => vec![atom],
        }
    }

    /// How many comparisons.
    pub fn size(&self) -> usize {
        match self {
            Self::Always | Self::Never => 0,
            Self::All(parts) | Self::Any(parts) => {
                parts.iter().fold(0, |n, p| n.saturating_add(p.size()))
            }
            Self::Not(inner) => inner.size(),
            Self::Is(_) => 1,
        }
    }

    /// Names of the columns that it asks for.
    pub fn columns(&self) -> BTreeSet<&'static str> {
        self.atoms().into_iter().flat_map(Atom::columns).collect()
    }

    /// Does a row fulfil it? `value` gives its cells.
    pub fn holds(&self, value: &dyn Fn(&str) -> serde_json::Value) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::All(parts) => parts.iter().all(|p| p.holds(value)),
            Self::Any(parts) => parts.iter().any(|p| p.holds(value)),
            Self::Not(inner) => !inner.holds(value),
            Self::Is(atom) => atom.holds(value),
        }
    }

    /// As SQL; one conjunct a line, indented as a rule's `sql` is.
    pub fn sql(&self) -> String {
        match self {
            Self::All(parts) => parts
                .iter()
                .map(Self::inside)
                .collect::<Vec<_>>()
                .join("\n  AND "),
            other => other.part(),
        }
    }

    fn part(&self) -> String {
        let join = |parts: &[Self], sign: &str| {
            parts
                .iter()
                .map(Self::inside)
                .collect::<Vec<_>>()
                .join(sign)
        };
        match self {
            Self::Always => "true".to_owned(),
            Self::Never => "false".to_owned(),
            Self::All(parts) => join(parts, " AND "),
            Self::Any(parts) => join(parts, " OR "),
            Self::Not(inner) => format!("NOT ({})", inner.part()),
            Self::Is(atom) => atom.sql(),
        }
    }

    fn inside(&self) -> String {
        match self {
            Self::All(_) | Self::Any(_) => format!("({})", self.part()),
            other => other.part(),
        }
    }
}

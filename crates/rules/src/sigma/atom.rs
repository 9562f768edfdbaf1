//! One comparison of a column.

use super::pattern::Pattern;
use ipnet::IpNet;
use regex::Regex;
use serde_json::Value as Json;
use telltale_schema::value::literal;
use telltale_schema::{ColumnDef, ColumnKind};

/// A value to compare with, as its column keeps it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Lit {
    /// True or false.
    Bool(bool),
    /// A whole number.
    Whole(i128),
    /// Any other number.
    Number(f64),
    /// Text, a name, an address.
    Text(String),
}

impl Lit {
    fn sql(&self) -> String {
        match self {
            Self::Bool(b) => b.to_string(),
            Self::Whole(n) => n.to_string(),
            Self::Number(n) => n.to_string(),
            Self::Text(t) => quoted(t),
        }
    }

    /// As a row of a test writes it.
    pub fn json(&self) -> Json {
        match self {
            Self::Bool(b) => Json::Bool(*b),
            Self::Whole(n) => u64::try_from(*n)
                .map(Json::from)
                .or_else(|_| i64::try_from(*n).map(Json::from))
                .unwrap_or(Json::Null),
            Self::Number(n) => Json::from(*n),
            Self::Text(t) => Json::from(t.clone()),
        }
    }

    fn number(&self) -> Option<f64> {
        match self {
            #[allow(clippy::cast_precision_loss)]
            Self::Whole(n) => Some(*n as f64),
            Self::Number(n) => Some(*n),
            Self::Bool(_) | Self::Text(_) => None,
        }
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Signs of order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Greater.
    Gt,
    /// Greater or equal.
    Gte,
    /// Less.
    Lt,
    /// Less or equal.
    Lte,
}

impl Order {
    /// As SQL.
    pub const fn sql(self) -> &'static str {
        match self {
            Self::Gt => ">",
            Self::Gte => ">=",
            Self::Lt => "<",
            Self::Lte => "<=",
        }
    }

    const fn other(self) -> Self {
        match self {
            Self::Gt => Self::Lte,
            Self::Gte => Self::Lt,
            Self::Lt => Self::Gte,
            Self::Lte => Self::Gt,
        }
    }

    fn holds(self, a: f64, b: f64) -> bool {
        match self {
            Self::Gt => a > b,
            Self::Gte => a >= b,
            Self::Lt => a < b,
            Self::Lte => a <= b,
        }
    }
}

/// What is asked of a column.
#[derive(Debug, Clone)]
pub(super) enum Test {
    /// Has the row none?
    Null,
    /// Is it one of these? `cased`: letters count as they are.
    In { all: Vec<Lit>, cased: bool },
    /// Is it greater, less …?
    Compare(Order, Lit),
    /// Is it of this form?
    Like { pattern: Pattern, cased: bool },
    /// Is there a place in it that fits?
    Regex(Regex),
    /// Does the address lie in the network?
    Network(IpNet),
    /// Is it equal to another column?
    Same(&'static ColumnDef),
}

/// A comparison, or its negation.
#[derive(Debug, Clone)]
pub(super) struct Atom {
    /// The column.
    pub column: &'static ColumnDef,
    /// What is asked.
    pub test: Test,
    /// Is the opposite asked?
    pub negated: bool,
}

/// Have these letters two cases?
fn has_case(text: &str) -> bool {
    text.chars().any(|c| c.is_uppercase() || c.is_lowercase())
}

fn text_of(value: &Json) -> Option<String> {
    match value {
        Json::Null | Json::Array(_) | Json::Object(_) => None,
        Json::String(t) => Some(t.clone()),
        other => Some(other.to_string()),
    }
}

fn fold(text: &str, cased: bool) -> String {
    if cased {
        text.to_owned()
    } else {
        text.to_lowercase()
    }
}

impl Atom {
    /// A comparison.
    pub fn new(column: &'static ColumnDef, test: Test) -> Self {
        Self {
            column,
            test,
            negated: false,
        }
    }

    /// Its opposite.
    pub fn negate(self) -> Self {
        Self {
            negated: !self.negated,
            ..self
        }
    }

    /// Its columns.
    pub fn columns(&self) -> Vec<&'static str> {
        match &self.test {
            Test::Same(other) => vec![self.column.name, other.name],
            _ => vec![self.column.name],
        }
    }

    /// Is this value of its column as asked, before any negation?
    fn fits(&self, value: &Json, of: &dyn Fn(&str) -> Json) -> bool {
        let Some(text) = text_of(value) else {
            return matches!(self.test, Test::Null);
        };
        match &self.test {
            Test::Null => false,
            Test::In { all, cased } => all.iter().any(|lit| match lit {
                Lit::Text(t) => fold(t, *cased) == fold(&text, *cased),
                Lit::Bool(b) => value.as_bool() == Some(*b),
                number => number.number() == value.as_f64(),
            }),
            Test::Compare(order, lit) => match (value.as_f64(), lit.number()) {
                (Some(a), Some(b)) => order.holds(a, b),
                _ => false,
            },
            Test::Like { pattern, cased } => pattern.fits(&text, *cased),
            Test::Regex(regex) => regex.is_match(&text),
            Test::Network(net) => text
                .parse()
                .is_ok_and(|ip: std::net::IpAddr| net.contains(&ip)),
            Test::Same(other) => text_of(&of(other.name)).is_some_and(|o| o == text),
        }
    }

    /// Does a row fulfil it?
    pub fn holds(&self, of: &dyn Fn(&str) -> Json) -> bool {
        self.fits(&of(self.column.name), of) != self.negated
    }

    /// As SQL. A negation over a column that may be NULL says so (TT-SQL-013).
    pub fn sql(&self) -> String {
        let name = self.column.name;
        // what is true of a row without the value
        let or_null = |says: String| {
            if self.column.nullable {
                format!("({name} IS NULL OR {says})")
            } else {
                says
            }
        };
        match (&self.test, self.negated) {
            (Test::Null, false) => format!("{name} IS NULL"),
            (Test::Null, true) => format!("{name} IS NOT NULL"),
            (Test::In { all, cased }, negated) => self.list(all, *cased, negated),
            (Test::Compare(order, lit), false) => format!("{name} {} {}", order.sql(), lit.sql()),
            (Test::Compare(order, lit), true) => {
                or_null(format!("{name} {} {}", order.other().sql(), lit.sql()))
            }
            (Test::Like { pattern, cased }, negated) => {
                let like = if *cased || !has_case(&pattern.example("")) {
                    "LIKE"
                } else {
                    "ILIKE"
                };
                let pattern = quoted(&pattern.like());
                if negated {
                    or_null(format!("{name} NOT {like} {pattern}"))
                } else {
                    format!("{name} {like} {pattern}")
                }
            }
            (Test::Regex(regex), false) => {
                format!("regexp_like({name}, {})", quoted(regex.as_str()))
            }
            (Test::Regex(regex), true) => or_null(format!(
                "NOT regexp_like({name}, {})",
                quoted(regex.as_str())
            )),
            // never NULL
            (Test::Network(net), false) => format!("cidr_match({name}, '{net}')"),
            (Test::Network(net), true) => format!("NOT cidr_match({name}, '{net}')"),
            (Test::Same(other), false) => format!("{name} = {}", other.name),
            (Test::Same(other), true) if !self.column.nullable && !other.nullable => {
                format!("{name} <> {}", other.name)
            }
            (Test::Same(other), true) => {
                // two rows that both lack it are not equal in Sigma
                let absent: Vec<String> = [self.column, *other]
                    .iter()
                    .filter(|c| c.nullable)
                    .map(|c| format!("{} IS NULL", c.name))
                    .collect();
                format!("({} OR {name} <> {})", absent.join(" OR "), other.name)
            }
        }
    }

    fn list(&self, all: &[Lit], cased: bool, negated: bool) -> String {
        let column = self.column.name;
        let folded = self.column.kind == ColumnKind::Text
            && !cased
            && all.iter().any(|l| matches!(l, Lit::Text(t) if has_case(t)));
        let name = if folded {
            format!("lower({column})")
        } else {
            column.to_owned()
        };
        let values: Vec<String> = all
            .iter()
            .map(|lit| match lit {
                Lit::Text(t) if folded => quoted(&t.to_lowercase()),
                other => other.sql(),
            })
            .collect();
        let nullable = self.column.nullable;
        match (values.as_slice(), negated) {
            ([one], false) => format!("{name} = {one}"),
            // in parentheses: sqlparser takes all that follows FROM for the other operand
            ([one], true) if nullable && !folded => format!("({name} IS DISTINCT FROM {one})"),
            ([one], true) if nullable => format!("({column} IS NULL OR {name} <> {one})"),
            ([one], true) => format!("{name} <> {one}"),
            (many, false) => format!("{name} IN ({})", many.join(", ")),
            (many, true) if nullable => {
                format!("({column} IS NULL OR {name} NOT IN ({}))", many.join(", "))
            }
            (many, true) => format!("{name} NOT IN ({})", many.join(", ")),
        }
    }

    /// Values of its column that may fulfil it, likely ones first.
    pub fn candidates(&self) -> Vec<Json> {
        let mut out: Vec<Json> = Vec::new();
        match &self.test {
            Test::Null => {}
            Test::In { all, .. } => out.extend(all.iter().take(8).map(Lit::json)),
            Test::Compare(_, lit) => match lit {
                Lit::Whole(n) => {
                    out.extend(
                        [*n, n.saturating_add(1), n.saturating_sub(1)]
                            .map(|n| Lit::Whole(n).json()),
                    );
                }
                Lit::Number(n) => out.extend([*n, n + 1.0, n - 1.0].map(Json::from)),
                Lit::Bool(_) | Lit::Text(_) => {}
            },
            Test::Like { pattern, .. } => {
                for filler in ["", "1", "1.1", "1.1.1", "x"] {
                    out.push(Json::from(pattern.example(filler)));
                }
            }
            Test::Regex(regex) => {
                let plain = regex.as_str().trim_start_matches("(?i)");
                out.push(Json::from(plain.replace(['^', '$', '\\'], "")));
                out.push(Json::from(
                    plain
                        .replace(['^', '$'], "")
                        .replace(".*", "")
                        .replace('\\', ""),
                ));
            }
            Test::Network(net) => {
                out.extend(net.hosts().next().map(|ip| Json::from(ip.to_string())));
            }
            Test::Same(_) => {}
        }
        out.extend(pool(self.column));
        out.retain(|v| could_be(self.column, v));
        if self.column.nullable {
            out.push(Json::Null);
        }
        out
    }
}

/// Can the column hold this value?
pub(super) fn could_be(column: &'static ColumnDef, value: &Json) -> bool {
    text_of(value).is_some_and(|text| literal(column, &text).is_ok())
}

/// Some values of a column, whatever is asked of it.
pub(super) fn pool(column: &'static ColumnDef) -> Vec<Json> {
    let texts = |all: &[&str]| all.iter().map(|t| Json::from(*t)).collect();
    match column.kind {
        ColumnKind::Bool => vec![Json::Bool(true), Json::Bool(false)],
        ColumnKind::U8 | ColumnKind::U16 | ColumnKind::U32 | ColumnKind::U64 => {
            [1, 2, 3, 0, 99, 200].map(Json::from).to_vec()
        }
        ColumnKind::I64 | ColumnKind::F64 => [1, 2, 0, -1, 99].map(Json::from).to_vec(),
        ColumnKind::Text => texts(&["a", "b", "1", "other"]),
        ColumnKind::Ip => texts(&[
            "10.0.0.1",
            "10.0.0.2",
            "192.0.2.77",
            "172.16.9.9",
            "10.9.9.9",
        ]),
        ColumnKind::Mac => texts(&["02:00:00:00:00:77", "02:00:00:00:00:78"]),
        ColumnKind::Enum(e) => e.def().names().map(Json::from).collect(),
        ColumnKind::Timestamp | ColumnKind::ListF64 | ColumnKind::ListU32 => Vec::new(),
    }
}

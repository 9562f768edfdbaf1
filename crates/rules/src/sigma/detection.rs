//! `detection` of a Sigma rule as a condition over columns.

use super::atom::{Atom, Lit, Order, Test};
use super::cond::{Cond, MOST_ATOMS};
use super::condition::{self, Over, Wrong};
use super::mapping::{Field, Source, is_list};
use super::node::{Node, Val};
use super::refusal::{Refusals, Why};
use super::values;
use std::collections::BTreeMap;
use telltale_schema::{ColumnKind, nearest};

/// How the values of a field are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// As they stand, with wildcards.
    Plain,
    /// Somewhere in the text.
    Contains,
    /// At its start.
    StartsWith,
    /// At its end.
    EndsWith,
    /// By a regular expression.
    Regex,
    /// As networks.
    Cidr,
    /// By order.
    Order(Order),
    /// Not equal.
    NotEqual,
    /// Is there a value?
    Exists,
    /// With another field.
    FieldRef,
}

/// Modifiers of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Modifiers {
    /// The comparison.
    pub how: How,
    /// All values, not one of them.
    pub all: bool,
    /// Letters count as they are.
    pub cased: bool,
    /// Flags of a regular expression.
    pub flags: String,
}

/// Why a modifier is refused.
fn refused_modifier(name: &str) -> &'static str {
    match name {
        "base64" | "base64offset" | "wide" | "utf16" | "utf16le" | "utf16be" => {
            "looks for encoded text in a log line; columns hold decoded values"
        }
        "windash" => "is about arguments of Windows programs, which are not seen on the network",
        "expand" => "needs a placeholder's values; a site has lists: write a rule with in_list()",
        "minute" | "hour" | "day" | "week" | "month" | "year" => {
            "asks for a time of day, which is a calendar of the site: write a rule with in_calendar() or local_hour()"
        }
        _ => "is no modifier that Telltale knows",
    }
}

/// Reads one document's detection.
pub(super) struct Reader<'r, 'f> {
    /// Its log source.
    pub source: &'r Source,
    /// What is refused.
    pub refusals: &'r mut Refusals<'f>,
}

impl Reader<'_, '_> {
    fn modifiers(&mut self, at: (u32, u32), key: &str) -> Option<Modifiers> {
        let mut modifiers = Modifiers {
            how: How::Plain,
            all: false,
            cased: false,
            flags: String::new(),
        };
        let mut sound = true;
        for name in key.split('|').skip(1) {
            let how = match name {
                "contains" => How::Contains,
                "startswith" => How::StartsWith,
                "endswith" => How::EndsWith,
                "re" => How::Regex,
                "cidr" => How::Cidr,
                "gt" => How::Order(Order::Gt),
                "gte" => How::Order(Order::Gte),
                "lt" => How::Order(Order::Lt),
                "lte" => How::Order(Order::Lte),
                "neq" => How::NotEqual,
                "exists" => How::Exists,
                "fieldref" => How::FieldRef,
                "all" => {
                    modifiers.all = true;
                    continue;
                }
                "cased" => {
                    modifiers.cased = true;
                    continue;
                }
                "i" | "m" | "s" | "ignorecase" | "multiline" | "dotall"
                    if modifiers.how == How::Regex =>
                {
                    modifiers.flags.extend(name.chars().next());
                    continue;
                }
                other => {
                    let why = refused_modifier(other);
                    self.refusals
                        .add(Why::Modifier, at, key, format!("`{other}` {why}"));
                    sound = false;
                    continue;
                }
            };
            if modifiers.how != How::Plain {
                self.refusals.add(
                    Why::Modifier,
                    at,
                    key,
                    format!("`{name}` cannot be joined with the modifier before it"),
                );
                sound = false;
            }
            modifiers.how = how;
        }
        sound.then_some(modifiers)
    }

    /// The column of a field.
    pub fn field(&mut self, at: (u32, u32), key: &str, name: &str) -> Option<Field> {
        match self.source.fields.get(name) {
            Some(Ok(field)) if is_list(field.column) => {
                let reason = format!(
                    "column `{}` is a list; compare data_min, data_max or value_at(n) in a rule of your own",
                    field.column.name
                );
                self.refusals.add(Why::Field, at, key, reason);
                None
            }
            Some(Ok(field)) => Some(field.clone()),
            Some(Err(why)) => {
                self.refusals.add(Why::Field, at, key, why.clone());
                None
            }
            None => {
                let near = nearest(name, self.source.fields.keys().map(String::as_str));
                let near = near.map_or_else(
                    || format!("known are {}", known(self.source)),
                    |n| format!("did you mean `{n}`?"),
                );
                let reason = format!(
                    "no column of `{}` for this field; {near}",
                    self.source.table
                );
                self.refusals.add(Why::Field, at, key, reason);
                None
            }
        }
    }

    /// `field|modifier: values`.
    fn comparison(&mut self, key: &Node, value: &Node) -> Option<Cond> {
        let text = key.text().unwrap_or_default();
        let name = text.split('|').next().unwrap_or_default();
        if name.is_empty() {
            self.keywords(key.at, text);
            return None;
        }
        let modifiers = self.modifiers(key.at, text);
        let field = self.field(key.at, text, name);
        let (modifiers, field) = (modifiers?, field?);
        let items = value.items();
        if items.is_empty() {
            self.refusals
                .add(Why::Value, value.at, text, "an empty list of values");
            return None;
        }
        if modifiers.how == How::NotEqual && items.len() > 1 {
            let reason =
                "`neq` with several values is read in two ways; write `not` in the condition";
            self.refusals.add(Why::Modifier, key.at, text, reason);
            return None;
        }
        let mut parts = Vec::new();
        for item in items {
            parts.push(self.value(text, item, &field, &modifiers)?);
        }
        Some(if modifiers.all {
            Cond::All(parts)
        } else {
            values::join(parts)
        })
    }

    fn value(&mut self, key: &str, item: &Node, field: &Field, how: &Modifiers) -> Option<Cond> {
        let made = match how.how {
            How::Exists => match &item.value {
                Val::Bool(yes) => Ok(values::present(field.column, *yes)),
                _ => Err("`exists` is true or false".to_owned()),
            },
            How::FieldRef => return self.reference(key, item, field),
            _ => values::comparison(item, field, how),
        };
        match made {
            Ok(cond) => Some(cond),
            Err(reason) => {
                let why = if how.how == How::Plain {
                    Why::Value
                } else {
                    Why::Modifier
                };
                self.refusals.add(why, item.at, key, reason);
                None
            }
        }
    }

    fn reference(&mut self, key: &str, item: &Node, field: &Field) -> Option<Cond> {
        let Some(name) = item.text() else {
            self.refusals
                .add(Why::Value, item.at, key, "`fieldref` names a field");
            return None;
        };
        let other = self.field(item.at, key, name)?;
        let kind = |f: &Field| std::mem::discriminant(&f.column.kind);
        #[allow(clippy::float_cmp)]
        let alike = kind(field) == kind(&other) && field.scale == other.scale;
        if !alike
            || matches!((field.column.kind, other.column.kind), (ColumnKind::Enum(a), ColumnKind::Enum(b)) if a != b)
        {
            let reason = format!(
                "columns `{}` and `{}` are not of one kind",
                field.column.name, other.column.name
            );
            self.refusals.add(Why::Value, item.at, key, reason);
            return None;
        }
        Some(Cond::Is(Atom::new(field.column, Test::Same(other.column))))
    }

    fn keywords(&mut self, at: (u32, u32), field: &str) {
        self.refusals.add(
            Why::Keywords,
            at,
            field,
            "keywords look for text anywhere in a log line; a row has columns: name the field",
        );
    }

    /// A selection: a map (all of it), or a list of maps (one of them).
    fn selection(&mut self, name: &Node, node: &Node) -> Option<Cond> {
        let called = name.text().unwrap_or_default();
        match &node.value {
            Val::Map(entries) if !entries.is_empty() => {
                let parts: Vec<Option<Cond>> = entries
                    .iter()
                    .map(|(key, value)| self.comparison(key, value))
                    .collect();
                parts.into_iter().collect::<Option<Vec<_>>>().map(Cond::All)
            }
            Val::List(items) if !items.is_empty() => {
                let mut parts = Vec::new();
                for item in items {
                    if !matches!(item.value, Val::Map(_)) {
                        self.keywords(item.at, called);
                        return None;
                    }
                    parts.push(self.selection(name, item));
                }
                parts.into_iter().collect::<Option<Vec<_>>>().map(Cond::Any)
            }
            Val::Text(_) | Val::Whole(_) | Val::Number(_) => {
                self.keywords(node.at, called);
                None
            }
            _ => {
                self.refusals
                    .add(Why::Form, node.at, called, "an empty selection");
                None
            }
        }
    }

    /// The whole detection, without what the log source implies.
    pub fn detection(&mut self, node: &Node) -> Option<Cond> {
        let mut selections: BTreeMap<&str, Option<Cond>> = BTreeMap::new();
        let mut names = Vec::new();
        for (key, value) in node.entries() {
            match key.text() {
                Some("condition") | None => {}
                Some("timeframe") => self.refusals.add(
                    Why::Aggregation,
                    key.at,
                    "timeframe",
                    "belongs to aggregations of old Sigma; write a correlation rule with `timespan`",
                ),
                Some(name) => {
                    names.push(name);
                    let cond = self.selection(key, value);
                    selections.insert(name, cond);
                }
            }
        }
        let Some(condition) = node.get("condition") else {
            self.refusals
                .add(Why::Condition, node.at, "condition", "there is none");
            return None;
        };
        let mut parts = Vec::new();
        for one in condition.items() {
            let text = one.scalar().unwrap_or_default();
            match condition::read(&text, &names) {
                Ok(over) => parts.push(over),
                Err(Wrong::Aggregation) => self.refusals.add(
                    Why::Aggregation,
                    one.at,
                    "condition",
                    "aggregations after `|` were removed from Sigma; write a correlation rule (event_count, value_count)",
                ),
                Err(Wrong::Form(why)) => {
                    self.refusals.add(Why::Condition, one.at, "condition", why);
                }
            }
        }
        let selections: BTreeMap<&str, Cond> = selections
            .into_iter()
            .map(|(name, cond)| cond.map(|c| (name, c)))
            .collect::<Option<_>>()?;
        if !self.refusals.found.is_empty() {
            return None;
        }
        let size: usize = parts
            .iter()
            .fold(0, |n: usize, p| n.saturating_add(weight(p, &selections)));
        if size > MOST_ATOMS {
            let reason = format!("{size} comparisons; at most {MOST_ATOMS}");
            self.refusals
                .add(Why::Condition, condition.at, "condition", reason);
            return None;
        }
        let parts = parts.iter().map(|p| put_in(p, &selections)).collect();
        Some(Cond::Any(parts))
    }

    /// A literal of a column, for implied conditions.
    pub fn implied(column: &'static telltale_schema::ColumnDef, value: &str) -> Cond {
        let lit = Lit::Text(value.to_owned());
        Cond::Is(Atom::new(
            column,
            Test::In {
                all: vec![lit],
                cased: true,
            },
        ))
    }
}

/// Some names of fields, for a message.
fn known(source: &Source) -> String {
    let all: Vec<&str> = source
        .fields
        .iter()
        .filter(|(_, f)| f.is_ok())
        .map(|(name, _)| name.as_str())
        .take(20)
        .collect();
    all.join(", ")
}

/// Comparisons of a condition once the selections stand in it.
fn weight(over: &Over, selections: &BTreeMap<&str, Cond>) -> usize {
    match over {
        Over::Name(name) => selections.get(name.as_str()).map_or(0, Cond::size),
        Over::Not(inner) => weight(inner, selections),
        Over::All(parts) | Over::Any(parts) => parts
            .iter()
            .fold(0, |n, p| n.saturating_add(weight(p, selections))),
    }
}

/// The condition with the selections in the place of their names.
fn put_in(over: &Over, selections: &BTreeMap<&str, Cond>) -> Cond {
    let all = |parts: &[Over]| parts.iter().map(|p| put_in(p, selections)).collect();
    match over {
        // a name that is no selection was refused before
        Over::Name(name) => selections
            .get(name.as_str())
            .cloned()
            .unwrap_or(Cond::Never),
        Over::Not(inner) => Cond::Not(Box::new(put_in(inner, selections))),
        Over::All(parts) => Cond::All(all(parts)),
        Over::Any(parts) => Cond::Any(all(parts)),
    }
}

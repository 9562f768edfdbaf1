//! Between rows as they are kept and values as people write them.
//!
//! - [`row`] and [`cell`]: from a batch to names, addresses and times as text;
//! - [`literal()`]: from the text of a literal in a rule to the value that a column keeps;
//! - [`row_from_json`] and [`batch`]: from columns given by a person to rows.

mod build;
mod from_json;
mod literal;
mod read;
mod text;

pub use build::batch;
pub use from_json::{RowDefaults, RowError, row_from_json};
pub use literal::{Literal, LiteralError, literal};
pub use read::{cell, row};
pub use text::{ip_addr, mac_text, parse_ip, parse_mac, parse_time, time_text};

use crate::tables::TableId;
use serde_json::{Map, Value as Json};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// A value of one cell as people write it: enumerations by name.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    /// Missing.
    #[default]
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number that is never negative.
    U64(u64),
    /// A whole number.
    I64(i64),
    /// A number.
    F64(f64),
    /// Text, or a name of an enumeration.
    Text(String),
    /// An IP address; IPv4 as IPv4.
    Ip(IpAddr),
    /// A MAC address in the low 48 bits.
    Mac(u64),
    /// Nanoseconds since 1970-01-01 UTC.
    Time(i64),
    /// A list.
    List(Vec<Value>),
}

static NULL: Value = Value::Null;

impl Value {
    /// Is it missing?
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// A whole number that is not negative.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Self::U64(v) | Self::Mac(v) => Some(*v),
            Self::I64(v) | Self::Time(v) => u64::try_from(*v).ok(),
            _ => None,
        }
    }

    /// A whole number.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::I64(v) | Self::Time(v) => Some(*v),
            Self::U64(v) | Self::Mac(v) => i64::try_from(*v).ok(),
            _ => None,
        }
    }

    /// A number; whole numbers above 2^53 lose precision.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::F64(v) => Some(*v),
            Self::U64(v) => Some(*v as f64),
            Self::I64(v) => Some(*v as f64),
            _ => None,
        }
    }

    /// Text, or a name of an enumeration.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(t) => Some(t),
            _ => None,
        }
    }

    /// As JSON: addresses and times as text, numbers as numbers (what is no
    /// finite number becomes null, as JSON has no other way).
    #[must_use]
    pub fn to_json(&self) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Bool(b) => Json::from(*b),
            Self::U64(v) => Json::from(*v),
            Self::I64(v) => Json::from(*v),
            Self::F64(v) => match text::whole(*v) {
                Some(i) => Json::from(i),
                None => Json::from(*v),
            },
            Self::Text(t) => Json::from(t.as_str()),
            Self::Ip(_) | Self::Mac(_) | Self::Time(_) => Json::from(self.to_string()),
            Self::List(l) => Json::from(l.iter().map(Value::to_json).collect::<Vec<_>>()),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => Ok(()),
            Self::Bool(b) => write!(f, "{b}"),
            Self::U64(v) => write!(f, "{v}"),
            Self::I64(v) => write!(f, "{v}"),
            Self::F64(v) => write!(f, "{v}"),
            Self::Text(t) => f.write_str(t),
            Self::Ip(ip) => write!(f, "{ip}"),
            Self::Mac(m) => f.write_str(&mac_text(*m)),
            Self::Time(t) => f.write_str(&time_text(*t)),
            Self::List(l) => {
                for (i, v) in l.iter().enumerate() {
                    if i > 0 {
                        f.write_str(" ")?;
                    }
                    write!(f, "{v}")?;
                }
                Ok(())
            }
        }
    }
}

/// The values of one row, in the order of the table's columns, without the missing
/// ones; and what a rule worked out for it (aggregates of a window, its bounds).
#[derive(Debug, Clone, PartialEq)]
pub struct RowValues {
    /// The row's table.
    pub table: TableId,
    entries: Vec<(usize, Value)>,
    extra: Vec<(Arc<str>, Value)>,
}

impl RowValues {
    /// A row without values.
    #[must_use]
    pub fn new(table: TableId) -> Self {
        Self {
            table,
            entries: Vec::new(),
            extra: Vec::new(),
        }
    }

    /// Value of a column or of what was worked out under this name; [`Value::Null`] if
    /// it is missing or there is no such name.
    #[must_use]
    pub fn get(&self, name: &str) -> &Value {
        match self.table.def().column(name) {
            Some((at, _)) => self.at(at),
            None => self
                .extra
                .iter()
                .find(|e| *e.0 == *name)
                .map_or(&NULL, |e| &e.1),
        }
    }

    /// Adds what was worked out for the row, under a name that is no column's.
    pub fn add(&mut self, name: Arc<str>, value: Value) {
        self.extra.retain(|e| e.0 != name);
        self.extra.push((name, value));
    }

    /// Value of the column at a position of the Arrow schema.
    #[must_use]
    pub fn at(&self, column: usize) -> &Value {
        match self.entries.binary_search_by_key(&column, |e| e.0) {
            Ok(i) => self.entries.get(i).map_or(&NULL, |e| &e.1),
            Err(_) => &NULL,
        }
    }

    /// Sets a column, or takes its value away with [`Value::Null`]; false if there is no such column.
    pub fn set(&mut self, name: &str, value: Value) -> bool {
        match self.table.def().column(name) {
            Some((at, _)) => {
                self.set_at(at, value);
                true
            }
            None => false,
        }
    }

    /// Sets the column at a position.
    pub fn set_at(&mut self, column: usize, value: Value) {
        match self.entries.binary_search_by_key(&column, |e| e.0) {
            Ok(i) if value.is_null() => {
                self.entries.remove(i);
            }
            Ok(i) => {
                if let Some(e) = self.entries.get_mut(i) {
                    e.1 = value;
                }
            }
            Err(_) if value.is_null() => {}
            Err(i) => self.entries.insert(i, (column, value)),
        }
    }

    /// Names and values, in the order of the columns; then what was worked out.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        let columns = self.table.def().columns;
        self.entries
            .iter()
            .filter_map(|(at, v)| columns.get(*at).map(|c| (c.name, v)))
            .chain(self.extra.iter().map(|(name, v)| (&**name, v)))
    }

    /// As a JSON object without the missing values.
    #[must_use]
    pub fn to_json(&self) -> Map<String, Json> {
        self.iter()
            .map(|(n, v)| (n.to_owned(), v.to_json()))
            .collect()
    }

    /// As a JSON object with every column of the table.
    #[must_use]
    pub fn to_json_full(&self) -> Map<String, Json> {
        let columns = self.table.def().columns.iter().enumerate();
        columns
            .map(|(at, c)| (c.name.to_owned(), self.at(at).to_json()))
            .collect()
    }
}

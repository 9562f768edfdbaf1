//! From the text of a literal to what a column keeps.

use super::{parse_ip, parse_mac, parse_time};
use crate::defs::{ColumnDef, ColumnKind, UnknownName};
use thiserror::Error;

/// A value as a column keeps it.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// True or false.
    Bool(bool),
    /// For columns of unsigned numbers; within the column's range.
    U64(u64),
    /// For columns of signed numbers.
    I64(i64),
    /// For columns of numbers, and elements of lists of them.
    F64(f64),
    /// Text.
    Text(String),
    /// An IP address; IPv4 mapped.
    Ip([u8; 16]),
    /// A MAC address.
    Mac(u64),
    /// Number of a name of the column's enumeration.
    Enum(u16),
    /// Nanoseconds since 1970-01-01 UTC.
    Time(i64),
}

/// A literal that a column cannot have.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LiteralError {
    /// Not a name of the column's enumeration.
    #[error("column `{column}`: {source}")]
    Name {
        /// The column.
        column: &'static str,
        /// The name, and the nearest.
        source: UnknownName,
    },
    /// Not of the column's type.
    #[error("column `{column}` holds {wanted}, `{text}` is none; write {example}")]
    Form {
        /// The column.
        column: &'static str,
        /// What it holds.
        wanted: String,
        /// The literal.
        text: String,
        /// How one looks.
        example: &'static str,
    },
}

impl LiteralError {
    /// Stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Name { .. } => "TT-SCH-003",
            Self::Form { .. } => "TT-SCH-004",
        }
    }
}

/// Decimal, or hexadecimal with `0x`.
fn unsigned(text: &str) -> Option<u64> {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

fn bounded(text: &str, max: u64) -> Option<Literal> {
    unsigned(text).filter(|v| *v <= max).map(Literal::U64)
}

/// What a kind of column holds, in words, and how a literal looks.
fn wanted(kind: ColumnKind) -> (String, &'static str) {
    let (what, example) = match kind {
        ColumnKind::Bool => ("true or false", "true"),
        ColumnKind::U8 => ("a number from 0 to 255", "5"),
        ColumnKind::U16 => ("a number from 0 to 65535", "502"),
        ColumnKind::U32 => ("a number from 0 to 4294967295", "100"),
        ColumnKind::U64 => ("a number from 0", "100"),
        ColumnKind::I64 => ("a whole number", "-1"),
        ColumnKind::F64 | ColumnKind::ListF64 => ("a number", "1.5"),
        ColumnKind::ListU32 => ("numbers from 0 to 4294967295", "7"),
        ColumnKind::Text => ("text", "'text'"),
        ColumnKind::Ip => ("an IP address", "'10.0.0.5' or 'fe80::1'"),
        ColumnKind::Mac => ("a MAC address", "'00:1b:1b:00:00:01'"),
        ColumnKind::Timestamp => ("a time", "'2026-11-23T08:00:00Z'"),
        ColumnKind::Enum(e) => {
            return (format!("a name of `{}`", e.def().name), "one of its names");
        }
    };
    (what.to_owned(), example)
}

/// The value that column `def` keeps for a literal. For lists: one element.
///
/// # Errors
/// [`LiteralError`] with the nearest name or the form that is wanted.
pub fn literal(def: &ColumnDef, text: &str) -> Result<Literal, LiteralError> {
    let t = text.trim();
    let parsed = match def.kind {
        ColumnKind::Bool => t.to_ascii_lowercase().parse().ok().map(Literal::Bool),
        ColumnKind::U8 => bounded(t, u8::MAX.into()),
        ColumnKind::U16 => bounded(t, u16::MAX.into()),
        ColumnKind::U32 | ColumnKind::ListU32 => bounded(t, u32::MAX.into()),
        ColumnKind::U64 => bounded(t, u64::MAX),
        ColumnKind::I64 => t.parse().ok().map(Literal::I64),
        ColumnKind::F64 | ColumnKind::ListF64 => t.parse().ok().map(Literal::F64),
        ColumnKind::Text => Some(Literal::Text(text.to_owned())),
        ColumnKind::Ip => parse_ip(t).map(Literal::Ip),
        ColumnKind::Mac => parse_mac(t).map(Literal::Mac),
        ColumnKind::Timestamp => parse_time(t).map(Literal::Time),
        ColumnKind::Enum(e) => {
            let id = e.def().id_of(t).map_err(|source| LiteralError::Name {
                column: def.name,
                source,
            })?;
            Some(Literal::Enum(id))
        }
    };
    parsed.ok_or_else(|| {
        let (wanted, example) = wanted(def.kind);
        LiteralError::Form {
            column: def.name,
            wanted,
            text: text.to_owned(),
            example,
        }
    })
}

//! The shape of the schema files. Unknown keys are errors.

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, SeqAccess, Visitor};
use serde_saphyr::Spanned;
use std::fmt;
use std::path::Path;

/// `schemas/common.yaml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommonFile {
    pub description: String,
    pub functions: Vec<FunctionSpec>,
    pub enums: Vec<EnumSpec>,
    pub columns: Vec<ColumnSpec>,
}

/// One enumeration.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnumSpec {
    pub name: String,
    pub description: String,
    pub values: Vec<EnumValue>,
}

/// One name of an enumeration with its stable number.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnumValue {
    pub id: u16,
    pub name: Spanned<String>,
    pub doc: String,
}

/// One column.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnSpec {
    pub name: Spanned<String>,
    pub kind: Spanned<String>,
    #[serde(default)]
    pub nullable: bool,
    #[serde(default)]
    pub unit: Option<String>,
    pub description: String,
    #[serde(default = "none")]
    pub sensitivity: Spanned<String>,
    /// How a secret is kept; only `keyed_hash` is allowed.
    #[serde(default)]
    pub stored: Option<String>,
    #[serde(default)]
    pub ecs: Option<String>,
    #[serde(default)]
    pub ocsf: Option<String>,
}

fn none() -> Spanned<String> {
    Spanned {
        value: "none".to_owned(),
        referenced: serde_saphyr::Location::UNKNOWN,
        defined: serde_saphyr::Location::UNKNOWN,
    }
}

/// `schemas/<table>.yaml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableFile {
    pub table: String,
    pub title: String,
    pub protocol: String,
    pub description: String,
    pub grain: String,
    pub references: Vec<String>,
    pub object_grammar: String,
    /// Function ids of this table lie in this range, both ends included.
    pub function_ids: (u16, u16),
    pub spaces: Vec<NamedDoc>,
    pub object_classes: Vec<ClassSpec>,
    /// What the numbers of the classes are, if they have any.
    #[serde(default)]
    pub class_numbers: Option<String>,
    /// What the names of the classes are, if they have any.
    #[serde(default)]
    pub class_names: Option<String>,
    pub columns: Vec<ColumnSpec>,
    pub functions: Vec<FunctionSpec>,
    pub decisions: Vec<DecisionSpec>,
}

/// A name with its meaning.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedDoc {
    pub name: Spanned<String>,
    pub doc: String,
}

/// A class of object, with what it is known by on the wire.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassSpec {
    pub name: Spanned<String>,
    pub doc: String,
    /// Numbers of the class; `*` takes what no class before it has.
    #[serde(default)]
    pub numbers: Option<Codes>,
    /// Names of the class.
    #[serde(default)]
    pub names: Vec<String>,
}

/// One function name with its stable number.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FunctionSpec {
    pub id: u16,
    pub name: Spanned<String>,
    pub doc: String,
}

/// One row of a decision table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecisionSpec {
    #[serde(default)]
    pub space: Option<Spanned<String>>,
    #[serde(default)]
    pub code: Codes,
    #[serde(default)]
    pub sub: Codes,
    #[serde(default)]
    pub class: Names,
    pub function: Spanned<String>,
    pub operation: Spanned<String>,
    #[serde(default)]
    pub phase: Option<Spanned<String>>,
    #[serde(default)]
    pub doc: Option<String>,
}

/// `*`, `none`, one number, a range `a..b` (both ends included), or a list of them.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub enum Codes {
    #[default]
    Any,
    Absent,
    Ranges(Vec<(u16, u16)>),
}

/// `*`, one name, or a list of names.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub enum Names {
    #[default]
    Any,
    List(Vec<String>),
}

fn number(text: &str) -> Result<u16, String> {
    let text = text.trim();
    let parsed = match text.strip_prefix("0x") {
        Some(hex) => u16::from_str_radix(hex, 16),
        None => text.parse(),
    };
    parsed.map_err(|_| format!("`{text}` is no code: write 5, 0x1a, 1..4, *, none or a list"))
}

fn range(text: &str) -> Result<(u16, u16), String> {
    match text.split_once("..") {
        Some((a, b)) => {
            let (a, b) = (number(a)?, number(b)?);
            if a > b {
                return Err(format!("range `{text}` ends before it starts"));
            }
            Ok((a, b))
        }
        None => number(text).map(|n| (n, n)),
    }
}

struct CodesVisitor;

impl<'de> Visitor<'de> for CodesVisitor {
    type Value = Codes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a code, a range, *, none or a list of them")
    }

    fn visit_u64<E: serde::de::Error>(self, v: u64) -> Result<Codes, E> {
        let n = u16::try_from(v).map_err(|_| E::custom(format!("code {v} is above 65535")))?;
        Ok(Codes::Ranges(vec![(n, n)]))
    }

    fn visit_i64<E: serde::de::Error>(self, v: i64) -> Result<Codes, E> {
        let n = u16::try_from(v).map_err(|_| E::custom(format!("code {v} is no u16")))?;
        Ok(Codes::Ranges(vec![(n, n)]))
    }

    fn visit_str<E: serde::de::Error>(self, v: &str) -> Result<Codes, E> {
        match v {
            "*" => Ok(Codes::Any),
            "none" => Ok(Codes::Absent),
            _ => range(v).map(|r| Codes::Ranges(vec![r])).map_err(E::custom),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Codes, A::Error> {
        let mut all = Vec::new();
        while let Some(item) = seq.next_element::<Codes>()? {
            match item {
                Codes::Ranges(r) => all.extend(r),
                _ => return Err(A::Error::custom("a list holds codes and ranges only")),
            }
        }
        Ok(Codes::Ranges(all))
    }
}

impl<'de> Deserialize<'de> for Codes {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Codes, D::Error> {
        d.deserialize_any(CodesVisitor)
    }
}

struct NamesVisitor;

impl<'de> Visitor<'de> for NamesVisitor {
    type Value = Names;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a class, * or a list of classes")
    }

    fn visit_str<E: serde::de::Error>(self, v: &str) -> Result<Names, E> {
        Ok(match v {
            "*" => Names::Any,
            _ => Names::List(vec![v.to_owned()]),
        })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Names, A::Error> {
        let mut all = Vec::new();
        while let Some(item) = seq.next_element::<String>()? {
            all.push(item);
        }
        Ok(Names::List(all))
    }
}

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Names, D::Error> {
        d.deserialize_any(NamesVisitor)
    }
}

/// Reads one file.
pub fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|e| format!("cannot read {}: {e}", path.display()))?;
    parse(&text, &path.display().to_string())
}

/// Parses the text of a file; errors name the file, the line and the column.
pub fn parse<T: serde::de::DeserializeOwned>(text: &str, file: &str) -> Result<T, String> {
    serde_saphyr::from_str(text).map_err(|e| match e.location() {
        Some(at) => format!("{file}:{}:{}: {e}", at.line(), at.column()),
        None => format!("{file}: {e}"),
    })
}

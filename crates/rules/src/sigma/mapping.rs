//! Which table a log source is, and which columns its fields are.
//!
//! The built-in mapping is `data/sigma-mapping.yaml`; a file of the same form goes before it.

use crate::diagnostic::Diagnostic;
use crate::site::place;
use serde::Deserialize;
use serde_saphyr::Spanned;
use std::collections::BTreeMap;
use telltale_schema::value::literal;
use telltale_schema::{ColumnDef, ColumnKind, TableId, nearest};

/// The mapping that Telltale ships.
const BUILT_IN: &str = include_str!("../../data/sigma-mapping.yaml");

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// Names of values: of the field on the left, of the column on the right.
    #[serde(default)]
    value_sets: BTreeMap<String, BTreeMap<String, serde_json::Value>>,
    /// Fields that several log sources have.
    #[serde(default)]
    field_sets: BTreeMap<String, BTreeMap<String, Spanned<FieldFile>>>,
    /// Log sources.
    #[serde(default)]
    logsources: Vec<Spanned<SourceFile>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum FieldFile {
    /// Only the column.
    Column(String),
    /// More to say.
    Full(FullField),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct FullField {
    /// The column.
    #[serde(default)]
    column: Option<String>,
    /// A set of names of values.
    #[serde(default)]
    values: Option<String>,
    /// The column's number is the field's times this.
    #[serde(default)]
    scale: Option<f64>,
    /// Why the field has no column.
    #[serde(default)]
    refused: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct SourceFile {
    /// Product, service, category: all given must be equal.
    logsource: BTreeMap<String, String>,
    /// The table.
    table: String,
    /// What is counted: a column, whose distinct values are the events; else rows.
    #[serde(default)]
    count: Option<String>,
    /// Sets of fields.
    #[serde(default)]
    also: Vec<String>,
    /// Fields.
    #[serde(default)]
    fields: BTreeMap<String, Spanned<FieldFile>>,
    /// Are the table's columns fields by their own names?
    #[serde(default)]
    own_columns: bool,
    /// Conditions that the log source implies: the first entry that applies.
    #[serde(default)]
    implied: Vec<ImpliedFile>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct ImpliedFile {
    /// Applies where the rule asks for one of these columns; empty: always.
    #[serde(default)]
    columns: Vec<String>,
    /// Column and value.
    #[serde(default)]
    add: BTreeMap<String, String>,
}

/// What a field is.
#[derive(Debug, Clone)]
pub(super) struct Field {
    /// The column.
    pub column: &'static ColumnDef,
    /// Names of its values; several of ours for one of theirs where ours say more.
    pub values: Option<BTreeMap<String, Vec<String>>>,
    /// The column's number is the field's times this.
    pub scale: f64,
}

/// A condition that a log source implies.
#[derive(Debug, Clone)]
pub(super) struct Implied {
    /// Applies where one of these is asked for; empty: always.
    pub columns: Vec<String>,
    /// Columns and values.
    pub add: Vec<(&'static ColumnDef, String)>,
}

/// A log source.
#[derive(Debug, Clone)]
pub(super) struct Source {
    /// What a rule's `logsource` must say.
    pub keys: BTreeMap<String, String>,
    /// The table, or `events`.
    pub table: String,
    /// Column whose distinct values are the events.
    pub count: Option<&'static ColumnDef>,
    /// Fields; the reason where one has no column.
    pub fields: BTreeMap<String, Result<Field, String>>,
    /// Implied conditions.
    pub implied: Vec<Implied>,
}

impl Source {
    /// What is implied, where the rule asks for these columns.
    pub fn implied(
        &self,
        used: &std::collections::BTreeSet<&'static str>,
    ) -> &[(&'static ColumnDef, String)] {
        self.implied
            .iter()
            .find(|i| i.columns.is_empty() || i.columns.iter().any(|c| used.contains(c.as_str())))
            .map_or(&[], |i| &i.add)
    }
}

/// Log sources and their fields.
#[derive(Debug, Clone)]
pub struct Mapping {
    sources: Vec<Source>,
}

impl Default for Mapping {
    /// The one that Telltale ships.
    fn default() -> Self {
        Self::parse("sigma-mapping.yaml", BUILT_IN).unwrap_or(Self {
            sources: Vec::new(),
        })
    }
}

/// What stands in the file, with the sets of both files at hand.
struct Reader<'f> {
    name: &'f str,
    sets: BTreeMap<String, BTreeMap<String, serde_json::Value>>,
    fields: BTreeMap<String, BTreeMap<String, Spanned<FieldFile>>>,
    found: Vec<Diagnostic>,
}

impl Reader<'_> {
    fn wrong(&mut self, at: (u32, u32), message: String, help: String) {
        self.found
            .push(Diagnostic::error("TT-SIG-021", self.name, at, message).help(help));
    }

    fn column(
        &mut self,
        at: (u32, u32),
        columns: &'static [ColumnDef],
        name: &str,
    ) -> Option<&'static ColumnDef> {
        let found = columns.iter().find(|c| c.name == name);
        if found.is_none() {
            let help = nearest(name, columns.iter().map(|c| c.name))
                .map_or("see `telltale schema`".to_owned(), |n| {
                    format!("did you mean `{n}`?")
                });
            self.wrong(at, format!("no column `{name}`"), help);
        }
        found
    }

    fn field(
        &mut self,
        columns: &'static [ColumnDef],
        file: &Spanned<FieldFile>,
    ) -> Option<Result<Field, String>> {
        let at = place(file);
        let full = match &file.value {
            FieldFile::Column(name) => FullField {
                column: Some(name.clone()),
                values: None,
                scale: None,
                refused: None,
            },
            FieldFile::Full(full) => full.clone(),
        };
        if let Some(why) = full.refused {
            return Some(Err(why));
        }
        let Some(name) = full.column else {
            self.wrong(
                at,
                "a field has a `column`, or is `refused`".to_owned(),
                "say why it is refused".to_owned(),
            );
            return None;
        };
        let column = self.column(at, columns, &name)?;
        let values = match full.values {
            None => None,
            Some(set) => Some(self.values(at, column, &set)?),
        };
        Some(Ok(Field {
            column,
            values,
            scale: full
                .scale
                .filter(|s| s.is_finite() && *s > 0.0)
                .unwrap_or(1.0),
        }))
    }

    fn values(
        &mut self,
        at: (u32, u32),
        column: &'static ColumnDef,
        set: &str,
    ) -> Option<BTreeMap<String, Vec<String>>> {
        let Some(names) = self.sets.get(set).cloned() else {
            let help = nearest(set, self.sets.keys().map(String::as_str))
                .map_or("write it in `value_sets`".to_owned(), |n| {
                    format!("did you mean `{n}`?")
                });
            self.wrong(at, format!("no set of values `{set}`"), help);
            return None;
        };
        let mut out = BTreeMap::new();
        for (theirs, ours) in names {
            let ours: Vec<String> = match ours {
                serde_json::Value::Array(more) => more,
                one => vec![one],
            }
            .iter()
            .map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned))
            .collect();
            for value in &ours {
                if let Err(error) = literal(column, value) {
                    self.wrong(
                        at,
                        format!("value set `{set}`, `{theirs}`: {error}"),
                        format!("see `telltale schema` for `{}`", column.name),
                    );
                }
            }
            out.insert(theirs, ours);
        }
        Some(out)
    }

    fn source(&mut self, file: &Spanned<SourceFile>) -> Option<Source> {
        let (at, file) = (place(file), &file.value);
        let columns = if file.table == "events" {
            telltale_schema::events_columns()
        } else if let Some(table) = TableId::from_name(&file.table) {
            table.def().columns
        } else {
            self.wrong(
                at,
                format!("no table `{}`", file.table),
                "`telltale schema` lists them".to_owned(),
            );
            return None;
        };
        for key in file.logsource.keys() {
            if !["product", "service", "category"].contains(&key.as_str()) {
                self.wrong(
                    at,
                    format!("a log source has no `{key}`"),
                    "product, service, category".to_owned(),
                );
            }
        }
        let mut fields = BTreeMap::new();
        if file.own_columns {
            for column in columns {
                // functions of this table only; `events` has those of all
                let functions = TableId::from_name(&file.table)
                    .filter(|_| column.name == "function")
                    .map(|table| table.def().functions.iter());
                let field = Field {
                    column,
                    values: functions.map(|all| {
                        all.map(|f| (f.name.to_owned(), vec![f.name.to_owned()]))
                            .collect()
                    }),
                    scale: 1.0,
                };
                fields.insert(column.name.to_owned(), Ok(field));
            }
        }
        for set in &file.also {
            let Some(of_set) = self.fields.get(set).cloned() else {
                self.wrong(
                    at,
                    format!("no set of fields `{set}`"),
                    "write it in `field_sets`".to_owned(),
                );
                continue;
            };
            for (name, field) in of_set {
                fields.extend(self.field(columns, &field).map(|f| (name, f)));
            }
        }
        for (name, field) in &file.fields {
            fields.extend(self.field(columns, field).map(|f| (name.clone(), f)));
        }
        let mut implied = Vec::new();
        for entry in &file.implied {
            let mut add = Vec::new();
            for (name, value) in &entry.add {
                if let Some(column) = self.column(at, columns, name) {
                    if let Err(error) = literal(column, value) {
                        self.wrong(at, error.to_string(), "see `telltale schema`".to_owned());
                    }
                    add.push((column, value.clone()));
                }
            }
            implied.push(Implied {
                columns: entry.columns.clone(),
                add,
            });
        }
        let count = match &file.count {
            Some(name) => self.column(at, columns, name),
            None => None,
        };
        Some(Source {
            keys: file.logsource.clone(),
            table: file.table.clone(),
            count,
            fields,
            implied,
        })
    }
}

impl Mapping {
    /// Reads a mapping file; its sets may be those of the shipped one.
    ///
    /// # Errors
    /// All that is wrong with it, with its places.
    pub fn parse(name: &str, text: &str) -> Result<Self, Vec<Diagnostic>> {
        let read = |name: &str, text: &str| -> Result<File, Vec<Diagnostic>> {
            serde_saphyr::from_str(text)
                .map_err(|e| vec![crate::site::yaml_error(name, &e, "TT-SIG-020", |_| None)])
        };
        let file = read(name, text)?;
        let shipped = read("sigma-mapping.yaml", BUILT_IN)?;
        let mut sets = shipped.value_sets;
        sets.extend(file.value_sets);
        let mut fields = shipped.field_sets;
        fields.extend(file.field_sets);
        let mut reader = Reader {
            name,
            sets,
            fields,
            found: Vec::new(),
        };
        let sources: Vec<Source> = file
            .logsources
            .iter()
            .filter_map(|s| reader.source(s))
            .collect();
        if reader.found.is_empty() {
            Ok(Self { sources })
        } else {
            Err(reader.found)
        }
    }

    /// This mapping, and the other where it says nothing. A log source of both takes
    /// the fields of both.
    #[must_use]
    pub fn before(mut self, other: Self) -> Self {
        for source in other.sources {
            match self.sources.iter_mut().find(|s| s.keys == source.keys) {
                Some(own) if own.table == source.table => {
                    for (name, field) in source.fields {
                        own.fields.entry(name).or_insert(field);
                    }
                    if own.implied.is_empty() {
                        own.implied = source.implied;
                    }
                    own.count = own.count.or(source.count);
                }
                Some(_) => {}
                None => self.sources.push(source),
            }
        }
        self
    }

    /// The log source of a rule: all keys of the entry are equal to the rule's, a
    /// service that the rule names is among them, and it has most keys.
    pub(super) fn source(&self, keys: &BTreeMap<String, String>) -> Option<&Source> {
        self.sources
            .iter()
            .filter(|s| {
                s.keys.iter().all(|(k, v)| keys.get(k) == Some(v))
                    && (!keys.contains_key("service") || s.keys.contains_key("service"))
            })
            .rev()
            .max_by_key(|s| s.keys.len())
    }

    /// What it knows, one line per log source, for people.
    #[must_use]
    pub fn known(&self) -> Vec<String> {
        self.sources
            .iter()
            .map(|s| {
                let keys: Vec<String> = s.keys.iter().map(|(k, v)| format!("{k} {v}")).collect();
                format!("{} -> {}", keys.join(", "), s.table)
            })
            .collect()
    }
}

/// Is the column a list, of which a rule can only ask for a value?
pub(super) fn is_list(column: &ColumnDef) -> bool {
    matches!(column.kind, ColumnKind::ListF64 | ColumnKind::ListU32)
}

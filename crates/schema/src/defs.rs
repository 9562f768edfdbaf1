//! Definitions of tables, columns and enumerations.

use crate::tables::{COMMON_COLUMNS, EnumId, Operation, Phase, Protocol, TableId};
use thiserror::Error;

/// What a message asks for. One vocabulary over all tables; each table has its
/// own range of numbers, which never change. Names follow the standards and
/// Zeek/ICSNPP where those have one.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Function(pub u16);

impl Function {
    /// A function that the table's vocabulary does not know.
    pub const UNKNOWN: Function = Function(0);
}

impl std::fmt::Display for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Function {
    type Err = UnknownName;
    fn from_str(s: &str) -> Result<Self, UnknownName> {
        Function::from_name(s)
            .ok_or_else(|| UnknownName::new("function", s, EnumId::Function.def().names()))
    }
}

/// What the decision table says about a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// What the message asks for.
    pub function: Function,
    /// The same over all protocols.
    pub operation: Operation,
    /// Step of a control, if it is one.
    pub phase: Option<Phase>,
}

impl Decision {
    /// No row of the table fits.
    pub const UNKNOWN: Decision = Decision {
        function: Function::UNKNOWN,
        operation: Operation::Other,
        phase: None,
    };
}

/// Who may see a column's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sensitivity {
    /// Says nothing about a process or a person.
    None,
    /// Tells about the plant's process: values, recipes, programs.
    Process,
    /// May identify a person.
    Personal,
    /// A secret: never kept in clear, only as a keyed hash.
    Secret,
}

impl Sensitivity {
    /// Its name in the schema files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Process => "process",
            Self::Personal => "personal",
            Self::Secret => "secret",
        }
    }
}

/// Type of a column as an engineer thinks of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// True or false.
    Bool,
    /// 8 bits, unsigned.
    U8,
    /// 16 bits, unsigned.
    U16,
    /// 32 bits, unsigned.
    U32,
    /// 64 bits, unsigned.
    U64,
    /// 64 bits, signed.
    I64,
    /// Floating point, 64 bits.
    F64,
    /// Text; Arrow `Utf8View`.
    Text,
    /// IP address: 16 bytes, IPv4 mapped into `::ffff:0:0/96`.
    Ip,
    /// MAC address in the low 48 bits of a `UInt64`.
    Mac,
    /// Nanoseconds since 1970-01-01 UTC.
    Timestamp,
    /// List of numbers.
    ListF64,
    /// List of unsigned 32-bit numbers.
    ListU32,
    /// A small integer with a name.
    Enum(EnumId),
}

/// One column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ColumnDef {
    /// Its name in SQL.
    pub name: &'static str,
    /// Its type.
    pub kind: ColumnKind,
    /// May a row lack it?
    pub nullable: bool,
    /// Unit of its numbers.
    pub unit: Option<&'static str>,
    /// What it means.
    pub description: &'static str,
    /// Who may see it.
    pub sensitivity: Sensitivity,
    /// Field of the Elastic Common Schema.
    pub ecs: Option<&'static str>,
    /// Attribute of OCSF.
    pub ocsf: Option<&'static str>,
    /// Is it one of the columns that all tables share?
    pub common: bool,
}

/// A function of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FunctionDef {
    /// Its number.
    pub function: Function,
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub doc: &'static str,
}

/// Which codes a row of a decision table fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeMatch {
    /// All, and none.
    Any,
    /// Only a message without one.
    Absent,
    /// Ranges, both ends included.
    Ranges(&'static [(u16, u16)]),
}

impl CodeMatch {
    /// The first code that fits.
    #[must_use]
    pub fn first(self) -> Option<u16> {
        match self {
            CodeMatch::Ranges(r) => r.first().map(|(a, _)| *a),
            CodeMatch::Any | CodeMatch::Absent => None,
        }
    }

    /// Does this code (or its absence) fit?
    #[must_use]
    pub fn fits(self, code: Option<u16>) -> bool {
        match (self, code) {
            (CodeMatch::Any, _) | (CodeMatch::Absent, None) => true,
            (CodeMatch::Ranges(r), Some(c)) => r.iter().any(|(a, b)| (*a..=*b).contains(&c)),
            _ => false,
        }
    }
}

/// One row of a decision table: the first that fits wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecisionRow {
    /// Which numbering `code` belongs to.
    pub space: &'static str,
    /// Function codes.
    pub code: CodeMatch,
    /// Sub-function codes.
    pub sub: CodeMatch,
    /// Classes of object; `None` fits all.
    pub classes: Option<&'static [&'static str]>,
    /// The function.
    pub function: Function,
    /// The operation.
    pub operation: Operation,
    /// The phase.
    pub phase: Option<Phase>,
    /// A remark.
    pub doc: Option<&'static str>,
}

/// One table.
#[derive(Debug)]
pub struct TableDef {
    /// Which.
    pub id: TableId,
    /// Its name in SQL.
    pub name: &'static str,
    /// A headline.
    pub title: &'static str,
    /// The protocol of its rows, `none` if they have several.
    pub protocol: Protocol,
    /// What it is.
    pub description: &'static str,
    /// What one row is.
    pub grain: &'static str,
    /// How `object` is written.
    pub object_grammar: &'static str,
    /// The standards behind it.
    pub references: &'static [&'static str],
    /// Common columns, then its own.
    pub columns: &'static [ColumnDef],
    /// Code spaces with their meaning.
    pub spaces: &'static [(&'static str, &'static str)],
    /// Classes of object with their meaning.
    pub object_classes: &'static [(&'static str, &'static str)],
    /// Its functions.
    pub functions: &'static [FunctionDef],
    /// Its decision table.
    pub decisions: &'static [DecisionRow],
}

impl TableDef {
    /// Position and definition of a column.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<(usize, &'static ColumnDef)> {
        self.columns
            .iter()
            .enumerate()
            .find(|(_, c)| c.name == name)
    }

    /// The table's own columns.
    pub fn own_columns(&self) -> impl Iterator<Item = &'static ColumnDef> {
        self.columns.iter().filter(|c| !c.common)
    }

    /// The row of the decision table that stands for a function: one for this
    /// class of object if there is one, else the one for any object, else the first.
    #[must_use]
    pub fn decision_for(
        &self,
        function: Function,
        class: Option<&str>,
    ) -> Option<&'static DecisionRow> {
        let rows = || self.decisions.iter().filter(|d| d.function == function);
        class
            .and_then(|c| rows().find(|d| d.classes.is_some_and(|l| l.contains(&c))))
            .or_else(|| rows().find(|d| d.classes.is_none()))
            .or_else(|| rows().next())
    }
}

/// One enumeration.
#[derive(Debug)]
pub struct EnumDef {
    /// Its name.
    pub name: &'static str,
    /// What it says.
    pub description: &'static str,
    /// Number, name, meaning; by rising position in the file.
    pub values: &'static [(u16, &'static str, &'static str)],
}

impl EnumDef {
    /// All names.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.values.iter().map(|v| v.1)
    }

    /// Name of a number.
    #[must_use]
    pub fn name_of(&self, id: u16) -> Option<&'static str> {
        // dense enumerations first: position equals number
        match self.values.get(usize::from(id)) {
            Some(v) if v.0 == id => Some(v.1),
            _ => self.values.iter().find(|v| v.0 == id).map(|v| v.1),
        }
    }

    /// Number of a name.
    ///
    /// # Errors
    /// `TT-SCH-002` with the nearest name.
    pub fn id_of(&self, name: &str) -> Result<u16, UnknownName> {
        self.values
            .iter()
            .find(|v| v.1 == name)
            .map(|v| v.0)
            .ok_or_else(|| UnknownName::new(self.name, name, self.names()))
    }
}

/// A name that does not exist, with the one that was probably meant.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("unknown {what} `{name}`{}", .nearest.map_or_else(String::new, |n| format!(", did you mean `{n}`?")))]
pub struct UnknownName {
    /// What was looked up.
    pub what: String,
    /// The name as given.
    pub name: String,
    /// The nearest that exists, if any is near.
    pub nearest: Option<&'static str>,
}

impl UnknownName {
    /// Looks for the nearest of `names`.
    pub fn new(what: &str, name: &str, names: impl Iterator<Item = &'static str>) -> Self {
        Self {
            what: what.to_owned(),
            name: name.to_owned(),
            nearest: nearest(name, names),
        }
    }

    /// Stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        "TT-SCH-002"
    }
}

/// The nearest of `names` to a misspelt name, if one is near enough to be meant.
pub fn nearest<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let wanted = name.to_lowercase();
    let mut best: Option<(&str, f64)> = None;
    for candidate in names {
        let name = candidate.to_lowercase();
        let mut score = strsim::jaro_winkler(&wanted, &name);
        if name.contains(wanted.as_str()) || wanted.contains(name.as_str()) {
            score = score.max(0.85);
        }
        if score > best.map_or(0.75, |b| b.1) {
            best = Some((candidate, score));
        }
    }
    best.map(|b| b.0)
}

/// What can go wrong in this crate.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SchemaError {
    /// Arrow refused a batch.
    #[error("cannot make a batch of table `{table}`: {reason}")]
    Batch {
        /// The table.
        table: &'static str,
        /// Arrow's words.
        reason: String,
    },
}

impl SchemaError {
    /// Stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Batch { .. } => "TT-SCH-001",
        }
    }
}

/// Columns of the view `events`: those that all tables share.
#[must_use]
pub fn events_columns() -> &'static [ColumnDef] {
    COMMON_COLUMNS
}

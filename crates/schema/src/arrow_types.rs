//! Columns as Arrow fields.

use crate::defs::{ColumnDef, ColumnKind};
use crate::tables::{COMMON_COLUMNS, EnumId, TableId};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

/// Field metadata key: JSON object from number to name.
pub const META_ENUM: &str = "telltale.enum";
/// Field metadata key: unit of the numbers.
pub const META_UNIT: &str = "telltale.unit";
/// Field metadata key: sensitivity.
pub const META_SENSITIVITY: &str = "telltale.sensitivity";
/// Field metadata key: kind (`ip`, `mac`, `enum:operation`, …).
pub const META_KIND: &str = "telltale.kind";

impl ColumnKind {
    /// The Arrow type.
    #[must_use]
    pub fn data_type(self) -> DataType {
        match self {
            Self::Bool => DataType::Boolean,
            Self::U8 => DataType::UInt8,
            Self::U16 | Self::Enum(EnumId::Function) => DataType::UInt16,
            Self::U32 => DataType::UInt32,
            Self::U64 | Self::Mac => DataType::UInt64,
            Self::I64 => DataType::Int64,
            Self::F64 => DataType::Float64,
            Self::Text => DataType::Utf8View,
            Self::Ip => DataType::FixedSizeBinary(16),
            Self::Timestamp => DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
            Self::ListF64 => {
                DataType::List(Arc::new(Field::new_list_field(DataType::Float64, true)))
            }
            Self::ListU32 => {
                DataType::List(Arc::new(Field::new_list_field(DataType::UInt32, true)))
            }
            Self::Enum(_) => DataType::UInt8,
        }
    }

    /// Its name in the schema files.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Bool => "bool",
            Self::U8 => "u8",
            Self::U16 => "u16",
            Self::U32 => "u32",
            Self::U64 => "u64",
            Self::I64 => "i64",
            Self::F64 => "f64",
            Self::Text => "text",
            Self::Ip => "ip",
            Self::Mac => "mac",
            Self::Timestamp => "timestamp",
            Self::ListF64 => "list_f64",
            Self::ListU32 => "list_u32",
            Self::Enum(e) => return format!("enum:{}", e.def().name),
        }
        .to_owned()
    }
}

impl ColumnDef {
    /// The Arrow field, with names, unit and sensitivity in its metadata.
    #[must_use]
    pub fn field(&self) -> Field {
        let mut meta = HashMap::new();
        meta.insert(META_KIND.to_owned(), self.kind.name());
        meta.insert(
            META_SENSITIVITY.to_owned(),
            self.sensitivity.as_str().to_owned(),
        );
        if let Some(unit) = self.unit {
            meta.insert(META_UNIT.to_owned(), unit.to_owned());
        }
        if let ColumnKind::Enum(e) = self.kind {
            let names: serde_json::Map<String, serde_json::Value> = e
                .def()
                .values
                .iter()
                .map(|v| (v.0.to_string(), serde_json::Value::from(v.1)))
                .collect();
            meta.insert(
                META_ENUM.to_owned(),
                serde_json::Value::from(names).to_string(),
            );
        }
        Field::new(self.name, self.kind.data_type(), self.nullable).with_metadata(meta)
    }
}

fn schema_of(columns: &[ColumnDef], name: &str) -> SchemaRef {
    let fields: Vec<Field> = columns.iter().map(ColumnDef::field).collect();
    let meta = HashMap::from([("telltale.table".to_owned(), name.to_owned())]);
    Arc::new(Schema::new_with_metadata(fields, meta))
}

static SCHEMAS: LazyLock<Vec<SchemaRef>> = LazyLock::new(|| {
    TableId::ALL
        .iter()
        .map(|t| schema_of(t.def().columns, t.as_str()))
        .collect()
});
static EVENTS: LazyLock<SchemaRef> = LazyLock::new(|| schema_of(COMMON_COLUMNS, "events"));

impl TableId {
    /// The table's name in SQL.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.as_str()
    }

    /// The Arrow schema, shared.
    #[must_use]
    pub fn schema(self) -> SchemaRef {
        match SCHEMAS.get(self as usize) {
            Some(s) => Arc::clone(s),
            None => schema_of(self.def().columns, self.as_str()),
        }
    }
}

/// Arrow schema of the view `events`.
#[must_use]
pub fn events_schema() -> SchemaRef {
    Arc::clone(&EVENTS)
}

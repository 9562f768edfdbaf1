//! JSON Schema of a row, for editors: completion of columns and names in the
//! rows of rule tests.

use crate::defs::{ColumnDef, ColumnKind};
use crate::tables::{EnumId, TableId};
use serde_json::{Map, Value, json};

fn number(max: u64) -> Value {
    json!({"type": "integer", "minimum": 0, "maximum": max})
}

fn names(table: TableId, e: EnumId) -> Value {
    let list: Vec<&str> = match e {
        // only the table's own functions help while typing
        EnumId::Function => table.def().functions.iter().map(|f| f.name).collect(),
        _ => e.def().names().collect(),
    };
    json!({"type": "string", "enum": list})
}

fn column(table: TableId, c: &ColumnDef) -> Value {
    let mut schema = match c.kind {
        ColumnKind::Bool => json!({"type": "boolean"}),
        ColumnKind::U8 => number(u8::MAX.into()),
        ColumnKind::U16 => number(u16::MAX.into()),
        ColumnKind::U32 => number(u32::MAX.into()),
        ColumnKind::U64 => json!({"type": "integer", "minimum": 0}),
        ColumnKind::I64 => json!({"type": "integer"}),
        ColumnKind::F64 => json!({"type": "number"}),
        ColumnKind::Text => json!({"type": "string"}),
        ColumnKind::Ip => {
            json!({"type": "string", "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]})
        }
        ColumnKind::Mac => {
            json!({"type": "string", "pattern": "^([0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}$"})
        }
        ColumnKind::Timestamp => json!({"type": "string", "format": "date-time"}),
        ColumnKind::ListF64 => json!({"type": "array", "items": {"type": "number"}}),
        ColumnKind::ListU32 => json!({"type": "array", "items": number(u32::MAX.into())}),
        ColumnKind::Enum(e) => names(table, e),
    };
    if let Some(map) = schema.as_object_mut() {
        let about = match c.unit {
            Some(unit) => format!("{} [{unit}]", c.description),
            None => c.description.to_owned(),
        };
        map.insert("description".to_owned(), Value::from(about));
    }
    if c.nullable {
        json!({"anyOf": [schema, {"type": "null"}]})
    } else {
        schema
    }
}

/// JSON Schema (2020-12) of one row of a table as text formats write it. No
/// column is required: rows of rule tests leave out what does not matter.
#[must_use]
pub fn json_schema(table: TableId) -> Value {
    let def = table.def();
    let mut properties = Map::new();
    for c in def.columns {
        properties.insert(c.name.to_owned(), column(table, c));
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": format!("row of {}", def.name),
        "description": def.title,
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    })
}

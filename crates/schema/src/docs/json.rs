//! The definitions for programs.

use crate::defs::{CodeMatch, ColumnDef, ColumnKind, DecisionRow, events_columns};
use crate::tables::{COMMON_DESCRIPTION, EnumId, Phase, TableId};
use serde_json::{Value, json};

fn column(c: &ColumnDef) -> Value {
    let mut v = json!({
        "name": c.name,
        "kind": c.kind.name(),
        "arrow": c.kind.data_type().to_string(),
        "nullable": c.nullable,
        "description": c.description,
        "sensitivity": c.sensitivity.as_str(),
        "common": c.common,
    });
    if let Some(map) = v.as_object_mut() {
        let extra = [("unit", c.unit), ("ecs", c.ecs), ("ocsf", c.ocsf)];
        for (key, value) in extra {
            if let Some(value) = value {
                map.insert(key.to_owned(), Value::from(value));
            }
        }
        if let ColumnKind::Enum(e) = c.kind {
            map.insert("enum".to_owned(), Value::from(e.def().name));
        }
    }
    v
}

fn codes(c: CodeMatch) -> Value {
    match c {
        CodeMatch::Any => Value::from("*"),
        CodeMatch::Absent => Value::from("none"),
        CodeMatch::Ranges(r) => r.iter().map(|(a, b)| json!([a, b])).collect(),
    }
}

fn decision(d: &DecisionRow) -> Value {
    json!({
        "space": d.space,
        "code": codes(d.code),
        "sub": codes(d.sub),
        "class": d.classes.map_or_else(|| Value::from("*"), Value::from),
        "function": d.function.as_str(),
        "operation": d.operation.as_str(),
        "phase": d.phase.map(Phase::as_str),
        "remark": d.doc,
    })
}

fn named(list: &[(&str, &str)]) -> Value {
    list.iter()
        .map(|(name, doc)| json!({"name": name, "description": doc}))
        .collect()
}

/// One table.
#[must_use]
pub fn json(table: TableId) -> Value {
    let def = table.def();
    let functions: Value = def
        .functions
        .iter()
        .map(|f| json!({"id": f.function.0, "name": f.name, "description": f.doc}))
        .collect();
    json!({
        "table": def.name,
        "title": def.title,
        "protocol": def.protocol.as_str(),
        "description": def.description,
        "grain": def.grain,
        "references": def.references,
        "object_grammar": def.object_grammar,
        "columns": def.columns.iter().map(column).collect::<Value>(),
        "spaces": named(def.spaces),
        "object_classes": named(def.object_classes),
        "functions": functions,
        "decisions": def.decisions.iter().map(decision).collect::<Value>(),
    })
}

/// All enumerations except the functions, which stand with their tables.
#[must_use]
pub fn enums_json() -> Value {
    let mut all = serde_json::Map::new();
    for e in EnumId::ALL.iter().filter(|e| **e != EnumId::Function) {
        let def = e.def();
        let values: Value = def
            .values
            .iter()
            .map(|(id, name, doc)| json!({"id": id, "name": name, "description": doc}))
            .collect();
        all.insert(
            def.name.to_owned(),
            json!({"description": def.description, "values": values}),
        );
    }
    Value::from(all)
}

/// All tables, the view `events`, and the enumerations.
#[must_use]
pub fn all_json() -> Value {
    json!({
        "tables": TableId::ALL.iter().map(|t| json(*t)).collect::<Value>(),
        "events": {
            "description": COMMON_DESCRIPTION,
            "columns": events_columns().iter().map(column).collect::<Value>(),
        },
        "enums": enums_json(),
    })
}

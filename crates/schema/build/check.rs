//! What the shape alone cannot say: names that must exist, ids that must differ.

use crate::model::{ColumnSpec, CommonFile, FunctionSpec, Names, TableFile};
use serde_saphyr::Spanned;
use std::collections::{BTreeMap, BTreeSet};

const KINDS: [&str; 13] = [
    "bool",
    "u8",
    "u16",
    "u32",
    "u64",
    "i64",
    "f64",
    "text",
    "ip",
    "mac",
    "timestamp",
    "list_f64",
    "list_u32",
];
const SENSITIVITIES: [&str; 4] = ["none", "process", "personal", "secret"];
/// Rules demand a value in these; see "Rows" in ARCHITECTURE.md.
const GUARDS: [&str; 4] = ["protocol", "operation", "function", "direction"];

fn at(file: &str, name: &Spanned<String>, problem: &str) -> String {
    format!(
        "schemas/{file}.yaml:{}:{}: `{}` {problem}",
        name.referenced.line(),
        name.referenced.column(),
        name.value
    )
}

fn rust_name(file: &str, name: &Spanned<String>) -> Result<(), String> {
    let ok = name.value.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .value
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if ok {
        Ok(())
    } else {
        Err(at(
            file,
            name,
            "is not written in lower_case letters, digits and _",
        ))
    }
}

pub fn all(common: &CommonFile, tables: &[TableFile], names: &[&str]) -> Result<(), String> {
    let enums: BTreeSet<&str> = common.enums.iter().map(|e| e.name.as_str()).collect();
    for e in &common.enums {
        let mut ids = BTreeSet::new();
        let mut seen = BTreeSet::new();
        for v in &e.values {
            rust_name("common", &v.name)?;
            if v.id > 255 || !ids.insert(v.id) {
                return Err(at(
                    "common",
                    &v.name,
                    "has an id above 255 or one already taken",
                ));
            }
            if !seen.insert(&v.name.value) {
                return Err(at("common", &v.name, "stands twice in its enumeration"));
            }
        }
    }
    columns("common", &common.columns, &[], &enums)?;
    for guard in GUARDS {
        match common.columns.iter().find(|c| c.name.value == guard) {
            Some(c) if !c.nullable => {}
            Some(c) => {
                return Err(at(
                    "common",
                    &c.name,
                    "is a guard column and must not be nullable",
                ));
            }
            None => {
                return Err(format!(
                    "schemas/common.yaml: guard column `{guard}` is missing"
                ));
            }
        }
    }
    let mut ids = BTreeMap::new();
    let mut function_names = BTreeSet::new();
    functions(
        "common",
        &common.functions,
        (0, 19),
        &mut ids,
        &mut function_names,
    )?;
    for (table, name) in tables.iter().zip(names) {
        if table.table != *name {
            return Err(format!(
                "schemas/{name}.yaml: says it is table `{}`",
                table.table
            ));
        }
        columns(name, &table.columns, &common.columns, &enums)?;
        functions(
            name,
            &table.functions,
            table.function_ids,
            &mut ids,
            &mut function_names,
        )?;
        unique(name, table.spaces.iter().map(|s| &s.name))?;
        unique(name, table.object_classes.iter().map(|c| &c.name))?;
        decisions(common, table)?;
    }
    Ok(())
}

fn unique<'a>(file: &str, list: impl Iterator<Item = &'a Spanned<String>>) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for name in list {
        rust_name(file, name)?;
        if name.value == "none" || !seen.insert(&name.value) {
            return Err(at(
                file,
                name,
                "stands twice, or is `none`, which every table has",
            ));
        }
    }
    Ok(())
}

fn columns(
    file: &str,
    list: &[ColumnSpec],
    before: &[ColumnSpec],
    enums: &BTreeSet<&str>,
) -> Result<(), String> {
    let mut seen: BTreeSet<&str> = before.iter().map(|c| c.name.value.as_str()).collect();
    for c in list {
        rust_name(file, &c.name)?;
        if !seen.insert(&c.name.value) {
            return Err(at(file, &c.name, "is a column already"));
        }
        let known = match c.kind.value.strip_prefix("enum:") {
            Some(e) => enums.contains(e) || e == "function",
            None => KINDS.contains(&c.kind.value.as_str()),
        };
        if !known {
            return Err(at(
                file,
                &c.kind,
                "is no kind of column, and no `enum:<name>` of common.yaml",
            ));
        }
        let lists = c.kind.value.starts_with("list_");
        if (c.kind.value == "timestamp" && c.nullable) || (lists && !c.nullable) {
            return Err(at(
                file,
                &c.name,
                "cannot be so: times are never nullable, lists always",
            ));
        }
        if c.description.trim().is_empty() {
            return Err(at(file, &c.name, "has no description"));
        }
        if !SENSITIVITIES.contains(&c.sensitivity.value.as_str()) {
            return Err(at(
                file,
                &c.sensitivity,
                "is none of none, process, personal, secret",
            ));
        }
        let secret = c.sensitivity.value == "secret";
        if secret != (c.stored.as_deref() == Some("keyed_hash")) {
            return Err(at(
                file,
                &c.name,
                "must say `stored: keyed_hash` if and only if its sensitivity is secret",
            ));
        }
    }
    Ok(())
}

fn functions(
    file: &str,
    list: &[FunctionSpec],
    range: (u16, u16),
    ids: &mut BTreeMap<u16, String>,
    names: &mut BTreeSet<String>,
) -> Result<(), String> {
    for f in list {
        rust_name(file, &f.name)?;
        if f.id < range.0 || f.id > range.1 {
            return Err(at(
                file,
                &f.name,
                &format!("has id {} outside {range:?}", f.id),
            ));
        }
        if let Some(other) = ids.insert(f.id, f.name.value.clone()) {
            return Err(at(
                file,
                &f.name,
                &format!("shares id {} with `{other}`", f.id),
            ));
        }
        if !names.insert(f.name.value.clone()) {
            return Err(at(
                file,
                &f.name,
                "is a function already; names are one vocabulary",
            ));
        }
    }
    Ok(())
}

fn decisions(common: &CommonFile, table: &TableFile) -> Result<(), String> {
    let file = &table.table;
    let in_enum = |name: &str, value: &str| {
        common
            .enums
            .iter()
            .find(|e| e.name == name)
            .is_some_and(|e| e.values.iter().any(|v| v.name.value == value))
    };
    let mut used = BTreeSet::new();
    for d in &table.decisions {
        used.insert(d.function.value.as_str());
        let known = table.functions.iter().chain(&common.functions);
        if !known.clone().any(|f| f.name.value == d.function.value) {
            return Err(at(file, &d.function, "is no function of this table"));
        }
        if !in_enum("operation", &d.operation.value) {
            return Err(at(file, &d.operation, "is no operation of common.yaml"));
        }
        if let Some(phase) = &d.phase
            && !in_enum("phase", &phase.value)
        {
            return Err(at(file, phase, "is no phase of common.yaml"));
        }
        match &d.space {
            Some(space) if !table.spaces.iter().any(|s| s.name.value == space.value) => {
                return Err(at(file, space, "is no code space of this table"));
            }
            None if table.spaces.len() != 1 => {
                return Err(at(
                    file,
                    &d.function,
                    "needs `space:`, this table has several",
                ));
            }
            _ => {}
        }
        if let Names::List(list) = &d.class {
            for class in list {
                if class != "none" && !table.object_classes.iter().any(|c| c.name.value == *class) {
                    return Err(at(
                        file,
                        &d.function,
                        &format!("names class `{class}`, which is not listed"),
                    ));
                }
            }
        }
    }
    for f in &table.functions {
        if !used.contains(f.name.value.as_str()) {
            return Err(at(
                file,
                &f.name,
                "is given by no row of the decision table",
            ));
        }
    }
    Ok(())
}

//! Writes the generated file.

use crate::model::{ClassSpec, ColumnSpec, CommonFile, FunctionSpec, NamedDoc, TableFile};
use crate::names::{camel, doc, lit, opt, upper};
use crate::{decide, rows};
use std::fmt::Write as _;

pub fn all(common: &CommonFile, tables: &[TableFile]) -> String {
    let mut out = String::from("// Generated from /schemas by build.rs.\n\n");
    enums(&mut out, common);
    function_enum(&mut out, common, tables);
    enum_ids(&mut out, common);
    table_id(&mut out, tables);
    let _written = writeln!(
        out,
        "/// What the common columns are for.\npub const COMMON_DESCRIPTION: &str = {};",
        lit(&common.description)
    );
    column_statics(&mut out, "", &common.columns, &[]);
    rows::row_struct(
        &mut out,
        "",
        "Common",
        "The common columns of one row, the same in every table.",
        &common.columns,
    );
    rows::columns_struct(&mut out, "", "CommonColumns", "Common<'_>", &common.columns);
    for t in tables {
        table(&mut out, common, t);
    }
    builders(&mut out, tables);
    out
}

fn simple_enum(
    out: &mut String,
    indent: &str,
    name: &str,
    about: &str,
    values: &[(u16, &str, &str)],
) {
    out.push_str(&doc(indent, about));
    let _written = writeln!(
        out,
        "{indent}#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]\n{indent}#[repr(u8)]\n{indent}pub enum {name} {{"
    );
    for (i, (id, value, about)) in values.iter().enumerate() {
        out.push_str(&doc(&format!("{indent}    "), about));
        if i == 0 {
            let _written = writeln!(out, "{indent}    #[default]");
        }
        let _written = writeln!(out, "{indent}    {} = {id},", camel(value));
    }
    let _written = write!(
        out,
        "{indent}}}\n{indent}impl {name} {{\n{indent}    /// Every value, in the order of the schema file.\n{indent}    pub const ALL: &'static [{name}] = &["
    );
    for (_, value, _) in values {
        let _written = write!(out, "{name}::{}, ", camel(value));
    }
    let _written = write!(
        out,
        "];\n{indent}    /// The name as rules and text outputs write it.\n{indent}    #[must_use]\n{indent}    pub const fn as_str(self) -> &'static str {{\n{indent}        match self {{\n"
    );
    for (_, value, _) in values {
        let _written = writeln!(
            out,
            "{indent}            {name}::{} => {},",
            camel(value),
            lit(value)
        );
    }
    let _written = write!(
        out,
        "{indent}        }}\n{indent}    }}\n{indent}    /// The value of this name.\n{indent}    #[must_use]\n{indent}    pub fn from_name(name: &str) -> Option<Self> {{\n{indent}        match name {{\n"
    );
    for (_, value, _) in values {
        let _written = writeln!(
            out,
            "{indent}            {} => Some({name}::{}),",
            lit(value),
            camel(value)
        );
    }
    let _written = write!(
        out,
        "{indent}            _ => None,\n{indent}        }}\n{indent}    }}\n{indent}    /// The value of this number.\n{indent}    #[must_use]\n{indent}    pub const fn from_id(id: u8) -> Option<Self> {{\n{indent}        match id {{\n"
    );
    for (id, value, _) in values {
        let _written = writeln!(
            out,
            "{indent}            {id} => Some({name}::{}),",
            camel(value)
        );
    }
    let _written = write!(
        out,
        "{indent}            _ => None,\n{indent}        }}\n{indent}    }}\n{indent}}}\n\
         {indent}impl std::fmt::Display for {name} {{\n{indent}    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {{\n{indent}        f.write_str(self.as_str())\n{indent}    }}\n{indent}}}\n\
         {indent}impl std::str::FromStr for {name} {{\n{indent}    type Err = UnknownName;\n{indent}    fn from_str(s: &str) -> Result<Self, UnknownName> {{\n{indent}        Self::from_name(s).ok_or_else(|| UnknownName::new({}, s, Self::ALL.iter().map(|v| v.as_str())))\n{indent}    }}\n{indent}}}\n",
        lit(name)
    );
}

fn enums(out: &mut String, common: &CommonFile) {
    for e in &common.enums {
        let values: Vec<(u16, &str, &str)> = e
            .values
            .iter()
            .map(|v| (v.id, v.name.value.as_str(), v.doc.as_str()))
            .collect();
        simple_enum(out, "", &camel(&e.name), &e.description, &values);
        let _written = writeln!(
            out,
            "static {}_DEF: EnumDef = EnumDef {{ name: {}, description: {}, values: &[",
            upper(&e.name),
            lit(&e.name),
            lit(&e.description)
        );
        for v in &e.values {
            let _written = writeln!(
                out,
                "    ({}, {}, {}),",
                v.id,
                lit(&v.name.value),
                lit(&v.doc)
            );
        }
        out.push_str("] };\n");
    }
}

fn function_enum(out: &mut String, common: &CommonFile, tables: &[TableFile]) {
    let mut all: Vec<&FunctionSpec> = common.functions.iter().collect();
    all.extend(tables.iter().flat_map(|t| &t.functions));
    all.sort_by_key(|f| f.id);
    out.push_str("static FUNCTION_DEF: EnumDef = EnumDef { name: \"function\", description: \"What a message asks for: one vocabulary over all tables, numbers in a range per table.\", values: &[\n");
    for f in &all {
        let _written = writeln!(
            out,
            "    ({}, {}, {}),",
            f.id,
            lit(&f.name.value),
            lit(&f.doc)
        );
    }
    out.push_str("] };\nfn function_name(id: u16) -> Option<&'static str> {\n    match id {\n");
    for f in &all {
        let _written = writeln!(out, "        {} => Some({}),", f.id, lit(&f.name.value));
    }
    out.push_str("        _ => None,\n    }\n}\nfn function_id(name: &str) -> Option<u16> {\n    match name {\n");
    for f in &all {
        let _written = writeln!(out, "        {} => Some({}),", lit(&f.name.value), f.id);
    }
    out.push_str("        _ => None,\n    }\n}\n");
}

fn enum_ids(out: &mut String, common: &CommonFile) {
    out.push_str("/// Names an enumeration.\n#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]\npub enum EnumId {\n");
    for e in &common.enums {
        out.push_str(&doc("    ", &e.description));
        let _written = writeln!(out, "    {},", camel(&e.name));
    }
    out.push_str("    /// The function vocabulary (16 bits).\n    Function,\n}\nimpl EnumId {\n    /// Every enumeration.\n    pub const ALL: &'static [EnumId] = &[");
    for e in &common.enums {
        let _written = write!(out, "EnumId::{}, ", camel(&e.name));
    }
    out.push_str("EnumId::Function];\n    /// Its names and numbers.\n    #[must_use]\n    pub const fn def(self) -> &'static EnumDef {\n        match self {\n");
    for e in &common.enums {
        let _written = writeln!(
            out,
            "            EnumId::{} => &{}_DEF,",
            camel(&e.name),
            upper(&e.name)
        );
    }
    out.push_str("            EnumId::Function => &FUNCTION_DEF,\n        }\n    }\n}\n");
}

fn table_id(out: &mut String, tables: &[TableFile]) {
    let values: Vec<(u16, &str, &str)> = tables
        .iter()
        .zip(0u16..)
        .map(|(t, i)| (i, t.table.as_str(), t.title.as_str()))
        .collect();
    simple_enum(out, "", "TableId", "A telemetry table.", &values);
    out.push_str("impl TableId {\n    /// The table's definition.\n    #[must_use]\n    pub fn def(self) -> &'static TableDef {\n        match self {\n");
    for t in tables {
        let _written = writeln!(
            out,
            "            TableId::{} => &{}::TABLE,",
            camel(&t.table),
            t.table
        );
    }
    out.push_str("        }\n    }\n}\n");
}

fn kind(c: &ColumnSpec) -> String {
    match c.kind.value.as_str() {
        "list_f64" => "ColumnKind::ListF64".to_owned(),
        "list_u32" => "ColumnKind::ListU32".to_owned(),
        k => match k.strip_prefix("enum:") {
            Some(e) => format!("ColumnKind::Enum(EnumId::{})", camel(e)),
            None => format!("ColumnKind::{}", camel(k)),
        },
    }
}

fn column_statics(out: &mut String, indent: &str, own: &[ColumnSpec], before: &[ColumnSpec]) {
    let name = if before.is_empty() {
        "COMMON_COLUMNS"
    } else {
        "COLUMNS"
    };
    let _written = writeln!(
        out,
        "{indent}/// The columns, in the order of the Arrow schema.\n{indent}pub static {name}: &[ColumnDef] = &["
    );
    let all = before
        .iter()
        .map(|c| (c, true))
        .chain(own.iter().map(|c| (c, before.is_empty())));
    for (c, is_common) in all {
        let _written = writeln!(
            out,
            "{indent}    ColumnDef {{ name: {}, kind: {}, nullable: {}, unit: {}, description: {}, sensitivity: Sensitivity::{}, ecs: {}, ocsf: {}, common: {is_common} }},",
            lit(&c.name.value),
            kind(c),
            c.nullable,
            opt(c.unit.as_deref()),
            lit(&c.description),
            camel(&c.sensitivity.value),
            opt(c.ecs.as_deref()),
            opt(c.ocsf.as_deref()),
        );
    }
    let _written = writeln!(out, "{indent}];");
    let _written = writeln!(
        out,
        "{indent}/// Positions of the columns in the Arrow schema.\n{indent}pub mod col {{"
    );
    for (c, i) in own.iter().zip(before.len()..) {
        let _written = writeln!(
            out,
            "{indent}    /// Position of `{0}`.\n{indent}    pub const {1}: usize = {i};",
            c.name.value,
            upper(&c.name.value)
        );
    }
    let _written = writeln!(out, "{indent}}}");
}

fn named(list: &[NamedDoc]) -> Vec<(u16, &str, &str)> {
    list.iter()
        .zip(0u16..)
        .map(|(n, i)| (i, n.name.value.as_str(), n.doc.as_str()))
        .collect()
}

fn classes(list: &[ClassSpec]) -> Vec<(u16, &str, &str)> {
    list.iter()
        .zip(1u16..)
        .map(|(n, i)| (i, n.name.value.as_str(), n.doc.as_str()))
        .collect()
}

fn table(out: &mut String, common: &CommonFile, t: &TableFile) {
    let _written = write!(
        out,
        "{}pub mod {} {{\n    use super::*;\n",
        doc("", &format!("{}: {}", t.title, t.grain)),
        t.table
    );
    out.push_str(
        "    /// Functions of this table.\n    pub mod function {\n        use super::Function;\n",
    );
    for f in common.functions.iter().chain(&t.functions) {
        out.push_str(&doc("        ", &f.doc));
        let _written = writeln!(
            out,
            "        pub const {}: Function = Function({});",
            upper(&f.name.value),
            f.id
        );
    }
    out.push_str("    }\n");
    simple_enum(
        out,
        "    ",
        "Space",
        "Which numbering a code belongs to.",
        &named(&t.spaces),
    );
    let mut all = vec![(0u16, "none", "No object, or one that makes no difference.")];
    all.extend(classes(&t.object_classes));
    simple_enum(
        out,
        "    ",
        "ObjectClass",
        "Class of the touched object, as far as it decides the operation.",
        &all,
    );
    decide::class_lookup(out, t);
    decide::function(out, t);
    decide::rows(out, t);
    column_statics(out, "    ", &t.columns, &common.columns);
    let borrows = rows::row_struct(
        out,
        "    ",
        "Row",
        &format!("The own columns of one row of `{}`.", t.table),
        &t.columns,
    );
    let row = if borrows { "Row<'_>" } else { "Row" };
    rows::columns_struct(out, "    ", "OwnColumns", row, &t.columns);
    let _written = write!(
        out,
        "    /// Definition of table `{0}`.\n    pub static TABLE: TableDef = TableDef {{\n        id: TableId::{1}, name: {2}, title: {3}, protocol: Protocol::{4}, description: {5}, grain: {6}, object_grammar: {7},\n        columns: COLUMNS, decisions: DECISIONS,\n",
        t.table,
        camel(&t.table),
        lit(&t.table),
        lit(&t.title),
        camel(&t.protocol),
        lit(&t.description),
        lit(&t.grain),
        lit(&t.object_grammar)
    );
    out.push_str("        references: &[");
    for r in &t.references {
        let _written = write!(out, "{}, ", lit(r));
    }
    out.push_str("],\n        functions: &[\n");
    for f in common.functions.iter().chain(&t.functions) {
        let _written = writeln!(
            out,
            "            FunctionDef {{ function: Function({}), name: {}, doc: {} }},",
            f.id,
            lit(&f.name.value),
            lit(&f.doc)
        );
    }
    out.push_str("        ],\n");
    for (field, list) in [
        ("spaces", named(&t.spaces)),
        ("object_classes", classes(&t.object_classes)),
    ] {
        let _written = write!(out, "        {field}: &[");
        for (_, name, doc) in list {
            let _written = write!(out, "({}, {}), ", lit(name), lit(doc));
        }
        out.push_str("],\n");
    }
    out.push_str("    };\n");
    let _written = write!(
        out,
        "    table_builder!(TableId::{}, {row});\n}}\n",
        camel(&t.table)
    );
}

fn builders(out: &mut String, tables: &[TableFile]) {
    let sum = |what: &str| {
        let parts: Vec<String> = tables
            .iter()
            .map(|t| format!("self.{}.{what}()", t.table))
            .collect();
        parts.join(" + ")
    };
    out.push_str("/// A builder for every table: what one flush of a sensor holds.\n#[derive(Debug)]\npub struct Builders {\n");
    for t in tables {
        let _written = writeln!(
            out,
            "    /// Rows of `{0}`.\n    pub {0}: {0}::Builder,",
            t.table
        );
    }
    out.push_str("}\nimpl Builders {\n    /// Empty builders that make room for `capacity` rows in a column when it gets its first value.\n    #[must_use]\n    pub fn with_capacity(capacity: usize) -> Self {\n        Self {\n");
    for t in tables {
        let _written = writeln!(
            out,
            "            {0}: {0}::Builder::with_capacity(capacity),",
            t.table
        );
    }
    out.push_str("        }\n    }\n    /// Rows over all tables.\n    #[must_use]\n    pub fn len(&self) -> usize {\n        ");
    out.push_str(&sum("len"));
    out.push_str("\n    }\n    /// No rows in any table.\n    #[must_use]\n    pub fn is_empty(&self) -> bool {\n        self.len() == 0\n    }\n    /// Bytes held by all columns, roughly. Walks every column: ask per flush check, not per row.\n    #[must_use]\n    pub fn approx_bytes(&self) -> usize {\n        ");
    out.push_str(&sum("approx_bytes"));
    out.push_str("\n    }\n    /// Batches of the tables that have rows, in the order of `TableId`; the builders are empty again.\n    ///\n    /// # Errors\n    /// See the builders' `finish`.\n    pub fn finish(&mut self) -> Result<Vec<TableBatch>, SchemaError> {\n        let mut out = Vec::new();\n");
    for t in tables {
        let _written = writeln!(
            out,
            "        if !self.{0}.is_empty() {{ out.push(TableBatch {{ table: TableId::{1}, batch: self.{0}.finish()? }}); }}",
            t.table,
            camel(&t.table)
        );
    }
    out.push_str("        Ok(out)\n    }\n}\n");
}

//! Pages of `docs/schema`.

use super::{classes_text, codes_text};
use crate::defs::{ColumnDef, ColumnKind, EnumDef, events_columns};
use crate::tables::{COMMON_DESCRIPTION, EnumId, TableId};
use std::fmt::Write as _;

const NOTE: &str = "<!-- Generated from /schemas. Do not edit; `TELLTALE_UPDATE_DOCS=1 cargo test -p telltale-schema` writes it. -->\n";

fn cell(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").replace('|', "\\|")
}

fn kind_link(kind: ColumnKind) -> String {
    match kind {
        ColumnKind::Enum(EnumId::Function) => "function".to_owned(),
        ColumnKind::Enum(e) => format!("[{0}](enumerations.md#{0})", e.def().name),
        other => other.name(),
    }
}

fn columns<'a>(out: &mut String, list: impl Iterator<Item = &'a ColumnDef>) {
    out.push_str("| column | type | null | unit | sensitivity | meaning | ECS | OCSF |\n|---|---|---|---|---|---|---|---|\n");
    for c in list {
        let _written = writeln!(
            out,
            "| `{}` | {} | {} | {} | {} | {} | {} | {} |",
            c.name,
            kind_link(c.kind),
            if c.nullable { "yes" } else { "" },
            c.unit.unwrap_or_default(),
            c.sensitivity.as_str(),
            cell(c.description),
            c.ecs.map_or_else(String::new, |e| format!("`{e}`")),
            c.ocsf.map_or_else(String::new, |o| format!("`{o}`")),
        );
    }
    out.push('\n');
}

fn named(out: &mut String, heading: &str, list: &[(&str, &str)]) {
    if list.is_empty() {
        return;
    }
    let _written = writeln!(out, "## {heading}\n\n| name | meaning |\n|---|---|");
    for (name, doc) in list {
        let _written = writeln!(out, "| `{name}` | {} |", cell(doc));
    }
    out.push('\n');
}

/// The page of one table.
#[must_use]
pub fn markdown(table: TableId) -> String {
    let def = table.def();
    let mut out = String::from(NOTE);
    let _written = write!(
        out,
        "# `{}`: {}\n\n{}\n\n**Grain:** {}.\n\n",
        def.name,
        def.title,
        cell(def.description),
        cell(def.grain)
    );
    out.push_str("**Sources:**\n\n");
    for reference in def.references {
        let _written = writeln!(out, "- {reference}");
    }
    let _written = write!(
        out,
        "\n## Objects\n\n```text\n{}\n```\n\n",
        def.object_grammar.trim_end()
    );
    out.push_str("## Columns\n\nThe [common columns](README.md#common-columns), then:\n\n");
    columns(&mut out, def.own_columns());
    named(&mut out, "Classes of object", def.object_classes);
    named(&mut out, "Code spaces", def.spaces);
    out.push_str("## Functions\n\n| id | function | meaning |\n|---|---|---|\n");
    for f in def.functions {
        let _written = writeln!(out, "| {} | `{}` | {} |", f.function.0, f.name, cell(f.doc));
    }
    out.push_str("\n## Decision table\n\nThe first row that fits wins; what none fits is function `unknown`, operation `other`.\n\n| space | code | sub | class | function | operation | phase | remark |\n|---|---|---|---|---|---|---|---|\n");
    for d in def.decisions {
        let _written = writeln!(
            out,
            "| {} | {} | {} | {} | `{}` | **{}** | {} | {} |",
            d.space,
            codes_text(d.code),
            codes_text(d.sub),
            classes_text(d),
            d.function,
            d.operation,
            d.phase.map_or("", |p| p.as_str()),
            cell(d.doc.unwrap_or_default())
        );
    }
    out
}

fn enumeration(out: &mut String, def: &EnumDef) {
    let _written = write!(
        out,
        "## {}\n\n{}\n\n| number | name | meaning |\n|---|---|---|\n",
        def.name,
        cell(def.description)
    );
    for (id, name, doc) in def.values {
        let _written = writeln!(out, "| {id} | `{name}` | {} |", cell(doc));
    }
    out.push('\n');
}

/// The page of the enumerations; functions stand on the tables' pages.
#[must_use]
pub fn enums_markdown() -> String {
    let mut out = format!(
        "{NOTE}# Enumerations\n\nKept as small integers, written by name. The operation taxonomy is what makes one rule work on every protocol.\n\n"
    );
    for e in EnumId::ALL.iter().filter(|e| **e != EnumId::Function) {
        enumeration(&mut out, e.def());
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

/// The front page: tables, common columns, the view `events`.
#[must_use]
pub fn index_markdown() -> String {
    let mut out = format!("{NOTE}# Tables\n\n| table | what | one row is |\n|---|---|---|\n");
    for table in TableId::ALL {
        let def = table.def();
        let _written = writeln!(
            out,
            "| [`{0}`]({0}.md) | {1} | {2} |",
            def.name,
            cell(def.title),
            cell(def.grain)
        );
    }
    let _written = write!(
        out,
        "| `events` | the common columns of all tables | a row of any table |\n\n[Enumerations](enumerations.md)\n\n## Common columns\n\n{}\n\n",
        cell(COMMON_DESCRIPTION)
    );
    columns(&mut out, events_columns().iter());
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

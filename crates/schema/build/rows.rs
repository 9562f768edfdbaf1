//! Row structs and builders.

use crate::model::ColumnSpec;
use crate::names::{camel, doc};
use std::fmt::Write as _;

/// Rust type of a cell, and whether it borrows.
fn cell_type(kind: &str) -> (String, bool) {
    let t = match kind {
        "text" => return ("&'a str".to_owned(), true),
        "list_f64" => return ("&'a [f64]".to_owned(), true),
        "list_u32" => return ("&'a [u32]".to_owned(), true),
        "ip" => "[u8; 16]",
        "mac" => "u64",
        "timestamp" => "i64",
        "enum:function" => "Function",
        other => match other.strip_prefix("enum:") {
            Some(e) => return (camel(e), false),
            None => other,
        },
    };
    (t.to_owned(), false)
}

/// Type of the growing column, the finishing call's kind.
fn column_type(c: &ColumnSpec) -> String {
    let (req, opt) = match c.kind.value.as_str() {
        "bool" => ("ReqBool", "OptBool"),
        "u8" => ("Req<u8>", "Opt<u8>"),
        "u16" | "enum:function" => ("Req<u16>", "Opt<u16>"),
        "u32" => ("Req<u32>", "Opt<u32>"),
        "u64" | "mac" => ("Req<u64>", "Opt<u64>"),
        "i64" => ("Req<i64>", "Opt<i64>"),
        "timestamp" => ("ReqTime", "ReqTime"),
        "f64" => ("Req<f64>", "Opt<f64>"),
        "text" => ("ReqText", "OptText"),
        "ip" => ("ReqIp", "OptIp"),
        "list_f64" => ("OptList<f64>", "OptList<f64>"),
        "list_u32" => ("OptList<u32>", "OptList<u32>"),
        _ => ("Req<u8>", "Opt<u8>"),
    };
    (if c.nullable { opt } else { req }).to_owned()
}

fn push_value(c: &ColumnSpec, from: &str) -> String {
    let field = format!("{from}.{}", c.name.value);
    match (c.kind.value.as_str(), c.nullable) {
        ("enum:function", false) => format!("{field}.0"),
        ("enum:function", true) => format!("{field}.map(|f| f.0)"),
        (k, false) if k.starts_with("enum:") => format!("{field} as u8"),
        (k, true) if k.starts_with("enum:") => format!("{field}.map(|e| e as u8)"),
        _ => field,
    }
}

pub fn row_struct(
    out: &mut String,
    indent: &str,
    name: &str,
    about: &str,
    list: &[ColumnSpec],
) -> bool {
    let borrows = list.iter().any(|c| cell_type(&c.kind.value).1);
    let generic = if borrows { "<'a>" } else { "" };
    out.push_str(&doc(indent, about));
    let _written = writeln!(
        out,
        "{indent}#[derive(Debug, Default, Clone, Copy, PartialEq)]\n{indent}pub struct {name}{generic} {{"
    );
    for c in list {
        let (t, _) = cell_type(&c.kind.value);
        let mut about = c.description.trim().to_owned();
        if let Some(unit) = &c.unit {
            let _written = write!(about, "\n\nUnit: {unit}.");
        }
        out.push_str(&doc(&format!("{indent}    "), &about));
        let t = if c.nullable {
            format!("Option<{t}>")
        } else {
            t
        };
        let _written = writeln!(out, "{indent}    pub {}: {t},", c.name.value);
    }
    let _written = writeln!(out, "{indent}}}");
    borrows
}

/// Text and lists go into their columns at once: a row only borrows them.
fn borrows(c: &ColumnSpec) -> bool {
    cell_type(&c.kind.value).1
}

/// Rust type of a staged cell and of what its column is given.
fn staged_type(c: &ColumnSpec) -> String {
    let t = cell_type(&c.kind.value).0;
    if c.nullable {
        format!("Option<{t}>")
    } else {
        t
    }
}

/// A struct of the cells of one row that borrow nothing, and how it is made of a row.
fn staged_struct(out: &mut String, indent: &str, name: &str, list: &[&ColumnSpec]) {
    let _written = writeln!(
        out,
        "{indent}#[derive(Debug, Clone, Copy)]\n{indent}struct {name} {{"
    );
    for c in list {
        let _written = writeln!(out, "{indent}    {}: {},", c.name.value, staged_type(c));
    }
    let _written = writeln!(out, "{indent}}}");
}

/// A struct of growing columns with `new`, `push`, `finish`, `approx_bytes`. Rows
/// are staged, and written to the columns some dozens at a time, column by column.
pub fn columns_struct(out: &mut String, indent: &str, name: &str, row: &str, list: &[ColumnSpec]) {
    let (direct, staged): (Vec<_>, Vec<_>) = list.iter().partition(|c| borrows(c));
    let cells = format!("{name}Cells");
    staged_struct(out, indent, &cells, &staged);
    let _written = writeln!(
        out,
        "{indent}#[derive(Debug)]\n{indent}pub(crate) struct {name} {{\n{indent}    staged: Vec<{cells}>,"
    );
    for c in list {
        let _written = writeln!(out, "{indent}    {}: {},", c.name.value, column_type(c));
    }
    let _written = write!(
        out,
        "{indent}}}\n{indent}impl {name} {{\n{indent}    pub(crate) fn new(capacity: usize) -> Self {{\n{indent}        Self {{\n{indent}            staged: Vec::new(),\n"
    );
    for c in list {
        let t = column_type(c).replace('<', "::<");
        let _written = writeln!(
            out,
            "{indent}            {}: {t}::new(capacity),",
            c.name.value
        );
    }
    let _written = write!(
        out,
        "{indent}        }}\n{indent}    }}\n{indent}    #[inline]\n{indent}    pub(crate) fn push(&mut self, row: usize, r: &{row}) {{\n"
    );
    for c in &direct {
        let _written = writeln!(
            out,
            "{indent}        self.{0}.push(row, r.{0});",
            c.name.value
        );
    }
    let _written = writeln!(out, "{indent}        self.staged.push({cells} {{");
    for c in &staged {
        let _written = writeln!(out, "{indent}            {0}: r.{0},", c.name.value);
    }
    let _written = write!(
        out,
        "{indent}        }});\n{indent}        if self.staged.len() >= STAGE {{\n{indent}            self.unstage(row + 1);\n{indent}        }}\n{indent}    }}\n\
         {indent}    /// Writes the staged rows, which end before row `end`, to the columns.\n\
         {indent}    #[inline(never)]\n{indent}    fn unstage(&mut self, end: usize) {{\n{indent}        if self.staged.is_empty() {{\n{indent}            return;\n{indent}        }}\n{indent}        let at = end.saturating_sub(self.staged.len());\n"
    );
    for c in &staged {
        let _written = writeln!(
            out,
            "{indent}        self.{}.extend(at, &self.staged, |r| {});",
            c.name.value,
            push_value(c, "r")
        );
    }
    let _written = write!(
        out,
        "{indent}        self.staged.clear();\n{indent}    }}\n{indent}    pub(crate) fn finish(&mut self, rows: usize, nulls: &mut NullCache, out: &mut Vec<ArrayRef>) -> Result<(), ArrowError> {{\n{indent}        self.unstage(rows);\n"
    );
    for c in list {
        let _written = writeln!(
            out,
            "{indent}        out.push(self.{}.finish(rows, nulls)?);",
            c.name.value
        );
    }
    let parts: Vec<String> = list
        .iter()
        .map(|c| format!("self.{}.bytes()", c.name.value))
        .collect();
    let _written = write!(
        out,
        "{indent}        Ok(())\n{indent}    }}\n{indent}    pub(crate) fn approx_bytes(&self) -> usize {{\n{indent}        self.staged.len() * size_of::<{cells}>() + {}\n{indent}    }}\n{indent}}}\n",
        parts.join(" + ")
    );
}

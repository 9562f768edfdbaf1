//! The definitions for a terminal.

use super::{classes_text, codes_text};
use crate::defs::{ColumnDef, events_columns};
use crate::tables::TableId;
use std::fmt::Write as _;

/// Breaks text at words; lines after the first are indented.
fn wrap(out: &mut String, first: &str, indent: usize, text: &str, width: usize) {
    let width = width.max(indent + 20);
    out.push_str(first);
    let mut used = first.chars().count();
    while used < indent {
        out.push(' ');
        used += 1;
    }
    let mut fresh = true;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if !fresh && used + 1 + length > width {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent));
            used = indent;
        } else if !fresh {
            out.push(' ');
            used += 1;
        }
        out.push_str(word);
        used += length;
        fresh = false;
    }
    out.push('\n');
}

fn columns<'a>(out: &mut String, list: impl Iterator<Item = &'a ColumnDef>, width: usize) {
    for c in list {
        let null = if c.nullable { "?" } else { "" };
        let head = format!("  {:<22} {:<18} ", c.name, c.kind.name() + null);
        let mut about = c.description.to_owned();
        if let Some(unit) = c.unit {
            let _written = write!(about, " [{unit}]");
        }
        if c.sensitivity.as_str() != "none" {
            let _written = write!(about, " ({})", c.sensitivity.as_str());
        }
        wrap(out, &head, 44, &about, width);
    }
}

/// One table, for a terminal of `width` columns.
#[must_use]
pub fn text(table: TableId, width: usize) -> String {
    let def = table.def();
    let mut out = format!("{}: {}\n\n", def.name, def.title);
    wrap(&mut out, "", 0, def.description, width);
    out.push('\n');
    wrap(&mut out, "One row is ", 0, def.grain, width);
    out.push_str("\nObjects\n");
    for line in def.object_grammar.trim_end().lines() {
        let _written = writeln!(out, "  {line}");
    }
    out.push_str("\nColumns (? may be null; the common columns of `events` come first)\n");
    columns(&mut out, def.own_columns(), width);
    if !def.object_classes.is_empty() {
        out.push_str("\nClasses of object\n");
        for (name, doc) in def.object_classes {
            wrap(&mut out, &format!("  {name:<22} "), 25, doc, width);
        }
    }
    out.push_str("\nDecision table (first row that fits wins)\n");
    for d in def.decisions {
        let when = format!(
            "{} {} / {} / {}",
            d.space,
            codes_text(d.code),
            codes_text(d.sub),
            classes_text(d)
        );
        let phase = d.phase.map_or_else(String::new, |p| format!(" ({p})"));
        let line = format!("{} → {}{phase}   when {when}", d.function, d.operation);
        wrap(&mut out, "  ", 2, &line, width);
    }
    out
}

/// All tables in a few lines, and the common columns.
#[must_use]
pub fn overview_text(width: usize) -> String {
    let mut out = String::from("Tables\n");
    for table in TableId::ALL {
        let def = table.def();
        let about = format!("{}; {}", def.title, def.grain);
        wrap(&mut out, &format!("  {:<14} ", def.name), 17, &about, width);
    }
    wrap(
        &mut out,
        "  events         ",
        17,
        "view over the common columns of all tables",
        width,
    );
    out.push_str("\nCommon columns (? may be null)\n");
    columns(&mut out, events_columns().iter(), width);
    out
}

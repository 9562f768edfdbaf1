//! Rows for tests, made from the rule's own conditions. Each is checked with
//! [`Cond::holds`] before it is written.

use super::atom::{could_be, pool};
use super::cond::Cond;
use super::write::{Case, Row};
use serde_json::Value as Json;
use telltale_schema::TableId;
use telltale_schema::value::{RowDefaults, RowValues, row_from_json};

/// Largest condition for which rows are looked for.
const MOST: usize = 200;
/// Most attempts.
const ATTEMPTS: u32 = 5_000;

/// The whole row that a test's row stands for.
pub(super) fn whole(table: TableId, row: &Row) -> Option<RowValues> {
    row_from_json(table, row, &RowDefaults::default()).ok()
}

/// Does a test's row fulfil the condition?
pub(super) fn holds(cond: &Cond, table: TableId, row: &Row) -> Option<bool> {
    let whole = whole(table, row)?;
    Some(cond.holds(&|column| whole.get(column).to_json()))
}

struct Search {
    table: TableId,
    left: u32,
}

impl Search {
    /// Extends the row until all goals hold.
    fn solve(&mut self, goals: &[&Cond], row: &Row, whole: &Cond) -> Option<Row> {
        self.left = self.left.checked_sub(1)?;
        let Some((first, rest)) = goals.split_first() else {
            return (holds(whole, self.table, row) == Some(true)).then(|| row.clone());
        };
        match first {
            Cond::Always => self.solve(rest, row, whole),
            Cond::Never | Cond::Not(_) => None,
            Cond::All(parts) => {
                let goals: Vec<&Cond> = parts.iter().chain(rest.iter().copied()).collect();
                self.solve(&goals, row, whole)
            }
            Cond::Any(parts) => parts.iter().find_map(|part| {
                let goals: Vec<&Cond> = std::iter::once(part).chain(rest.iter().copied()).collect();
                self.solve(&goals, row, whole)
            }),
            Cond::Is(atom) => {
                let name = atom.column.name;
                if holds(first, self.table, row) == Some(true)
                    && let Some(found) = self.solve(rest, row, whole)
                {
                    return Some(found);
                }
                if row.contains_key(name) {
                    return None;
                }
                atom.candidates().into_iter().find_map(|value| {
                    let mut row = row.clone();
                    row.insert(name.to_owned(), value);
                    if holds(first, self.table, &row) != Some(true) {
                        return None;
                    }
                    self.solve(rest, &row, whole)
                })
            }
        }
    }
}

/// A row that fulfils the condition and has these cells.
pub(super) fn matching(cond: &Cond, table: TableId, with: &Row) -> Option<Row> {
    if cond.size() > MOST {
        return None;
    }
    let mut search = Search {
        table,
        left: ATTEMPTS,
    };
    let mut row = search.solve(&[cond], with, cond)?;
    // what tests read first
    if row.is_empty() {
        let function = function_of(table, &row)?;
        row.insert("function".to_owned(), function);
    }
    (holds(cond, table, &row) == Some(true)).then_some(row)
}

fn function_of(table: TableId, row: &Row) -> Option<Json> {
    whole(table, row).map(|r| r.get("function").to_json())
}

/// A row of another function, or of another device, that does not fulfil it.
pub(super) fn other(cond: &Cond, table: TableId) -> Option<Row> {
    let def = table.def();
    let mut functions: Vec<&str> = def.functions.iter().map(|f| f.name).collect();
    functions.sort_by_key(|name| *name == "unknown");
    let functions = functions.into_iter().map(|name| {
        let mut row = Row::new();
        row.insert("function".to_owned(), Json::from(name));
        row
    });
    let mut rows = functions.chain(cond.columns().into_iter().filter_map(|name| {
        let (_, column) = def.column(name)?;
        let value = pool(column).into_iter().find(|v| could_be(column, v))?;
        let mut row = Row::new();
        row.insert(name.to_owned(), value);
        Some(row)
    }));
    rows.find(|row| holds(cond, table, row) == Some(false))
}

/// Is exactly one conjunct false of a test's row? In a choice of several conditions it
/// must be so in each.
fn misses_one(cond: &Cond, value: &dyn Fn(&str) -> Json) -> bool {
    match cond {
        Cond::All(parts) => {
            let mut missed = parts.iter().filter(|p| !p.holds(value));
            missed.next().is_some_and(|part| misses_one(part, value)) && missed.next().is_none()
        }
        Cond::Any(parts) => parts.iter().all(|p| misses_one(p, value)),
        other => !other.holds(value),
    }
}

/// The matching row with one column changed, so that exactly one conjunct is false.
pub(super) fn nearly(cond: &Cond, table: TableId, row: &Row) -> Option<Row> {
    let columns = cond.columns();
    let def = table.def();
    // what makes the table is the least telling
    let telling = |name: &str| !["direction", "kind", "function"].contains(&name);
    let mut names: Vec<&str> = row
        .keys()
        .map(String::as_str)
        .chain(columns.iter().copied())
        .filter(|n| columns.contains(n))
        .collect();
    names.sort_unstable();
    names.dedup();
    names.sort_by_key(|name| !telling(name));
    names.into_iter().find_map(|name| {
        let (_, column) = def.column(name)?;
        // what the rule itself speaks of comes first, names that say nothing last
        let mut values: Vec<Json> = cond
            .atoms()
            .iter()
            .filter(|atom| atom.column.name == name)
            .flat_map(|atom| atom.candidates())
            .chain(pool(column))
            .collect();
        values.sort_by_key(|v| ["none", "unknown", "other"].contains(&v.as_str().unwrap_or("")));
        if column.nullable {
            values.push(Json::Null);
        }
        values.into_iter().find_map(|value| {
            let mut row = row.clone();
            row.insert(name.to_owned(), value);
            let filled = whole(table, &row)?;
            misses_one(cond, &|column| filled.get(column).to_json()).then_some(row)
        })
    })
}

/// Tests of a condition of one row.
pub(super) fn cases(cond: &Cond, table: TableId) -> Vec<Case> {
    let case = |name, kind, row: Row| Case {
        name,
        kind,
        table: table.def().name.to_owned(),
        rows: vec![row],
    };
    let mut out = Vec::new();
    if let Some(row) = matching(cond, table, &Row::new()) {
        let near = nearly(cond, table, &row);
        out.push(case("what the rule looks for", "match", row));
        out.extend(near.map(|row| case("one condition is not met", "near_miss", row)));
    }
    if let Some(row) = other(cond, table) {
        out.push(case("something else", "no_match", row));
    }
    out
}

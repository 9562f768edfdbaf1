//! How near a row came to a conjunct that is false for it.

use crate::atom::Atom;
use crate::cells::{Cells, f64_of_key, i64_of_key};
use crate::set::Set;
use crate::test::Test;
use arrow_array::RecordBatch;
use telltale_schema::value::{Value, cell};
use telltale_schema::{ColumnDef, ColumnKind};

/// What the row has instead: `is 99, 1 below`, `client_ip is 10.0.0.9`.
pub(crate) fn near(
    atom: &Atom,
    columns: &'static [ColumnDef],
    batch: &RecordBatch,
    row: usize,
) -> String {
    match &atom.test {
        Test::Cell(test) => {
            let Some(def) = columns.get(test.column) else {
                return String::new();
            };
            let value = cell(batch, test.column, def, row);
            if value.is_null() {
                return "is NULL".to_owned();
            }
            let away = match (&test.set, batch.columns().get(test.column)) {
                (
                    Set::Range {
                        low,
                        high,
                        inside: true,
                    },
                    Some(column),
                ) => away(def.kind, Cells::of(column).word(row), *low, *high),
                _ => None,
            };
            format!("is {}{}", shown(&value), away.unwrap_or_default())
        }
        Test::Tree(_) | Test::Look(_) | Test::Expr { .. } => {
            let used = match &atom.test {
                Test::Expr { columns, .. } => columns.clone(),
                Test::Tree(tree) => tree.columns(),
                Test::Look(look) => look.columns.iter().map(|c| c.0).collect(),
                Test::Cell(_) => Vec::new(),
            };
            let values: Vec<String> = used
                .iter()
                .filter_map(|at| columns.get(*at).map(|def| (*at, def)))
                .filter(|(_, def)| def.name != "event_time" || used.len() == 1)
                .map(|(at, def)| format!("{} is {}", def.name, shown(&cell(batch, at, def, row))))
                .collect();
            values.join(", ")
        }
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Text(text) => format!("'{text}'"),
        other => other.to_string(),
    }
}

/// How far a number lies from a range.
#[allow(
    clippy::cast_precision_loss,
    reason = "a distance for people; six digits are shown"
)]
fn away(kind: ColumnKind, key: u64, low: u64, high: u64) -> Option<String> {
    let (bound, side) = if key < low {
        (low, "below")
    } else {
        (high, "above")
    };
    let distance = match kind {
        ColumnKind::U8 | ColumnKind::U16 | ColumnKind::U32 | ColumnKind::U64 => {
            bound.abs_diff(key).to_string()
        }
        ColumnKind::I64 => i64_of_key(bound).abs_diff(i64_of_key(key)).to_string(),
        ColumnKind::F64 => {
            let distance = (f64_of_key(bound) - f64_of_key(key)).abs();
            let text = format!("{distance:.6}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        ColumnKind::Timestamp => {
            let ns = i64_of_key(bound).abs_diff(i64_of_key(key));
            return Some(format!(", {} s {side}", ns as f64 / 1e9));
        }
        _ => return None,
    };
    Some(format!(", {distance} {side}"))
}

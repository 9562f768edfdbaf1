//! Is there a function for which a rule's conditions on `function`, `operation` and
//! `phase` hold together? The tables' decision tables know all there are.

use crate::atom::Atom;
use crate::test::{CellTest, Test};
use std::collections::BTreeSet;
use telltale_schema::{Decision, TableDef, TableId};

const DECIDED: [&str; 3] = ["function", "operation", "phase"];

/// The conditions that no function of these tables fulfils together, and what to
/// write instead.
pub(crate) fn impossible(tables: &[TableId], atoms: &[Atom]) -> Option<(String, String)> {
    let defs: Vec<&TableDef> = tables.iter().map(|t| t.def()).collect();
    if defs.iter().any(|def| {
        def.decisions.is_empty() || decided(def, atoms).all(|_| false) || fits(def, atoms)
    }) {
        return None;
    }
    let def = *defs.first()?;
    let conditions: Vec<&str> = decided(def, atoms).map(|(text, _)| text).collect();
    let name = if defs.len() == 1 { def.name } else { "events" };
    let operations: BTreeSet<&str> = defs
        .iter()
        .flat_map(|d| d.decisions.iter().map(|d| d.operation.as_str()))
        .collect();
    let operations: Vec<&str> = operations.into_iter().collect();
    Some((
        format!(
            "never true: no function of `{name}` has {}",
            conditions.join(" AND ")
        ),
        format!(
            "its operations are {}; `telltale schema {name}` says which function is which",
            operations.join(", ")
        ),
    ))
}

/// Conditions that ask for what the decision table decides.
fn decided<'a>(def: &'a TableDef, atoms: &'a [Atom]) -> impl Iterator<Item = (&'a str, &'a Test)> {
    atoms.iter().filter_map(|atom| {
        let asks = match &atom.test {
            Test::Cell(test) => is_decided(def, test.column),
            Test::Tree(tree) => tree.columns().iter().any(|c| is_decided(def, *c)),
            Test::Look(_) | Test::Expr { .. } => false,
        };
        asks.then_some((atom.text.as_str(), &atom.test))
    })
}

fn is_decided(def: &TableDef, column: usize) -> bool {
    def.columns
        .get(column)
        .is_some_and(|c| DECIDED.contains(&c.name))
}

fn fits(def: &TableDef, atoms: &[Atom]) -> bool {
    let unknown = Decision::UNKNOWN;
    let mut all = def
        .decisions
        .iter()
        .map(|d| (d.function, d.operation, d.phase))
        .chain([(unknown.function, unknown.operation, unknown.phase)]);
    all.any(|(function, operation, phase)| {
        let holds = |test: &CellTest| {
            let value = match def.columns.get(test.column).map(|c| c.name) {
                Some("function") => Some(u64::from(function.0)),
                Some("operation") => Some(operation as u64),
                Some("phase") => phase.map(|p| p as u64),
                // any value may come
                _ => return true,
            };
            value.map_or(test.null, |v| test.set.has_word(v))
        };
        decided(def, atoms).all(|(_, test)| match test {
            Test::Cell(test) => holds(test),
            Test::Tree(tree) => tree.holds(&holds),
            Test::Look(_) | Test::Expr { .. } => true,
        })
    })
}

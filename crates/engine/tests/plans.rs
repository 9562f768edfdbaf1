//! How each shipped rule runs: a change of the engine or of DataFusion that makes a
//! rule dearer shows here.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::fmt::Write as _;
use std::path::Path;
use telltale_engine::Engine;
use telltale_rules::{RuleSet, Site};
use telltale_schema::TableId;

#[test]
fn physical_forms_of_the_shipped_rules() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules");
    let (set, found) = RuleSet::load(&[dir]).unwrap();
    assert!(found.is_empty(), "{found:?}");
    let (engine, found) = Engine::compile(&set, &Site::builtin_default());
    assert!(found.is_empty(), "{found:?}");
    let mut text = String::new();
    for (index, rule) in set.rules.iter().enumerate() {
        writeln!(text, "{}", rule.name).unwrap();
        let forms: Vec<_> = TableId::ALL
            .iter()
            .map(|t| (t.name(), engine.forms(index, *t)))
            .filter(|(_, forms)| !forms.is_empty())
            .collect();
        assert!(!forms.is_empty(), "{} runs over no table", rule.name);
        for (table, forms) in forms {
            writeln!(text, "  {table}").unwrap();
            for (form, condition) in forms {
                writeln!(text, "    {form:<10} {condition}").unwrap();
            }
        }
    }
    for (table, states, columns) in engine.indexes() {
        writeln!(
            text,
            "index of {}: {columns} columns, {states} states",
            table.name()
        )
        .unwrap();
    }
    insta::assert_snapshot!(text);
}

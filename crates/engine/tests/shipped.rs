//! The shipped rules compile, and their own tests pass.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::fmt::Write as _;
use std::path::Path;
use telltale_engine::{Engine, testing};
use telltale_rules::{RuleSet, Site};
use telltale_schema::TableId;

fn shipped() -> (RuleSet, Engine) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules");
    let (set, found) = RuleSet::load(&[dir]).unwrap();
    assert!(found.is_empty(), "{found:?}");
    let (engine, found) = Engine::compile(&set, &Site::builtin_default());
    let text: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert!(text.is_empty(), "{}", text.join("\n"));
    assert!(
        engine.not_applicable().is_empty(),
        "{:?}",
        engine.not_applicable()
    );
    (set, engine)
}

#[test]
fn the_shipped_rules_pass_their_tests() {
    let (set, _) = shipped();
    let mut failures = Vec::new();
    let mut cases = 0;
    for rule in &set.rules {
        for outcome in testing::run(rule, testing::no_captures) {
            cases += 1;
            if let Some(why) = outcome.failure {
                failures.push(format!("{}: {}: {why}", rule.file, outcome.case));
            }
        }
    }
    assert!(
        failures.is_empty(),
        "{} of {cases} cases fail:\n{}",
        failures.len(),
        failures.join("\n")
    );
    assert!(cases >= 3 * set.rules.len());
}

/// How each shipped rule runs: a change of the engine or of DataFusion that makes a
/// rule dearer shows here.
#[test]
fn physical_forms_of_the_shipped_rules() {
    let (set, engine) = shipped();
    let mut text = String::new();
    for (index, rule) in set.rules.iter().enumerate() {
        writeln!(text, "{}", rule.name).unwrap();
        let forms: Vec<_> = TableId::ALL
            .iter()
            .map(|t| {
                (
                    t.name(),
                    (0..engine.steps(index))
                        .flat_map(|step| engine.forms(index, step, *t))
                        .collect::<Vec<_>>(),
                )
            })
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

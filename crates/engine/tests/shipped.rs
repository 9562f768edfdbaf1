//! The shipped rules compile, and their own tests pass.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::path::Path;
use telltale_engine::{Engine, testing};
use telltale_rules::{RuleSet, Site};

#[test]
fn the_shipped_rules_pass_their_tests() {
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

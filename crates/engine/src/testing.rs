//! Runs the tests that stand in rule files.

use crate::engine::Engine;
use telltale_rules::site::assets::Assets;
use telltale_rules::site::calendar::Calendar;
use telltale_rules::site::list::List;
use telltale_rules::testcase::{Kind, TestCase};
use telltale_rules::{Rule, RuleSet, Site};
use telltale_schema::{TableBatch, value};

/// How a case ended.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Its name.
    pub case: String,
    /// Why it failed, if it did.
    pub failure: Option<String>,
}

/// Runs all tests of a rule.
#[must_use]
pub fn run(rule: &Rule) -> Vec<Outcome> {
    rule.tests
        .iter()
        .map(|case| Outcome {
            case: case.name.clone(),
            failure: run_case(rule, case).err(),
        })
        .collect()
}

/// The built-in site, with what the case knows. Lists and calendars that the
/// rule needs and the case leaves out are empty.
fn site(rule: &Rule, case: &TestCase) -> Result<Site, String> {
    let mut site = Site::builtin_default();
    for name in &rule.requires.lists {
        site.lists.insert(name.clone(), List::default());
    }
    for name in &rule.requires.calendars {
        site.calendars.insert(name.clone(), Calendar::default());
    }
    for (name, rows) in &case.context.lists {
        site.lists.insert(name.clone(), List::from_json(rows));
    }
    for (name, windows) in &case.context.calendars {
        site.calendars
            .insert(name.clone(), Calendar::from_windows(windows)?);
    }
    site.assets = Assets::from_json(&case.context.assets);
    Ok(site)
}

fn run_case(rule: &Rule, case: &TestCase) -> Result<(), String> {
    let site = site(rule, case)?;
    let set = RuleSet {
        rules: vec![rule.clone()],
    };
    let (mut engine, diagnostics) = Engine::compile(&set, &site);
    if let Some(first) = diagnostics.first() {
        return Err(first.to_string());
    }
    let table = case
        .table()
        .ok_or_else(|| format!("no table `{}`", case.table))?;
    let batch: TableBatch = value::batch(table, &case.expand()?).map_err(|e| e.to_string())?;
    let answers = engine.explain_rows(0, &batch);
    let mut fired: Vec<usize> = Vec::new();
    engine.matches(&batch, |_, row| fired.push(row));
    match (case.kind, fired.is_empty()) {
        (Kind::Match, true) => {
            return Err(format!("should match, and does not: {}", nearest(&answers)));
        }
        (Kind::NoMatch | Kind::NearMiss, false) => {
            return Err(format!(
                "should not match, and row {} does",
                fired.first().map_or(0, |r| r + 1)
            ));
        }
        (Kind::NearMiss, true) if !answers.iter().any(|a| a.missing() == 1) => {
            return Err(format!(
                "is no near miss, more than one condition is missing: {}",
                nearest(&answers)
            ));
        }
        _ => {}
    }
    if let Some(count) = case.count
        && count != fired.len()
    {
        return Err(format!(
            "{} findings expected, {} found",
            count,
            fired.len()
        ));
    }
    for (n, expected) in case.expect.iter().enumerate() {
        let row = fired
            .get(n)
            .and_then(|r| answers.get(*r))
            .ok_or_else(|| format!("finding {} expected, {} found", n + 1, fired.len()))?;
        for (column, want) in expected {
            let have = row.row.get(column);
            let same = want
                .as_str()
                .map_or_else(|| have.to_json() == *want, |text| have.to_string() == text);
            if !same {
                return Err(format!(
                    "finding {}: `{column}` is {have}, expected {want}",
                    n + 1
                ));
            }
        }
    }
    Ok(())
}

fn nearest(answers: &[crate::explain::RowAnswer]) -> String {
    let best = answers.iter().min_by_key(|a| a.missing());
    best.map_or("no row".to_owned(), |a| {
        let missing: Vec<&str> = a
            .steps
            .iter()
            .filter(|s| !s.1)
            .map(|s| s.0.as_str())
            .collect();
        format!("nearest row lacks {}", missing.join(" AND "))
    })
}

//! Runs the tests that stand in rule files.

use crate::engine::Engine;
use crate::tagging::fill_batch;
use telltale_rules::site::assets::Assets;
use telltale_rules::site::calendar::Calendar;
use telltale_rules::site::list::List;
use telltale_rules::site::tags::Tags;
use telltale_rules::testcase::{FromCapture, Kind, TestCase};
use telltale_rules::{Rule, RuleSet, Site};
use telltale_schema::{TableBatch, value};

/// How a case ended.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Its name.
    pub case: String,
    /// Its line in the rule's file.
    pub line: u32,
    /// Why it failed, if it did.
    pub failure: Option<String>,
}

/// Runs all tests of a rule. `of_capture` gives the rows of a case that names a
/// capture: reading one is not the engine's work.
pub fn run(
    rule: &Rule,
    mut of_capture: impl FnMut(&TestCase, &FromCapture, &Site) -> Result<TableBatch, String>,
) -> Vec<Outcome> {
    rule.tests
        .iter()
        .map(|case| Outcome {
            case: case.name.clone(),
            line: case.line,
            failure: run_case(rule, case, &mut of_capture).err(),
        })
        .collect()
}

/// For callers that cannot read captures.
///
/// # Errors
/// Always: with what to run instead.
pub fn no_captures(_: &TestCase, _: &FromCapture, _: &Site) -> Result<TableBatch, String> {
    Err("this test reads a capture: `telltale rule test` runs it".to_owned())
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
    site.tags = Tags::from_json(&case.context.tags)?;
    if !case.context.parameters.is_empty() {
        let layer = site.overrides.entry(rule.id.clone()).or_default();
        for (name, value) in &case.context.parameters {
            if !rule.parameters.contains_key(name) {
                return Err(format!("context: the rule has no parameter `{name}`"));
            }
            layer.parameters.insert(name.clone(), value.clone());
        }
    }
    Ok(site)
}

fn run_case(
    rule: &Rule,
    case: &TestCase,
    of_capture: &mut impl FnMut(&TestCase, &FromCapture, &Site) -> Result<TableBatch, String>,
) -> Result<(), String> {
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
    let batch = match case.from_capture()? {
        Some(source) => of_capture(case, &source, &site)?,
        None => value::batch(table, &case.expand()?).map_err(|e| e.to_string())?,
    };
    let batch = fill_batch(&site, batch);
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

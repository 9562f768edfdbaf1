//! Runs the tests that stand in rule files.

use crate::detector::{Config, Detector};
use crate::explain::RowAnswer;
use crate::tagging::fill_batch;
use std::sync::Arc;
use telltale_rules::site::assets::Assets;
use telltale_rules::site::calendar::Calendar;
use telltale_rules::site::list::List;
use telltale_rules::site::tags::Tags;
use telltale_rules::testcase::{FromCapture, Kind, TestCase};
use telltale_rules::{Finding, Rule, RuleSet, Says, Site};
use telltale_schema::value::RowValues;
use telltale_schema::{Frame, TableBatch, TableId, value};

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
    let (mut detector, diagnostics) = Detector::compile(&set, &site, Config::default());
    if let Some(first) = diagnostics.first() {
        return Err(first.to_string());
    }
    let table = case
        .table()
        .ok_or_else(|| format!("no table `{}`", case.table))?;
    let batches = match case.from_capture()? {
        Some(source) => vec![of_capture(case, &source, &site)?],
        None => by_table(table, &case.expand()?)?,
    };
    let frame = Frame {
        site: Arc::from(site.toml.name.as_str()),
        sensor: Arc::from("test"),
        seq: 0,
        watermark: i64::MIN,
        batches: batches.into_iter().map(|b| fill_batch(&site, b)).collect(),
    };
    let mut fired: Vec<Finding> = Vec::new();
    detector.frame(&frame, 0, &mut fired);
    detector.finish(&mut fired);
    if fired != cut_and_restored(&set, &site, &frame)? {
        return Err(
            "row by row, with its state taken out and put back, the rule finds something else: this is a fault of Telltale's"
                .to_owned(),
        );
    }
    fired.retain(|f| f.says == Says::Fired);
    match (case.kind, fired.first()) {
        (Kind::Match, None) => {
            return Err(format!(
                "should match, and does not: {}",
                nearest(&detector, &frame)
            ));
        }
        (Kind::NoMatch | Kind::NearMiss, Some(first)) => {
            return Err(format!(
                "should not match, and does, on row {} ({})",
                first.row_no + 1,
                telltale_schema::value::time_text(first.event_time)
            ));
        }
        (Kind::NearMiss, None) if !is_near(&set, &detector, &frame) => {
            return Err(format!(
                "is no near miss, more than one condition is missing: {}",
                nearest(&detector, &frame)
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
        let finding = fired
            .get(n)
            .ok_or_else(|| format!("finding {} expected, {} found", n + 1, fired.len()))?;
        for (column, want) in expected {
            let have = finding.row.get(column);
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

/// After so many last rows of a case state is taken out and put back.
const ONE_BY_ONE: usize = 100;

/// The same rows, each in a frame of its own, with all state taken out and put back
/// after each.
fn cut_and_restored(set: &RuleSet, site: &Site, frame: &Frame) -> Result<Vec<Finding>, String> {
    let (mut detector, _) = Detector::compile(set, site, Config::default());
    let mut out = Vec::new();
    let mut rows: Vec<(i64, u64, TableBatch)> = Vec::new();
    for batch in &frame.batches {
        for at in 0..batch.batch.num_rows() {
            let one = TableBatch {
                table: batch.table,
                batch: batch.batch.slice(at, 1),
            };
            let row = value::row(&one, 0);
            let time = row.get("event_time").as_i64().unwrap_or(0);
            rows.push((time, row.get("row_no").as_u64().unwrap_or(0), one));
        }
    }
    rows.sort_by_key(|(time, number, _)| (*time, *number));
    let alone = rows.len().saturating_sub(ONE_BY_ONE);
    for (n, (time, _, batch)) in rows.iter().enumerate() {
        let one = Frame {
            watermark: *time,
            batches: vec![batch.clone()],
            ..frame.clone()
        };
        detector.frame(&one, 0, &mut out);
        if n >= alone {
            let parts = detector.parts();
            detector.forget();
            detector.restore(&parts).map_err(|e| e.to_string())?;
        }
    }
    detector.finish(&mut out);
    Ok(out)
}

/// Rows as one batch for each table.
/// Rows as a batch for each of their tables; `first` has one even without rows.
///
/// # Errors
/// In words, where rows make no batch.
pub fn by_table(first: TableId, rows: &[RowValues]) -> Result<Vec<TableBatch>, String> {
    let mut tables: Vec<TableId> = rows.iter().map(|r| r.table).collect();
    tables.push(first);
    tables.sort_unstable();
    tables.dedup();
    tables
        .into_iter()
        .map(|table| {
            let rows: Vec<RowValues> = rows.iter().filter(|r| r.table == table).cloned().collect();
            value::batch(table, &rows).map_err(|e| e.to_string())
        })
        .collect()
}

/// Each row against the rule, or against each of its steps.
fn answers(detector: &Detector, frame: &Frame) -> Vec<RowAnswer> {
    let engine = detector.engine();
    let steps = 0..engine.steps(0);
    steps
        .flat_map(|step| {
            frame
                .batches
                .iter()
                .flat_map(move |batch| engine.explain_rows(0, step, batch))
        })
        .collect()
}

/// Does one thing only keep the rule from firing? Of a rule that remembers: is there a
/// row that it takes note of?
fn is_near(set: &RuleSet, detector: &Detector, frame: &Frame) -> bool {
    let plain = set.rules.iter().all(|r| r.sequence.is_none()) && detector.is_plain(0);
    let wanted = usize::from(plain);
    answers(detector, frame)
        .iter()
        .any(|a| !a.steps.is_empty() && a.missing() == wanted)
}

fn nearest(detector: &Detector, frame: &Frame) -> String {
    let answers = answers(detector, frame);
    let best = answers
        .iter()
        .filter(|a| !a.steps.is_empty())
        .min_by_key(|a| a.missing());
    best.map_or("no row".to_owned(), |a| {
        let missing: Vec<&str> = a
            .steps
            .iter()
            .filter(|s| !s.1)
            .map(|s| s.0.as_str())
            .collect();
        if missing.is_empty() {
            "a row fits, and what the rule remembers does not".to_owned()
        } else {
            format!("nearest row lacks {}", missing.join(" AND "))
        }
    })
}

//! `telltale rule test`

use crate::cli::{CaptureArgs, TestArgs};
use crate::config::Config;
use crate::drive::{self, Source};
use crate::output::print;
use crate::{Exit, content};
use anyhow::{Context as _, Result, bail};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use std::fmt::Write as _;
use std::path::Path;
use telltale_engine::testing;
use telltale_rules::testcase::FromCapture;
use telltale_rules::{Rule, Site};
use telltale_schema::{Protocol, TableBatch, TableId, value};

/// Columns that say where and when, not what; a made test leaves them out.
const LEFT_OUT: [&str; 21] = [
    "row_no",
    "event_time",
    "site",
    "sensor",
    "segment",
    "packet",
    "capture_file",
    "pdu_id",
    "request_ref",
    "latency_us",
    "flow_id",
    "flow_ordinal",
    "community_id",
    "vlan",
    "role_source",
    "src_mac",
    "dst_mac",
    "client_mac",
    "server_mac",
    "data_min",
    "data_max",
];

/// Runs the tests in rule files, or makes one from a capture.
pub fn run(config: &Config, args: &TestArgs) -> Result<Exit> {
    if let (Some(capture), Some((first, last))) = (&args.from_capture, args.packets) {
        return make(config, args, capture, first, last);
    }
    let (set, found) = content::rules(&args.paths)?;
    let broken = content::report(&found);
    let mut report = Report::new("telltale rule test");
    let (mut passed, mut failed) = (0, 0);
    for rule in &set.rules {
        let mut suite = TestSuite::new(rule.name.clone());
        let of_capture =
            |case: &telltale_rules::testcase::TestCase, source: &FromCapture, site: &Site| {
                rows_of(config, rule, case, source, site).map_err(|e| format!("{e:#}"))
            };
        for outcome in testing::run(rule, of_capture) {
            let status = match &outcome.failure {
                None => {
                    passed += 1;
                    TestCaseStatus::success()
                }
                Some(why) => {
                    failed += 1;
                    print(&format!(
                        "FAILED  {}:{}: {}\n        {why}",
                        rule.file, outcome.line, outcome.case
                    ))?;
                    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                    status.set_message(why.clone());
                    status
                }
            };
            suite.add_test_case(TestCase::new(outcome.case, status));
        }
        report.add_test_suite(suite);
    }
    if let Some(path) = &args.junit {
        std::fs::write(path, report.to_string()?)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    print(&format!("{passed} passed, {failed} failed"))?;
    Ok(if failed == 0 && broken == 0 {
        Exit::Ok
    } else {
        Exit::Failed
    })
}

/// The rows of a case that names a capture, which lies beside the rule's file.
fn rows_of(
    config: &Config,
    rule: &Rule,
    case: &telltale_rules::testcase::TestCase,
    source: &FromCapture,
    site: &Site,
) -> Result<TableBatch> {
    let table = case
        .table()
        .with_context(|| format!("no table `{}`", case.table))?;
    let beside = Path::new(&rule.file).parent().unwrap_or(Path::new("."));
    let path = beside.join(&source.file);
    let mut rows = Vec::new();
    let ran = drive::run(
        &Source::files(std::slice::from_ref(&path))?,
        site,
        drive::pipeline_config(config, site, &CaptureArgs::default()),
        true,
        None,
        |frame| {
            for batch in frame.batches.iter().filter(|b| b.table == table) {
                let all = (0..batch.batch.num_rows()).map(|at| value::row(batch, at));
                rows.extend(all.filter(|row| {
                    let packet = row.get("packet").as_u64();
                    packet.is_some_and(|p| source.packets.contains(&p))
                }));
            }
            Ok(true)
        },
    )?;
    if !ran.failed.is_empty() {
        bail!("{} cannot be read to its end", path.display());
    }
    if rows.is_empty() {
        bail!(
            "packets {}-{} of {} hold no row of `{}`",
            source.packets.start(),
            source.packets.end(),
            path.display(),
            table.name()
        );
    }
    Ok(value::batch(table, &rows)?)
}

/// A test with the rows of some packets.
fn make(
    config: &Config,
    args: &TestArgs,
    capture: &std::path::Path,
    first: u64,
    last: u64,
) -> Result<Exit> {
    let site = Site::builtin_default();
    let mut rows: Vec<(TableId, String)> = Vec::new();
    let sources = Source::files(&[capture.to_owned()])?;
    let mut start = None;
    drive::run(
        &sources,
        &site,
        drive::pipeline_config(config, &site, &CaptureArgs::default()),
        true,
        None,
        |frame| {
            for batch in &frame.batches {
                for at in 0..batch.batch.num_rows() {
                    let row = value::row(batch, at);
                    let industrial = row
                        .get("protocol")
                        .as_str()
                        .is_some_and(|p| p != Protocol::Flow.as_str());
                    if !industrial
                        || !row
                            .get("packet")
                            .as_u64()
                            .is_some_and(|p| (first..=last).contains(&p))
                    {
                        continue;
                    }
                    let ns = match row.get("event_time") {
                        value::Value::Time(ns) => *ns,
                        _ => 0,
                    };
                    let zero = *start.get_or_insert(ns);
                    let mut given = serde_json::Map::new();
                    given.insert(
                        "at".to_owned(),
                        format!("{}ms", (ns - zero).max(0) / 1_000_000).into(),
                    );
                    for (name, value) in row.iter() {
                        if !LEFT_OUT.contains(&name) {
                            given.insert(name.to_owned(), value.to_json());
                        }
                    }
                    rows.push((batch.table, serde_json::to_string(&given)?));
                }
            }
            Ok(true)
        },
    )?;
    let Some(table) = rows.first().map(|r| r.0) else {
        bail!(
            "packets {first}-{last} of {} hold no industrial message",
            capture.display()
        )
    };
    let mut text = format!(
        "  - name: packets {first}-{last} of {}\n    kind: match\n    table: {}\n    rows:\n",
        capture.file_name().unwrap_or_default().to_string_lossy(),
        table.name()
    );
    for (_, row) in rows.iter().filter(|r| r.0 == table) {
        writeln!(text, "      - {row}")?;
    }
    match (args.write, args.paths.as_slice()) {
        (false, _) => print(&text)?,
        (true, [path]) => {
            let mut file = std::fs::read_to_string(path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            if !file.ends_with('\n') {
                file.push('\n');
            }
            file.push_str(&text);
            std::fs::write(path, file)
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        (true, _) => bail!("--write appends to one rule file: name it"),
    }
    Ok(Exit::Ok)
}

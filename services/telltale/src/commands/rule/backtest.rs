//! `telltale rule backtest`

mod rows;
mod tally;

use crate::cli::BacktestArgs;
use crate::config::Config;
use crate::drive::{self, Source};
use crate::output::print;
use crate::{Exit, content};
use anyhow::{Context as _, Result, bail};
use std::path::PathBuf;
use std::time::Instant;
use tally::Tally;
use telltale_alert::{Limits, Stage};
use telltale_engine::{Detector, detector};
use telltale_rules::{RuleSet, Site};
use telltale_schema::{Frame, value};

/// Runs rules over rows that were decoded before, or over captures.
pub fn run(config: &Config, args: &BacktestArgs, quiet: bool) -> Result<Exit> {
    drive::catch_interrupt()?;
    let (rules, found) = content::rules(&args.rules)?;
    let mut broken = content::report(&found);
    let (site, found) = content::site(config, args.capture.site.as_deref())?;
    content::report(&found);
    let span = (time(args.since.as_deref())?, time(args.until.as_deref())?);
    if rules.rules.is_empty() {
        bail!("no rule loads: nothing to run");
    }
    let (tally, errors) = one(config, args, &rules, &site, span, quiet)?;
    broken += errors;
    let before = match &args.against {
        None => None,
        Some(path) => {
            let (old, found) = content::rules(std::slice::from_ref(path))?;
            content::report(&found);
            Some(one(config, args, &old, &site, span, quiet)?.0)
        }
    };
    if args.json {
        print(&format!("{}\n", tally.json(&rules, before.as_ref())))?;
    } else {
        print(&tally.text(&rules, before.as_ref()))?;
    }
    if let Some(path) = &args.junit {
        std::fs::write(path, tally.junit(&rules, args.most)?)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    let loud = args.most.is_some_and(|most| tally.loudest() > most);
    Ok(if broken > 0 || loud {
        Exit::Failed
    } else {
        Exit::Ok
    })
}

fn time(text: Option<&str>) -> Result<Option<i64>> {
    text.map(|t| {
        value::parse_time(t)
            .with_context(|| format!("`{t}` is no time; write 2026-01-01T08:00:00Z"))
    })
    .transpose()
}

/// One rule set over all input; how many of its rules cannot run.
#[allow(
    clippy::disallowed_methods,
    reason = "the run's own duration; detection never sees it"
)]
fn one(
    config: &Config,
    args: &BacktestArgs,
    rules: &RuleSet,
    site: &Site,
    span: (Option<i64>, Option<i64>),
    quiet: bool,
) -> Result<(Tally, usize)> {
    let (mut detector, found) = Detector::compile(rules, site, detector::Config::default());
    let mut errors = content::report(&found);
    // every alert counts here: nothing is kept back by the cap
    let limits = Limits {
        cap: u64::MAX,
        ..Limits::default()
    };
    let mut stage = Stage::new(rules, site, limits);
    let mut tally = Tally::default();
    let (mut findings, mut alerts) = (Vec::new(), Vec::new());
    let began = Instant::now();
    let mut each = |frame: &Frame| {
        tally.rows += frame.rows() as u64;
        let begin = Instant::now();
        detector.frame(frame, 0, &mut findings);
        for finding in findings.drain(..) {
            stage.push(&finding, &mut alerts);
        }
        stage.advance(detector.watermark(), &mut alerts);
        tally.detecting += begin.elapsed();
        alerts.drain(..).for_each(|alert| tally.take(&alert));
    };
    let (decoded, captures): (Vec<PathBuf>, Vec<PathBuf>) = inputs(&args.over)?
        .into_iter()
        .partition(|p| rows::is_parquet(p));
    if !decoded.is_empty() {
        rows::read(&decoded, span, quiet, &mut each)?;
    }
    if !captures.is_empty() {
        let ran = drive::run(
            &Source::files(&captures)?,
            site,
            drive::pipeline_config(config, site, &args.capture),
            quiet,
            None,
            |frame| {
                each(&rows::within(frame, span));
                Ok(true)
            },
        )?;
        // which ones was said when it happened
        errors += ran.failed.len();
    }
    let begin = Instant::now();
    detector.finish(&mut findings);
    for finding in &findings {
        stage.push(finding, &mut alerts);
    }
    stage.finish(&mut alerts);
    tally.detecting += begin.elapsed();
    alerts.drain(..).for_each(|alert| tally.take(&alert));
    tally.took = began.elapsed();
    let missing = detector.not_applicable().iter();
    tally.not_applicable = missing
        .filter_map(|na| Some((rules.rules.get(na.rule)?.id.clone(), na.missing.join(", "))))
        .collect();
    Ok((tally, errors))
}

/// The files of these paths; of a folder, all in it.
fn inputs(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut out = Vec::new();
    for path in paths {
        if path.is_dir() {
            let mut inside: Vec<PathBuf> = std::fs::read_dir(path)
                .with_context(|| format!("cannot read {}", path.display()))?
                .map(|e| e.map(|e| e.path()))
                .collect::<std::io::Result<_>>()?;
            inside.sort();
            let parquet = inside.iter().any(|p| rows::is_parquet(p));
            if parquet {
                out.extend(inside.into_iter().filter(|p| rows::is_parquet(p)));
            } else {
                out.push(path.clone());
            }
        } else {
            std::fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
            out.push(path.clone());
        }
    }
    Ok(out)
}

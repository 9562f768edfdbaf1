//! What a rule remembered: a window's values beside its threshold, how far sequences
//! got, and which keys were new.

use crate::cli::CaptureArgs;
use crate::config::Config;
use crate::drive::{self, Source};
use anyhow::Result;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use telltale_engine::{Detector, Standing, detector};
use telltale_rules::{Finding, Rule, RuleSet, Says, Site};
use telltale_schema::value::time_text;

/// A window: its start, its largest value, all values in words.
type Shown = (i64, f64, String);

/// Groups of a windowed rule that are shown.
const GROUPS: usize = 5;
/// Windows of each.
const WINDOWS: usize = 8;
/// Keys of a `first_seen()` that are shown.
const KEYS: usize = 10;

/// Explains the memory of the set's one rule; nothing for a rule without.
pub(super) fn explain(
    config: &Config,
    set: &RuleSet,
    site: &Site,
    sources: &[Source],
) -> Result<String> {
    let Some(rule) = set.rules.first() else {
        return Ok(String::new());
    };
    let asked = if rule.sequence.is_some() {
        prefixes(rule)
    } else if let Some(all) = every_group(rule) {
        vec![all]
    } else {
        vec![rule.clone()]
    };
    let asked = RuleSet { rules: asked };
    let (mut detector, _) = Detector::compile(&asked, site, detector::Config::default());
    if detector.is_plain(0) {
        return Ok(String::new());
    }
    let mut findings = Vec::new();
    drive::run(
        sources,
        site,
        drive::pipeline_config(config, site, &CaptureArgs::default()),
        true,
        None,
        |frame| {
            detector.frame(&frame, 0, &mut findings);
            Ok(true)
        },
    )?;
    if rule.sequence.is_none() {
        // windows that are still open are shown too, as if a clock had closed them
        detector.tick(i64::MAX / 2, &mut findings);
    }
    detector.finish(&mut findings);
    findings.retain(|f| f.says == Says::Fired);
    let mut out = String::new();
    if rule.sequence.is_some() {
        steps(rule, &asked, &findings, &mut out);
    } else if rule.sql.to_lowercase().contains("having") {
        windows(rule, &findings, &mut out);
    }
    for (call, keys) in detector.seen(0) {
        let pending = keys.iter().filter(|k| k.standing == Standing::Pending);
        let known = keys.len() - pending.clone().count();
        writeln!(out, "\n{call}\n  {known} keys are known")?;
        for key in pending.take(KEYS) {
            let words: Vec<String> = key.key.iter().map(ToString::to_string).collect();
            writeln!(
                out,
                "  new since {}, {} rows: {}",
                time_text(key.first),
                key.rows,
                words.join(" ")
            )?;
        }
    }
    Ok(out)
}

/// The rule with a HAVING that every group fulfils at its close.
fn every_group(rule: &Rule) -> Option<Rule> {
    let at = rule.sql.to_lowercase().rfind("having")?;
    let mut all = rule.clone();
    all.sql.truncate(at);
    all.sql.push_str("HAVING count(*) >= 0 OR count(*) < 0");
    Some(all)
}

/// The rule's first step, its first two, and so on.
fn prefixes(rule: &Rule) -> Vec<Rule> {
    let steps = rule.sequence.as_ref().map_or(0, |s| s.steps.len());
    (1..=steps)
        .map(|n| {
            let mut part = rule.clone();
            if let Some(sequence) = &mut part.sequence {
                sequence.steps.truncate(n);
            }
            part.id = format!("{}-{n}", rule.id);
            part
        })
        .filter(|part| {
            let last = part.sequence.as_ref().and_then(|s| s.steps.last());
            // an absence is found only where the whole rule ends in one
            last.is_some_and(|s| !s.absent || s.within_ns.is_some())
        })
        .collect()
}

/// How far the sequence got.
fn steps(rule: &Rule, asked: &RuleSet, findings: &[Finding], out: &mut String) {
    out.push_str("\nhow far it got\n");
    for (n, part) in asked.rules.iter().enumerate() {
        let names: Vec<&str> = part
            .sequence
            .iter()
            .flat_map(|s| s.steps.iter().map(|s| s.name.as_str()))
            .collect();
        let here: Vec<&Finding> = findings.iter().filter(|f| f.rule == n).collect();
        let last = here.last().map_or_else(String::new, |f| {
            format!(
                ", the last at {}: {} -> {}",
                time_text(f.event_time),
                f.row.get("client_ip"),
                f.row.get("server_ip")
            )
        });
        // writing to a String cannot fail
        writeln!(out, "  {:>6} times {}{last}", here.len(), names.join(", ")).unwrap_or_default();
    }
    if let Some(sequence) = &rule.sequence {
        writeln!(
            out,
            "  all within {} s; a sequence that is found begins anew",
            sequence.within_ns / 1_000_000_000
        )
        .unwrap_or_default();
    }
}

/// The values of the fullest groups, window by window.
fn windows(rule: &Rule, findings: &[Finding], out: &mut String) {
    let at = rule.sql.to_lowercase().rfind("having").unwrap_or(0);
    let mut having = rule.sql.get(at..).unwrap_or("").trim().to_owned();
    for (name, value) in &rule.parameters {
        having = having.replace(&format!("${name}"), &value.to_string());
    }
    let mut groups: BTreeMap<String, Vec<Shown>> = BTreeMap::new();
    for f in findings {
        let mut values = Vec::new();
        let mut key = Vec::new();
        let mut size = 0.0_f64;
        let columns = f.row.table.def().columns;
        for (name, value) in f.row.iter() {
            if name == "window_start" || name == "window_end" || name == "event_time" {
                continue;
            }
            if columns.iter().any(|c| c.name == name) {
                if name != "site" {
                    key.push(format!("{name} {value}"));
                }
            } else {
                size = size.max(value.as_f64().unwrap_or(0.0));
                values.push(format!("{name} {value}"));
            }
        }
        let start = f.row.get("window_start").as_i64().unwrap_or(0);
        groups
            .entry(key.join(", "))
            .or_default()
            .push((start, size, values.join(", ")));
    }
    let most = |list: &Vec<Shown>| list.iter().map(|w| w.1).fold(0.0, f64::max);
    let mut all: Vec<(&String, &Vec<Shown>)> = groups.iter().collect();
    all.sort_by(|a, b| most(b.1).total_cmp(&most(a.1)).then_with(|| a.0.cmp(b.0)));
    writeln!(
        out,
        "\nwindows, held against {having}\n  {} groups",
        all.len()
    )
    .unwrap_or_default();
    for (key, list) in all.into_iter().take(GROUPS) {
        writeln!(out, "  {key}").unwrap_or_default();
        for (start, _, values) in list.iter().take(WINDOWS) {
            writeln!(out, "    from {}: {values}", time_text(*start)).unwrap_or_default();
        }
        if list.len() > WINDOWS {
            writeln!(out, "    and {} windows more", list.len() - WINDOWS).unwrap_or_default();
        }
    }
}

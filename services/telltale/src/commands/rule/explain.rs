//! `telltale rule explain`

mod memory;

use crate::cli::{CaptureArgs, ExplainArgs};
use crate::config::Config;
use crate::drive::{self, Source};
use crate::output::print;
use crate::{Exit, content};
use anyhow::{Result, bail};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use telltale_engine::Engine;
use telltale_engine::explain::RowAnswer;
use telltale_rules::{RuleSet, Site};
use telltale_schema::TableId;

/// Rows of a table, and for each condition its text, rows that pass it alone and so far.
type Total = (usize, Vec<(String, usize, usize)>);

/// Nearest rows that are shown.
const NEAREST: usize = 3;

fn rule(name: &str) -> Result<RuleSet> {
    let (set, found) = if Path::new(name).is_file() {
        content::rules(&[name.into()])?
    } else {
        content::rules(&[])?
    };
    content::report(&found);
    let mut rules = set.rules;
    if !Path::new(name).is_file() {
        let wanted = name.to_lowercase();
        rules.retain(|r| {
            r.id.starts_with(&wanted)
                || r.name.to_lowercase().contains(&wanted)
                || r.file.contains(&wanted)
        });
    }
    match rules.len() {
        0 => bail!(
            "no rule `{name}`: give its file, its id, or a part of its name (`telltale rule list`)"
        ),
        1 => Ok(RuleSet { rules }),
        _ => bail!(
            "`{name}` fits {} rules: {}",
            rules.len(),
            rules
                .iter()
                .map(|r| r.name.as_str())
                .collect::<Vec<_>>()
                .join("; ")
        ),
    }
}

/// What stands before the conditions of each step; nothing for a rule of one SELECT.
fn step_names(set: &RuleSet) -> Vec<String> {
    let sequence = set.rules.first().and_then(|r| r.sequence.as_ref());
    let steps = sequence.into_iter().flat_map(|s| &s.steps);
    steps
        .map(|s| {
            format!(
                "step {}{}: ",
                s.name,
                if s.absent { " (absent)" } else { "" }
            )
        })
        .collect()
}

/// Which conjunct was false.
pub fn run(config: &Config, args: &ExplainArgs) -> Result<Exit> {
    let set = rule(&args.rule)?;
    let (site, found) = content::site(config, args.site.as_deref())?;
    content::report(&found);
    let site: Site = site;
    let (engine, found) = Engine::compile(&set, &site);
    if content::report(&found) > 0 {
        return Ok(Exit::Failed);
    }
    if let Some(na) = engine.not_applicable().first() {
        print(&format!(
            "not applicable at this site: it has no {}",
            na.missing.join(", no ")
        ))?;
        return Ok(Exit::Ok);
    }
    let names = step_names(&set);
    let mut totals: BTreeMap<(usize, TableId), Total> = BTreeMap::new();
    let mut nearest: Vec<(usize, RowAnswer)> = Vec::new();
    let mut fired = 0_usize;
    let sources = Source::files(std::slice::from_ref(&args.capture))?;
    drive::run(
        &sources,
        &site,
        drive::pipeline_config(config, &site, &CaptureArgs::default()),
        true,
        None,
        |frame| {
            let asked =
                (0..engine.steps(0)).flat_map(|s| frame.batches.iter().map(move |b| (s, b)));
            for (step, batch) in asked {
                let steps = engine.explain(0, step, batch);
                if steps.is_empty() {
                    continue;
                }
                let total = totals
                    .entry((step, batch.table))
                    .or_insert_with(|| (0, steps.iter().map(|s| (s.text.clone(), 0, 0)).collect()));
                total.0 += batch.batch.num_rows();
                for (sum, step) in total.1.iter_mut().zip(&steps) {
                    sum.1 += step.alone;
                    sum.2 += step.together;
                }
                for answer in engine.explain_rows(0, step, batch) {
                    let here = args
                        .packet
                        .is_none_or(|p| answer.row.get("packet").as_u64() == Some(p));
                    fired += usize::from(answer.fires());
                    if here && (args.packet.is_some() || !answer.fires()) {
                        nearest.push((answer.missing(), answer));
                    }
                }
                nearest.sort_by_key(|(missing, a)| (*missing, a.row.get("row_no").as_u64()));
                nearest.truncate(if args.packet.is_some() { 50 } else { NEAREST });
            }
            Ok(true)
        },
    )?;
    let mut out = String::new();
    let name = set.rules.first().map_or("", |r| r.name.as_str());
    writeln!(
        out,
        "{name}: {fired} rows match in {}",
        args.capture.display()
    )?;
    for ((step, table), (rows, steps)) in &totals {
        writeln!(
            out,
            "\n{}{} ({rows} rows)\n  {:>9} {:>9}  condition",
            names.get(*step).map_or("", String::as_str),
            table.name(),
            "alone",
            "so far"
        )?;
        for (text, alone, together) in steps {
            writeln!(out, "  {alone:>9} {together:>9}  {text}")?;
        }
    }
    if !nearest.is_empty() {
        writeln!(
            out,
            "\n{}",
            if args.packet.is_some() {
                "rows of this packet"
            } else {
                "nearest rows that do not match"
            }
        )?;
    }
    for (_, answer) in nearest {
        let shown = |c: &str| answer.row.get(c).to_string();
        writeln!(
            out,
            "  packet {} {} {} {} -> {}",
            shown("packet"),
            shown("protocol"),
            shown("function"),
            shown("client_ip"),
            shown("server_ip")
        )?;
        for (text, passed) in &answer.steps {
            let mut have = String::new();
            if !passed {
                let columns = answer.row.iter().filter(|(name, _)| {
                    text.split(|c: char| !(c.is_alphanumeric() || c == '_'))
                        .any(|w| w == *name)
                });
                have = columns
                    .map(|(name, value)| format!("{name} is {value}"))
                    .collect::<Vec<_>>()
                    .join(", ");
            }
            writeln!(
                out,
                "    {}  {text}{}{have}",
                if *passed { "ok" } else { "NO" },
                if have.is_empty() { "" } else { "   here " }
            )?;
        }
    }
    out.push_str(&memory::explain(config, &set, &site, &sources)?);
    print(&out)?;
    Ok(Exit::Ok)
}

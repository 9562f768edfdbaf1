//! `telltale rule coverage`

use crate::cli::CoverageArgs;
use crate::config::Config;
use crate::output::print;
use crate::{Exit, content};
use anyhow::Result;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use telltale_rules::attack::techniques;

/// The ATT&CK for ICS matrix and what covers it.
pub fn run(config: &Config, args: &CoverageArgs) -> Result<Exit> {
    let (set, found) = content::configured_rules(config, args.rules.as_deref())?;
    content::report(&found);
    let mut by_technique: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for rule in &set.rules {
        for technique in &rule.attack {
            by_technique.entry(technique).or_default().push(&rule.name);
        }
    }
    let tactics: BTreeSet<&str> = techniques()
        .iter()
        .flat_map(|t| t.tactics.iter().map(String::as_str))
        .collect();
    let mut out = String::new();
    for tactic in tactics {
        writeln!(out, "{}{tactic}", if args.markdown { "## " } else { "\n" })?;
        for t in techniques()
            .iter()
            .filter(|t| t.tactics.iter().any(|x| x == tactic))
        {
            let rules = by_technique
                .get(t.id.as_str())
                .map_or(&[][..], Vec::as_slice);
            let mark = match (rules.is_empty(), t.network) {
                (false, _) => "+",
                (true, true) => "-",
                (true, false) => " ",
            };
            if args.markdown {
                writeln!(
                    out,
                    "- {mark} {} {}: {}",
                    t.id,
                    t.name,
                    if rules.is_empty() {
                        "none".to_owned()
                    } else {
                        rules.join("; ")
                    }
                )?;
            } else {
                writeln!(
                    out,
                    "  {mark} {} {:<42} {}",
                    t.id,
                    t.name,
                    if rules.is_empty() {
                        String::new()
                    } else {
                        format!("{} rules", rules.len())
                    }
                )?;
            }
        }
    }
    let observable = techniques().iter().filter(|t| t.network);
    let covered = observable
        .clone()
        .filter(|t| by_technique.contains_key(t.id.as_str()))
        .count();
    writeln!(
        out,
        "\n{covered} of {} techniques for which ATT&CK has an analytic on network traffic; {} of all {}.\n+ covered  - observable on a network, not covered\nMITRE ATT&CK for ICS 18.1, © 2025 The MITRE Corporation, reproduced and distributed with its permission.",
        observable.count(),
        by_technique.len(),
        techniques().len()
    )?;
    print(&out)?;
    Ok(Exit::Ok)
}

//! `telltale rule`

mod backtest;
mod coverage;
mod explain;
mod import;
mod new;
mod test;

use crate::cli::{LintArgs, ListArgs, RuleCommand};
use crate::config::Config;
use crate::output::print;
use crate::{Exit, content};
use anyhow::Result;
use telltale_engine::Engine;
use telltale_rules::Level;

/// Dispatches.
pub fn run(config: &Config, command: RuleCommand, quiet: bool) -> Result<Exit> {
    match command {
        RuleCommand::Lint(args) => lint(config, &args),
        RuleCommand::Test(args) => test::run(config, &args),
        RuleCommand::Explain(args) => explain::run(config, &args),
        RuleCommand::Backtest(args) => backtest::run(config, &args, quiet),
        RuleCommand::New(args) => new::run(&args),
        RuleCommand::List(args) => list(config, &args),
        RuleCommand::Coverage(args) => coverage::run(config, &args),
        RuleCommand::Import(command) => import::run(&command),
    }
}

fn lint(config: &Config, args: &LintArgs) -> Result<Exit> {
    let (set, mut found) = content::rules(&args.paths)?;
    let (site, site_found) = content::site(config, args.site.as_deref())?;
    found.extend(site_found);
    if let Some(dir) = &args.site {
        found.extend(site.check(&set, &dir.display().to_string()));
    }
    let (_, compiled) = Engine::compile(&set, &site);
    found.extend(compiled);
    found.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
    if args.json {
        for diagnostic in &found {
            print(&serde_json::to_string(diagnostic)?)?;
        }
    } else {
        for diagnostic in &found {
            print(&diagnostic.to_string())?;
        }
    }
    let errors = found.iter().filter(|d| d.level == Level::Error).count();
    eprintln!(
        "{} rules load, {errors} errors, {} warnings",
        set.rules.len(),
        found.len() - errors
    );
    Ok(if errors == 0 { Exit::Ok } else { Exit::Failed })
}

fn list(config: &Config, args: &ListArgs) -> Result<Exit> {
    let (set, found) = content::configured_rules(config, args.rules.as_deref())?;
    content::report(&found);
    let (site, found) = content::site(config, args.site.as_deref())?;
    content::report(&found);
    let mut out = String::new();
    let mut rules: Vec<_> = set.rules.iter().collect();
    rules.sort_by(|a, b| {
        b.severity
            .cmp(&a.severity)
            .then_with(|| a.name.cmp(&b.name))
    });
    for rule in rules {
        let missing = site.missing(&rule.requires);
        if args.json {
            let line = serde_json::json!({
                "id": rule.id, "name": rule.name, "version": rule.version, "severity": rule.severity, "status": rule.status,
                "attack": rule.attack, "iec62443": rule.iec62443, "file": rule.file, "applies": missing.is_empty(), "missing": missing,
            });
            out.push_str(&format!("{line}\n"));
        } else {
            let applies = if missing.is_empty() {
                String::new()
            } else {
                format!("  not applicable: no {}", missing.join(", no "))
            };
            out.push_str(&format!(
                "{:<8} {}  {} [{}]{applies}\n",
                rule.severity.as_str(),
                rule.id.get(..8).unwrap_or(&rule.id),
                rule.name,
                rule.attack.join(" ")
            ));
        }
    }
    print(&out)?;
    Ok(Exit::Ok)
}

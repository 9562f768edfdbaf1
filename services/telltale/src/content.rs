//! Rules and site content: from folders, or shipped in the binary.

use crate::config::Config;
use anyhow::{Context as _, Result, bail};
use include_dir::{Dir, include_dir};
use std::path::{Path, PathBuf};
use telltale_rules::{Diagnostic, Level, RuleSet, Site};

static RULES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../rules");

fn texts<'d>(dir: &'d Dir<'d>, into: &mut Vec<(&'d str, &'d str)>) {
    for file in dir.files() {
        if let (Some(name), Some(text)) = (file.path().to_str(), file.contents_utf8())
            && name.ends_with(".yaml")
        {
            into.push((name, text));
        }
    }
    for dir in dir.dirs() {
        texts(dir, into);
    }
}

/// The rules in these paths; the shipped ones when there is none.
pub fn rules(paths: &[PathBuf]) -> Result<(RuleSet, Vec<Diagnostic>)> {
    if paths.is_empty() {
        let mut all = Vec::new();
        texts(&RULES, &mut all);
        return Ok(RuleSet::from_texts(all));
    }
    RuleSet::load(paths).context("cannot read the rules")
}

/// The rules that settings and flags name.
pub fn configured_rules(
    config: &Config,
    flag: Option<&Path>,
) -> Result<(RuleSet, Vec<Diagnostic>)> {
    let dir = flag.unwrap_or(&config.rules.dir);
    if dir.as_os_str().is_empty() {
        rules(&[])
    } else {
        rules(&[dir.to_owned()])
    }
}

/// The site that settings and flags name; the built-in one when there is none.
pub fn site(config: &Config, flag: Option<&Path>) -> Result<(Site, Vec<Diagnostic>)> {
    let dir = flag.unwrap_or(&config.site.dir);
    if dir.as_os_str().is_empty() {
        return Ok((Site::builtin_default(), Vec::new()));
    }
    match Site::load(dir)? {
        (Some(site), found) => Ok((site, found)),
        (None, found) => {
            let text: Vec<String> = found.iter().map(ToString::to_string).collect();
            bail!("{}", text.join("\n"))
        }
    }
}

/// Prints diagnostics to standard error; how many are errors.
pub fn report(found: &[Diagnostic]) -> usize {
    for diagnostic in found {
        eprintln!("{diagnostic}");
    }
    found.iter().filter(|d| d.level == Level::Error).count()
}

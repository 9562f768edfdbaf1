//! `telltale site`

use crate::cli::SiteCommand;
use crate::{Exit, content};
use anyhow::Result;
use telltale_rules::Site;

/// Checks a site's folder.
pub fn run(command: &SiteCommand) -> Result<Exit> {
    let SiteCommand::Lint { dir } = command;
    let (site, mut found) = Site::load(dir)?;
    if let Some(site) = &site {
        let (rules, _) = content::rules(&[])?;
        found.extend(site.check(&rules, &dir.display().to_string()));
    }
    let errors = content::report(&found);
    if let Some(site) = site {
        eprintln!(
            "{}: {} lists, {} calendars, {} assets, {} exceptions, words on {} rules; {errors} errors",
            site.toml.name,
            site.lists.len(),
            site.calendars.len(),
            site.assets.len(),
            site.exceptions.len(),
            site.overrides.len()
        );
    }
    Ok(if errors == 0 { Exit::Ok } else { Exit::Failed })
}

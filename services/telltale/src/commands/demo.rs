//! `telltale demo`

use super::replay::{Replay, limits};
use crate::cli::{CaptureArgs, DemoArgs};
use crate::config::{AlertFormat, Config};
use crate::drive::{self, Source};
use crate::{Exit, content, output};
use anyhow::{Context as _, Result};
use include_dir::{Dir, include_dir};
use std::path::Path;

static SITE: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../sites/demo");
static CAPTURE: &[u8] = include_bytes!("../../../../demo/plant.pcapng");

/// A plant's story of a few minutes, as alerts.
pub fn run(config: &Config, args: &DemoArgs, quiet: bool) -> Result<Exit> {
    drive::catch_interrupt()?;
    let folder = tempfile::tempdir()?;
    let site_dir = args.keep.as_deref().unwrap_or(folder.path()).join("site");
    unpack(&SITE, &site_dir)?;
    if let Some(dir) = &args.keep {
        std::fs::write(dir.join("plant.pcapng"), CAPTURE)
            .with_context(|| format!("cannot write to {}", dir.display()))?;
    }
    let (rules, found) = content::rules(&[])?;
    content::report(&found);
    let (site, found) = content::site(config, Some(&site_dir))?;
    content::report(&found);
    let color = output::color(args.color.unwrap_or(config.output.color));
    output::print(
        "A small waterworks, one evening. SCADA polls three PLCs and an RTU; an engineer works on PLC-2 inside a\n\
         maintenance window; then somebody plugs in a laptop. This is what Telltale says about the capture.\n",
    )?;
    let replay = Replay {
        rules: &rules,
        site: &site,
        format: AlertFormat::Text,
        color,
        threads: 2,
        speed: None,
        quiet,
        evidence: false,
    };
    let sources = [Source::Shipped("plant.pcapng", CAPTURE)];
    let mut out = std::io::stdout().lock();
    let capture = drive::pipeline_config(config, &site, &CaptureArgs::default());
    let outcome = replay.run(&sources, capture, limits(config), &mut out)?;
    drop(out);
    let kept = args.keep.as_deref().map_or_else(
        || "telltale demo --keep DIR    leaves capture and site in DIR, to play with".to_owned(),
        |d| format!("left in {}: plant.pcapng and site/", d.display()),
    );
    output::print(&format!(
        "{}\n\nWhat to try next:\n  {kept}\n  telltale replay YOUR.pcap   your own traffic against the shipped rules\n  telltale rule list          the rules\n  telltale rule explain RULE CAPTURE   why a rule fired, or why not\n  telltale schema modbus      what a rule can speak of",
        outcome.summary
    ))?;
    Ok(Exit::Ok)
}

fn unpack(dir: &Dir<'_>, into: &Path) -> Result<()> {
    std::fs::create_dir_all(into)
        .with_context(|| format!("cannot make folder {}", into.display()))?;
    for entry in dir.entries() {
        let path = into.join(entry.path());
        match entry {
            include_dir::DirEntry::Dir(inner) => {
                std::fs::create_dir_all(&path)?;
                unpack(inner, into)?;
            }
            include_dir::DirEntry::File(file) => std::fs::write(&path, file.contents())
                .with_context(|| format!("cannot write {}", path.display()))?,
        }
    }
    Ok(())
}

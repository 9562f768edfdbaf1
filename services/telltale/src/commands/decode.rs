//! `telltale decode`

use crate::cli::DecodeArgs;
use crate::config::Config;
use crate::drive::{self, Source};
use crate::output::rows::{RowWriter, Target};
use crate::{Exit, content};
use anyhow::{Result, anyhow};
use telltale_schema::{Protocol, TableId, nearest};

/// Captures to rows.
pub fn run(config: &Config, args: &DecodeArgs, quiet: bool) -> Result<Exit> {
    drive::catch_interrupt()?;
    let only = match args.table.as_deref() {
        None => None,
        Some(name) => Some(TableId::from_name(name).ok_or_else(|| {
            let near = nearest(name, TableId::ALL.iter().map(|t| t.name()))
                .map_or(String::new(), |n| format!("; did you mean `{n}`?"));
            anyhow!("no table `{name}`{near}")
        })?),
    };
    let (site, found) = content::site(config, args.capture.site.as_deref())?;
    content::report(&found);
    let sources = Source::files(&args.files)?;
    let mut writer = RowWriter::new(args.format, only, Target::new(args.out.as_deref()))?;
    let ran = drive::run(
        &sources,
        &site,
        drive::pipeline_config(config, &site, &args.capture),
        quiet,
        None,
        |frame| {
            writer.write(&frame)?;
            Ok(true)
        },
    )?;
    writer.finish()?;
    if !quiet {
        eprintln!("{}", summary(&ran));
    }
    Ok(exit(&ran))
}

/// What was seen, in one line or two.
pub fn summary(ran: &drive::Ran) -> String {
    let c = &ran.counters;
    let pdus: Vec<String> = Protocol::ALL
        .iter()
        .filter(|p| c.pdus_of(**p) > 0)
        .map(|p| format!("{} {}", p.as_str(), c.pdus_of(*p)))
        .collect();
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss
    )]
    let rate = (c.packets as f64 / ran.took.as_secs_f64().max(1e-9)) as u64;
    let mut text = format!(
        "{} packets, {} bytes in {:.2} s ({rate} packets/s); {} flows; PDUs: {}; {} rows, {} errors, {} duplicates, {} gaps",
        c.packets,
        c.bytes,
        ran.took.as_secs_f64(),
        c.flows,
        if pdus.is_empty() {
            "none".to_owned()
        } else {
            pdus.join(", ")
        },
        c.rows,
        c.errors,
        c.duplicates,
        c.gaps
    );
    // whatever was dropped is said
    for (count, what) in [
        (c.link_unknown, "packets of a link type that is not decoded"),
        (c.flow_evictions, "flows ended because the table was full"),
        (c.gap_bytes, "bytes of TCP never seen"),
        (
            c.overflow_bytes,
            "bytes dropped because no PDU ended within the bound",
        ),
        (
            c.fragments_dropped,
            "IP datagrams dropped before they were whole",
        ),
        (
            c.pairing_evictions,
            "requests forgotten because too many waited",
        ),
        (
            c.errors_suppressed,
            "errors beyond what one flow may report",
        ),
        (
            c.arp_claims_full,
            "ARP claims not learned because the table was full",
        ),
    ] {
        if count > 0 {
            text.push_str(&format!("\n  {count} {what}"));
        }
    }
    for file in &ran.failed {
        text.push_str(&format!("\n  not read to its end: {file}"));
    }
    text
}

/// The exit code of a run.
pub fn exit(ran: &drive::Ran) -> Exit {
    match (ran.interrupted, ran.failed.is_empty()) {
        (true, _) => Exit::Interrupted,
        (_, false) => Exit::Partly,
        _ => Exit::Ok,
    }
}

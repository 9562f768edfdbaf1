//! `telltale replay`

use super::decode;
use crate::cli::{FailOn, ReplayArgs};
use crate::config::{AlertFormat, Config};
use crate::drive::{self, Ran, Source};
use crate::{Exit, content, output};
use anyhow::{Context as _, Result, anyhow};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::sync::mpsc::sync_channel;
use telltale_alert::{Alert, Limits, Stage, encode, evidence};
use telltale_engine::Engine;
use telltale_rules::{RuleSet, Severity, Site};
use telltale_schema::Frame;

/// Packets kept before and after each packet of evidence, of the whole capture.
const EVIDENCE_AROUND: u64 = 3;
/// Frames that may wait between decoding and detection.
const FRAMES_AHEAD: usize = 4;

/// What a replay is made of.
pub struct Replay<'a> {
    pub rules: &'a RuleSet,
    pub site: &'a Site,
    pub format: AlertFormat,
    pub color: bool,
    pub threads: u8,
    pub speed: Option<f64>,
    pub quiet: bool,
}

/// What came of it.
pub struct Outcome {
    pub ran: Ran,
    pub alerts: Vec<Alert>,
    pub summary: String,
}

impl Replay<'_> {
    /// Runs sources through pipeline, engine and alert stage; alerts are written as they come.
    pub fn run(
        &self,
        sources: &[Source],
        capture: telltale_capture::Config,
        limits: Limits,
        out: &mut dyn Write,
    ) -> Result<Outcome> {
        let (mut engine, found) = Engine::compile(self.rules, self.site);
        content::report(&found);
        let mut stage = Stage::new(self.rules, self.site, limits);
        let mut alerts = Vec::new();
        let mut fresh = Vec::new();
        let mut detect = |frame: &Frame, out: &mut dyn Write| -> Result<()> {
            for finding in engine.evaluate(frame) {
                stage.push(&finding, &mut fresh);
            }
            stage.advance(frame.watermark, &mut fresh);
            self.write(&fresh, out)?;
            alerts.append(&mut fresh);
            Ok(())
        };
        let ran = if self.threads < 2 {
            drive::run(sources, capture, self.quiet, self.speed, |frame| {
                detect(&frame, out).map(|()| true)
            })?
        } else {
            let (sender, receiver) = sync_channel::<Frame>(FRAMES_AHEAD);
            std::thread::scope(|scope| -> Result<Ran> {
                let decoder = scope.spawn(move || {
                    drive::run(sources, capture, self.quiet, self.speed, |frame| {
                        Ok(sender.send(frame).is_ok())
                    })
                });
                let mut detected = Ok(());
                for frame in receiver {
                    detected = detect(&frame, out);
                    if detected.is_err() {
                        break;
                    }
                }
                let ran = decoder
                    .join()
                    .map_err(|_| anyhow!("the decoding thread died"))??;
                detected.map(|()| ran)
            })?
        };
        stage.finish(&mut fresh);
        self.write(&fresh, out)?;
        alerts.append(&mut fresh);
        out.flush()?;
        let mut summary = decode::summary(&ran);
        summary.push_str(&self.counts(&alerts, &stage));
        for na in engine.not_applicable() {
            let name = self
                .rules
                .rules
                .get(na.rule)
                .map_or("?", |r| r.name.as_str());
            summary.push_str(&format!(
                "\n  not applicable at this site: {name} (no {})",
                na.missing.join(", no ")
            ));
        }
        Ok(Outcome {
            ran,
            alerts,
            summary,
        })
    }

    fn write(&self, alerts: &[Alert], out: &mut dyn Write) -> Result<()> {
        for alert in alerts {
            match self.format {
                AlertFormat::Text => writeln!(
                    out,
                    "{}",
                    encode::text(
                        alert,
                        encode::Style {
                            color: self.color,
                            zone: self.site.zone
                        }
                    )
                )?,
                AlertFormat::Json => writeln!(out, "{}", encode::json(alert))?,
                AlertFormat::Ocsf => writeln!(out, "{}", encode::ocsf(alert))?,
            }
        }
        Ok(())
    }

    fn counts(&self, alerts: &[Alert], stage: &Stage<'_>) -> String {
        let mut by_rule: BTreeMap<(std::cmp::Reverse<u32>, &str, &str), u64> = BTreeMap::new();
        for alert in alerts
            .iter()
            .filter(|a| a.record() == telltale_alert::v1::RecordKind::Created)
        {
            let name = alert.rule.as_ref().map_or("?", |r| r.name.as_str());
            *by_rule
                .entry((
                    std::cmp::Reverse(alert.severity),
                    &alert.severity_name,
                    name,
                ))
                .or_default() += 1;
        }
        let c = stage.counters();
        let mut text = format!(
            "\n{} alerts from {} findings ({} joined, {} excepted, {} beyond the cap); {} rules",
            c.created,
            c.findings,
            c.suppressed,
            c.excepted,
            c.capped,
            self.rules.rules.len()
        );
        for ((_, severity, name), count) in by_rule {
            text.push_str(&format!("\n  {severity:<8} {count:>4}  {name}"));
        }
        text
    }
}

/// Captures to alerts.
pub fn run(config: &Config, args: &ReplayArgs, quiet: bool) -> Result<Exit> {
    drive::catch_interrupt()?;
    let (rules, found) = content::configured_rules(config, args.rules.as_deref())?;
    content::report(&found);
    let (site, found) = content::site(config, args.capture.site.as_deref())?;
    content::report(&found);
    let sources = Source::files(&args.files)?;
    let replay = Replay {
        rules: &rules,
        site: &site,
        format: args.format.unwrap_or(config.output.format),
        color: args.out.is_none() && output::color(args.color.unwrap_or(config.output.color)),
        threads: args.threads,
        speed: args.speed,
        quiet,
    };
    let mut out: Box<dyn Write> = match &args.out {
        Some(path) => Box::new(std::io::BufWriter::new(
            std::fs::File::create(path)
                .with_context(|| format!("cannot write {}", path.display()))?,
        )),
        None => Box::new(std::io::stdout().lock()),
    };
    let outcome = replay.run(
        &sources,
        drive::pipeline_config(config, &site, &args.capture),
        limits(config),
        &mut out,
    )?;
    if let Some(dir) = &args.evidence_dir {
        cut_evidence(dir, &sources, &outcome.alerts)?;
    }
    if !quiet {
        eprintln!("{}", outcome.summary);
    }
    let threshold = args.fail_on.map(|f| match f {
        FailOn::Info => Severity::Info,
        FailOn::Low => Severity::Low,
        FailOn::Medium => Severity::Medium,
        FailOn::High => Severity::High,
        FailOn::Critical => Severity::Critical,
    });
    let met = threshold.is_some_and(|t| {
        outcome
            .alerts
            .iter()
            .any(|a| a.mode == "alert" && a.severity >= u32::from(t.score()))
    });
    Ok(match decode::exit(&outcome.ran) {
        Exit::Ok if met => Exit::Failed,
        other => other,
    })
}

/// Bounds of the alert stage.
pub fn limits(config: &Config) -> Limits {
    Limits {
        cap: config.alerts.cap_per_rule,
        cap_window_ns: i64::try_from(config.alerts.cap_window_s)
            .unwrap_or(i64::MAX / 2_000_000_000)
            .saturating_mul(1_000_000_000),
        max_suppressions: config.alerts.max_suppressions,
    }
}

/// A second pass over the captures: a small pcapng per alert.
fn cut_evidence(dir: &Path, sources: &[Source], alerts: &[Alert]) -> Result<()> {
    std::fs::create_dir_all(dir)
        .with_context(|| format!("cannot make folder {}", dir.display()))?;
    for source in sources {
        let name = source.name();
        let created = |a: &&Alert| a.record() == telltale_alert::v1::RecordKind::Created;
        let mine: Vec<(&Alert, u64)> = alerts
            .iter()
            .filter(created)
            .flat_map(|a| {
                a.evidence
                    .iter()
                    .filter(|e| e.capture_file == name && e.packet > 0)
                    .map(move |e| (a, e.packet))
            })
            .collect();
        let wanted: BTreeSet<u64> = mine
            .iter()
            .flat_map(|(_, p)| p.saturating_sub(EVIDENCE_AROUND)..=p + EVIDENCE_AROUND)
            .collect();
        if wanted.is_empty() || name == "-" {
            continue;
        }
        let mut kept: BTreeMap<u64, evidence::Packet> = BTreeMap::new();
        let mut reader = source.open()?;
        while let Ok(Some(p)) = reader.next_packet() {
            if wanted.contains(&p.number) {
                kept.insert(
                    p.number,
                    evidence::Packet {
                        number: p.number,
                        ts_ns: p.ts_ns,
                        link_type: p.link_type,
                        data: p.data.to_vec(),
                        orig_len: p.orig_len,
                    },
                );
            }
            if wanted.last().is_some_and(|last| p.number >= *last) {
                break;
            }
        }
        for (alert, packet) in mine {
            let range = packet.saturating_sub(EVIDENCE_AROUND)..=packet + EVIDENCE_AROUND;
            let packets: Vec<evidence::Packet> =
                kept.range(range).map(|(_, p)| p.clone()).collect();
            let path = dir.join(format!("{}.pcapng", alert.id));
            let mut file = std::io::BufWriter::new(
                std::fs::File::create(&path)
                    .with_context(|| format!("cannot write {}", path.display()))?,
            );
            evidence::write(&mut file, &name, &alert.sentence, &packets)?;
            file.flush()?;
        }
    }
    Ok(())
}

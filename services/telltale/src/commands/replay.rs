//! `telltale replay`

mod kept;

use super::decode;
use crate::cli::{FailOn, ReplayArgs};
use crate::config::{AlertFormat, Config};
use crate::drive::{self, Ran, Source};
use crate::{Exit, content, output};
use anyhow::{Context as _, Result, anyhow};
use kept::Kept;
use std::io::Write;
use std::sync::mpsc::sync_channel;
use telltale_alert::{Alert, Limits, Stage, encode};
use telltale_engine::Detector;
use telltale_engine::detector;
use telltale_rules::{RuleSet, Severity, Site};
use telltale_schema::Frame;

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
    pub evidence: bool,
}

/// What came of it.
pub struct Outcome {
    pub ran: Ran,
    pub kept: Kept,
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
        let (mut detector, found) =
            Detector::compile(self.rules, self.site, detector::Config::default());
        content::report(&found);
        let mut stage = Stage::new(self.rules, self.site, limits);
        let mut kept = Kept::new(self.evidence);
        let mut fresh = Vec::new();
        let mut findings = Vec::new();
        let mut detect = |frame: &Frame, out: &mut dyn Write| -> Result<()> {
            detector.frame(frame, 0, &mut findings);
            for finding in findings.drain(..) {
                stage.push(&finding, &mut fresh);
            }
            stage.advance(detector.watermark(), &mut fresh);
            self.write(&fresh, out)?;
            fresh.drain(..).for_each(|alert| kept.take(&alert));
            Ok(())
        };
        let ran = if self.threads < 2 {
            drive::run(
                sources,
                self.site,
                capture,
                self.quiet,
                self.speed,
                |frame| detect(&frame, out).map(|()| true),
            )?
        } else {
            let (sender, receiver) = sync_channel::<Frame>(FRAMES_AHEAD);
            std::thread::scope(|scope| -> Result<Ran> {
                let decoder = scope.spawn(move || {
                    drive::run(
                        sources,
                        self.site,
                        capture,
                        self.quiet,
                        self.speed,
                        |frame| Ok(sender.send(frame).is_ok()),
                    )
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
        detector.finish(&mut findings);
        for finding in findings {
            stage.push(&finding, &mut fresh);
        }
        stage.finish(&mut fresh);
        self.write(&fresh, out)?;
        fresh.iter().for_each(|alert| kept.take(alert));
        out.flush()?;
        let mut summary = decode::summary(&ran);
        summary.push_str(&self.counts(&kept, &stage));
        for na in detector.not_applicable() {
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
        let (engine, counters) = (detector.engine(), detector.counters());
        if engine.failed() > 0 {
            summary.push_str(&format!(
                "\n  {} times a condition could not be worked out for a row (a division by zero?), which then does not match; guard it in the rule",
                engine.failed()
            ));
        }
        if engine.forgotten() > 0 {
            summary.push_str(&format!(
                "\n  {} times the kept answers of a list's look-ups were full and begun anew",
                engine.forgotten()
            ));
        }
        if counters.late > 0 {
            summary.push_str(&format!(
                "\n  {} rows were older than their sensor's watermark: windows and sequences did not see them",
                counters.late
            ));
        }
        if counters.refused + counters.evicted + counters.forced > 0 {
            summary.push_str(&format!(
                "\n  {} rows found no room in what rules remember, {} begun sequences were given up, {} times rows went on before their turn",
                counters.refused, counters.evicted, counters.forced
            ));
        }
        Ok(Outcome { ran, kept, summary })
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

    fn counts(&self, kept: &Kept, stage: &Stage) -> String {
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
        text.push_str(&kept.lines());
        if kept.uncut > 0 {
            text.push_str(&format!(
                "
  {} alerts without evidence: too many for one run",
                kept.uncut
            ));
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
        evidence: args.evidence_dir.is_some(),
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
        outcome.kept.cut_evidence(dir, &sources)?;
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
    let met = threshold.is_some_and(|t| outcome.kept.worst >= Some(u32::from(t.score())));
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

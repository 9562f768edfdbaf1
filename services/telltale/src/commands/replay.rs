//! `telltale replay`

mod kept;

use super::decode;
use crate::cli::{FailOn, ReplayArgs};
use crate::config::{AlertFormat, Config};
use crate::drive::{self, Ran, Source};
use crate::{Exit, content, output};
use anyhow::{Context as _, Result, anyhow, bail};
use kept::Kept;
use std::io::Write;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use telltale_alert::{Alert, Limits, Stage, encode};
use telltale_bus::{Command, CommandKind, ContentHash, Control, Record, SensorFrame};
use telltale_engine::Engine;
use telltale_partition::{Library, Output, Partition};
use telltale_rules::{Diagnostic, RuleSet, Severity, Site};
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
        let (rules, found) = runnable(self.rules, self.site);
        content::report(&found);
        let name: Arc<str> = Arc::from(self.site.toml.name.as_str());
        let mut partition = begin(rules, self.site, limits);
        let mut offset = 2;
        let mut kept = Kept::new(self.evidence);
        let mut fresh = Vec::new();
        let mut detect = |frame: Frame, out: &mut dyn Write| -> Result<()> {
            let record = Record::Frame(SensorFrame { epoch: 0, frame });
            follow(&mut partition, &mut offset, &record, &mut fresh);
            self.take(&mut fresh, &mut kept, out)
        };
        let ran = if self.threads < 2 {
            drive::run(
                sources,
                self.site,
                capture,
                self.quiet,
                self.speed,
                |frame| detect(frame, out).map(|()| true),
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
                    detected = detect(frame, out);
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
        partition.finish(&mut fresh);
        self.take(&mut fresh, &mut kept, out)?;
        out.flush()?;
        let Some((detector, stage)) = partition.site_state(&name) else {
            bail!("the partition has lost its site");
        };
        let mut summary = decode::summary(&ran);
        summary.push_str(&self.counts(&kept, stage));
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

    /// Writes what came of a record.
    fn take(&self, fresh: &mut Vec<Output>, kept: &mut Kept, out: &mut dyn Write) -> Result<()> {
        let mut alerts = Vec::new();
        for output in fresh.drain(..) {
            match output {
                Output::Alert(alert) => alerts.push(*alert),
                Output::Health(health) => {
                    eprintln!("telltale: {}: {}", health.code, health.sentence);
                }
                Output::Quarantine { rule, why } => {
                    eprintln!("telltale: the rule {rule} is over its budget: {why}");
                }
                // counted in the summary
                Output::Late(_) => {}
            }
        }
        self.write(&alerts, out)?;
        alerts.iter().for_each(|alert| kept.take(alert));
        Ok(())
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

/// The rules that can run at a site, and what is wrong with the others: a bad rule is
/// refused alone.
fn runnable(rules: &RuleSet, site: &Site) -> (RuleSet, Vec<Diagnostic>) {
    let (_, found) = Engine::compile(rules, site);
    let mut good = rules.clone();
    good.rules
        .retain(|r| found.iter().all(|d| d.file != r.file));
    (good, found)
}

/// One rule set and one site.
struct Given {
    rules: Arc<RuleSet>,
    site: Arc<Site>,
}

impl Library for Given {
    fn rules(&self, _: &ContentHash) -> Option<Arc<RuleSet>> {
        Some(self.rules.clone())
    }

    fn site(&self, _: &ContentHash) -> Option<Arc<Site>> {
        Some(self.site.clone())
    }
}

/// A partition with these rules and this site, as two control records would bring them.
fn begin(rules: RuleSet, site: &Site, limits: Limits) -> Partition<Given> {
    let given = Given {
        rules: Arc::new(rules),
        site: Arc::new(site.clone()),
    };
    let config = telltale_partition::Config {
        alerts: limits,
        ..Default::default()
    };
    let mut partition = Partition::new(given, config);
    let hash = ContentHash([0; 32]);
    let mut none = Vec::new();
    for (offset, control) in (0..).zip([Control::Context(hash), Control::Rules(hash)]) {
        partition.step(offset, 0, &Record::Control(control), &mut none);
    }
    partition
}

/// Takes a record, and what an owner of the partition appends because of it: a rule that
/// is over its budget is quarantined.
fn follow(
    partition: &mut Partition<Given>,
    offset: &mut u64,
    record: &Record,
    out: &mut Vec<Output>,
) {
    partition.step(*offset, 0, record, out);
    *offset += 1;
    let over: Vec<Record> = out
        .iter()
        .filter_map(|output| match output {
            Output::Quarantine { rule, why } => Some(Command {
                kind: CommandKind::QuarantineRule,
                args: vec![rule.clone(), why.clone()],
            }),
            _ => None,
        })
        .map(|command| Record::Control(Control::Command(command)))
        .collect();
    for record in &over {
        partition.step(*offset, 0, record, out);
        *offset += 1;
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

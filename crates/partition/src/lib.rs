//! One partition, one state, one pure function.
//!
//! [`Partition::step`] takes the records of a log in their order and says what comes of
//! each. It reads no clock and knows no chance: the time of the log is the running
//! maximum of the times at which its records were appended, and rule sets, site content
//! and operator commands take effect at their records. So the same log gives the same
//! outputs, in the same order, on any node; state can be taken out after any record
//! ([`Partition::snapshot`]), put back in another process, and the outputs go on as if
//! nothing had happened.
#![forbid(unsafe_code)]

mod bound;
mod clock;
mod health;
mod load;
pub mod owner;
mod site;
mod snapshot;
mod taken;

pub use bound::STATE_BYTES;
pub use clock::AHEAD_NS;
pub use health::Health;
pub use snapshot::{FORMAT, Frozen, Manifest, Snapshot, SnapshotError};
pub use taken::{MAX_EPOCHS, MAX_MISSING, Taken, Verdict};

use site::SiteRun;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use telltale_alert::{Alert, Limits, Stage};
use telltale_bus::{Command, CommandKind, ContentHash, Control, Record};
use telltale_engine::{Detector, detector};
use telltale_rules::{RuleSet, Site};
use telltale_schema::TableBatch;

/// Where rule sets and site content are found by the hashes that control records name.
pub trait Library {
    /// The rule set of a hash.
    fn rules(&self, hash: &ContentHash) -> Option<Arc<RuleSet>>;
    /// The site content of a hash.
    fn site(&self, hash: &ContentHash) -> Option<Arc<Site>>;
}

/// Settings of a partition.
#[derive(Debug, Clone, Copy)]
pub struct Config {
    /// Of each site's rules.
    pub detector: detector::Config,
    /// Of each site's alerts.
    pub alerts: Limits,
    /// A sensor whose times are ahead of the log's by more than this (nanoseconds,
    /// usually [`AHEAD_NS`]) has a wrong clock: its frames are moved back. `None` where
    /// the log has no clock, as in a replay of captures.
    pub ahead_ns: Option<i64>,
    /// Bytes that all rules of all sites may remember together, by count (usually
    /// [`STATE_BYTES`]); at the bound what holds most forgets its oldest half.
    pub state_bytes: usize,
}

/// What comes of a record.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// A record of an alert.
    Alert(Box<Alert>),
    /// Something about Telltale itself that a person should know.
    Health(Health),
    /// A rule is over its budget: whoever owns the partition appends a command to
    /// quarantine it.
    Quarantine {
        /// Id of the rule.
        rule: String,
        /// Why.
        why: String,
    },
    /// Rows older than their own sensor's watermark: only rules of single rows have seen
    /// them. They go to a place of their own, to be looked at or run again.
    Late(Box<Late>),
}

/// Late rows of a frame.
#[derive(Debug, Clone, PartialEq)]
pub struct Late {
    /// Name of the site.
    pub site: Arc<str>,
    /// Name of the sensor.
    pub sensor: Arc<str>,
    /// Spool of the sensor, and number of the frame in it.
    pub frame: (u64, u64),
    /// The rows of one table, oldest first.
    pub rows: TableBatch,
}

/// What a partition did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Counters {
    /// Frames taken.
    pub frames: u64,
    /// Frames that were taken before.
    pub repeated: u64,
    /// Frames that were found missing.
    pub gaps: u64,
    /// Frames that filled a gap.
    pub filled: u64,
    /// Frames that were dropped before they could be delivered.
    pub lost: u64,
    /// Control records that changed nothing because they could not.
    pub refused: u64,
    /// Rows older than their own sensor's watermark.
    #[serde(default)]
    pub late: u64,
    /// Keys, groups and begun sequences that went because the state was over its bound.
    #[serde(default)]
    pub forgotten: u64,
    /// Rows that were moved back because their sensor's clock was ahead.
    #[serde(default)]
    pub retimed: u64,
}

/// The state of one partition.
pub struct Partition<L> {
    library: L,
    config: Config,
    rules_hash: Option<ContentHash>,
    /// The rule set that holds.
    whole: Arc<RuleSet>,
    /// The same without rules in quarantine: what runs.
    rules: Arc<RuleSet>,
    quarantined: BTreeSet<String>,
    sites: BTreeMap<Arc<str>, SiteRun>,
    /// Running maximum of the times of records.
    now_ns: i64,
    /// Time of the log at which the bound of the state was last spoken of.
    said_full: i64,
    /// Offset of the record that is due.
    next_offset: u64,
    counters: Counters,
}

impl<L: Library> Partition<L> {
    /// A partition that has seen nothing.
    #[must_use]
    pub fn new(library: L, config: Config) -> Self {
        Self {
            library,
            config,
            rules_hash: None,
            whole: Arc::default(),
            rules: Arc::default(),
            quarantined: BTreeSet::new(),
            sites: BTreeMap::new(),
            now_ns: i64::MIN,
            said_full: i64::MIN,
            next_offset: 0,
            counters: Counters::default(),
        }
    }

    /// What was done so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Rules and alerts of a site.
    #[must_use]
    pub fn site_state(&self, name: &str) -> Option<(&Detector, &Stage)> {
        self.sites.get(name).map(|run| (&run.detector, &run.stage))
    }

    /// Offset of the record that is due.
    #[must_use]
    pub fn next_offset(&self) -> u64 {
        self.next_offset
    }

    /// Takes the record at an offset of the log, appended at `time_ns` by the log's
    /// clock; what comes of it goes to `out`, in order. A record before the one that is
    /// due was taken already and does nothing.
    pub fn step(&mut self, offset: u64, time_ns: i64, record: &Record, out: &mut Vec<Output>) {
        if offset < self.next_offset {
            return;
        }
        self.next_offset = offset + 1;
        self.now_ns = self.now_ns.max(time_ns);
        match record {
            Record::Frame(frame) => self.frame(frame, out),
            Record::Control(Control::Tick) => {
                for run in self.sites.values_mut() {
                    run.tick(self.now_ns, out);
                }
            }
            Record::Control(Control::Rules(hash)) => self.load_rules(*hash, out),
            Record::Control(Control::Context(hash)) => self.load_context(*hash, out),
            Record::Control(Control::Command(command)) => self.command(command, out),
            Record::Loss(loss) => {
                let frames = loss.to_seq.saturating_sub(loss.from_seq).saturating_add(1);
                self.counters.lost = self.counters.lost.saturating_add(frames);
                let now = self.now_ns;
                let run = self.site(&loss.site);
                run.taken.entry(loss.sensor.clone()).or_default().lose(
                    loss.epoch,
                    loss.from_seq,
                    loss.to_seq,
                );
                out.push(Output::Health(Health::lost(loss, frames, now)));
            }
        }
    }

    /// The input has ended: all rows have their turn, all that is open is said.
    pub fn finish(&mut self, out: &mut Vec<Output>) {
        for run in self.sites.values_mut() {
            run.finish(out);
        }
    }

    fn site(&mut self, name: &Arc<str>) -> &mut SiteRun {
        let (rules, config) = (&self.rules, self.config);
        self.sites.entry(name.clone()).or_insert_with(|| {
            let mut site = Site::builtin_default();
            site.toml.name = name.to_string();
            SiteRun::new(rules.clone(), Arc::new(site), config)
        })
    }

    fn frame(&mut self, frame: &telltale_bus::SensorFrame, out: &mut Vec<Output>) {
        let now = self.now_ns;
        let (epoch, frame) = (frame.epoch, &frame.frame);
        let run = self.site(&frame.site);
        let verdict = run
            .taken
            .entry(frame.sensor.clone())
            .or_default()
            .take(epoch, frame.seq);
        if verdict == Verdict::Seen {
            self.counters.repeated += 1;
            return;
        }
        let retimed = run.frame(frame, now, out);
        let mut late = 0_u64;
        for rows in run.detector.take_late() {
            late = late.saturating_add(rows.batch.num_rows() as u64);
            out.push(Output::Late(Box::new(Late {
                site: frame.site.clone(),
                sensor: frame.sensor.clone(),
                frame: (epoch, frame.seq),
                rows,
            })));
        }
        let over = run.over_budget();
        self.counters.frames += 1;
        self.counters.late = self.counters.late.saturating_add(late);
        self.counters.retimed = self.counters.retimed.saturating_add(retimed);
        match verdict {
            Verdict::Gap(from, to) => {
                self.counters.gaps = self.counters.gaps.saturating_add(to - from + 1);
                out.push(Output::Health(Health::gap(frame, from, to, now)));
            }
            Verdict::Late => self.counters.filled += 1,
            Verdict::Next | Verdict::Seen => {}
        }
        self.hold_bound(out);
        for (rule, rows) in over {
            if self.quarantined.contains(&rule) {
                continue;
            }
            out.push(Output::Quarantine {
                why: format!("{rows} rows found no room in what it may remember"),
                rule,
            });
        }
    }

    fn command(&mut self, command: &Command, out: &mut Vec<Output>) {
        let Some((rule, rest)) = command.args.split_first() else {
            return self.refuse("a command names no rule".to_owned(), out);
        };
        if self.whole.rules.iter().all(|r| r.id != *rule) {
            return self.refuse(
                format!("a command names the rule {rule}, which is not there"),
                out,
            );
        }
        match command.kind {
            CommandKind::ApproveFirstSeen | CommandKind::RemoveFirstSeen => {
                let approve = command.kind == CommandKind::ApproveFirstSeen;
                let index = self.rules.rules.iter().position(|r| r.id == *rule);
                let fits: usize = self
                    .sites
                    .values_mut()
                    .map(|run| run.settle(index, rest, approve))
                    .sum();
                if fits == 0 {
                    self.refuse(
                        format!("the rule {rule} knows no key {}", rest.join(", ")),
                        out,
                    );
                }
            }
            CommandKind::QuarantineRule => {
                if self.quarantined.insert(rule.clone()) {
                    self.apply_quarantine(out);
                    let why = rest.join(" ");
                    out.push(Output::Health(Health::quarantined(rule, &why, self.now_ns)));
                }
            }
            CommandKind::ReleaseRule => {
                if self.quarantined.remove(rule) {
                    self.apply_quarantine(out);
                }
            }
        }
    }

    /// A control record that cannot be followed changes nothing, and somebody is told.
    fn refuse(&mut self, why: String, out: &mut Vec<Output>) {
        self.counters.refused += 1;
        out.push(Output::Health(Health::refused(why, self.now_ns)));
    }
}

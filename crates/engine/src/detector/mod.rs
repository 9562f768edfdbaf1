//! A site's rules over its frames, in the order of event time.
//!
//! Rows wait until the site's watermark has passed them: the oldest watermark of its
//! sensors. Then they are seen in the order (event time, sensor, row number), timers
//! before rows of the same time, so that what is found depends neither on how rows were
//! cut into frames nor on how sensors took turns. A sensor that is silent for
//! [`Config::idle_ns`] holds the others back no longer: from then on its watermark goes
//! with the clock of the log. Rows that the watermark has passed when they come:
//!
//! - no older than their own sensor's watermark (it was away and is back): they run in
//!   the sensor's catch-up lane, with windows and sequences of their own, until it has
//!   caught up; findings say by how much they are late;
//! - older: they are late rows. Rules of single rows see them, others do not; they are
//!   counted.

mod bound;
mod held;
mod lane;
mod run;
mod state;

pub use bound::{Forgotten, Holder};
pub use state::{FORMAT, Frozen, Part, Restored, StateError};

use crate::engine::{Engine, NotApplicable};
use crate::memory::Limits;
use crate::memory::first_seen::{Seen, SeenKey};
use held::Held;
use lane::Lane;
use std::collections::BTreeMap;
use std::sync::Arc;
use telltale_rules::{Diagnostic, Finding, RuleSet, Site};
use telltale_schema::{Frame, TableBatch};

/// Settings of a detector.
#[derive(Debug, Clone, Copy)]
pub struct Config {
    /// A sensor that is silent for so long (nanoseconds of the log's clock) holds the
    /// others back no longer.
    pub idle_ns: i64,
    /// Rows that wait for the watermark, in bytes; beyond, the oldest go on early.
    pub held_bytes: usize,
    /// Bounds of what rules remember.
    pub limits: Limits,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            idle_ns: 30_000_000_000,
            held_bytes: 256 << 20,
            limits: Limits::default(),
        }
    }
}

/// What was seen and what was given up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Rows whose turn came.
    pub rows: u64,
    /// Rows older than their own sensor's watermark: not seen by windows and sequences.
    pub late: u64,
    /// Rows that came after the site's watermark, from a sensor that was away.
    pub caught_up: u64,
    /// Times that rows went on early because too many waited.
    pub forced: u64,
    /// Rows that a rule could not remember: too many groups, keys or begun sequences.
    pub refused: u64,
    /// Begun sequences that were given up: too many of one key.
    pub evicted: u64,
    /// Keys, groups and begun sequences that went because all together weighed too much.
    pub forgotten: u64,
}

/// What is known of a sensor.
#[derive(Debug, Clone, Copy)]
struct Sensor {
    /// No later row of it is older.
    watermark: i64,
    /// Time of the log at which it was last heard.
    heard: i64,
}

/// Rules of one site with all that they remember.
pub struct Detector {
    engine: Engine,
    config: Config,
    site: Arc<str>,
    sensors: BTreeMap<Arc<str>, Sensor>,
    held: Vec<Held>,
    held_bytes: usize,
    /// Late rows of the last frame.
    late: Vec<TableBatch>,
    watermark: i64,
    /// Time of the log.
    now: i64,
    main: Lane,
    lanes: BTreeMap<Arc<str>, Lane>,
    /// Of each of the engine's questions, its `first_seen()` calls.
    seen: Vec<Vec<Seen>>,
    counters: Counters,
    /// Which question is one of a rule without memory.
    plain: Vec<bool>,
    hits: Vec<Vec<crate::memory::chunk::Hit>>,
}

impl Detector {
    /// Compiles all rules that apply at the site. A rule that cannot run is refused
    /// alone, with diagnostics.
    #[must_use]
    pub fn compile(rules: &RuleSet, site: &Site, config: Config) -> (Self, Vec<Diagnostic>) {
        let (engine, found) = Engine::compile(rules, site);
        let main = Lane::new(&engine, rules);
        let mut plain = vec![true; engine.asked().len()];
        let mut seen: Vec<Vec<Seen>> = plain.iter().map(|_| Vec::new()).collect();
        for stateful in engine.stateful() {
            let alone = rules
                .rules
                .get(stateful.rule)
                .is_some_and(|r| r.sequence.is_none());
            for (at, part) in stateful.parts.iter().enumerate() {
                if let Some(plain) = plain.get_mut(stateful.first + at) {
                    *plain = alone && part.window.is_none();
                }
                if let Some(seen) = seen.get_mut(stateful.first + at) {
                    let calls = part.first_seen.iter();
                    seen.extend(calls.map(|c| Seen::new(c.clone(), part.columns, site.zone)));
                }
            }
        }
        let detector = Self {
            hits: plain.iter().map(|_| Vec::new()).collect(),
            engine,
            config,
            site: Arc::from(site.toml.name.as_str()),
            sensors: BTreeMap::new(),
            held: Vec::new(),
            held_bytes: 0,
            late: Vec::new(),
            watermark: i64::MIN,
            now: i64::MIN,
            main,
            lanes: BTreeMap::new(),
            seen,
            counters: Counters::default(),
            plain,
        };
        (detector, found)
    }

    /// What the rules ask of single rows.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Rules that need site content which is not there.
    #[must_use]
    pub fn not_applicable(&self) -> &[NotApplicable] {
        self.engine.not_applicable()
    }

    /// Forgets all that was seen; the rules stay as they are compiled.
    pub fn forget(&mut self) {
        self.main = self.main.empty(&self.engine);
        self.lanes.clear();
        self.sensors.clear();
        self.held.clear();
        self.held_bytes = 0;
        self.late.clear();
        self.watermark = i64::MIN;
        self.now = i64::MIN;
        self.counters = Counters::default();
        for seen in self.seen.iter_mut().flatten() {
            *seen = seen.empty();
        }
    }

    /// Has the rule no memory: no window, no sequence, no `first_seen()`?
    #[must_use]
    pub fn is_plain(&self, rule: usize) -> bool {
        self.engine.stateful().iter().all(|s| s.rule != rule)
    }

    /// What was seen and what was given up.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let mut counters = self.counters;
        for lane in std::iter::once(&self.main).chain(self.lanes.values()) {
            counters.refused += lane.refused();
            counters.evicted += lane.evicted();
        }
        counters.refused += self.seen.iter().flatten().map(|s| s.refused).sum::<u64>();
        counters
    }

    /// All older rows have had their turn.
    #[must_use]
    pub fn watermark(&self) -> i64 {
        self.watermark
    }

    /// Bytes of what rules remember and of rows that wait.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let lanes = std::iter::once(&self.main).chain(self.lanes.values());
        let seen = self.seen.iter().flatten();
        self.held_bytes
            + lanes.map(Lane::bytes).sum::<usize>()
            + seen
                .map(|s| s.keys.bytes() + s.entries.capacity() * 32)
                .sum::<usize>()
    }

    /// A frame was read at this time of the log (nanoseconds; any constant where there
    /// is no clock). Findings go to `out`, in order.
    pub fn frame(&mut self, frame: &Frame, now: i64, out: &mut Vec<Finding>) {
        self.now = self.now.max(now);
        self.late.clear();
        let before = self
            .sensors
            .get(&frame.sensor)
            .map_or(i64::MIN, |s| s.watermark);
        for batch in &frame.batches {
            self.hold(&frame.sensor, batch, before, out);
        }
        let sensor = self.sensors.entry(frame.sensor.clone()).or_insert(Sensor {
            watermark: i64::MIN,
            heard: i64::MIN,
        });
        sensor.watermark = sensor.watermark.max(frame.watermark);
        sensor.heard = self.now;
        self.advance(out);
    }

    /// Late rows of the last frame, in the order of their times: windows and sequences
    /// have not seen them. Takes them out; the next frame drops what was not taken.
    pub fn take_late(&mut self) -> Vec<TableBatch> {
        std::mem::take(&mut self.late)
    }

    /// The log's clock says this time, and nothing came.
    pub fn tick(&mut self, now: i64, out: &mut Vec<Finding>) {
        self.now = self.now.max(now);
        self.advance(out);
    }

    /// The input has ended: all rows have their turn, and all windows close.
    pub fn finish(&mut self, out: &mut Vec<Finding>) {
        let lanes: Vec<Arc<str>> = self.lanes.keys().cloned().collect();
        for sensor in lanes {
            self.catch_up(&sensor, i64::MAX, out);
        }
        self.release(i64::MAX, false, out);
    }

    /// Where a sensor's silence lets the others go: its watermark, or what the clock
    /// makes of it; and whether it is the clock that says so.
    fn effective(&self, sensor: &Sensor) -> (i64, bool) {
        let silent = self
            .now
            .saturating_sub(sensor.heard)
            .saturating_sub(self.config.idle_ns);
        if silent > 0 {
            (sensor.watermark.saturating_add(silent), true)
        } else {
            (sensor.watermark, false)
        }
    }

    fn advance(&mut self, out: &mut Vec<Finding>) {
        let oldest = self.sensors.values().map(|s| self.effective(s)).min();
        let (mut until, mut by_clock) = oldest.unwrap_or((i64::MIN, false));
        if self.held_bytes > self.config.held_bytes {
            // the oldest half of what waits goes on
            let mut firsts: Vec<i64> = self.held.iter().map(|h| h.last).collect();
            firsts.sort_unstable();
            let middle = firsts.get(firsts.len() / 2).copied().unwrap_or(until);
            if middle.saturating_add(1) > until {
                until = middle.saturating_add(1);
                by_clock = true;
                self.counters.forced += 1;
            }
        }
        if until > self.watermark {
            self.release(until, by_clock, out);
        }
        let behind: Vec<(Arc<str>, i64)> = self
            .lanes
            .keys()
            .filter_map(|name| Some((name.clone(), self.sensors.get(name)?.watermark)))
            .collect();
        for (sensor, watermark) in behind {
            let until = if watermark >= self.watermark {
                i64::MAX
            } else {
                watermark
            };
            self.catch_up(&sensor, until, out);
        }
    }

    /// Takes on another rule set or other content of the site. Rules that mean the same
    /// keep what they remember; findings of others say until when they may see too
    /// little.
    ///
    /// # Errors
    /// When a rule of the set cannot run: nothing has changed then.
    pub fn reload(&mut self, rules: &RuleSet, site: &Site) -> Result<Restored, Vec<Diagnostic>> {
        let (fresh, restored) = self.taken_over(rules, site)?;
        *self = fresh;
        Ok(restored)
    }

    /// A detector for another rule set or other content that goes on where this one is.
    ///
    /// # Errors
    /// When a rule of the set cannot run.
    pub fn reloaded(&self, rules: &RuleSet, site: &Site) -> Result<Self, Vec<Diagnostic>> {
        self.taken_over(rules, site).map(|(fresh, _)| fresh)
    }

    fn taken_over(
        &self,
        rules: &RuleSet,
        site: &Site,
    ) -> Result<(Self, Restored), Vec<Diagnostic>> {
        let (mut fresh, found) = Self::compile(rules, site, self.config);
        if !found.is_empty() {
            return Err(found);
        }
        let parts = self.parts();
        let restored = fresh.restore(&parts).map_err(|error| {
            vec![Diagnostic::error(
                "TT-STATE-001",
                "state",
                (0, 0),
                error.to_string(),
            )]
        })?;
        let known: Vec<(String, u64)> = (0..self.engine.asked().len())
            .map(|n| (self.rule_of(n), self.fingerprint(n)))
            .collect();
        let kept: Vec<bool> = (0..fresh.engine.asked().len())
            .map(|n| known.contains(&(fresh.rule_of(n), fresh.fingerprint(n))))
            .collect();
        let now = fresh.watermark;
        let lanes = std::iter::once(&mut fresh.main).chain(fresh.lanes.values_mut());
        for lane in lanes {
            lane.warm(now, |asked| kept.get(asked).copied().unwrap_or(false));
        }
        Ok((fresh, restored))
    }

    /// Rules for which rows found no room in what they may remember, with the number of
    /// rows.
    #[must_use]
    pub fn over_budget(&self) -> Vec<(usize, u64)> {
        let mut out = self.main.over();
        for (asked, calls) in self.engine.asked().iter().zip(&self.seen) {
            let refused: u64 = calls.iter().map(|s| s.refused).sum();
            if refused > 0 {
                out.push((asked.rule, refused));
            }
        }
        out.sort_unstable();
        out.dedup_by_key(|o| o.0);
        out
    }

    /// The keys that a rule's `first_seen()` knows, call by call.
    #[must_use]
    pub fn seen(&self, rule: usize) -> Vec<(String, Vec<SeenKey>)> {
        let of_rule = self.engine.asked().iter().zip(&self.seen);
        of_rule
            .filter(|(asked, _)| asked.rule == rule)
            .flat_map(|(_, calls)| calls)
            .map(|seen| (seen.call.text.clone(), seen.list()))
            .collect()
    }

    /// Approves a key of a rule's `first_seen()`, written as people read it; says how
    /// many keys fit.
    pub fn approve(&mut self, rule: usize, key: &[String]) -> usize {
        let now = self.watermark;
        self.settle(rule, key, Some(now))
    }

    /// Removes a key of a rule's `first_seen()`: it will be new again.
    pub fn remove(&mut self, rule: usize, key: &[String]) -> usize {
        self.settle(rule, key, None)
    }

    fn settle(&mut self, rule: usize, key: &[String], approve: Option<i64>) -> usize {
        let of_rule = self.engine.asked().iter().zip(&mut self.seen);
        of_rule
            .filter(|(asked, _)| asked.rule == rule)
            .flat_map(|(_, calls)| calls)
            .map(|seen| seen.settle(key, approve))
            .sum()
    }
}

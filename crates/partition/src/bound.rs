//! What all rules of a partition may remember together.

use crate::{Config, Health, Library, Output, Partition};
use std::collections::BTreeMap;
use telltale_engine::detector::Holder;

/// Bytes that rules of a partition may remember, unless told otherwise.
pub const STATE_BYTES: usize = 1 << 30;

/// Frames from one look to the next.
const LOOK: u64 = 16;

/// It is said so often at most, by the log's clock.
const SAY_NS: i64 = 3_600_000_000_000;

impl<L: Library> Partition<L> {
    /// Bytes that rules remember, by count; what is out of date may be among it.
    #[must_use]
    pub fn state_weight(&self) -> usize {
        self.sites.values().map(|run| run.detector.weight()).sum()
    }

    /// Holds the bound: what is out of date goes first, then, until an eighth of the
    /// bound is free, the oldest half of what holds most. All of it depends on nothing
    /// but what the partition remembers, so that a replay forgets the same.
    pub(crate) fn hold_bound(&mut self, out: &mut Vec<Output>) {
        let bound = self.config.state_bytes;
        if !self.counters.frames.is_multiple_of(LOOK) || self.state_weight() <= bound {
            return;
        }
        for run in self.sites.values_mut() {
            run.detector.tidy();
        }
        let weight = self.state_weight();
        if weight <= bound {
            return;
        }
        let mut forgotten: BTreeMap<String, u64> = BTreeMap::new();
        let mut site = String::new();
        while self.state_weight() > bound - bound / 8 {
            let Some((name, holder)) = self.heaviest() else {
                break;
            };
            let Some(run) = self.sites.get_mut(name.as_str()) else {
                break;
            };
            let gone = run.detector.forget_half(&holder);
            self.counters.forgotten = self.counters.forgotten.saturating_add(gone.entries);
            for rule in gone.rules {
                *forgotten.entry(rule).or_default() += gone.entries;
            }
            if site.is_empty() {
                site = name;
            }
        }
        if self.now_ns.saturating_sub(self.said_full) >= SAY_NS {
            self.said_full = self.now_ns;
            let health = Health::full((weight, bound), site, &forgotten, self.now_ns);
            out.push(Output::Health(health));
        }
    }

    /// What remembers most, with its site; of equals the first.
    fn heaviest(&self) -> Option<(String, Holder)> {
        let mut most: Option<(usize, String, Holder)> = None;
        for (name, run) in &self.sites {
            for (holder, weight) in run.detector.holders() {
                if weight > most.as_ref().map_or(0, |m| m.0) {
                    most = Some((weight, name.to_string(), holder));
                }
            }
        }
        most.map(|(_, name, holder)| (name, holder))
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            detector: telltale_engine::detector::Config::default(),
            alerts: telltale_alert::Limits::default(),
            ahead_ns: None,
            state_bytes: STATE_BYTES,
        }
    }
}

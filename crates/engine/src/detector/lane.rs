//! Windows and sequences of the site, or of a sensor that catches up.

use crate::engine::Engine;
use crate::memory::Limits;
use crate::memory::chunk::{Chunk, Found, Hit};
use crate::memory::keys::KeySet;
use crate::memory::sequence::Sequence;
use crate::memory::window::Window;
use std::sync::Arc;
use telltale_rules::RuleSet;

/// State of windows and sequences.
pub(crate) struct Lane {
    pub key_sets: Vec<KeySet>,
    /// With the number of what each asks of rows.
    pub windows: Vec<(usize, Window)>,
    /// With the number of what its first step asks.
    pub sequences: Vec<(usize, Sequence)>,
    rules: Arc<RuleSet>,
    /// No timer up to here is left.
    pub until: i64,
}

/// Columns of a step's rows that a rule's texts speak of.
fn named(rule: &telltale_rules::Rule, step: &str) -> Vec<String> {
    let texts = std::iter::once(&rule.sentence).chain(&rule.response);
    let mut out: Vec<String> = vec![rule.entities.actor.clone(), rule.entities.target.clone()];
    out.extend(rule.correlation_key.iter().cloned());
    out.extend(rule.suppression.iter().flat_map(|s| s.0.iter().cloned()));
    for text in texts {
        for hole in text.split('{').skip(1) {
            let Some((hole, _)) = hole.split_once('}') else {
                continue;
            };
            match hole.split_once('.') {
                Some((of, column)) if of == step => out.push(column.to_owned()),
                Some(_) => {}
                None => out.push(hole.to_owned()),
            }
        }
    }
    out
}

impl Lane {
    pub(crate) fn new(engine: &Engine, rules: &RuleSet) -> Self {
        Self::build(engine, Arc::new(rules.clone()))
    }

    /// The rules.
    pub(crate) fn rules(&self) -> &RuleSet {
        &self.rules
    }

    /// A lane for the same rules that has seen nothing.
    pub(crate) fn empty(&self, engine: &Engine) -> Self {
        Self::build(engine, self.rules.clone())
    }

    fn build(engine: &Engine, rules: Arc<RuleSet>) -> Self {
        let mut lane = Self {
            key_sets: Vec::new(),
            windows: Vec::new(),
            sequences: Vec::new(),
            rules: rules.clone(),
            until: i64::MIN,
        };
        for stateful in engine.stateful() {
            let Some(rule) = rules.rules.get(stateful.rule) else {
                continue;
            };
            if let Some(form) = &rule.sequence {
                let steps = stateful
                    .parts
                    .iter()
                    .map(|p| (p.crossed.clone(), p.columns))
                    .collect();
                let made = Sequence::new(stateful.rule, form, steps, |step| named(rule, step));
                lane.sequences.push((stateful.first, made));
            }
            let Some(part) = stateful.parts.first() else {
                continue;
            };
            if let Some(spec) = &part.window {
                let known = lane.key_sets.iter().position(|k| k.columns == spec.keys);
                let at = known.unwrap_or_else(|| {
                    lane.key_sets.push(KeySet::new(spec.keys.clone()));
                    lane.key_sets.len() - 1
                });
                let window = Window::new(
                    stateful.rule,
                    at,
                    spec.clone(),
                    part.tables.clone(),
                    part.columns,
                );
                lane.windows.push((stateful.first, window));
            }
        }
        lane
    }

    pub(crate) fn refused(&self) -> u64 {
        self.key_sets.iter().map(|k| k.refused).sum::<u64>()
            + self.sequences.iter().map(|(_, s)| s.refused).sum::<u64>()
    }

    pub(crate) fn evicted(&self) -> u64 {
        self.sequences.iter().map(|(_, s)| s.evicted).sum()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.key_sets.iter().map(KeySet::bytes).sum::<usize>()
            + self.windows.iter().map(|(_, w)| w.bytes()).sum::<usize>()
            + self.sequences.iter().map(|(_, s)| s.bytes()).sum::<usize>()
    }

    /// Takes a chunk in; `hits` are the rows that fit each question.
    pub(crate) fn run(
        &mut self,
        chunk: &Chunk,
        hits: &[Vec<Hit>],
        limits: Limits,
        out: &mut Vec<Found>,
    ) {
        let rows = chunk.parts.iter().map(|p| p.batch.batch.num_rows()).sum();
        let now = self.until;
        self.sweep(now, |keys| keys.is_tight(rows, now, limits.groups));
        self.until = chunk.until;
        for keys in &mut self.key_sets {
            keys.begin(chunk);
        }
        for (asked, window) in &mut self.windows {
            let (Some(hits), Some(keys)) =
                (hits.get(*asked), self.key_sets.get_mut(window.key_set))
            else {
                continue;
            };
            window.run(chunk, hits, keys, limits.groups, out);
        }
        let mut merged: Vec<(Hit, u64)> = Vec::new();
        for (first, sequence) in &mut self.sequences {
            merged.clear();
            merge(chunk, hits, *first, sequence.steps.len(), &mut merged);
            sequence.run(chunk, &merged, limits, out);
        }
        self.sweep(chunk.until, KeySet::is_due);
    }

    /// Rows of a sensor that was away: what they disprove is taken back.
    pub(crate) fn take_back(&mut self, chunk: &Chunk, hits: &[Vec<Hit>], out: &mut Vec<Found>) {
        let mut merged: Vec<(Hit, u64)> = Vec::new();
        for (first, sequence) in &mut self.sequences {
            if sequence.provisional.is_empty() {
                continue;
            }
            merged.clear();
            merge(chunk, hits, *first, sequence.steps.len(), &mut merged);
            sequence.take_back(chunk, &merged, out);
        }
    }

    /// Rules for which rows found no room, with their number.
    pub(crate) fn over(&self) -> Vec<(usize, u64)> {
        let mut out: Vec<(usize, u64)> = Vec::new();
        for (_, window) in &self.windows {
            let refused = self.key_sets.get(window.key_set).map_or(0, |k| k.refused);
            out.push((window.rule, refused));
        }
        out.extend(self.sequences.iter().map(|(_, s)| (s.rule, s.refused)));
        out.retain(|o| o.1 > 0);
        out
    }

    /// Windows and sequences that were not there before `now` have not seen all of the
    /// time they look back on.
    pub(crate) fn warm(&mut self, now: i64, known: impl Fn(usize) -> bool) {
        for (_, window) in self.windows.iter_mut().filter(|w| !known(w.0)) {
            window.since = now;
        }
        for (_, sequence) in self.sequences.iter_mut().filter(|s| !known(s.0)) {
            sequence.since = now;
        }
    }

    /// Forgets groups that no window needs any more.
    pub(crate) fn sweep(&mut self, now: i64, due: impl Fn(&KeySet) -> bool) {
        for (at, keys) in self.key_sets.iter_mut().enumerate() {
            if !due(keys) {
                continue;
            }
            let windows = &self.windows;
            let of_set = || windows.iter().map(|w| &w.1).filter(|w| w.key_set == at);
            let remap = keys.sweep(|group| of_set().any(|w| w.needs(group, now)));
            keys.full_until = of_set().map(|w| w.next_close(now)).min().unwrap_or(now);
            let windows = self.windows.iter_mut().map(|w| &mut w.1);
            for window in windows.filter(|w| w.key_set == at) {
                window.renumber(&remap);
            }
        }
    }
}

/// The rows of all steps, in order, each with the steps that it fits.
fn merge(chunk: &Chunk, hits: &[Vec<Hit>], first: usize, steps: usize, out: &mut Vec<(Hit, u64)>) {
    let lists = hits.get(first..first + steps).unwrap_or_default();
    let rows: usize = lists.iter().map(Vec::len).sum();
    if rows == 0 {
        return;
    }
    let mut all: Vec<Hit> = Vec::with_capacity(rows);
    for list in lists {
        all.extend(list);
    }
    all.sort_unstable();
    all.dedup();
    chunk.sort(&mut all);
    out.extend(all.into_iter().map(|hit| {
        let fits = lists.iter().enumerate().fold(0_u64, |bits, (step, list)| {
            bits | u64::from(chunk.find(list, hit)) << step
        });
        (hit, fits)
    }));
}

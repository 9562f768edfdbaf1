//! One chunk through all rules.

use super::Detector;
use crate::memory::chunk::{Chunk, Found};
use std::sync::Arc;
use telltale_rules::Finding;
use telltale_schema::value::Value;

impl Detector {
    /// Runs a chunk: rules of single rows, then (unless rows are late) windows and
    /// sequences of the site or of a sensor's lane. Findings come in order.
    pub(super) fn run(
        &mut self,
        chunk: &Chunk,
        lane: Option<&Arc<str>>,
        late: bool,
        out: &mut Vec<Finding>,
    ) {
        let mut hits = std::mem::take(&mut self.hits);
        hits.iter_mut().for_each(Vec::clear);
        for (at, part) in chunk.parts.iter().enumerate() {
            self.counters.rows += part.batch.batch.num_rows() as u64;
            self.engine.ask(&part.batch, |asked, row| {
                if let Some(list) = hits.get_mut(asked) {
                    list.push((at as u32, row as u32));
                }
            });
        }
        let first = chunk.parts.iter().filter_map(|p| p.times().first()).min();
        let mut found: Vec<Found> = Vec::new();
        for (((list, seen), plain), asked) in hits
            .iter_mut()
            .zip(&mut self.seen)
            .zip(&self.plain)
            .zip(self.engine.asked())
        {
            if let Some(first) = first {
                for seen in seen.iter_mut() {
                    seen.began.get_or_insert(*first);
                }
            }
            if list.is_empty() {
                continue;
            }
            chunk.sort(list);
            if !seen.is_empty() {
                if late {
                    list.clear();
                    continue;
                }
                let all: Vec<_> = list.clone();
                for seen in seen.iter_mut() {
                    let mut fresh = all.clone();
                    seen.pass(chunk, &mut fresh, self.config.limits.first_seen);
                    list.retain(|hit| chunk.find(&fresh, *hit));
                }
            }
            if *plain {
                found.extend(
                    list.iter()
                        .filter_map(|hit| chunk.finding(asked.rule, *hit)),
                );
            }
        }
        if !late {
            if lane.is_some() {
                self.main.take_back(chunk, &hits, &mut found);
            }
            let lane = match lane {
                Some(sensor) => self.lanes.get_mut(sensor),
                None => Some(&mut self.main),
            };
            if let Some(lane) = lane {
                lane.run(chunk, &hits, self.config.limits, &mut found);
            }
        }
        found.sort_by(|a, b| (a.order, &a.key).cmp(&(b.order, &b.key)));
        out.extend(found.into_iter().map(|f| {
            let mut finding = f.finding;
            if finding.row.get("site").is_null() {
                finding.row.set("site", Value::Text(self.site.to_string()));
            }
            finding
        }));
        self.hits = hits;
    }
}

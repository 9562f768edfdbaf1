//! Keys that were seen before.

use super::chunk::{Chunk, Hit};
use super::groups::{GONE, Groups};
use super::pack::{cut, number as pack_number, pack, unpack};
use crate::cells::Cells;
use crate::sql::calls::FirstSeen;
use chrono::{TimeZone as _, Timelike as _};
use chrono_tz::Tz;
use telltale_schema::value::Value;
use telltale_schema::{ColumnDef, ColumnKind};

/// What is known of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Seen while learning, or approved by a person.
    Known,
    /// Seen after learning; every row with it is found until somebody approves it.
    Pending,
}

/// A key with what is known of it.
#[derive(Debug, Clone, PartialEq)]
pub struct SeenKey {
    /// Its values, in the order of the call's columns.
    pub key: Vec<Value>,
    /// Event time of its first row.
    pub first: i64,
    /// Event time of its last row.
    pub last: i64,
    /// Rows with it.
    pub rows: u64,
    /// Is it known?
    pub standing: Standing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub first: i64,
    pub last: i64,
    pub rows: u64,
    pub standing: Standing,
}

/// How often in a key's time to live room is made, at most.
const LOOKS: i64 = 64;

/// The keys of one `first_seen()`.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub call: FirstSeen,
    columns: &'static [ColumnDef],
    zone: Tz,
    pub keys: Groups,
    pub entries: Vec<Entry>,
    /// Event time of the first row that the rule could have seen.
    pub began: Option<i64>,
    /// Rows whose key found no room.
    pub refused: u64,
    /// Before this no room is made again: looking for it takes a while.
    pub full_until: i64,
    scratch: Vec<u8>,
}

impl Seen {
    pub(crate) fn new(call: FirstSeen, columns: &'static [ColumnDef], zone: Tz) -> Self {
        Self {
            call,
            columns,
            zone,
            keys: Groups::default(),
            entries: Vec::new(),
            began: None,
            refused: 0,
            full_until: i64::MIN,
            scratch: Vec::new(),
        }
    }

    /// The same call that has seen nothing.
    pub(crate) fn empty(&self) -> Self {
        Self::new(self.call.clone(), self.columns, self.zone)
    }

    /// Keeps the rows whose key is new; rows are in order.
    pub(crate) fn pass(&mut self, chunk: &Chunk, hits: &mut Vec<Hit>, most: usize) {
        let mut at = usize::MAX;
        let mut cells: Vec<Cells<'_>> = Vec::new();
        hits.retain(|hit| {
            if at != hit.0 as usize {
                at = hit.0 as usize;
                cells.clear();
                let columns = chunk.parts.get(at).map(|p| p.batch.batch.columns());
                cells.extend(
                    self.call
                        .columns
                        .iter()
                        .filter_map(|c| columns.and_then(|all| all.get(*c)))
                        .map(Cells::of),
                );
            }
            self.scratch.clear();
            for cell in &cells {
                pack(cell, hit.1 as usize, &mut self.scratch);
            }
            let time = chunk.time(*hit);
            if self.call.hour {
                let hour = self.zone.timestamp_nanos(time).hour();
                pack_number(hour.into(), &mut self.scratch);
            }
            self.is_new(time, most)
        });
    }

    /// Is the key in `scratch` new at this time?
    fn is_new(&mut self, time: i64, most: usize) -> bool {
        let learning = self
            .began
            .is_some_and(|began| time.saturating_sub(began) < self.call.learn_ns);
        let mut known = self.keys.len();
        let mut group = self.keys.touch(&self.scratch, most);
        if group.is_none() && time >= self.full_until {
            self.forget(time);
            known = self.keys.len();
            self.full_until = time.saturating_add(self.call.ttl_ns / LOOKS);
            group = self.keys.touch(&self.scratch, most);
        }
        let Some(group) = group else {
            self.refused += 1;
            return !learning;
        };
        let fresh = Entry {
            first: time,
            last: time,
            rows: 1,
            standing: if learning {
                Standing::Known
            } else {
                Standing::Pending
            },
        };
        if self.keys.len() > known {
            self.entries.truncate(group as usize);
            self.entries.push(fresh);
        } else if let Some(entry) = self.entries.get_mut(group as usize) {
            if time.saturating_sub(entry.last) > self.call.ttl_ns {
                *entry = fresh;
            } else {
                entry.last = entry.last.max(time);
                entry.rows += 1;
                if learning {
                    entry.standing = Standing::Known;
                }
            }
        }
        self.entries
            .get(group as usize)
            .is_some_and(|e| e.standing == Standing::Pending)
    }

    /// Bytes of the keys, by count.
    pub(crate) fn weight(&self) -> usize {
        self.keys.weight() + self.entries.len() * size_of::<Entry>()
    }

    /// Forgets the keys that were not seen for their time.
    pub(crate) fn forget(&mut self, now: i64) {
        let ttl = self.call.ttl_ns;
        let alive = |e: &Entry| now.saturating_sub(e.last) <= ttl;
        let keep: Vec<bool> = self.entries.iter().map(alive).collect();
        self.keep(|group| keep.get(group as usize).copied().unwrap_or(false));
    }

    /// Keeps some keys.
    pub(crate) fn keep(&mut self, keep: impl Fn(u32) -> bool) {
        let remap = self.keys.retain(keep);
        let old = std::mem::take(&mut self.entries);
        self.entries.extend(
            old.into_iter()
                .zip(&remap)
                .filter(|(_, to)| **to != GONE)
                .map(|(entry, _)| entry),
        );
    }

    /// All keys, in the order of their bytes.
    pub(crate) fn list(&self) -> Vec<SeenKey> {
        let mut all: Vec<(&[u8], &Entry)> = self
            .entries
            .iter()
            .enumerate()
            .map(|(group, entry)| (self.keys.key(group as u32), entry))
            .collect();
        all.sort_by_key(|(key, _)| *key);
        all.into_iter()
            .map(|(key, entry)| SeenKey {
                key: self.values(key),
                first: entry.first,
                last: entry.last,
                rows: entry.rows,
                standing: entry.standing,
            })
            .collect()
    }

    fn values(&self, mut key: &[u8]) -> Vec<Value> {
        let kinds = self
            .call
            .columns
            .iter()
            .filter_map(|c| self.columns.get(*c));
        let hour = self.call.hour.then_some(ColumnKind::U8);
        kinds
            .map(|def| def.kind)
            .chain(hour)
            .map(|kind| cut(&mut key).map_or(Value::Null, |cell| unpack(cell, kind)))
            .collect()
    }

    /// Approves (`Some(time)`) or removes the keys whose values people write so; says how many.
    pub(crate) fn settle(&mut self, key: &[String], approve_at: Option<i64>) -> usize {
        let fits = |this: &Self, group: u32| {
            let values = this.values(this.keys.key(group));
            values.len() == key.len() && values.iter().zip(key).all(|(v, k)| v.to_string() == *k)
        };
        let chosen: Vec<u32> = (0..self.keys.len() as u32)
            .filter(|g| fits(self, *g))
            .collect();
        match approve_at {
            Some(time) => {
                for group in &chosen {
                    if let Some(entry) = self.entries.get_mut(*group as usize) {
                        entry.standing = Standing::Known;
                        entry.last = entry.last.max(time);
                    }
                }
            }
            None => {
                let remap = self.keys.retain(|group| !chosen.contains(&group));
                let mut to = remap.iter();
                self.entries
                    .retain(|_| to.next().is_some_and(|to| *to != GONE));
            }
        }
        chosen.len()
    }
}

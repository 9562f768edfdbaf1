//! Sequences as parts, and back.

use super::{Detector, Part, Reading, StateError, about, batch, binary};
use crate::memory::groups::{GONE, Keys};
use crate::memory::sequence::Sequence;
use crate::memory::sequence::lists::{Lists, Partial};
use crate::memory::sequence::taken::{NONE, Taken};
use arrow_array::types::{Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type};
use arrow_array::{
    Array as _, ArrayRef, Int64Array, UInt8Array, UInt16Array, UInt32Array, UInt64Array,
};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use telltale_schema::TableId;

impl Detector {
    pub(super) fn restore_sequence(
        &mut self,
        reading: &Reading<'_>,
        head: &str,
        kind: &str,
    ) -> Result<bool, StateError> {
        let Some((lane, asked)) = self.place(reading, head)? else {
            return Ok(false);
        };
        let Some(lane) = self.lane_mut(lane.as_ref()) else {
            return Ok(false);
        };
        let Some((_, sequence)) = lane.sequences.iter_mut().find(|s| s.0 == asked) else {
            return Ok(false);
        };
        match kind {
            "taken" => restore_taken(reading, sequence)?,
            _ => restore_partials(reading, sequence)?,
        }
        Ok(true)
    }
}

/// What a sequence remembers, as it was: what changes later does not change it.
pub(super) struct Frozen {
    at: String,
    fingerprint: u64,
    since: i64,
    keys: Keys,
    partials: Lists,
    taken: Taken,
    provisional: VecDeque<(Vec<u8>, Partial)>,
}

pub(super) fn freeze(sequence: &Sequence, at: String, fingerprint: u64) -> Frozen {
    Frozen {
        at,
        fingerprint,
        since: sequence.since,
        keys: sequence.keys.keys().clone(),
        partials: sequence.partials.clone(),
        taken: sequence.taken.clone(),
        provisional: sequence.provisional.clone(),
    }
}

impl Frozen {
    /// As parts: begun matches in the order of their keys' numbers, which restoring keeps,
    /// and the rows that they took, each once and after the one before it.
    pub(super) fn parts(&self, out: &mut Vec<Part>) {
        let begun = self.partials.len();
        let mut partials: Vec<(&[u8], &Partial)> =
            Vec::with_capacity(begun + self.provisional.len());
        let open = self.partials.all();
        partials.extend(open.map(|(group, p)| (self.keys.key(group), p)));
        partials.extend(self.provisional.iter().map(|(key, p)| (key.as_slice(), p)));
        let used = partials.iter().map(|(_, p)| p.taken);
        let (taken, numbers) = self.taken.compact(used);
        self.taken_part(&taken, out);
        self.partials_part(&partials, begun, &numbers, out);
    }

    fn words(&self) -> BTreeMap<String, String> {
        let mut words = about([("since", self.since.to_string())]);
        words.insert(
            "fingerprint".to_owned(),
            format!("{:016x}", self.fingerprint),
        );
        words
    }
    fn taken_part(&self, taken: &Taken, out: &mut Vec<Part>) {
        let heads = || taken.rows().map(|(head, _)| head);
        let before = heads().map(|h| (h.before != NONE).then_some(h.before));
        let rows = batch(vec![
            ("before", Arc::new(before.collect::<UInt32Array>())),
            (
                "step",
                Arc::new(heads().map(|h| h.step).collect::<UInt16Array>()),
            ),
            (
                "table",
                Arc::new(heads().map(|h| h.table as u8).collect::<UInt8Array>()),
            ),
            (
                "row_no",
                Arc::new(heads().map(|h| h.row_no).collect::<UInt64Array>()),
            ),
            ("cells", binary(taken.rows().map(|(_, cells)| cells))),
        ]);
        out.extend(rows.map(|rows| Part {
            name: format!("{}/taken", self.at),
            about: self.words(),
            rows,
        }));
    }

    /// `numbers` are those of the rows as they are written; matches after the first
    /// `begun` are over, but may be taken back.
    fn partials_part(
        &self,
        partials: &[(&[u8], &Partial)],
        begun: usize,
        numbers: &[u32],
        out: &mut Vec<Part>,
    ) {
        let all = || partials.iter().map(|(_, p)| *p);
        let times = |of: fn(&Partial) -> i64| -> ArrayRef {
            Arc::new(all().map(of).collect::<Int64Array>())
        };
        let number = |p: &Partial| numbers.get(p.taken as usize).copied().unwrap_or(NONE);
        let over = (0..partials.len()).map(|n| u8::from(n >= begun));
        let rows = batch(vec![
            ("key", binary(partials.iter().map(|(key, _)| *key))),
            (
                "place",
                Arc::new(all().map(|p| p.place).collect::<UInt16Array>()),
            ),
            ("start", times(|p| p.start)),
            ("last", times(|p| p.last)),
            ("anchor", times(|p| p.anchor)),
            ("deadline", times(|p| p.deadline)),
            (
                "told_by",
                Arc::new(all().map(|p| p.told_by).collect::<UInt64Array>()),
            ),
            (
                "taken",
                Arc::new(all().map(number).collect::<UInt32Array>()),
            ),
            ("provisional", Arc::new(over.collect::<UInt8Array>())),
        ]);
        out.extend(rows.map(|rows| Part {
            name: format!("{}/partials", self.at),
            about: self.words(),
            rows,
        }));
    }
}

fn restore_taken(reading: &Reading<'_>, sequence: &mut Sequence) -> Result<(), StateError> {
    let before = reading.values::<UInt32Type>("before")?;
    let step = reading.values::<UInt16Type>("step")?;
    let table = reading.values::<UInt8Type>("table")?;
    let row_no = reading.values::<UInt64Type>("row_no")?;
    let cells = reading.binary("cells")?;
    for (n, before) in before.iter().enumerate() {
        if before.is_some_and(|before| before as usize >= n) {
            return Err(reading.wrong("a row stands before the one it follows"));
        }
        let before = before.unwrap_or(NONE);
        let step = step.value(n);
        if usize::from(step) >= sequence.steps.len() {
            return Err(reading.wrong("a row of a step that is not there"));
        }
        let table = TableId::ALL
            .iter()
            .copied()
            .find(|t| *t as u8 == table.value(n))
            .ok_or_else(|| reading.wrong("a row of a table that is not there"))?;
        let row = (before, step, table, row_no.value(n));
        if sequence.taken.add(row, cells.value(n)) != n as u32 {
            return Err(reading.wrong("too many rows, or it is there twice"));
        }
    }
    Ok(())
}

fn restore_partials(reading: &Reading<'_>, sequence: &mut Sequence) -> Result<(), StateError> {
    sequence.since = reading.number("since")?;
    let key = reading.binary("key")?;
    let times = |name| reading.values::<Int64Type>(name);
    let (start, last) = (times("start")?, times("last")?);
    let (anchor, deadline) = (times("anchor")?, times("deadline")?);
    let place = reading.values::<UInt16Type>("place")?;
    let told_by = reading.values::<UInt64Type>("told_by")?;
    let end = reading.values::<UInt32Type>("taken")?;
    let provisional = reading.values::<UInt8Type>("provisional")?;
    for n in 0..key.len() {
        if usize::from(place.value(n)) >= sequence.places() {
            return Err(reading.wrong("a begun sequence beyond its last step"));
        }
        let taken = end.value(n);
        if sequence.taken.get(taken).is_none() {
            return Err(reading.wrong("it speaks of a row that is not there"));
        }
        let partial = Partial {
            place: place.value(n),
            start: start.value(n),
            last: last.value(n),
            anchor: anchor.value(n),
            deadline: deadline.value(n),
            told_by: told_by.value(n),
            taken,
        };
        if provisional.value(n) == 1 {
            sequence
                .provisional
                .push_back((key.value(n).to_vec(), partial));
            continue;
        }
        let group = sequence
            .keys
            .touch(key.value(n), GONE as usize)
            .ok_or_else(|| reading.wrong("too many keys"))?;
        sequence.partials.add(group, partial);
    }
    Ok(())
}

//! Sequences as parts, and back.

use super::{Detector, Part, Reading, StateError, about, batch, binary};
use crate::memory::groups::GONE;
use crate::memory::sequence::{Partial, Sequence, Taken};
use arrow_array::types::{Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type};
use arrow_array::{
    Array as _, ArrayRef, Int64Array, UInt8Array, UInt16Array, UInt32Array, UInt64Array,
};
use rustc_hash::FxHashMap;
use std::sync::Arc;
use telltale_schema::TableId;

impl Detector {
    pub(super) fn restore_sequence(
        &mut self,
        reading: &Reading<'_>,
        head: &str,
        kind: &str,
        taken: &mut FxHashMap<String, Vec<Arc<Taken>>>,
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
        if kind == "taken" {
            taken.insert(head.to_owned(), restore_taken(reading, sequence)?);
            return Ok(true);
        }
        let of = taken.get(head).map_or(&[][..], Vec::as_slice);
        restore_partials(reading, sequence, of)?;
        Ok(true)
    }
}

pub(super) fn sequence_parts(sequence: &Sequence, at: &str, fingerprint: u64, out: &mut Vec<Part>) {
    // in the order of the keys' numbers, which restoring keeps
    let order = (0..sequence.keys.len() as u32).filter(|g| {
        let list = sequence.partials.get(*g as usize);
        list.is_some_and(|p| !p.is_empty())
    });
    let partials: Vec<(u32, &Partial)> = order
        .flat_map(|g| {
            let list = sequence.partials.get(g as usize).into_iter().flatten();
            list.map(move |p| (g, p))
        })
        .collect();
    // rows that several partials share are written once, each after the one before it
    let mut known: FxHashMap<*const Taken, u32> = FxHashMap::default();
    let mut all: Vec<(Option<u32>, &Taken)> = Vec::new();
    let mut number = |partial: &'_ Arc<Taken>| -> u32 { write_taken(partial, &mut known) };
    let mut ends: Vec<u32> = Vec::with_capacity(partials.len());
    let begun = partials.len();
    let partials: Vec<(&[u8], &Partial)> = partials
        .into_iter()
        .map(|(group, partial)| (sequence.keys.key(group), partial))
        .chain(
            sequence
                .provisional
                .iter()
                .map(|(key, p)| (key.as_slice(), p)),
        )
        .collect();
    for (_, partial) in &partials {
        ends.push(number(&partial.taken));
    }
    collect_taken(&partials, &known, &mut all);
    let words = || {
        let mut words = about([("since", sequence.since.to_string())]);
        words.insert("fingerprint".to_owned(), format!("{fingerprint:016x}"));
        words
    };
    let rows = batch(vec![
        (
            "before",
            Arc::new(all.iter().map(|t| t.0).collect::<UInt32Array>()),
        ),
        (
            "step",
            Arc::new(all.iter().map(|t| t.1.step).collect::<UInt16Array>()),
        ),
        (
            "table",
            Arc::new(all.iter().map(|t| t.1.table as u8).collect::<UInt8Array>()),
        ),
        (
            "row_no",
            Arc::new(all.iter().map(|t| t.1.row_no).collect::<UInt64Array>()),
        ),
        ("cells", binary(all.iter().map(|t| &*t.1.cells))),
    ]);
    out.extend(rows.map(|rows| Part {
        name: format!("{at}/taken"),
        about: words(),
        rows,
    }));
    let times = |of: fn(&Partial) -> i64| -> ArrayRef {
        Arc::new(partials.iter().map(|(_, p)| of(p)).collect::<Int64Array>())
    };
    let rows = batch(vec![
        ("key", binary(partials.iter().map(|(key, _)| *key))),
        (
            "place",
            Arc::new(
                partials
                    .iter()
                    .map(|(_, p)| p.place)
                    .collect::<UInt16Array>(),
            ),
        ),
        ("start", times(|p| p.start)),
        ("last", times(|p| p.last)),
        ("anchor", times(|p| p.anchor)),
        ("deadline", times(|p| p.deadline)),
        (
            "told_by",
            Arc::new(
                partials
                    .iter()
                    .map(|(_, p)| p.told_by)
                    .collect::<UInt64Array>(),
            ),
        ),
        ("taken", Arc::new(UInt32Array::from(ends))),
        (
            "provisional",
            Arc::new(
                (0..partials.len())
                    .map(|n| u8::from(n >= begun))
                    .collect::<UInt8Array>(),
            ),
        ),
    ]);
    out.extend(rows.map(|rows| Part {
        name: format!("{at}/partials"),
        about: words(),
        rows,
    }));
}

/// Numbers a row and those before it, oldest first.
fn write_taken(taken: &Arc<Taken>, known: &mut FxHashMap<*const Taken, u32>) -> u32 {
    let mut chain = Vec::new();
    let mut now = Some(taken);
    while let Some(one) = now {
        if known.contains_key(&Arc::as_ptr(one)) {
            break;
        }
        chain.push(Arc::as_ptr(one));
        now = one.before.as_ref();
    }
    for one in chain.into_iter().rev() {
        let next = known.len() as u32;
        known.insert(one, next);
    }
    known.get(&Arc::as_ptr(taken)).copied().unwrap_or(0)
}

/// The numbered rows in the order of their numbers.
fn collect_taken<'p>(
    partials: &[(&[u8], &'p Partial)],
    known: &FxHashMap<*const Taken, u32>,
    out: &mut Vec<(Option<u32>, &'p Taken)>,
) {
    let mut all: Vec<Option<(Option<u32>, &'p Taken)>> = vec![None; known.len()];
    for (_, partial) in partials {
        let mut now = Some(&partial.taken);
        while let Some(one) = now {
            let at = known.get(&Arc::as_ptr(one)).map_or(0, |n| *n as usize);
            let before = one
                .before
                .as_ref()
                .and_then(|b| known.get(&Arc::as_ptr(b)).copied());
            match all.get_mut(at) {
                Some(slot @ None) => *slot = Some((before, &**one)),
                _ => break,
            }
            now = one.before.as_ref();
        }
    }
    out.extend(all.into_iter().flatten());
}

fn restore_taken(
    reading: &Reading<'_>,
    sequence: &Sequence,
) -> Result<Vec<Arc<Taken>>, StateError> {
    let before = reading.values::<UInt32Type>("before")?;
    let step = reading.values::<UInt16Type>("step")?;
    let table = reading.values::<UInt8Type>("table")?;
    let row_no = reading.values::<UInt64Type>("row_no")?;
    let cells = reading.binary("cells")?;
    let mut all: Vec<Arc<Taken>> = Vec::with_capacity(before.len());
    for (n, before) in before.iter().enumerate() {
        let before = match before {
            None => None,
            Some(at) => Some(
                all.get(at as usize)
                    .cloned()
                    .ok_or_else(|| reading.wrong("a row stands before the one it follows"))?,
            ),
        };
        let step = step.value(n);
        if usize::from(step) >= sequence.steps.len() {
            return Err(reading.wrong("a row of a step that is not there"));
        }
        let table = TableId::ALL
            .iter()
            .copied()
            .find(|t| *t as u8 == table.value(n))
            .ok_or_else(|| reading.wrong("a row of a table that is not there"))?;
        all.push(Arc::new(Taken {
            before,
            step,
            table,
            row_no: row_no.value(n),
            cells: Box::from(cells.value(n)),
        }));
    }
    Ok(all)
}

fn restore_partials(
    reading: &Reading<'_>,
    sequence: &mut Sequence,
    taken: &[Arc<Taken>],
) -> Result<(), StateError> {
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
        let taken = taken
            .get(end.value(n) as usize)
            .cloned()
            .ok_or_else(|| reading.wrong("it speaks of a row that is not there"))?;
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
        if sequence.partials.len() <= group as usize {
            sequence.partials.resize_with(group as usize + 1, Vec::new);
        }
        if let Some(list) = sequence.partials.get_mut(group as usize) {
            list.push(partial);
        }
    }
    Ok(())
}

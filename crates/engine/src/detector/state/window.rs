//! Windows as parts, and back.

use super::{Detector, Part, Reading, StateError, about, batch, binary, in_order, numbers};
use crate::memory::groups::GONE;
use crate::memory::keys::KeySet;
use crate::memory::window::{Was, Window};
use arrow_array::cast::AsArray as _;
use arrow_array::types::{Int64Type, UInt8Type, UInt32Type, UInt64Type};
use arrow_array::{Array as _, Int64Array, UInt8Array, UInt32Array, UInt64Array};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::sync::Arc;

impl Detector {
    pub(super) fn restore_window(
        &mut self,
        reading: &Reading<'_>,
        head: &str,
        kind: &str,
        groups: &mut FxHashMap<String, Vec<u32>>,
    ) -> Result<bool, StateError> {
        let Some((lane, asked)) = self.place(reading, head)? else {
            return Ok(false);
        };
        let Some(lane) = self.lane_mut(lane.as_ref()) else {
            return Ok(false);
        };
        let Some((_, window)) = lane.windows.iter_mut().find(|w| w.0 == asked) else {
            return Ok(false);
        };
        let Some(keys) = lane.key_sets.get_mut(window.key_set) else {
            return Ok(false);
        };
        if kind == "groups" {
            let numbers = restore_groups(reading, window, keys)?;
            groups.insert(head.to_owned(), numbers);
            return Ok(true);
        }
        let of = groups.get(head).map_or(&[][..], Vec::as_slice);
        let group = |row: u32| {
            of.get(row as usize)
                .copied()
                .ok_or_else(|| reading.wrong("it speaks of a group that is not there"))
        };
        let rows = reading.values::<UInt32Type>("group")?;
        let panes = reading.values::<Int64Type>("pane")?;
        let kinds = reading.values::<UInt8Type>(if kind == "values" { "cell" } else { "kind" })?;
        if [rows.null_count(), panes.null_count(), kinds.null_count()] != [0; 3] {
            return Err(reading.wrong("a NULL where there is none"));
        }
        for n in 0..rows.len() {
            let (pane, which) = (panes.value(n), kinds.value(n));
            let group = group(rows.value(n))?;
            match (kind, which) {
                ("values", cell) => {
                    let hash = reading.values::<UInt64Type>("hash")?.value(n);
                    let values = window
                        .values
                        .iter_mut()
                        .find(|v| v.cell == usize::from(cell))
                        .ok_or_else(|| {
                            reading.wrong("a value of an aggregate that is not there")
                        })?;
                    values.insert(Was { hash, pane, group });
                }
                (_, 0) => window.fired.entry(pane).or_default().push(group),
                _ => window.touched.entry(pane).or_default().push(group),
            }
        }
        Ok(true)
    }
}

pub(super) fn window_parts(
    window: &Window,
    keys: &KeySet,
    at: &str,
    fingerprint: u64,
    out: &mut Vec<Part>,
) {
    let stride = window.layout.stride();
    let slot = |group: u32| {
        let from = group as usize * stride;
        window.slots.get(from..from + stride).unwrap_or_default()
    };
    let last_of = |group: u32| {
        window
            .lasts
            .get(group as usize)
            .copied()
            .unwrap_or(i64::MIN)
    };
    let order = in_order(&keys.groups, |g| {
        slot(g).first().is_some_and(|newest| *newest != 0)
    });
    let mut row_of = vec![GONE; keys.groups.len()];
    for (row, group) in order.iter().enumerate() {
        if let Some(to) = row_of.get_mut(*group as usize) {
            *to = row as u32;
        }
    }
    let row_of = |group: u32| row_of.get(group as usize).copied().unwrap_or(GONE);
    let cells: Vec<u64> = order
        .iter()
        .flat_map(|g| slot(*g).iter().copied())
        .collect();
    let session: Int64Array = order.iter().map(|g| last_of(*g)).collect();
    let Some(cells) = numbers(stride, cells) else {
        return;
    };
    let of_all = |more: [(&str, String); 2]| {
        let mut words = about(more);
        words.insert("fingerprint".to_owned(), format!("{fingerprint:016x}"));
        words
    };
    let bounds = || {
        [
            ("closed", window.closed.to_string()),
            ("since", window.since.to_string()),
        ]
    };
    let rows = batch(vec![
        ("key", binary(order.iter().map(|g| keys.groups.key(*g)))),
        ("session", Arc::new(session)),
        ("cells", cells),
    ]);
    out.extend(rows.map(|rows| Part {
        name: format!("{at}/groups"),
        about: of_all(bounds()),
        rows,
    }));
    let mut values: Vec<(u32, i64, u64, u8)> = window
        .values
        .iter()
        .flat_map(|v| {
            v.table
                .iter()
                .map(|was| (row_of(was.group), was.pane, was.hash, v.cell as u8))
        })
        .filter(|v| v.0 != GONE)
        .collect();
    values.sort_unstable();
    let rows = batch(vec![
        (
            "group",
            Arc::new(values.iter().map(|v| v.0).collect::<UInt32Array>()),
        ),
        (
            "pane",
            Arc::new(values.iter().map(|v| v.1).collect::<Int64Array>()),
        ),
        (
            "hash",
            Arc::new(values.iter().map(|v| v.2).collect::<UInt64Array>()),
        ),
        (
            "cell",
            Arc::new(values.iter().map(|v| v.3).collect::<UInt8Array>()),
        ),
    ]);
    out.extend(rows.map(|rows| Part {
        name: format!("{at}/values"),
        about: of_all(bounds()),
        rows,
    }));
    let open = |lists: &BTreeMap<i64, Vec<u32>>, kind: u8| -> Vec<(u8, i64, u32)> {
        lists
            .iter()
            .flat_map(|(pane, groups)| groups.iter().map(|g| (kind, *pane, row_of(*g))))
            .filter(|o| o.2 != GONE)
            .collect()
    };
    let mut all = open(&window.fired, 0);
    all.extend(open(&window.touched, 1));
    all.sort_unstable();
    let rows = batch(vec![
        (
            "kind",
            Arc::new(all.iter().map(|o| o.0).collect::<UInt8Array>()),
        ),
        (
            "pane",
            Arc::new(all.iter().map(|o| o.1).collect::<Int64Array>()),
        ),
        (
            "group",
            Arc::new(all.iter().map(|o| o.2).collect::<UInt32Array>()),
        ),
    ]);
    out.extend(rows.map(|rows| Part {
        name: format!("{at}/open"),
        about: of_all(bounds()),
        rows,
    }));
}

/// Puts groups back: the number of each of the part's rows.
fn restore_groups(
    reading: &Reading<'_>,
    window: &mut Window,
    keys: &mut KeySet,
) -> Result<Vec<u32>, StateError> {
    let stride = window.layout.stride();
    let key = reading.binary("key")?;
    let session = reading.values::<Int64Type>("session")?;
    let cells = reading
        .array("cells")?
        .as_fixed_size_list_opt()
        .filter(|l| usize::try_from(l.value_length()).is_ok_and(|l| l == stride))
        .and_then(|l| l.values().as_primitive_opt::<UInt64Type>())
        .ok_or_else(|| reading.wrong(format!("`cells` are not {stride} numbers each")))?;
    window.closed = reading.number("closed")?;
    window.since = reading.number("since")?;
    let mut numbers = Vec::with_capacity(key.len());
    for (row, (key, session)) in key.iter().zip(session).enumerate() {
        let (Some(key), Some(session)) = (key, session) else {
            return Err(reading.wrong("a group with a NULL"));
        };
        let group = keys
            .groups
            .touch(key, GONE as usize)
            .ok_or_else(|| reading.wrong("too many groups"))?;
        numbers.push(group);
        let from = group as usize * stride;
        if window.slots.len() < from + stride {
            window.slots.resize(from + stride, 0);
        }
        let new = cells.values().get(row * stride..(row + 1) * stride);
        if let (Some(slot), Some(new)) = (window.slots.get_mut(from..from + stride), new) {
            slot.copy_from_slice(new);
        }
        if session != i64::MIN {
            if window.lasts.len() <= group as usize {
                window.lasts.resize(group as usize + 1, i64::MIN);
            }
            if let Some(last) = window.lasts.get_mut(group as usize) {
                *last = session;
            }
        }
    }
    Ok(numbers)
}

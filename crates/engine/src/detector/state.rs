//! What a detector remembers, as Arrow parts, and back.
//!
//! A part is one batch with a name and a few words about it; a part whose rows did not
//! change is byte for byte the same again. Names: `sensors`, `held/<n>`,
//! `seen/<rule>/<question>/<call>`, and for windows and sequences of the site (`main`) or
//! of a sensor's lane (`lane:<sensor>`) `<lane>/<rule>/groups`, `…/values`, `…/open`,
//! `…/partials` and `…/taken`. Rules are named by id, and `fingerprint` says what the
//! rule meant: state of a rule that is gone, or means something else, is left behind.

use super::lane::Lane;
use super::{Detector, Sensor};
use crate::memory::first_seen::{Entry, Seen, Standing};
use crate::memory::groups::{GONE, Groups};
use crate::memory::sequence::{Partial, Sequence, Taken};
use crate::memory::window::{KeySet, Was, Window};
use arrow_array::builder::BinaryBuilder;
use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    ArrowPrimitiveType, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{
    Array as _, ArrayRef, BinaryArray, FixedSizeListArray, Int64Array, PrimitiveArray, RecordBatch,
    StringArray, UInt8Array, UInt16Array, UInt32Array, UInt64Array,
};
use arrow_schema::{DataType, Field, Schema};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use telltale_schema::{TableBatch, TableId};

/// Version of the form of all parts.
pub const FORMAT: u32 = 1;

/// A piece of what a detector remembers.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// Its name among the parts of a site.
    pub name: String,
    /// What is said of it: format, fingerprint and the like.
    pub about: BTreeMap<String, String>,
    /// Its rows.
    pub rows: RecordBatch,
}

/// A part that cannot be put back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("TT-STATE-001: part `{part}`: {why}; restore an older snapshot, or begin anew")]
pub struct StateError {
    /// Its name.
    pub part: String,
    /// What is wrong.
    pub why: String,
}

/// What became of the parts that were put back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Restored {
    /// Parts that were taken over.
    pub taken: usize,
    /// Parts of rules that are gone or mean something else.
    pub left: Vec<String>,
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> Option<RecordBatch> {
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, array)| Field::new(*name, array.data_type().clone(), array.is_nullable()))
        .collect();
    let arrays = columns.into_iter().map(|c| c.1).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).ok()
}

fn about<const N: usize>(words: [(&str, String); N]) -> BTreeMap<String, String> {
    let mut out: BTreeMap<String, String> =
        words.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
    out.insert("format".to_owned(), FORMAT.to_string());
    out
}

/// Groups in the order of their keys, so that equal state is equal bytes.
fn in_order(keys: &Groups, used: impl Fn(u32) -> bool) -> Vec<u32> {
    let mut all: Vec<u32> = (0..keys.len() as u32).filter(|g| used(*g)).collect();
    all.sort_unstable_by(|a, b| keys.key(*a).cmp(keys.key(*b)));
    all
}

fn binary<'b>(values: impl Iterator<Item = &'b [u8]>) -> ArrayRef {
    let mut builder = BinaryBuilder::new();
    values.for_each(|v| builder.append_value(v));
    Arc::new(builder.finish())
}

fn numbers(width: usize, values: Vec<u64>) -> Option<ArrayRef> {
    let item = Arc::new(Field::new("item", DataType::UInt64, false));
    let values = Arc::new(UInt64Array::from(values));
    let list = FixedSizeListArray::try_new(item, i32::try_from(width).ok()?, values, None).ok()?;
    Some(Arc::new(list))
}

/// A part that is being read.
struct Reading<'p> {
    part: &'p Part,
}

impl<'p> Reading<'p> {
    fn wrong(&self, why: impl Into<String>) -> StateError {
        StateError {
            part: self.part.name.clone(),
            why: why.into(),
        }
    }

    fn array(&self, column: &str) -> Result<&'p ArrayRef, StateError> {
        self.part
            .rows
            .column_by_name(column)
            .ok_or_else(|| self.wrong(format!("no column `{column}`")))
    }

    fn values<T: ArrowPrimitiveType>(
        &self,
        column: &str,
    ) -> Result<&'p PrimitiveArray<T>, StateError> {
        self.array(column)?
            .as_primitive_opt::<T>()
            .ok_or_else(|| self.wrong(format!("`{column}` is of another type")))
    }

    fn binary(&self, column: &str) -> Result<&'p BinaryArray, StateError> {
        self.array(column)?
            .as_binary_opt::<i32>()
            .ok_or_else(|| self.wrong(format!("`{column}` is of another type")))
    }

    fn word(&self, name: &str) -> Result<&'p str, StateError> {
        self.part
            .about
            .get(name)
            .map(String::as_str)
            .ok_or_else(|| self.wrong(format!("it does not say its `{name}`")))
    }

    fn number(&self, name: &str) -> Result<i64, StateError> {
        self.word(name)?
            .parse()
            .map_err(|_| self.wrong(format!("`{name}` is no number")))
    }
}

impl Detector {
    /// All that is remembered. Groups that no window needs any more are left out.
    #[must_use]
    pub fn parts(&self) -> Vec<Part> {
        let mut out = Vec::new();
        self.sensors_part(&mut out);
        for (n, held) in self.held.iter().enumerate() {
            out.push(Part {
                name: format!("held/{n}"),
                about: about([
                    ("sensor", held.sensor.to_string()),
                    ("table", held.batch.table.name().to_owned()),
                    ("lane", held.lane.to_string()),
                ]),
                rows: held.batch.batch.clone(),
            });
        }
        for (number, calls) in self.seen.iter().enumerate() {
            let id = self.rule_of(number);
            for (n, seen) in calls.iter().enumerate() {
                out.extend(seen_part(
                    seen,
                    format!("seen/{id}/{}/{n}", self.step_of(number)),
                ));
            }
        }
        let lanes = self
            .lanes
            .iter()
            .map(|(name, lane)| (format!("lane:{name}"), lane));
        for (name, lane) in std::iter::once(("main".to_owned(), &self.main)).chain(lanes) {
            for (asked, window) in &lane.windows {
                if let Some(keys) = lane.key_sets.get(window.key_set) {
                    let at = format!("{name}/{}", self.rule_of(*asked));
                    window_parts(window, keys, &at, self.fingerprint(*asked), &mut out);
                }
            }
            for (asked, sequence) in &lane.sequences {
                let at = format!("{name}/{}", self.rule_of(*asked));
                sequence_parts(sequence, &at, self.fingerprint(*asked), &mut out);
            }
        }
        out
    }

    pub(super) fn rule_of(&self, asked: usize) -> String {
        let rule = self.engine.asked().get(asked).map(|a| a.rule);
        rule.and_then(|r| self.main.rules().rules.get(r))
            .map_or_else(String::new, |r| r.id.clone())
    }

    fn step_of(&self, asked: usize) -> usize {
        self.engine.asked().get(asked).map_or(0, |a| a.step)
    }

    pub(super) fn fingerprint(&self, asked: usize) -> u64 {
        let rule = self.engine.asked().get(asked).map(|a| a.rule);
        self.engine
            .stateful()
            .iter()
            .find(|s| Some(s.rule) == rule)
            .map_or(0, |s| s.fingerprint)
    }

    fn sensors_part(&self, out: &mut Vec<Part>) {
        let names: Vec<&str> = self.sensors.keys().map(|n| &**n).collect();
        let times = |of: fn(&Sensor) -> i64| -> ArrayRef {
            Arc::new(self.sensors.values().map(of).collect::<Int64Array>())
        };
        let rows = batch(vec![
            ("sensor", Arc::new(StringArray::from(names))),
            ("watermark", times(|s| s.watermark)),
            ("heard", times(|s| s.heard)),
        ]);
        let c = self.counters();
        let counters = [c.rows, c.late, c.caught_up, c.forced, c.refused, c.evicted];
        let lanes: Vec<&str> = self.lanes.keys().map(|n| &**n).collect();
        out.extend(rows.map(|rows| Part {
            name: "sensors".to_owned(),
            about: about([
                ("watermark", self.watermark.to_string()),
                ("now", self.now.to_string()),
                ("counters", counters.map(|c| c.to_string()).join(" ")),
                ("lanes", lanes.join("\n")),
            ]),
            rows,
        }));
    }

    /// Puts parts back, into a detector that has seen nothing.
    ///
    /// # Errors
    /// At the first part that is not as it should be; the detector is then of no use.
    pub fn restore(&mut self, parts: &[Part]) -> Result<Restored, StateError> {
        let mut restored = Restored::default();
        for part in parts {
            let reading = Reading { part };
            if reading.word("format")? != FORMAT.to_string() {
                return Err(reading.wrong("it is of another format"));
            }
            if part.name == "sensors" {
                self.restore_sensors(&reading)?;
            }
        }
        // what a part refers to comes before it
        let rank = |part: &&Part| match part.name.rsplit('/').next() {
            Some("groups" | "taken") => 0,
            _ => 1,
        };
        let mut all: Vec<&Part> = parts.iter().collect();
        all.sort_by_key(rank);
        let mut taken: HashMap<String, Vec<Arc<Taken>>> = HashMap::new();
        let mut groups: HashMap<String, Vec<u32>> = HashMap::new();
        for part in all {
            let reading = Reading { part };
            let (head, last) = part.name.rsplit_once('/').unwrap_or(("", &part.name));
            let known = match (head.split('/').next().unwrap_or(""), last) {
                ("", "sensors") => true,
                ("held", _) => self.restore_held(&reading).map(|()| true)?,
                ("seen", _) => self.restore_seen(&reading)?,
                (_, "groups" | "values" | "open") => {
                    self.restore_window(&reading, head, last, &mut groups)?
                }
                (_, "partials" | "taken") => {
                    self.restore_sequence(&reading, head, last, &mut taken)?
                }
                _ => return Err(reading.wrong("there is no such part")),
            };
            if known {
                restored.taken += 1;
            } else {
                restored.left.push(part.name.clone());
            }
        }
        for lane in std::iter::once(&mut self.main).chain(self.lanes.values_mut()) {
            for (_, window) in &mut lane.windows {
                window.set_deadlines();
            }
            for (_, sequence) in &mut lane.sequences {
                sequence.set_deadlines();
            }
        }
        Ok(restored)
    }

    fn restore_sensors(&mut self, reading: &Reading<'_>) -> Result<(), StateError> {
        self.watermark = reading.number("watermark")?;
        self.now = reading.number("now")?;
        let counters: Vec<u64> = reading
            .word("counters")?
            .split(' ')
            .filter_map(|n| n.parse().ok())
            .collect();
        let [rows, late, caught_up, forced, refused, evicted] = counters.as_slice() else {
            return Err(reading.wrong("`counters` are not six numbers"));
        };
        self.counters = super::Counters {
            rows: *rows,
            late: *late,
            caught_up: *caught_up,
            forced: *forced,
            refused: *refused,
            evicted: *evicted,
        };
        for name in reading.word("lanes")?.lines() {
            let lane = self.main.empty(&self.engine);
            self.lanes.insert(Arc::from(name), lane);
        }
        let names = reading
            .array("sensor")?
            .as_string_opt::<i32>()
            .ok_or_else(|| reading.wrong("`sensor` is of another type"))?;
        let watermarks = reading.values::<Int64Type>("watermark")?;
        let heard = reading.values::<Int64Type>("heard")?;
        for ((name, watermark), heard) in names.iter().zip(watermarks).zip(heard) {
            let (Some(name), Some(watermark), Some(heard)) = (name, watermark, heard) else {
                return Err(reading.wrong("a sensor without a name or a time"));
            };
            self.sensors
                .insert(Arc::from(name), Sensor { watermark, heard });
        }
        Ok(())
    }

    fn restore_held(&mut self, reading: &Reading<'_>) -> Result<(), StateError> {
        let name = reading.word("table")?;
        let table =
            TableId::from_name(name).ok_or_else(|| reading.wrong(format!("no table `{name}`")))?;
        let wanted = table
            .def()
            .columns
            .iter()
            .map(telltale_schema::ColumnDef::field);
        let have = reading.part.rows.schema();
        let same = have.fields().len() == table.def().columns.len()
            && wanted
                .zip(have.fields())
                .all(|(a, b)| a.name() == b.name() && a.data_type() == b.data_type());
        if !same {
            return Err(reading.wrong(format!("its columns are not those of `{name}`")));
        }
        let sensor: Arc<str> = Arc::from(reading.word("sensor")?);
        let rows = TableBatch {
            table,
            batch: reading.part.rows.clone(),
        };
        self.wait(&sensor, rows, reading.word("lane")? == "true");
        Ok(())
    }

    fn restore_seen(&mut self, reading: &Reading<'_>) -> Result<bool, StateError> {
        let name = reading.part.name.as_str();
        let at = (0..self.seen.len()).find_map(|number| {
            let prefix = format!("seen/{}/{}/", self.rule_of(number), self.step_of(number));
            Some((number, name.strip_prefix(&prefix)?.parse::<usize>().ok()?))
        });
        let Some(seen) = at.and_then(|(number, n)| self.seen.get_mut(number)?.get_mut(n)) else {
            return Ok(false);
        };
        if reading.word("call")? != seen.call.text {
            return Ok(false);
        }
        seen.began = match reading.word("began")? {
            "" => None,
            _ => Some(reading.number("began")?),
        };
        let keys = reading.binary("key")?;
        let first = reading.values::<Int64Type>("first")?;
        let last = reading.values::<Int64Type>("last")?;
        let rows = reading.values::<UInt64Type>("rows")?;
        let known = reading.values::<UInt8Type>("known")?;
        for ((((key, first), last), rows), known) in
            keys.iter().zip(first).zip(last).zip(rows).zip(known)
        {
            let (Some(key), Some(first), Some(last), Some(rows), Some(known)) =
                (key, first, last, rows, known)
            else {
                return Err(reading.wrong("a key with a NULL"));
            };
            let before = seen.keys.len();
            if seen.keys.touch(key, GONE as usize).is_none() || seen.keys.len() == before {
                return Err(reading.wrong("a key comes twice"));
            }
            seen.entries.push(Entry {
                first,
                last,
                rows,
                standing: if known == 1 {
                    Standing::Known
                } else {
                    Standing::Pending
                },
            });
        }
        Ok(true)
    }

    /// The lane and the number of the question that a part belongs to, if its rule is
    /// still there and means the same.
    fn place(
        &self,
        reading: &Reading<'_>,
        head: &str,
    ) -> Result<Option<(Option<Arc<str>>, usize)>, StateError> {
        let Some((lane, rule)) = head.rsplit_once('/') else {
            return Err(reading.wrong("there is no such part"));
        };
        let lane = match lane {
            "main" => None,
            other => {
                let sensor = other.strip_prefix("lane:").unwrap_or(other);
                if !self.lanes.contains_key(sensor) {
                    return Err(reading.wrong("it is of a lane that is not named"));
                }
                Some(Arc::from(sensor))
            }
        };
        let fingerprint = reading.word("fingerprint")?;
        let number = (0..self.engine.asked().len()).find(|n| self.rule_of(*n) == rule);
        Ok(number
            .filter(|n| format!("{:016x}", self.fingerprint(*n)) == fingerprint)
            .map(|n| (lane, n)))
    }

    fn lane_mut(&mut self, lane: Option<&Arc<str>>) -> Option<&mut Lane> {
        match lane {
            None => Some(&mut self.main),
            Some(sensor) => self.lanes.get_mut(sensor),
        }
    }

    fn restore_window(
        &mut self,
        reading: &Reading<'_>,
        head: &str,
        kind: &str,
        groups: &mut HashMap<String, Vec<u32>>,
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

    fn restore_sequence(
        &mut self,
        reading: &Reading<'_>,
        head: &str,
        kind: &str,
        taken: &mut HashMap<String, Vec<Arc<Taken>>>,
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

fn seen_part(seen: &Seen, name: String) -> Option<Part> {
    let order = in_order(&seen.keys, |_| true);
    let entries: Vec<&Entry> = order
        .iter()
        .filter_map(|g| seen.entries.get(*g as usize))
        .collect();
    let times = |of: fn(&Entry) -> i64| -> ArrayRef {
        Arc::new(entries.iter().map(|e| of(e)).collect::<Int64Array>())
    };
    let rows: UInt64Array = entries.iter().map(|e| e.rows).collect();
    let known: UInt8Array = entries
        .iter()
        .map(|e| u8::from(e.standing == Standing::Known))
        .collect();
    let rows = batch(vec![
        ("key", binary(order.iter().map(|g| seen.keys.key(*g)))),
        ("first", times(|e| e.first)),
        ("last", times(|e| e.last)),
        ("rows", Arc::new(rows)),
        ("known", Arc::new(known)),
    ])?;
    Some(Part {
        name,
        about: about([
            ("call", seen.call.text.clone()),
            ("began", seen.began.map_or(String::new(), |b| b.to_string())),
        ]),
        rows,
    })
}

fn window_parts(window: &Window, keys: &KeySet, at: &str, fingerprint: u64, out: &mut Vec<Part>) {
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

fn sequence_parts(sequence: &Sequence, at: &str, fingerprint: u64, out: &mut Vec<Part>) {
    let order = in_order(&sequence.keys, |g| {
        sequence
            .partials
            .get(g as usize)
            .is_some_and(|p| !p.is_empty())
    });
    let partials: Vec<(u32, &Partial)> = order
        .iter()
        .flat_map(|g| {
            let list = sequence.partials.get(*g as usize).into_iter().flatten();
            list.map(|p| (*g, p))
        })
        .collect();
    // rows that several partials share are written once, each after the one before it
    let mut known: HashMap<*const Taken, u32> = HashMap::new();
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
fn write_taken(taken: &Arc<Taken>, known: &mut HashMap<*const Taken, u32>) -> u32 {
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
    known: &HashMap<*const Taken, u32>,
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

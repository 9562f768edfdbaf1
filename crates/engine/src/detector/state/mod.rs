//! What a detector remembers, as Arrow parts, and back.
//!
//! A part is one batch with a name and a few words about it; a part whose rows did not
//! change is byte for byte the same again. Names: `sensors`, `held/<n>`,
//! `seen/<rule>/<question>/<call>`, and for windows and sequences of the site (`main`) or
//! of a sensor's lane (`lane:<sensor>`) `<lane>/<rule>/groups`, `…/values`, `…/open`,
//! `…/partials` and `…/taken`. Rules are named by id, and `fingerprint` says what the
//! rule meant: state of a rule that is gone, or means something else, is left behind.

mod sequence;
mod window;

use super::lane::Lane;
use super::{Detector, Sensor};
use crate::memory::first_seen::{Entry, Seen, Standing};
use crate::memory::groups::{GONE, Groups};
use arrow_array::builder::BinaryBuilder;
use arrow_array::cast::AsArray as _;
use arrow_array::types::{ArrowPrimitiveType, Int64Type, UInt8Type, UInt64Type};
use arrow_array::{
    Array as _, ArrayRef, BinaryArray, FixedSizeListArray, Int64Array, PrimitiveArray, RecordBatch,
    StringArray, UInt8Array, UInt64Array,
};
use arrow_schema::{DataType, Field, Schema};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::sync::Arc;
use telltale_schema::{TableBatch, TableId};

/// The lane (of the site, or of a sensor) and the question that a part belongs to.
type Place = (Option<Arc<str>>, usize);

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

/// What a detector remembered at some time, whatever it has seen since.
pub struct Frozen {
    parts: Vec<Part>,
    sequences: Vec<sequence::Frozen>,
}

impl Frozen {
    /// All that was remembered, as parts. It takes a while, and no detector waits for it.
    #[must_use]
    pub fn into_parts(self) -> Vec<Part> {
        let mut out = self.parts;
        for sequence in self.sequences {
            sequence.parts(&mut out);
        }
        out
    }
}

impl Detector {
    /// All that is remembered. Groups that no window needs any more are left out.
    #[must_use]
    pub fn parts(&self) -> Vec<Part> {
        self.freeze().into_parts()
    }

    /// The same, quickly: what is shared or can be copied at once is made into parts
    /// later, by another thread while the detector goes on.
    #[must_use]
    pub fn freeze(&self) -> Frozen {
        let mut out = Vec::new();
        let mut sequences = Vec::new();
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
                    window::window_parts(window, keys, &at, self.fingerprint(*asked), &mut out);
                }
            }
            for (asked, sequence) in &lane.sequences {
                let at = format!("{name}/{}", self.rule_of(*asked));
                sequences.push(sequence::freeze(sequence, at, self.fingerprint(*asked)));
            }
        }
        Frozen {
            parts: out,
            sequences,
        }
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
        let counters = [
            c.rows,
            c.late,
            c.caught_up,
            c.forced,
            c.refused,
            c.evicted,
            c.forgotten,
        ];
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
        let mut groups: FxHashMap<String, Vec<u32>> = FxHashMap::default();
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
                (_, "partials" | "taken") => self.restore_sequence(&reading, head, last)?,
                _ => return Err(reading.wrong("there is no such part")),
            };
            if known {
                restored.taken += 1;
            } else {
                restored.left.push(part.name.clone());
            }
        }
        self.main.until = self.watermark;
        for (name, lane) in &mut self.lanes {
            lane.until = self.sensors.get(name).map_or(i64::MIN, |s| s.watermark);
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
        let [rows, late, caught_up, forced, refused, evicted, forgotten] = counters.as_slice()
        else {
            return Err(reading.wrong("`counters` are not seven numbers"));
        };
        self.counters = super::Counters {
            rows: *rows,
            late: *late,
            caught_up: *caught_up,
            forced: *forced,
            refused: *refused,
            evicted: *evicted,
            forgotten: *forgotten,
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
        seen.full_until = reading.number("full_until")?;
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
    fn place(&self, reading: &Reading<'_>, head: &str) -> Result<Option<Place>, StateError> {
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

    pub(super) fn lane_mut(&mut self, lane: Option<&Arc<str>>) -> Option<&mut Lane> {
        match lane {
            None => Some(&mut self.main),
            Some(sensor) => self.lanes.get_mut(sensor),
        }
    }
}

fn seen_part(seen: &Seen, name: String) -> Option<Part> {
    // in the order of their numbers, which restoring keeps
    let order: Vec<u32> = (0..seen.keys.len() as u32).collect();
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
            ("full_until", seen.full_until.to_string()),
        ]),
        rows,
    })
}

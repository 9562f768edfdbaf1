//! From parts to a stage.

use super::{COUNTERS, FORMAT, FORMAT_KEY, MAX_COUNT, PART, PARTS, Restored, SITE, StateError};
use crate::stage::risk::{self, Device, Risk};
use crate::stage::timed::{Key, Timed};
use crate::stage::told::{Fate, Told};
use crate::stage::{Counters, Open, Stage, Window};
use crate::v1::{Alert, Evidence};
use arrow_array::cast::AsArray as _;
use arrow_array::types::{ArrowPrimitiveType, Int64Type, UInt8Type, UInt64Type};
use arrow_array::{
    Array as _, ArrayRef, BooleanArray, LargeBinaryArray, LargeStringArray, PrimitiveArray,
    RecordBatch,
};
use prost::Message as _;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A part that is being read.
struct Reading<'p> {
    name: &'static str,
    rows: &'p RecordBatch,
}

fn wrong(part: &str, why: impl Into<String>) -> StateError {
    StateError {
        part: part.to_owned(),
        why: why.into(),
    }
}

impl<'p> Reading<'p> {
    fn wrong(&self, why: impl Into<String>) -> StateError {
        wrong(self.name, why)
    }

    fn column<A>(
        &self,
        name: &str,
        of: impl Fn(&'p ArrayRef) -> Option<&'p A>,
        nulls: bool,
    ) -> Result<&'p A, StateError> {
        let array = self
            .rows
            .column_by_name(name)
            .ok_or_else(|| self.wrong(format!("no column `{name}`")))?;
        if array.null_count() > 0 && !nulls {
            return Err(self.wrong(format!("`{name}` lacks values")));
        }
        of(array).ok_or_else(|| self.wrong(format!("`{name}` is of another type")))
    }

    fn texts(&self, name: &str) -> Result<&'p LargeStringArray, StateError> {
        self.column(name, |a| a.as_string_opt::<i64>(), false)
    }

    fn bytes(&self, name: &str) -> Result<&'p LargeBinaryArray, StateError> {
        self.column(name, |a| a.as_binary_opt::<i64>(), false)
    }

    fn truths(&self, name: &str) -> Result<&'p BooleanArray, StateError> {
        self.column(name, |a| a.as_boolean_opt(), false)
    }

    fn numbers<T: ArrowPrimitiveType>(
        &self,
        name: &str,
    ) -> Result<&'p PrimitiveArray<T>, StateError> {
        self.column(name, |a| a.as_primitive_opt::<T>(), false)
    }

    fn count(&self, value: u64) -> Result<u64, StateError> {
        if value > MAX_COUNT {
            return Err(self.wrong("a count that nothing can reach"));
        }
        Ok(value)
    }

    /// The alert of these bytes; `None` for no bytes.
    fn alert(&self, bytes: &[u8], rule: &str) -> Result<Option<Alert>, StateError> {
        if bytes.is_empty() {
            return Ok(None);
        }
        let alert =
            Alert::decode(bytes).map_err(|e| self.wrong(format!("what is no alert: {e}")))?;
        self.count(alert.count)?;
        if alert.rule.as_ref().is_none_or(|r| r.id != rule) {
            return Err(self.wrong("an alert of another rule than it says"));
        }
        Ok(Some(alert))
    }

    fn needed(&self, bytes: &[u8], rule: &str) -> Result<Alert, StateError> {
        self.alert(bytes, rule)?
            .ok_or_else(|| self.wrong("an alert is missing"))
    }
}

/// Ids of rules, and versions that state has them in.
#[derive(Default)]
struct Rules {
    known: BTreeMap<Arc<str>, String>,
}

impl Rules {
    fn take(
        &mut self,
        reading: &Reading<'_>,
        rule: &str,
        version: &str,
    ) -> Result<Arc<str>, StateError> {
        if let Some((id, was)) = self.known.get_key_value(rule) {
            return if was == version {
                Ok(id.clone())
            } else {
                Err(reading.wrong(format!("two versions of the rule {rule}")))
            };
        }
        let id: Arc<str> = Arc::from(rule);
        self.known.insert(id.clone(), version.to_owned());
        Ok(id)
    }
}

fn put<V>(
    reading: &Reading<'_>,
    into: &mut Timed<V>,
    key: Key,
    until: i64,
    value: V,
) -> Result<(), StateError> {
    match into.insert(key, until, value) {
        None => Ok(()),
        Some(_) => Err(reading.wrong("the same key twice")),
    }
}

fn suppressions(r: &Reading<'_>, rules: &mut Rules) -> Result<Timed<Open>, StateError> {
    let (rule, version) = (r.texts("rule")?, r.texts("version")?);
    let (key, group) = (r.texts("key")?, r.texts("group")?);
    let until = r.numbers::<Int64Type>("until")?;
    let said = r.numbers::<UInt64Type>("said")?;
    let (capped, alert) = (r.truths("capped")?, r.bytes("alert")?);
    let mut out = Timed::default();
    for n in 0..r.rows.num_rows() {
        let id = rules.take(r, rule.value(n), version.value(n))?;
        let open = Open {
            alert: r.needed(alert.value(n), &id)?,
            said: r.count(said.value(n))?,
            capped: capped.value(n),
            group: Some(group.value(n).to_owned()).filter(|g| !g.is_empty()),
        };
        put(
            r,
            &mut out,
            (id, key.value(n).to_owned()),
            until.value(n),
            open,
        )?;
    }
    Ok(out)
}

fn windows(r: &Reading<'_>, rules: &mut Rules) -> Result<Timed<Window>, StateError> {
    let (rule, version) = (r.texts("rule")?, r.texts("version")?);
    let (key, last) = (r.texts("key")?, r.bytes("last")?);
    let times = |name| r.numbers::<Int64Type>(name);
    let (until, start) = (times("until")?, times("start")?);
    let counts = |name| r.numbers::<UInt64Type>(name);
    let (created, beyond) = (counts("created")?, counts("beyond")?);
    let mut out = Timed::default();
    for n in 0..r.rows.num_rows() {
        let id = rules.take(r, rule.value(n), version.value(n))?;
        let window = Window {
            start_ns: start.value(n),
            created: r.count(created.value(n))?,
            beyond: r.count(beyond.value(n))?,
            last: r.alert(last.value(n), &id)?,
        };
        put(
            r,
            &mut out,
            (id, key.value(n).to_owned()),
            until.value(n),
            window,
        )?;
    }
    Ok(out)
}

fn told(r: &Reading<'_>, rules: &mut Rules) -> Result<Timed<Told>, StateError> {
    let (rule, version) = (r.texts("rule")?, r.texts("version")?);
    let (group, key) = (r.texts("group")?, r.texts("key")?);
    let until = r.numbers::<Int64Type>("until")?;
    let fate = r.numbers::<UInt8Type>("fate")?;
    let alert_id = r.texts("alert_id")?;
    let (words, alert) = (r.bytes("words")?, r.bytes("alert")?);
    let said = r.numbers::<UInt64Type>("said")?;
    let mut out = Timed::default();
    for n in 0..r.rows.num_rows() {
        let id = rules.take(r, rule.value(n), version.value(n))?;
        let kept = Evidence::decode(words.value(n))
            .map_err(|e| r.wrong(format!("what are no words: {e}")))?;
        let told = Told {
            fate: match fate.value(n) {
                0 => Fate::Created,
                1 => Fate::Joined,
                2 => Fate::Silent,
                other => return Err(r.wrong(format!("no fate has the number {other}"))),
            },
            key: key.value(n).to_owned(),
            alert_id: alert_id.value(n).to_owned(),
            words: kept.fields.into_iter().map(|f| (f.name, f.value)).collect(),
            alert: r.alert(alert.value(n), &id)?,
            said: r.count(said.value(n))?,
        };
        put(
            r,
            &mut out,
            (id, group.value(n).to_owned()),
            until.value(n),
            told,
        )?;
    }
    Ok(out)
}

fn devices(
    of: &Reading<'_>,
    parts: &Reading<'_>,
    rules: &mut Rules,
) -> Result<Timed<Device>, StateError> {
    let device = of.texts("device")?;
    let (until, start) = (
        of.numbers::<Int64Type>("until")?,
        of.numbers::<Int64Type>("start")?,
    );
    let met = of.column("met", |a| a.as_primitive_opt::<Int64Type>(), true)?;
    let (said, capped) = (of.truths("said")?, of.truths("capped")?);
    let risk: Arc<str> = Arc::from(risk::RULE);
    let mut out = Timed::default();
    for n in 0..of.rows.num_rows() {
        let value = Device {
            start_ns: start.value(n),
            met_ns: met.is_valid(n).then(|| met.value(n)),
            said: said.value(n),
            capped: capped.value(n),
            parts: BTreeMap::new(),
        };
        put(
            of,
            &mut out,
            (risk.clone(), device.value(n).to_owned()),
            until.value(n),
            value,
        )?;
    }
    let r = parts;
    let (device, rule) = (r.texts("device")?, r.texts("rule")?);
    let (version, alert) = (r.texts("version")?, r.bytes("alert")?);
    for n in 0..r.rows.num_rows() {
        let id = rules.take(r, rule.value(n), version.value(n))?;
        let alert = r.needed(alert.value(n), &id)?;
        let key = (risk.clone(), device.value(n).to_owned());
        let device = out
            .get_mut(&key)
            .ok_or_else(|| r.wrong("a part of a device that is not there"))?;
        if device.parts.insert(id, alert).is_some() {
            return Err(r.wrong("the same rule twice"));
        }
    }
    Ok(out)
}

fn counters(r: &Reading<'_>) -> Result<(Counters, i64), StateError> {
    let (name, value) = (r.texts("name")?, r.numbers::<UInt64Type>("value")?);
    let mut out = Counters::default();
    let mut now_ns = None;
    for n in 0..r.rows.num_rows() {
        if name.value(n) == "now_ns" {
            now_ns = Some(value.value(n).cast_signed());
        } else if let Some((_, of)) = COUNTERS.iter().find(|c| c.0 == name.value(n)) {
            *of(&mut out) = r.count(value.value(n))?;
        } else {
            return Err(r.wrong(format!("no counter `{}`", name.value(n))));
        }
    }
    let now_ns = now_ns.ok_or_else(|| r.wrong("it does not say how far time has come"))?;
    Ok((out, now_ns))
}

impl Stage {
    /// The part of this name; each is there once, of this format and site.
    fn reading<'p>(
        &self,
        parts: &'p [RecordBatch],
        name: &'static str,
    ) -> Result<Reading<'p>, StateError> {
        let about = |rows: &'p RecordBatch, key: &str| {
            let metadata = rows.schema_ref().metadata();
            metadata.get(key).map(String::as_str)
        };
        let mut named = parts.iter().filter(|rows| about(rows, PART) == Some(name));
        let rows = named.next().ok_or_else(|| wrong(name, "it is missing"))?;
        if named.next().is_some() {
            return Err(wrong(name, "it is there twice"));
        }
        if about(rows, FORMAT_KEY) != Some(&FORMAT.to_string()) {
            let format = about(rows, FORMAT_KEY).unwrap_or("none");
            return Err(wrong(name, format!("its format is {format}, not {FORMAT}")));
        }
        if about(rows, SITE) != Some(&self.site.toml.name) {
            let site = about(rows, SITE).unwrap_or("none");
            return Err(wrong(name, format!("it is of the site `{site}`")));
        }
        Ok(Reading { name, rows })
    }

    /// Puts state back, in place of what the stage holds. What is held of a rule that is
    /// gone or has another version is dropped, as by [`Stage::reload`].
    ///
    /// # Errors
    /// When parts are missing, of another format or site, or not what they say; then the
    /// stage is as it was.
    pub fn put_state(
        &mut self,
        parts: &[RecordBatch],
        out: &mut Vec<Alert>,
    ) -> Result<Restored, StateError> {
        if parts.len() != PARTS.len() {
            let why = format!("{} parts instead of {}", parts.len(), PARTS.len());
            return Err(wrong("all", why));
        }
        let reading = |name| self.reading(parts, name);
        let mut rules = Rules::default();
        let (counters, now_ns) = counters(&reading("counters")?)?;
        let hits = reading("exceptions")?;
        let (key, number) = (hits.texts("key")?, hits.numbers::<UInt64Type>("hits")?);
        let mut by_key = BTreeMap::new();
        for n in 0..hits.rows.num_rows() {
            let first = by_key.entry(key.value(n));
            first.or_insert(hits.count(number.value(n))?);
        }
        let open = suppressions(&reading("suppressions")?, &mut rules)?;
        let windows = windows(&reading("cap")?, &mut rules)?;
        let told = told(&reading("told")?, &mut rules)?;
        let devices = devices(&reading("risk")?, &reading("risk_parts")?, &mut rules)?;
        let held: usize = devices.iter().map(|(.., d)| d.parts.len()).sum();
        let all = (open.len() + windows.len() + told.len() + held) as u64;

        self.put_hits(|key| by_key.get(key).copied());
        self.now_ns = now_ns;
        self.open = open;
        self.windows = windows;
        self.told = told;
        self.risk = Risk { devices };
        let before = counters.dropped;
        self.counters = counters;
        let mine = self.rules.rules.iter();
        let stay: BTreeSet<Arc<str>> = mine
            .filter(|r| rules.known.get(r.id.as_str()) == Some(&r.version))
            .map(|r| Arc::from(&*r.id))
            .collect();
        self.keep(&stay, out);
        let dropped = self.counters.dropped.saturating_sub(before);
        Ok(Restored {
            taken: all.saturating_sub(dropped),
            dropped,
        })
    }
}

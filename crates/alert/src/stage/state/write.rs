//! From a stage to parts.

use super::{COUNTERS, FORMAT, FORMAT_KEY, PART, SITE, StateError};
use crate::stage::told::Fate;
use crate::stage::{Stage, risk};
use crate::v1::{Alert, Evidence, Field as Word};
use arrow_array::{
    Array as _, ArrayRef, BooleanArray, Int64Array, LargeBinaryArray, LargeStringArray,
    RecordBatch, UInt8Array, UInt64Array,
};
use arrow_schema::{Field, Schema};
use prost::Message as _;
use std::collections::HashMap;
use std::sync::Arc;

fn texts<S: AsRef<str>>(values: impl Iterator<Item = S>) -> ArrayRef {
    Arc::new(LargeStringArray::from_iter_values(values))
}

fn times(values: impl Iterator<Item = i64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(values))
}

fn counts(values: impl Iterator<Item = u64>) -> ArrayRef {
    Arc::new(UInt64Array::from_iter_values(values))
}

fn truths(values: impl Iterator<Item = bool>) -> ArrayRef {
    Arc::new(values.map(Some).collect::<BooleanArray>())
}

/// Alerts as the bytes of their proto; no bytes for none.
fn alerts<'a>(values: impl Iterator<Item = Option<&'a Alert>>) -> ArrayRef {
    let bytes = values.map(|a| a.map_or_else(Vec::new, Alert::encode_to_vec));
    Arc::new(LargeBinaryArray::from_iter_values(bytes))
}

fn words(all: &[(String, String)]) -> Vec<u8> {
    let fields = all.iter().map(|(name, value)| Word {
        name: name.clone(),
        value: value.clone(),
    });
    Evidence {
        fields: fields.collect(),
        ..Evidence::default()
    }
    .encode_to_vec()
}

fn fate(fate: Fate) -> u8 {
    match fate {
        Fate::Created => 0,
        Fate::Joined => 1,
        Fate::Silent => 2,
    }
}

impl Stage {
    fn version(&self, rule: &str) -> &str {
        if rule == risk::RULE {
            return risk::VERSION;
        }
        let rules = self.rules.rules.iter();
        let mut named = rules.filter(|r| r.id == rule);
        named.next().map_or("", |r| r.version.as_str())
    }

    fn part(&self, name: &str, columns: Vec<(&str, ArrayRef)>) -> Result<RecordBatch, StateError> {
        let fields: Vec<Field> = columns
            .iter()
            .map(|(name, array)| Field::new(*name, array.data_type().clone(), array.is_nullable()))
            .collect();
        let about = HashMap::from([
            (PART.to_owned(), name.to_owned()),
            (FORMAT_KEY.to_owned(), FORMAT.to_string()),
            (SITE.to_owned(), self.site.toml.name.clone()),
        ]);
        let arrays = columns.into_iter().map(|c| c.1).collect();
        let schema = Schema::new_with_metadata(fields, about);
        RecordBatch::try_new(Arc::new(schema), arrays).map_err(|error| StateError {
            part: name.to_owned(),
            why: error.to_string(),
        })
    }

    /// All that is held, in an order of its own: equal state gives equal parts.
    ///
    /// # Errors
    /// When a part is no batch, which no state is known to bring about.
    pub fn take_state(&self) -> Result<Vec<RecordBatch>, StateError> {
        let mut counters = self.counters.clone();
        let mut numbers: Vec<(&str, u64)> = COUNTERS
            .iter()
            .map(|(name, of)| (*name, *of(&mut counters)))
            .collect();
        numbers.push(("now_ns", self.now_ns.cast_unsigned()));
        let hits = || self.site.exceptions.iter().zip(&self.hits);
        let open = || self.open.iter();
        let cap = || self.windows.iter();
        let told = || self.told.iter();
        let devices = || self.risk.devices.iter();
        let parts: Vec<_> = devices()
            .flat_map(|(key, _, d)| d.parts.iter().map(move |p| (key, p)))
            .collect();
        let parts = || parts.iter();
        Ok(vec![
            self.part(
                "counters",
                vec![
                    ("name", texts(numbers.iter().map(|n| n.0))),
                    ("value", counts(numbers.iter().map(|n| n.1))),
                ],
            )?,
            self.part(
                "exceptions",
                vec![
                    ("key", texts(hits().map(|(e, _)| &e.key))),
                    ("hits", counts(hits().map(|(_, hits)| *hits))),
                ],
            )?,
            self.part(
                "suppressions",
                vec![
                    ("rule", texts(open().map(|(k, ..)| &k.0))),
                    ("version", texts(open().map(|(k, ..)| self.version(&k.0)))),
                    ("key", texts(open().map(|(k, ..)| &k.1))),
                    ("until", times(open().map(|(_, until, _)| until))),
                    ("said", counts(open().map(|(.., o)| o.said))),
                    ("capped", truths(open().map(|(.., o)| o.capped))),
                    (
                        "group",
                        texts(open().map(|(.., o)| o.group.as_deref().unwrap_or(""))),
                    ),
                    ("alert", alerts(open().map(|(.., o)| Some(&o.alert)))),
                ],
            )?,
            self.part(
                "cap",
                vec![
                    ("rule", texts(cap().map(|(k, ..)| &k.0))),
                    ("version", texts(cap().map(|(k, ..)| self.version(&k.0)))),
                    ("key", texts(cap().map(|(k, ..)| &k.1))),
                    ("until", times(cap().map(|(_, until, _)| until))),
                    ("start", times(cap().map(|(.., w)| w.start_ns))),
                    ("created", counts(cap().map(|(.., w)| w.created))),
                    ("beyond", counts(cap().map(|(.., w)| w.beyond))),
                    ("last", alerts(cap().map(|(.., w)| w.last.as_ref()))),
                ],
            )?,
            self.part(
                "told",
                vec![
                    ("rule", texts(told().map(|(k, ..)| &k.0))),
                    ("version", texts(told().map(|(k, ..)| self.version(&k.0)))),
                    ("group", texts(told().map(|(k, ..)| &k.1))),
                    ("until", times(told().map(|(_, until, _)| until))),
                    (
                        "fate",
                        Arc::new(UInt8Array::from_iter_values(
                            told().map(|(.., t)| fate(t.fate)),
                        )),
                    ),
                    ("key", texts(told().map(|(.., t)| &t.key))),
                    ("alert_id", texts(told().map(|(.., t)| &t.alert_id))),
                    (
                        "words",
                        Arc::new(LargeBinaryArray::from_iter_values(
                            told().map(|(.., t)| words(&t.words)),
                        )),
                    ),
                    ("said", counts(told().map(|(.., t)| t.said))),
                    ("alert", alerts(told().map(|(.., t)| t.alert.as_ref()))),
                ],
            )?,
            self.part(
                "risk",
                vec![
                    ("device", texts(devices().map(|(k, ..)| &k.1))),
                    ("until", times(devices().map(|(_, until, _)| until))),
                    ("start", times(devices().map(|(.., d)| d.start_ns))),
                    (
                        "met",
                        Arc::new(devices().map(|(.., d)| d.met_ns).collect::<Int64Array>()),
                    ),
                    ("said", truths(devices().map(|(.., d)| d.said))),
                    ("capped", truths(devices().map(|(.., d)| d.capped))),
                ],
            )?,
            self.part(
                "risk_parts",
                vec![
                    ("device", texts(parts().map(|(k, _)| &k.1))),
                    ("rule", texts(parts().map(|(_, p)| p.0))),
                    ("version", texts(parts().map(|(_, p)| self.version(p.0)))),
                    ("alert", alerts(parts().map(|(_, p)| Some(p.1)))),
                ],
            )?,
        ])
    }
}

//! `tags.csv`: what a point means in the process.

use super::table::Reader;
use crate::diagnostic::Diagnostic;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// What a point means.
#[derive(Debug, Clone, PartialEq)]
pub struct Tag {
    /// Its name.
    pub name: String,
    /// Factor from the raw value to the unit.
    pub scale: f64,
    /// Engineering unit.
    pub unit: String,
    /// Least sensible value.
    pub low: Option<f64>,
    /// Greatest sensible value.
    pub high: Option<f64>,
    words: Words,
}

/// How registers make a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Words {
    One {
        signed: bool,
    },
    Two {
        float: bool,
        signed: bool,
        low_first: bool,
    },
}

/// Points by device and object type, then first address.
#[derive(Debug, Clone, Default)]
pub struct Tags {
    by_point: BTreeMap<IpAddr, BTreeMap<String, BTreeMap<u64, Tag>>>,
}

const COLUMNS: [&str; 10] = [
    "device",
    "object",
    "name",
    "type",
    "word_order",
    "scale",
    "unit",
    "low",
    "high",
    "note",
];

impl Tags {
    /// Parses CSV with a header: device, object, name, type, word_order, scale, unit, low, high.
    #[must_use]
    pub fn parse(name: &str, text: &str) -> (Self, Vec<Diagnostic>) {
        let mut found = Vec::new();
        let mut tags = Self::default();
        let mut reader = match Reader::new(name, text) {
            Ok(reader) => reader,
            Err(diagnostic) => return (tags, vec![diagnostic]),
        };
        found.extend(reader.check_columns(&COLUMNS, "TT-SITE-041"));
        while let Some(row) = reader.next() {
            let (line, row) = match row {
                Ok(row) => row,
                Err(diagnostic) => {
                    found.push(diagnostic);
                    continue;
                }
            };
            let cell = |c: &str| row.get(c).map_or("", |v| v.trim());
            let number = |c: &str| {
                if cell(c).is_empty() {
                    Ok(None)
                } else {
                    cell(c)
                        .parse::<f64>()
                        .ok()
                        .filter(|n| n.is_finite())
                        .map(Some)
                        .ok_or_else(|| format!("`{c}: {}` is no number", cell(c)))
                }
            };
            let parsed = (|| -> Result<_, String> {
                let device: IpAddr = cell("device")
                    .parse()
                    .map_err(|_| format!("`device: {}` is no address", cell("device")))?;
                let (kind, first) = cell("object").split_once(':').ok_or_else(|| {
                    format!(
                        "`object: {}` is not written like holding_register:100",
                        cell("object")
                    )
                })?;
                let first: u64 = first
                    .parse()
                    .map_err(|_| format!("`{first}` is no address of a point"))?;
                let low_first = match cell("word_order") {
                    "" | "big" | "high_first" => false,
                    "little" | "low_first" => true,
                    other => return Err(format!("word_order `{other}`; write big or little")),
                };
                if cell("name").is_empty() {
                    return Err("a tag has a `name`".to_owned());
                }
                let words = match cell("type") {
                    "" | "u16" | "bool" | "u8" => Words::One { signed: false },
                    "i16" | "i8" => Words::One { signed: true },
                    "u32" => Words::Two {
                        float: false,
                        signed: false,
                        low_first,
                    },
                    "i32" => Words::Two {
                        float: false,
                        signed: true,
                        low_first,
                    },
                    "f32" => Words::Two {
                        float: true,
                        signed: true,
                        low_first,
                    },
                    other => {
                        return Err(format!(
                            "type `{other}`; write bool, u16, i16, u32, i32 or f32"
                        ));
                    }
                };
                let tag = Tag {
                    name: cell("name").to_owned(),
                    scale: number("scale")?.unwrap_or(1.0),
                    unit: cell("unit").to_owned(),
                    low: number("low")?,
                    high: number("high")?,
                    words,
                };
                Ok(((device, kind.to_owned()), first, tag))
            })();
            match parsed {
                Ok(((device, kind), first, tag)) => {
                    let points = tags.by_point.entry(device).or_default();
                    let before = points.entry(kind).or_default().insert(first, tag);
                    if let Some(before) = before {
                        found.push(Diagnostic::error(
                            "TT-SITE-042",
                            name,
                            (line, 0),
                            format!("this point is already called `{}`", before.name),
                        ));
                    }
                }
                Err(why) => found.push(Diagnostic::error("TT-SITE-040", name, (line, 0), why)),
            }
        }
        (tags, found)
    }

    /// Is none known?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_point.is_empty()
    }

    /// The first tag among the points touched, with its value in its unit if the
    /// raw values are at hand.
    #[must_use]
    pub fn find(
        &self,
        device: IpAddr,
        object_type: &str,
        first: u64,
        count: u64,
        data: Option<&[f64]>,
    ) -> Option<(&Tag, Option<f64>)> {
        let points = self.by_point.get(&device)?.get(object_type)?;
        let (at, tag) = points
            .range(first..first.saturating_add(count.max(1)))
            .next()?;
        let index = usize::try_from(at - first).ok()?;
        let value = data
            .and_then(|d| tag.words.value(d.get(index..)?))
            .map(|v| v * tag.scale)
            .filter(|v| v.is_finite());
        Some((tag, value))
    }
}

impl Words {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    fn value(self, data: &[f64]) -> Option<f64> {
        match self {
            Self::One { signed: false } => data.first().copied(),
            Self::One { signed: true } => data
                .first()
                .map(|v| if *v > 32767.0 { v - 65536.0 } else { *v }),
            Self::Two {
                float,
                signed,
                low_first,
            } => {
                let (a, b) = (*data.first()? as u32, *data.get(1)? as u32);
                let (high, low) = if low_first { (b, a) } else { (a, b) };
                let raw = (high << 16) | (low & 0xffff);
                Some(match (float, signed) {
                    (true, _) => f64::from(f32::from_bits(raw)),
                    (_, true) => f64::from(raw.cast_signed()),
                    _ => f64::from(raw),
                })
            }
        }
    }
}

//! `tags.csv`: what a point means in the process.

mod place;

use super::table::Reader;
use crate::diagnostic::Diagnostic;
use place::{Bytes, Place};
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
    Bit,
    Byte {
        signed: bool,
    },
    One {
        signed: bool,
    },
    Two {
        float: bool,
        signed: bool,
        low_first: bool,
    },
}

/// The points of one device, or of one station behind its address.
#[derive(Debug, Clone, Default)]
struct Points {
    /// By kind of object and address: `holding_register:100`, `binary_output:2`.
    numbered: BTreeMap<String, BTreeMap<u64, Tag>>,
    /// By area, byte and bit: `DB10.DBW4`, `M10.3`.
    bytes: BTreeMap<String, BTreeMap<(u64, u8), Tag>>,
    /// By the object's own text: `tag:Tank1.Level`, `pccc:N7:0`, `T5`.
    named: BTreeMap<String, Tag>,
}

/// Points by device and station.
#[derive(Debug, Clone, Default)]
pub struct Tags {
    by_device: BTreeMap<IpAddr, BTreeMap<Option<String>, Points>>,
}

/// What a row touches.
#[derive(Debug, Clone, Copy)]
pub struct Touched<'a> {
    /// Address of the server.
    pub device: IpAddr,
    /// Station behind the address, as rows show it.
    pub station: Option<&'a str>,
    /// The object's text.
    pub object: Option<&'a str>,
    /// Its kind.
    pub object_type: &'a str,
    /// First address, in the units of the table's object grammar.
    pub first: Option<u64>,
    /// Elements, from the first.
    pub count: u64,
    /// Values of the elements, if the row has them.
    pub data: Option<&'a [f64]>,
    /// Are the values floating-point numbers already (S7 transport size REAL)?
    pub real: bool,
}

const COLUMNS: [&str; 11] = [
    "device",
    "station",
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

impl Touched<'_> {
    /// `transport_size` of an S7 item whose values are floating-point numbers.
    pub const S7_REAL: u64 = 8;
}

impl Tags {
    /// Parses CSV with a header: device, station, object, name, type, word_order, scale, unit, low, high.
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
                let place = Place::read(cell("object")).ok_or_else(|| {
                    format!(
                        "`object: {}` is not written as rows show it, like holding_register:100, DB10.DBW4 or tag:Tank1.Level",
                        cell("object")
                    )
                })?;
                let station = (!cell("station").is_empty()).then(|| cell("station").to_owned());
                let low_first = match cell("word_order") {
                    "" | "big" | "high_first" => false,
                    "little" | "low_first" => true,
                    other => return Err(format!("word_order `{other}`; write big or little")),
                };
                if cell("name").is_empty() {
                    return Err("a tag has a `name`".to_owned());
                }
                let words = match cell("type") {
                    "" | "u16" => Words::One { signed: false },
                    "bool" => Words::Bit,
                    "u8" => Words::Byte { signed: false },
                    "i8" => Words::Byte { signed: true },
                    "i16" => Words::One { signed: true },
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
                Ok((device, station, place, tag))
            })();
            match parsed {
                Ok((device, station, place, tag)) => {
                    let stations = tags.by_device.entry(device).or_default();
                    let points = stations.entry(station).or_default();
                    let before = match place {
                        Place::Numbered { kind, first } => {
                            points.numbered.entry(kind).or_default().insert(first, tag)
                        }
                        Place::Bytes(at) => points
                            .bytes
                            .entry(at.area)
                            .or_default()
                            .insert((at.byte, at.bit.unwrap_or(0)), tag),
                        Place::Named(text) => points.named.insert(text, tag),
                    };
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

    /// From rows of a test's context.
    ///
    /// # Errors
    /// In words, what is wrong with a row.
    pub fn from_json(rows: &[serde_json::Map<String, serde_json::Value>]) -> Result<Self, String> {
        if rows.is_empty() {
            return Ok(Self::default());
        }
        let text = super::table::csv_of(rows)?;
        let (tags, found) = Self::parse("tags", &text);
        match found.first() {
            Some(first) => Err(first.message.clone()),
            None => Ok(tags),
        }
    }

    /// Is none known?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_device.is_empty()
    }

    /// Has the device tags?
    #[must_use]
    pub fn knows(&self, device: &IpAddr) -> bool {
        self.by_device.contains_key(device)
    }

    /// The first tag among the points touched, with its value in its unit if the
    /// row's values tell it. A tag with a station is only for that station.
    #[must_use]
    pub fn find(&self, touched: &Touched<'_>) -> Option<(&Tag, Option<f64>)> {
        let stations = self.by_device.get(&touched.device)?;
        let own = touched
            .station
            .and_then(|s| stations.get(&Some(s.to_owned())));
        let any = stations.get(&None);
        let (tag, raw) = own
            .into_iter()
            .chain(any)
            .find_map(|points| points.find(touched))?;
        let value = raw.map(|v| v * tag.scale).filter(|v| v.is_finite());
        Some((tag, value))
    }

    /// Is the value outside of the limits of the device's tag of this name? False
    /// where the tag is unknown or has no limits.
    #[must_use]
    pub fn is_outside(&self, device: IpAddr, name: &str, value: f64) -> bool {
        let points = self.by_device.get(&device).into_iter().flatten();
        points
            .flat_map(|(_, points)| points.all())
            .any(|tag| tag.name == name && tag.is_outside(value))
    }
}

impl Tag {
    /// Is the value outside of the tag's limits?
    #[must_use]
    pub fn is_outside(&self, value: f64) -> bool {
        self.low.is_some_and(|low| value < low) || self.high.is_some_and(|high| value > high)
    }
}

impl Points {
    fn all(&self) -> impl Iterator<Item = &Tag> {
        let numbered = self.numbered.values().flat_map(BTreeMap::values);
        let bytes = self.bytes.values().flat_map(BTreeMap::values);
        numbered.chain(bytes).chain(self.named.values())
    }

    /// The tag and its raw value.
    fn find(&self, touched: &Touched<'_>) -> Option<(&Tag, Option<f64>)> {
        if let (Some(points), Some(first)) = (self.numbered.get(touched.object_type), touched.first)
        {
            let last = first.saturating_add(touched.count.max(1));
            let (at, tag) = points.range(first..last).next()?;
            let index = usize::try_from(at - first).ok()?;
            let data = touched.data.and_then(|d| d.get(index..));
            let registers = touched.object_type.ends_with("register");
            return Some((tag, data.and_then(|d| tag.words.value(d, registers))));
        }
        let object = touched.object?;
        if let Some(tag) = self.named.get(object) {
            return Some((tag, touched.data.and_then(|d| tag.words.value(d, false))));
        }
        if self.bytes.is_empty() {
            return None;
        }
        let row = Bytes::read(object)?;
        let points = self.bytes.get(&row.area)?;
        if let Some(bit) = row.bit {
            let tag = points.get(&(row.byte, bit))?;
            return Some((tag, touched.data.and_then(|d| d.first().copied())));
        }
        let last = row.byte.saturating_add(touched.count.max(row.width));
        let ((byte, bit), tag) = points.range((row.byte, 0)..(last, 0)).next()?;
        let offset = byte - row.byte;
        Some((
            tag,
            touched
                .data
                .and_then(|d| tag.words.at(d, (row.width, touched.real), offset, *bit)),
        ))
    }
}

impl Words {
    /// The value of the elements from the tag's own on. Only 16-bit registers are
    /// joined; other protocols give elements of the value's own width.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    fn value(self, data: &[f64], registers: bool) -> Option<f64> {
        let first = *data.first()?;
        match self {
            Self::One { signed: true } if first > 32767.0 => Some(first - 65536.0),
            Self::Two {
                float,
                signed,
                low_first,
            } if registers => {
                let (a, b) = (first as u32, *data.get(1)? as u32);
                let (high, low) = if low_first { (b, a) } else { (a, b) };
                Some(typed((high << 16) | (low & 0xffff), float, signed))
            }
            _ => Some(first),
        }
    }

    /// The value at a byte offset of elements of `width` bytes each, high byte first.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    fn at(self, data: &[f64], (width, real): (u64, bool), offset: u64, bit: u8) -> Option<f64> {
        let element = |bytes: u64| {
            let at = (offset + bytes).checked_div(width)?;
            data.get(usize::try_from(at).ok()?).copied()
        };
        let byte = |n: u64| -> Option<u32> {
            let whole = element(n)? as i64;
            let shift = 8 * (width - 1 - (offset + n) % width);
            Some((whole >> shift) as u32 & 0xff)
        };
        let word = |n: u64| Some(byte(n)? << 8 | byte(n + 1)?);
        match self {
            Self::Bit => Some(f64::from(byte(0)? >> bit & 1)),
            Self::Byte { signed } => {
                let raw = byte(0)? as u8;
                Some(if signed {
                    f64::from(raw.cast_signed())
                } else {
                    f64::from(raw)
                })
            }
            Self::One { signed } => {
                let raw = word(0)? as u16;
                Some(if signed {
                    f64::from(raw.cast_signed())
                } else {
                    f64::from(raw)
                })
            }
            Self::Two { float: true, .. } if real && offset.is_multiple_of(width) => element(0),
            Self::Two { float, signed, .. } => {
                Some(typed(word(0)? << 16 | word(2)?, float, signed))
            }
        }
    }
}

/// 32 bits as the number that they stand for.
fn typed(raw: u32, float: bool, signed: bool) -> f64 {
    match (float, signed) {
        (true, _) => f64::from(f32::from_bits(raw)),
        (_, true) => f64::from(raw.cast_signed()),
        _ => f64::from(raw),
    }
}

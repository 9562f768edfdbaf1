//! Reads `tags.csv`.

use super::value::Kind;
use super::{Device, Group, Point, Tag, Tags, output};
use crate::diagnostic::Diagnostic;
use crate::site::table::Reader;
use serde_json::{Map, Value as Json};
use telltale_schema::modbus::ObjectClass as Modbus;
use telltale_schema::object::{Object, S7Size};
use telltale_schema::value::parse_ip;

const COLUMNS: [&str; 12] = [
    "device",
    "segment",
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

/// Where a row of the file puts its tag.
enum Where {
    Group(Group, u64, u64),
    Named(String, u64),
}

struct Line {
    device: [u8; 16],
    segment: Option<Box<str>>,
    station: Option<Box<str>>,
    place: Where,
    tag: Tag,
}

impl Tags {
    /// Parses CSV with a header: device, segment, station, object, name, type, word_order,
    /// scale, unit, low, high. Bad rows are named with their line and left out.
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
            let cell = |c: &str| row.get(c).map_or("", |v| v.trim()).to_owned();
            let added = Line::read(cell)
                .map_err(|why| ("TT-SITE-040", why))
                .and_then(|line| {
                    tags.add(line).map_err(|name| {
                        (
                            "TT-SITE-042",
                            format!("this point is already called `{name}`"),
                        )
                    })
                });
            if let Err((code, why)) = added {
                found.push(Diagnostic::error(code, name, (line, 0), why));
            }
        }
        tags.sort();
        (tags, found)
    }

    /// From rows of a test's context.
    ///
    /// # Errors
    /// In words, with the number of the row.
    pub fn from_json(rows: &[Map<String, Json>]) -> Result<Self, String> {
        let mut tags = Self::default();
        for (n, row) in rows.iter().enumerate() {
            let wrong = |why: String| format!("row {}: {why}", n + 1);
            if let Some(column) = row.keys().find(|c| !COLUMNS.contains(&c.as_str())) {
                return Err(wrong(format!("no column `{column}`")));
            }
            let cell = |c: &str| match row.get(c) {
                None | Some(Json::Null) => String::new(),
                Some(Json::String(text)) => text.trim().to_owned(),
                Some(other) => other.to_string(),
            };
            let line = Line::read(cell).map_err(wrong)?;
            tags.add(line)
                .map_err(|name| wrong(format!("this point is already called `{name}`")))?;
        }
        tags.sort();
        Ok(tags)
    }

    /// Adds a tag; the name that the point has already, if it has one.
    fn add(&mut self, line: Line) -> Result<(), String> {
        let devices = self.devices.entry(line.device).or_default();
        let known = devices
            .iter()
            .position(|d| d.segment == line.segment && d.station == line.station);
        let at = known.unwrap_or_else(|| {
            devices.push(Device {
                segment: line.segment,
                station: line.station,
                ..Device::default()
            });
            devices.len() - 1
        });
        let Some(device) = devices.get_mut(at) else {
            return Ok(());
        };
        let (points, first, length) = match line.place {
            Where::Group(group, first, length) => {
                (device.groups.entry(group).or_default(), first, length)
            }
            Where::Named(name, index) => {
                let at = device.named.iter().position(|(n, _)| **n == *name);
                let at = at.unwrap_or_else(|| {
                    device.named.push((name.into(), super::Points::default()));
                    device.named.len() - 1
                });
                let Some((_, points)) = device.named.get_mut(at) else {
                    return Ok(());
                };
                (points, index, 1)
            }
        };
        // a flag in a word may have a name of its own, beside the word's
        if let Some(before) = points
            .all
            .iter()
            .find(|p| p.first == first && p.length == length)
        {
            return Err(before.tag.name.clone());
        }
        points.longest = points.longest.max(length);
        points.all.push(Point {
            first,
            length,
            tag: line.tag,
        });
        self.count += 1;
        Ok(())
    }

    fn sort(&mut self) {
        for devices in self.devices.values_mut() {
            devices.sort_by_key(|d| (d.segment.is_none(), d.station.is_none()));
            for device in devices {
                device.named.sort_by(|a, b| a.0.cmp(&b.0));
                let named = device.named.iter_mut().map(|(_, points)| points);
                for points in named.chain(device.groups.values_mut()) {
                    points.all.sort_by_key(|p| p.first);
                }
            }
        }
    }
}

impl Line {
    fn read(cell: impl Fn(&str) -> String) -> Result<Self, String> {
        let number = |c: &str| {
            let text = cell(c);
            if text.is_empty() {
                return Ok(None);
            }
            text.parse::<f64>()
                .ok()
                .filter(|n| n.is_finite())
                .map(Some)
                .ok_or_else(|| format!("`{c}: {text}` is no number"))
        };
        let device = cell("device");
        let device =
            parse_ip(&device).ok_or_else(|| format!("`device: {device}` is no address"))?;
        let kind = cell("type");
        let kind = Kind::from_name(&kind)
            .ok_or_else(|| format!("type `{kind}`; write {}", Kind::NAMES))?;
        let low_first = match cell("word_order").as_str() {
            "" | "big" | "high_first" => false,
            "little" | "low_first" => true,
            other => return Err(format!("word_order `{other}`; write big or little")),
        };
        let (place, kind) = place(&cell("object"), kind, low_first)?;
        let name = cell("name");
        if name.is_empty() {
            return Err("a tag has a `name`".to_owned());
        }
        let (low, high) = (number("low")?, number("high")?);
        if let (Some(low), Some(high)) = (low, high)
            && low > high
        {
            return Err(format!("`low: {low}` is above `high: {high}`"));
        }
        let said = |c: &str| Some(cell(c)).filter(|t| !t.is_empty()).map(Into::into);
        Ok(Self {
            device,
            segment: said("segment"),
            station: said("station"),
            place,
            tag: Tag {
                name,
                scale: number("scale")?.unwrap_or(1.0),
                unit: cell("unit"),
                low,
                high,
                kind,
                low_first,
            },
        })
    }
}

/// Where the object lies, and how its value is kept there.
fn place(text: &str, kind: Kind, low_first: bool) -> Result<(Where, Kind), String> {
    let object = Object::parse(text).ok_or_else(|| {
        format!(
            "`object: {text}` is no point; write it like holding_register:100, analog_output:3, DB10.DBW4 or tag:Tank1.Level"
        )
    })?;
    if low_first && !matches!(object, Object::Modbus { .. }) {
        return Err("`word_order` is for Modbus registers".to_owned());
    }
    let one = |span: (u64, u64)| {
        (span.0 == span.1)
            .then_some(span.0)
            .ok_or_else(|| format!("`object: {text}` is several points; name the first"))
    };
    Ok(match object {
        Object::Modbus { class, span } => {
            let bit = matches!(class, Modbus::Coil | Modbus::DiscreteInput);
            if bit && !matches!(kind, Kind::Plain | Kind::Bool) {
                return Err(format!("a {} is a bool", class.as_str()));
            }
            let length = Tag::register_count(kind) as u64;
            (Where::Group(Group::Modbus(class), one(span)?, length), kind)
        }
        Object::Dnp3 { class, span, .. } => (
            Where::Group(Group::Dnp3(output(class)), one(span)?, 1),
            kind,
        ),
        Object::Cip { base, index } => (Where::Named(base.to_ascii_lowercase(), index), kind),
        Object::S7 {
            area,
            db,
            size,
            span,
            bit,
        } => {
            let first = span.0;
            let group = Group::S7(area, db);
            if text.contains("..") {
                return Err(format!(
                    "`object: {text}` is several points; name the first"
                ));
            }
            let fits = match size {
                S7Size::Bit => matches!(kind, Kind::Plain | Kind::Bool),
                S7Size::Word => matches!(kind, Kind::Plain | Kind::U16 | Kind::I16),
                S7Size::Double => {
                    matches!(kind, Kind::Plain | Kind::U32 | Kind::I32 | Kind::F32)
                }
                S7Size::Byte => kind != Kind::Bool,
                S7Size::Element => matches!(kind, Kind::Plain | Kind::U16 | Kind::I16),
            };
            if !fits {
                return Err(format!(
                    "`{text}` holds no such type; bool is a bit (DB1.DBX0.0), 16 bits are W, 32 bits D; B takes any other"
                ));
            }
            match size {
                S7Size::Bit => (
                    Where::Group(group, first.saturating_mul(8) | u64::from(bit), 1),
                    Kind::Bool,
                ),
                S7Size::Element => (Where::Group(group, first, 1), kind),
                _ => {
                    let kind = match (size, kind) {
                        (S7Size::Word, Kind::Plain) => Kind::U16,
                        (S7Size::Double, Kind::Plain) => Kind::U32,
                        (_, Kind::Plain) => Kind::U8,
                        (_, kind) => kind,
                    };
                    let bits = kind.bytes() as u64 * 8;
                    (Where::Group(group, first.saturating_mul(8), bits), kind)
                }
            }
        }
    })
}

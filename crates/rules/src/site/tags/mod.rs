//! `tags.csv`: what a point means in the process. The one place that knows how
//! the data of a row becomes the value of a tag.

mod parse;
mod value;

use std::collections::HashMap;
use std::net::IpAddr;
use telltale_schema::object::cip;
use telltale_schema::{dnp3, modbus};
use value::Kind;

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
    kind: Kind,
    /// Is the low word first (Modbus)?
    low_first: bool,
}

impl Tag {
    /// Is the value outside of the tag's limits? What is no number is outside of any.
    #[must_use]
    pub fn is_outside(&self, value: f64) -> bool {
        let fits =
            self.low.is_none_or(|low| value >= low) && self.high.is_none_or(|high| value <= high);
        !fits
    }

    /// In its unit. A scale such as 0.1 divides by 10, so that 3 becomes 0.3 and not a
    /// little more, which a limit of 0.3 would take amiss.
    fn scaled(&self, raw: f64) -> f64 {
        let divisor = (1.0 / self.scale).round();
        if divisor != 0.0 && 1.0 / divisor == self.scale {
            raw / divisor
        } else {
            raw * self.scale
        }
    }
}

/// What a row touches, in the terms of its table.
#[derive(Debug, Clone, Copy)]
pub struct Touched<'r> {
    /// The server's address, IPv4 mapped.
    pub device: [u8; 16],
    /// Its address space.
    pub segment: &'r str,
    /// The station behind the address, if there is one.
    pub station: Option<&'r str>,
    /// What is touched there.
    pub object: Place<'r>,
    /// The values of the row.
    pub data: &'r [f64],
}

/// The place of the touched points.
#[derive(Debug, Clone, Copy)]
pub enum Place<'r> {
    /// Elements of Modbus.
    Modbus {
        /// `object_type`.
        class: &'r str,
        /// `object_first`.
        first: u64,
        /// `object_count`.
        count: u64,
    },
    /// Points of DNP3.
    Dnp3 {
        /// `object_type`.
        class: &'r str,
        /// `object_first`.
        first: u64,
        /// `object_count`.
        count: u64,
        /// `indexes`, where the points are listed one by one.
        indexes: &'r [u32],
    },
    /// A variable of S7.
    S7 {
        /// `area`.
        area: u8,
        /// `db_number`.
        db: u16,
        /// `byte_address`, or the number of a timer or counter.
        first: u64,
        /// `bit_address`.
        bit: u8,
        /// `transport_size` of the address.
        size: u8,
        /// `object_count`.
        count: u64,
        /// `item_length`.
        length: u64,
    },
    /// `object` of a CIP row, and `object_count`.
    Cip {
        /// `object`.
        object: &'r str,
        /// `object_count`.
        count: u64,
    },
}

/// A tag that a row touches.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found<'t> {
    /// What the point means.
    pub tag: &'t Tag,
    /// Its value in its unit, if the row has all of it.
    pub value: Option<f64>,
}

/// Numbered points of one kind on one device: protocol and class, or area and data block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Group {
    Modbus(modbus::ObjectClass),
    Dnp3(dnp3::ObjectClass),
    S7(u8, u16),
}

/// Where a tag lies in its group: elements, points, or bits of an S7 area.
#[derive(Debug, Clone)]
struct Point {
    first: u64,
    length: u64,
    tag: Tag,
}

/// Points of one group by their places.
#[derive(Debug, Clone, Default)]
struct Points {
    all: Vec<Point>,
    longest: u64,
}

/// What is known of an address; a segment or station that is not said is any.
#[derive(Debug, Clone, Default)]
struct Device {
    segment: Option<Box<str>>,
    station: Option<Box<str>>,
    groups: HashMap<Group, Points>,
    /// CIP: sorted by name, in lower case.
    named: Vec<(Box<str>, Points)>,
}

/// Tags by device and object.
#[derive(Debug, Clone, Default)]
pub struct Tags {
    /// By address, what is said most precisely first.
    devices: HashMap<[u8; 16], Vec<Device>>,
    count: usize,
}

impl Tags {
    /// Is none known?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Tags in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// The tags of a device that have this name; several only where stations or segments
    /// behind its address use the same.
    pub fn named(&self, device: IpAddr, name: &str) -> impl Iterator<Item = &Tag> {
        let devices = self.devices.get(&bytes_of(device)).into_iter().flatten();
        let groups = devices.flat_map(|d| {
            let named = d.named.iter().map(|(_, points)| points);
            named.chain(d.groups.values())
        });
        groups
            .flat_map(|points| points.all.iter().map(|p| &p.tag))
            .filter(move |tag| tag.name == name)
    }

    /// Is the value outside of the limits of the device's tag of this name? False
    /// where the tag is unknown or has no limits.
    #[must_use]
    pub fn is_outside(&self, device: IpAddr, name: &str, value: f64) -> bool {
        self.named(device, name).any(|tag| tag.is_outside(value))
    }

    /// The tag that a row touches. Of several, the first whose value is outside its
    /// limits, so that nobody hides one value behind others; else the first.
    #[must_use]
    pub fn find(&self, row: &Touched<'_>) -> Option<Found<'_>> {
        let devices = self.devices.get(&row.device)?;
        let mine = devices.iter().filter(|d| {
            d.segment.as_deref().is_none_or(|s| s == row.segment)
                && (d.station.is_none() || d.station.as_deref() == row.station)
        });
        let mut first = None;
        for device in mine {
            if let Some(found) = device.find(row) {
                let telling = found.value.is_some_and(|v| found.tag.is_outside(v));
                if telling {
                    return Some(found);
                }
                first.get_or_insert(found);
            }
        }
        first
    }
}

fn bytes_of(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

impl Points {
    /// Points of which a part lies in `first..end`, by rising place.
    fn touched(&self, first: u64, end: u64) -> impl Iterator<Item = &Point> {
        let from = self
            .all
            .partition_point(|p| p.first.saturating_add(self.longest) <= first);
        let rest = self.all.get(from..).unwrap_or_default();
        rest.iter()
            .take_while(move |p| p.first < end)
            .filter(move |p| p.first.saturating_add(p.length) > first)
    }
}

/// The first that is outside its limits, else the first.
fn pick<'t>(all: impl Iterator<Item = Found<'t>>) -> Option<Found<'t>> {
    let mut first = None;
    for found in all {
        if found.value.is_some_and(|v| found.tag.is_outside(v)) {
            return Some(found);
        }
        first.get_or_insert(found);
    }
    first
}

fn found(tag: &Tag, raw: Option<f64>) -> Found<'_> {
    Found {
        tag,
        value: raw.map(|raw| tag.scaled(raw)),
    }
}

/// Commands of DNP3 set the outputs of the same index.
const fn output(class: dnp3::ObjectClass) -> dnp3::ObjectClass {
    use dnp3::ObjectClass as Class;
    match class {
        Class::ControlRelay => Class::BinaryOutput,
        Class::AnalogCommand => Class::AnalogOutput,
        other => other,
    }
}

fn index(at: u64, first: u64) -> Option<usize> {
    usize::try_from(at.checked_sub(first)?).ok()
}

impl Device {
    fn find(&self, row: &Touched<'_>) -> Option<Found<'_>> {
        let data = row.data;
        match row.object {
            Place::Modbus {
                class,
                first,
                count,
            } => {
                let class = modbus::ObjectClass::from_name(class)?;
                let points = self.groups.get(&Group::Modbus(class))?;
                let touched = points.touched(first, first.saturating_add(count.max(1)));
                pick(touched.map(|p| {
                    let words = index(p.first, first).and_then(|i| data.get(i..));
                    found(&p.tag, words.and_then(|w| p.tag.registers(w)))
                }))
            }
            Place::Dnp3 {
                class,
                first,
                count,
                indexes,
            } => {
                let class = output(dnp3::ObjectClass::from_name(class)?);
                let points = self.groups.get(&Group::Dnp3(class))?;
                let value = |p: &Point, i: usize| data.get(i).map(|raw| p.tag.kind.typed(*raw));
                if indexes.is_empty() {
                    let touched = points.touched(first, first.saturating_add(count.max(1)));
                    return pick(touched.map(|p| {
                        let at = index(p.first, first);
                        found(&p.tag, at.and_then(|i| value(p, i)))
                    }));
                }
                // objects without a value would shift the values of those behind them
                let whole = data.len() == indexes.len();
                let listed = indexes.iter().enumerate().filter_map(|(i, index)| {
                    let index = u64::from(*index);
                    let p = points.touched(index, index + 1).next()?;
                    Some(found(&p.tag, value(p, i).filter(|_| whole)))
                });
                pick(listed)
            }
            Place::S7 {
                area,
                db,
                first,
                bit,
                size,
                count,
                length,
            } => {
                let points = self.groups.get(&Group::S7(area, db))?;
                if value::is_numbered(area) {
                    let touched = points.touched(first, first.saturating_add(count.max(1)));
                    return pick(touched.map(|p| {
                        let raw = index(p.first, first).and_then(|i| data.get(i));
                        found(&p.tag, raw.map(|raw| p.tag.kind.typed(*raw)))
                    }));
                }
                let bits = size == value::BIT;
                let (from, long) = if bits {
                    (first.saturating_mul(8) | u64::from(bit & 7), length.max(1))
                } else {
                    (first.saturating_mul(8), count.max(1).saturating_mul(8))
                };
                let memory = value::Memory { size, data };
                pick(points.touched(from, from.saturating_add(long)).map(|p| {
                    let raw = index(p.first, from).and_then(|at| match (bits, p.tag.kind) {
                        (true, Kind::Bool) => data.get(at).copied(),
                        (true, _) => None,
                        (false, Kind::Bool) => memory.bit(at),
                        (false, kind) => memory.number(at / 8, kind),
                    });
                    found(&p.tag, raw)
                }))
            }
            Place::Cip { object, count } => {
                let (base, first) = cip(object);
                let by_name = |name: &str| {
                    let lower = base.bytes().map(|b| b.to_ascii_lowercase());
                    name.bytes().cmp(lower)
                };
                let at = self
                    .named
                    .binary_search_by(|(name, _)| by_name(name))
                    .ok()?;
                let points = &self.named.get(at)?.1;
                // the count of a data table is in bytes
                let pccc = base.starts_with("pccc:");
                let count = if pccc { data.len() as u64 } else { count };
                pick(
                    points
                        .touched(first, first.saturating_add(count.max(1)))
                        .map(|p| {
                            let raw = index(p.first, first).and_then(|i| data.get(i));
                            found(&p.tag, raw.map(|raw| p.tag.kind.typed(*raw)))
                        }),
                )
            }
        }
    }
}

#[cfg(test)]
mod tests;

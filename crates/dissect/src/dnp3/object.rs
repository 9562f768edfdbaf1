//! Object headers and points (IEEE 1815-2012, 4.2.2.7 and annex A).
use super::layout::{Layout, Number, Time, layout};
use super::{Attribute, BAD_QUALIFIER, BAD_RANGE, Crob, TRUNCATED, UNKNOWN_OBJECT};
use crate::Error;
use crate::bytes::Cursor;

/// Which points an object header names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    /// All of them (range code 6).
    All,
    /// From first to last, both included.
    Span {
        /// First index.
        first: u32,
        /// Last index.
        last: u32,
    },
    /// As many as follow, or the first ones.
    Count(u32),
}

/// An object header with the bytes of its points.
#[derive(Debug, Clone, Copy)]
pub struct Object<'a> {
    /// Group.
    pub group: u8,
    /// Variation.
    pub variation: u8,
    /// Qualifier byte: prefix code in bits 4–6, range code in bits 0–3.
    pub qualifier: u8,
    /// Points named.
    pub range: Range,
    /// Do the objects themselves follow (not only headers or indexes)?
    pub has_data: bool,
    /// Where the points begin, from the start of the fragment.
    pub offset: usize,
    data: &'a [u8],
    /// How its points are laid out, if known.
    layout: Option<Layout>,
}

/// One point of an object header.
#[derive(Debug, Clone, Copy)]
pub struct Point<'a> {
    /// Index; for counts without indexes the position.
    pub index: u32,
    /// Flags or status byte.
    pub flags: Option<u8>,
    /// Value.
    pub value: Option<f64>,
    /// Time stamp in milliseconds: since 1970, or relative to the common time.
    pub time: Option<u64>,
    /// The bytes of the point without prefix.
    pub bytes: &'a [u8],
}

impl Point<'_> {
    /// The control relay output block of group 12.
    #[must_use]
    pub fn crob(&self) -> Option<Crob> {
        Crob::read(self.bytes)
    }
}

impl<'a> Point<'a> {
    /// The device attribute of group 0.
    #[must_use]
    pub fn attribute(&self) -> Option<Attribute<'a>> {
        Attribute::read(self.bytes)
    }
}

impl<'a> Object<'a> {
    /// Prefix code: 0 none, 1–3 index of 1, 2, 4 bytes, 4–6 size of 1, 2, 4 bytes.
    #[must_use]
    pub const fn prefix(&self) -> u8 {
        self.qualifier >> 4 & 7
    }

    /// Range code.
    #[must_use]
    pub const fn range_code(&self) -> u8 {
        self.qualifier & 0x0f
    }

    /// Points that the header names; none for "all".
    #[must_use]
    pub const fn count(&self) -> Option<u32> {
        match self.range {
            Range::All => None,
            Range::Span { first, last } => Some(last.saturating_sub(first).saturating_add(1)),
            Range::Count(n) => Some(n),
        }
    }

    /// Do the points carry an index each?
    #[must_use]
    pub const fn is_indexed(&self) -> bool {
        matches!(self.prefix(), 1..=3)
    }

    /// The points, as far as their bytes are there.
    #[must_use]
    pub fn points(&self) -> Points<'a> {
        let layout = self.layout.unwrap_or(Layout::Empty);
        Points {
            rest: self.data,
            layout,
            size: layout.size(self.variation).unwrap_or(0),
            prefix: self.prefix(),
            first: match self.range {
                Range::Span { first, .. } => first,
                _ => 0,
            },
            done: 0,
            count: if self.is_walkable() && !self.is_hollow() {
                // a point is a bit at least: a header may name billions of points
                // that it has no bytes for
                let most = self.data.len().saturating_mul(8);
                let most = u32::try_from(most).unwrap_or(u32::MAX);
                self.count().unwrap_or(0).min(most)
            } else {
                0
            },
        }
    }

    /// Do bytes follow the header?
    const fn is_walkable(&self) -> bool {
        self.has_data || self.prefix() != 0
    }

    /// Do its points have no bytes at all? Then a count means nothing, however great.
    const fn is_hollow(&self) -> bool {
        self.prefix() == 0
            && match self.layout {
                Some(layout) => matches!(layout.size(self.variation), Some(0)),
                None => true,
            }
    }
}

/// How points are laid out behind a header.
const fn point_layout(group: u8, variation: u8, qualifier: u8, has_data: bool) -> Option<Layout> {
    if matches!(qualifier >> 4 & 7, 4..=6) {
        Some(Layout::Sized)
    } else if has_data {
        layout(group, variation)
    } else {
        Some(Layout::Empty)
    }
}

/// Iterator over the points of an object header.
#[derive(Debug, Clone, Copy)]
pub struct Points<'a> {
    rest: &'a [u8],
    layout: Layout,
    /// Bytes of a point, where that is fixed.
    size: usize,
    prefix: u8,
    first: u32,
    done: u32,
    count: u32,
}

/// Bytes of a prefix of this code.
const fn prefix_size(code: u8) -> usize {
    match code {
        1 | 4 => 1,
        2 | 5 => 2,
        3 | 6 => 4,
        _ => 0,
    }
}

/// An integer of at most eight bytes, little-endian, from the front of `rest`.
fn integer<const N: usize>(rest: &mut &[u8]) -> Option<u64> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(
        head.iter()
            .rev()
            .fold(0, |high, byte| high << 8 | u64::from(*byte)),
    )
}

fn u32_of<const N: usize>(rest: &mut &[u8]) -> Option<u32> {
    integer::<N>(rest).and_then(|n| u32::try_from(n).ok())
}

fn number(rest: &mut &[u8], number: Number) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "documented: values are f64")]
    let wide = |n: u64| n as f64;
    match number {
        Number::None | Number::FlagBit | Number::FlagBits2 => None,
        Number::U8 => u32_of::<1>(rest).map(f64::from),
        Number::U16 => u32_of::<2>(rest).map(f64::from),
        Number::U32 => u32_of::<4>(rest).map(f64::from),
        Number::U64 => integer::<8>(rest).map(wide),
        Number::I16 => u32_of::<2>(rest)
            .and_then(|n| u16::try_from(n).ok())
            .map(|n| f64::from(n.cast_signed())),
        Number::I32 => u32_of::<4>(rest).map(|n| f64::from(n.cast_signed())),
        Number::F32 => u32_of::<4>(rest).map(|n| f64::from(f32::from_bits(n))),
        Number::F64 => integer::<8>(rest).map(f64::from_bits),
        Number::T48 => integer::<6>(rest).map(wide),
    }
}

impl<'a> Points<'a> {
    fn index(&self) -> u32 {
        self.first.saturating_add(self.done)
    }

    #[inline]
    fn bit(&self) -> Option<Point<'a>> {
        let (per_byte, mask, width) = match self.layout {
            Layout::Bits2 => (4, 3, 2),
            _ => (8, 1, 1),
        };
        let at = usize::try_from(self.done / per_byte).ok()?;
        let byte = self.rest.get(at)?;
        let value = byte >> (self.done % per_byte * width) & mask;
        Some(Point {
            index: self.index(),
            flags: None,
            value: Some(f64::from(value)),
            time: None,
            bytes: &[],
        })
    }

    #[inline]
    fn read(&mut self) -> Option<Point<'a>> {
        let prefixed = match prefix_size(self.prefix) {
            1 => Some(u32_of::<1>(&mut self.rest)?),
            2 => Some(u32_of::<2>(&mut self.rest)?),
            4 => Some(u32_of::<4>(&mut self.rest)?),
            _ => None,
        };
        let index = match (self.prefix, prefixed) {
            (1..=3, Some(index)) => index,
            _ => self.index(),
        };
        let size = match (self.layout, self.prefix, prefixed) {
            (_, 4..=6, Some(size)) => usize::try_from(size).unwrap_or(usize::MAX),
            (Layout::Attribute, ..) => match self.rest {
                [_, len, ..] => usize::from(*len).saturating_add(2),
                _ => return None,
            },
            _ => self.size,
        };
        let (bytes, rest) = self.rest.split_at_checked(size)?;
        self.rest = rest;
        let mut inner = bytes;
        let mut point = Point {
            index,
            flags: None,
            value: None,
            time: None,
            bytes,
        };
        match self.layout {
            Layout::Point {
                flags,
                number: kind,
                time,
                ..
            } => {
                if flags {
                    let (first, rest) = inner.split_first()?;
                    point.flags = Some(*first);
                    inner = rest;
                }
                let flags = point.flags.unwrap_or(0);
                point.value = match kind {
                    Number::FlagBit => Some(f64::from(flags >> 7)),
                    Number::FlagBits2 => Some(f64::from(flags >> 6)),
                    kind => number(&mut inner, kind),
                };
                point.time = match time {
                    Time::None => None,
                    Time::Absolute => integer::<6>(&mut inner),
                    Time::Relative => integer::<2>(&mut inner),
                };
            }
            Layout::Command { number: kind } => {
                point.value = number(&mut inner, kind);
                point.flags = inner.first().copied();
            }
            _ => {}
        }
        Some(point)
    }

    /// Walks all points; the bytes used, if all of them are whole.
    fn used(mut self) -> Option<usize> {
        let (count, length) = (self.count, self.rest.len());
        while self.next().is_some() {}
        (self.done == count).then(|| length.saturating_sub(self.rest.len()))
    }
}

impl<'a> Iterator for Points<'a> {
    type Item = Point<'a>;

    #[inline]
    fn next(&mut self) -> Option<Point<'a>> {
        if self.done >= self.count {
            return None;
        }
        let point = if matches!(self.layout, Layout::Bits | Layout::Bits2) && self.prefix == 0 {
            self.bit()
        } else {
            self.read()
        };
        match point {
            Some(_) => self.done = self.done.saturating_add(1),
            // behind a point that is cut short nothing follows
            None => self.count = self.done,
        }
        point
    }
}

/// Iterator over the object headers of a fragment. After an error nothing
/// follows: where the next header begins is not known.
#[derive(Debug, Clone, Copy)]
pub struct Objects<'a> {
    cursor: Cursor<'a>,
    has_data: bool,
    base: usize,
    error: Option<Error>,
}

impl<'a> Objects<'a> {
    pub(super) const fn new(data: &'a [u8], has_data: bool, base: usize) -> Self {
        Self {
            cursor: Cursor::new(data),
            has_data,
            base,
            error: None,
        }
    }

    fn at(&self, offset: usize) -> usize {
        self.base.saturating_add(offset)
    }

    fn fail(&mut self, code: &'static str, reason: &'static str) {
        let at = self.at(self.cursor.offset());
        self.error = Some(Error::new(code, reason, at));
        self.cursor = Cursor::new(&[]);
    }

    fn header(&mut self) -> Result<Object<'a>, Error> {
        let c = &mut self.cursor;
        let (group, variation, qualifier) = (c.u8(TRUNCATED)?, c.u8(TRUNCATED)?, c.u8(TRUNCATED)?);
        let range = match qualifier & 0x0f {
            0 | 3 => span(u32::from(c.u8(TRUNCATED)?), u32::from(c.u8(TRUNCATED)?)),
            1 | 4 => span(
                u32::from(c.u16_le(TRUNCATED)?),
                u32::from(c.u16_le(TRUNCATED)?),
            ),
            2 | 5 => span(c.u32_le(TRUNCATED)?, c.u32_le(TRUNCATED)?),
            6 => Range::All,
            7 | 0x0b => Range::Count(u32::from(c.u8(TRUNCATED)?)),
            8 => Range::Count(u32::from(c.u16_le(TRUNCATED)?)),
            9 => Range::Count(c.u32_le(TRUNCATED)?),
            _ => {
                return Err(Error::new(
                    BAD_QUALIFIER,
                    "a range code that is not defined",
                    c.offset(),
                ));
            }
        };
        Ok(Object {
            group,
            variation,
            qualifier,
            range,
            has_data: self.has_data,
            offset: self.at(self.cursor.offset()),
            data: self.cursor.rest(),
            layout: point_layout(group, variation, qualifier, self.has_data),
        })
    }

    /// Moves behind the points of an object; what is wrong with them is told
    /// after the object itself.
    fn pass(&mut self, object: &mut Object<'a>) {
        if let Range::Span { first, last } = object.range
            && last < first
        {
            self.fail(BAD_RANGE, "a range that ends before it starts");
            object.data = &[];
            return;
        }
        if object.prefix() == 7 {
            self.fail(BAD_QUALIFIER, "a prefix code that is not defined");
            object.data = &[];
            return;
        }
        if !object.is_walkable() || object.count().unwrap_or(0) == 0 {
            object.data = &[];
            return;
        }
        match object.layout {
            None => {
                self.fail(UNKNOWN_OBJECT, "a group and variation of unknown size");
                object.data = &[];
            }
            Some(Layout::Sized) if !matches!(object.prefix(), 4..=6) => {
                self.fail(
                    UNKNOWN_OBJECT,
                    "an object that needs a size prefix has none",
                );
                object.data = &[];
            }
            Some(layout @ (Layout::Bits | Layout::Bits2)) if object.prefix() == 0 => {
                let per_byte = if layout == Layout::Bits { 8 } else { 4 };
                let bytes = object.count().unwrap_or(0).div_ceil(per_byte);
                let wanted = usize::try_from(bytes).unwrap_or(usize::MAX);
                match self.cursor.take(wanted, TRUNCATED) {
                    Ok(data) => object.data = data,
                    Err(_) => self.fail(TRUNCATED, "packed bits end early"),
                }
            }
            // requests may ask for any length by variation 0; an object has one
            Some(Layout::Text) if object.variation == 0 && object.has_data => {
                self.fail(
                    UNKNOWN_OBJECT,
                    "an octet string of variation 0 has no length",
                );
                object.data = &[];
            }
            Some(layout) if layout.size(object.variation) == Some(0) && object.prefix() == 0 => {
                object.data = &[];
            }
            Some(layout) => {
                let used = match layout.size(object.variation) {
                    // all of one size: no need to walk them
                    Some(size) => usize::try_from(object.count().unwrap_or(0))
                        .unwrap_or(usize::MAX)
                        .checked_mul(size.saturating_add(prefix_size(object.prefix()))),
                    None => object.points().used(),
                };
                match used.and_then(|used| self.cursor.take(used, TRUNCATED).ok()) {
                    Some(data) => object.data = data,
                    None => self.fail(TRUNCATED, "points end early"),
                }
            }
        }
    }
}

const fn span(first: u32, last: u32) -> Range {
    Range::Span { first, last }
}

impl<'a> Iterator for Objects<'a> {
    type Item = Result<Object<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(error) = self.error.take() {
            return Some(Err(error));
        }
        if self.cursor.remaining() == 0 {
            return None;
        }
        match self.header() {
            Ok(mut object) => {
                self.pass(&mut object);
                Some(Ok(object))
            }
            Err(error) => {
                let at = self.at(error.offset);
                self.cursor = Cursor::new(&[]);
                Some(Err(Error::new(error.code, error.reason, at)))
            }
        }
    }
}

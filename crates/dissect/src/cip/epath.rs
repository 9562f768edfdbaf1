//! Paths (EPATH, CIP Volume 1, appendix C-1), in the padded form that messages use.
use crate::{Error, bytes::Cursor};

/// A path that cannot be decoded.
pub const BAD_PATH: &str = "TT-CIP-003";

/// A segment of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Segment<'a> {
    /// Through a port to a link address (C-1.4.1).
    Port {
        /// Port; 1 is the backplane.
        port: u16,
        /// Link address: a slot or node number, or a text such as an IP address.
        link: &'a [u8],
    },
    /// Class.
    Class(u32),
    /// Instance.
    Instance(u32),
    /// Member, the element of an array.
    Member(u32),
    /// Connection point.
    ConnectionPoint(u32),
    /// Attribute.
    Attribute(u32),
    /// Electronic key: vendor, device type, product code, revision.
    Key {
        /// Vendor.
        vendor: u16,
        /// Device type.
        device_type: u16,
        /// Product code.
        product: u16,
        /// Major revision, with the compatibility bit.
        major: u8,
        /// Minor revision.
        minor: u8,
    },
    /// Network segment (production inhibit time, safety …).
    Network {
        /// Segment byte.
        kind: u8,
        /// Its data.
        data: &'a [u8],
    },
    /// Symbol: a tag name or a part of one.
    Symbol(&'a [u8]),
    /// Data segment.
    Data(&'a [u8]),
    /// Anything else that has a length.
    Other(u8),
}

/// A path, in padded form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Path<'a> {
    /// Its bytes.
    pub raw: &'a [u8],
}

/// What a path addresses: the last segment of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Target<'a> {
    /// Class.
    pub class: Option<u32>,
    /// Instance.
    pub instance: Option<u32>,
    /// Attribute.
    pub attribute: Option<u32>,
    /// First member (index of the first dimension).
    pub member: Option<u32>,
    /// Connection point.
    pub connection_point: Option<u32>,
    /// First symbol.
    pub symbol: Option<&'a [u8]>,
}

impl<'a> Path<'a> {
    /// The segments in order; ends after the first that cannot be decoded.
    #[must_use]
    pub const fn segments(&self) -> Segments<'a> {
        Segments {
            cursor: Cursor::new(self.raw),
            failed: false,
        }
    }

    /// What the path addresses. A later class starts afresh (an object within an object).
    #[must_use]
    pub fn target(&self) -> Target<'a> {
        let mut out = Target::default();
        for segment in self.segments().flatten() {
            match segment {
                Segment::Class(id) => {
                    out = Target {
                        class: Some(id),
                        symbol: out.symbol,
                        ..Target::default()
                    }
                }
                Segment::Instance(id) => out.instance = Some(id),
                Segment::Attribute(id) => out.attribute = Some(id),
                Segment::Member(id) => out.member = out.member.or(Some(id)),
                Segment::ConnectionPoint(id) => {
                    out.connection_point = out.connection_point.or(Some(id));
                }
                Segment::Symbol(name) => out.symbol = out.symbol.or(Some(name)),
                _ => {}
            }
        }
        out
    }
}

/// The segments of a path.
#[derive(Debug, Clone, Copy)]
pub struct Segments<'a> {
    cursor: Cursor<'a>,
    failed: bool,
}

impl<'a> Iterator for Segments<'a> {
    type Item = Result<Segment<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.cursor.remaining() == 0 {
            return None;
        }
        let segment = segment(&mut self.cursor);
        self.failed = segment.is_err();
        Some(segment)
    }
}

fn pad(cursor: &mut Cursor<'_>, len: usize) {
    if !len.is_multiple_of(2)
        && let Ok(_pad) = cursor.u8(BAD_PATH)
    {}
}

fn segment<'a>(cursor: &mut Cursor<'a>) -> Result<Segment<'a>, Error> {
    let at = cursor.offset();
    let kind = cursor.u8(BAD_PATH)?;
    match kind >> 5 {
        0 => port(cursor, kind),
        1 => logical(cursor, kind, at),
        2 => {
            let data = if kind & 0x10 == 0 {
                cursor.take(1, BAD_PATH)?
            } else {
                let words = usize::from(cursor.u8(BAD_PATH)?);
                cursor.take(words * 2, BAD_PATH)?
            };
            Ok(Segment::Network { kind, data })
        }
        3 => {
            let len = usize::from(kind & 0x1f);
            if len == 0 {
                // Extended string: a format byte with the count of characters.
                let format = cursor.u8(BAD_PATH)?;
                let count = usize::from(format & 0x1f);
                let width = match format >> 5 {
                    1 => 2,
                    2 => 3,
                    _ => 1,
                };
                let text = cursor.take(count * width, BAD_PATH)?;
                pad(cursor, count * width);
                return Ok(Segment::Symbol(text));
            }
            let text = cursor.take(len, BAD_PATH)?;
            pad(cursor, len + 1);
            Ok(Segment::Symbol(text))
        }
        4 => match kind {
            0x91 => {
                let len = usize::from(cursor.u8(BAD_PATH)?);
                let text = cursor.take(len, BAD_PATH)?;
                pad(cursor, len);
                Ok(Segment::Symbol(text))
            }
            0x80 => {
                let words = usize::from(cursor.u8(BAD_PATH)?);
                Ok(Segment::Data(cursor.take(words * 2, BAD_PATH)?))
            }
            _ => Err(Error::new(BAD_PATH, "unknown data segment", at)),
        },
        _ => Err(Error::new(BAD_PATH, "unknown kind of path segment", at)),
    }
}

fn port<'a>(cursor: &mut Cursor<'a>, kind: u8) -> Result<Segment<'a>, Error> {
    let long = kind & 0x10 != 0;
    let size = if long {
        usize::from(cursor.u8(BAD_PATH)?)
    } else {
        1
    };
    let port = match kind & 0x0f {
        0x0f => cursor.u16_le(BAD_PATH)?,
        port => u16::from(port),
    };
    let link = cursor.take(size, BAD_PATH)?;
    if long {
        pad(cursor, size);
    }
    Ok(Segment::Port { port, link })
}

fn logical<'a>(cursor: &mut Cursor<'a>, kind: u8, at: usize) -> Result<Segment<'a>, Error> {
    let format = kind & 0x03;
    if kind & 0x1c == 0x14 {
        // Special: an electronic key (C-1.4.2.5).
        if format != 0 || cursor.u8(BAD_PATH)? != 4 {
            return Err(Error::new(BAD_PATH, "unknown special segment", at));
        }
        return Ok(Segment::Key {
            vendor: cursor.u16_le(BAD_PATH)?,
            device_type: cursor.u16_le(BAD_PATH)?,
            product: cursor.u16_le(BAD_PATH)?,
            major: cursor.u8(BAD_PATH)?,
            minor: cursor.u8(BAD_PATH)?,
        });
    }
    let value = match format {
        0 => u32::from(cursor.u8(BAD_PATH)?),
        1 => {
            cursor.take(1, BAD_PATH)?;
            u32::from(cursor.u16_le(BAD_PATH)?)
        }
        2 => {
            cursor.take(1, BAD_PATH)?;
            cursor.u32_le(BAD_PATH)?
        }
        _ => {
            return Err(Error::new(
                BAD_PATH,
                "reserved format of a logical segment",
                at,
            ));
        }
    };
    Ok(match (kind >> 2) & 7 {
        0 => Segment::Class(value),
        1 => Segment::Instance(value),
        2 => Segment::Member(value),
        3 => Segment::ConnectionPoint(value),
        4 => Segment::Attribute(value),
        _ => Segment::Other(kind),
    })
}

//! CIP messages (Volume 1, chapter 2-4): requests, responses, and services that carry others.
use super::epath::Path;
use crate::{Error, bytes::Cursor};

/// A message that cannot be decoded.
pub const BAD_MESSAGE: &str = "TT-CIP-004";

/// Service codes with a structure of their own.
pub mod service {
    /// Get Attributes All.
    pub const GET_ATTRIBUTES_ALL: u8 = 0x01;
    /// Get Attribute List.
    pub const GET_ATTRIBUTE_LIST: u8 = 0x03;
    /// Set Attribute List.
    pub const SET_ATTRIBUTE_LIST: u8 = 0x04;
    /// Multiple Service Packet.
    pub const MULTIPLE: u8 = 0x0a;
    /// Get Attribute Single.
    pub const GET_ATTRIBUTE_SINGLE: u8 = 0x0e;
    /// Set Attribute Single.
    pub const SET_ATTRIBUTE_SINGLE: u8 = 0x10;
    /// Execute PCCC, on class 0x67.
    pub const EXECUTE_PCCC: u8 = 0x4b;
    /// Read Tag.
    pub const READ_TAG: u8 = 0x4c;
    /// Write Tag.
    pub const WRITE_TAG: u8 = 0x4d;
    /// Read Modify Write Tag; on the Connection Manager, Forward Close.
    pub const READ_MODIFY_WRITE_TAG: u8 = 0x4e;
    /// Forward Close, on the Connection Manager.
    pub const FORWARD_CLOSE: u8 = 0x4e;
    /// Read Tag Fragmented.
    pub const READ_TAG_FRAGMENTED: u8 = 0x52;
    /// Unconnected Send, on the Connection Manager.
    pub const UNCONNECTED_SEND: u8 = 0x52;
    /// Write Tag Fragmented.
    pub const WRITE_TAG_FRAGMENTED: u8 = 0x53;
    /// Forward Open, on the Connection Manager.
    pub const FORWARD_OPEN: u8 = 0x54;
    /// Large Forward Open, on the Connection Manager.
    pub const LARGE_FORWARD_OPEN: u8 = 0x5b;
}

/// Class ids with a meaning here.
pub mod class {
    /// Identity.
    pub const IDENTITY: u32 = 0x01;
    /// Message Router.
    pub const MESSAGE_ROUTER: u32 = 0x02;
    /// Assembly.
    pub const ASSEMBLY: u32 = 0x04;
    /// Connection Manager.
    pub const CONNECTION_MANAGER: u32 = 0x06;
    /// PCCC.
    pub const PCCC: u32 = 0x67;
    /// Symbol.
    pub const SYMBOL: u32 = 0x6b;
}

/// A request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request<'a> {
    /// Service code.
    pub service: u8,
    /// Path.
    pub path: Path<'a>,
    /// Service data.
    pub data: &'a [u8],
}

/// A response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Response<'a> {
    /// Service code without the response bit.
    pub service: u8,
    /// General status (Volume 1, appendix B).
    pub status: u8,
    /// Additional status, in words.
    pub additional: &'a [u8],
    /// Service data.
    pub data: &'a [u8],
}

impl Response<'_> {
    /// The first word of the additional status.
    #[must_use]
    pub fn extended(&self) -> Option<u16> {
        self.additional
            .first_chunk::<2>()
            .map(|b| u16::from_le_bytes(*b))
    }
}

/// A message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message<'a> {
    /// A request.
    Request(Request<'a>),
    /// A response.
    Response(Response<'a>),
}

impl Message<'_> {
    /// Service code without the response bit.
    #[must_use]
    pub const fn service(&self) -> u8 {
        match self {
            Self::Request(r) => r.service,
            Self::Response(r) => r.service,
        }
    }
}

/// Decodes a message.
///
/// # Errors
/// `TT-CIP-004` when it is cut.
pub fn parse(bytes: &[u8]) -> Result<Message<'_>, Error> {
    let mut cursor = Cursor::new(bytes);
    let service = cursor.u8(BAD_MESSAGE)?;
    if service & 0x80 != 0 {
        let _reserved = cursor.u8(BAD_MESSAGE)?;
        let status = cursor.u8(BAD_MESSAGE)?;
        let words = usize::from(cursor.u8(BAD_MESSAGE)?);
        let additional = cursor.take(words * 2, BAD_MESSAGE)?;
        return Ok(Message::Response(Response {
            service: service & 0x7f,
            status,
            additional,
            data: cursor.rest(),
        }));
    }
    let words = usize::from(cursor.u8(BAD_MESSAGE)?);
    let raw = cursor.take(words * 2, BAD_MESSAGE)?;
    Ok(Message::Request(Request {
        service,
        path: Path { raw },
        data: cursor.rest(),
    }))
}

/// What a message that is cut still says: its service, and the path as far as it
/// goes. `None` for nothing at all.
#[must_use]
pub fn salvage(bytes: &[u8]) -> Option<Message<'_>> {
    match bytes {
        [] => None,
        [service, rest @ ..] if *service & 0x80 == 0 => {
            let raw = rest.get(1..).unwrap_or_default();
            Some(Message::Request(Request {
                service: *service,
                path: Path { raw },
                data: &[],
            }))
        }
        [service, _, status, ..] => Some(Message::Response(Response {
            service: service & 0x7f,
            status: *status,
            additional: &[],
            data: &[],
        })),
        _ => None,
    }
}

/// Reads a response that lacks the response bit, as some stacks send: service,
/// reserved, status, size of the additional status, data.
#[must_use]
pub fn unmarked_response(bytes: &[u8]) -> Option<Response<'_>> {
    let (head, rest) = bytes.split_first_chunk::<4>()?;
    let [service, _, status, words] = *head;
    let (additional, data) = rest.split_at_checked(usize::from(words) * 2)?;
    Some(Response {
        service: service & 0x7f,
        status,
        additional,
        data,
    })
}

/// The services of a Multiple Service Packet (Volume 1, appendix ): each a
/// whole message, found by its offset.
#[derive(Debug, Clone, Copy)]
pub struct Embedded<'a> {
    data: &'a [u8],
    count: usize,
    next: usize,
}

impl<'a> Embedded<'a> {
    /// The messages of the service data of a request or of a response.
    ///
    /// # Errors
    /// `TT-CIP-004` when the offsets are cut.
    pub fn new(data: &'a [u8]) -> Result<Self, Error> {
        let mut cursor = Cursor::new(data);
        let count = usize::from(cursor.u16_le(BAD_MESSAGE)?);
        if cursor.remaining() / 2 < count {
            return Err(Error::new(BAD_MESSAGE, "more services than offsets fit", 0));
        }
        Ok(Self {
            data,
            count,
            next: 0,
        })
    }

    /// Services that the packet says it has.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.count
    }

    fn offset(&self, index: usize) -> Option<usize> {
        let at = index.checked_mul(2)?.checked_add(2)?;
        let bytes = self.data.get(at..)?.first_chunk::<2>()?;
        Some(usize::from(u16::from_le_bytes(*bytes)))
    }
}

impl<'a> Iterator for Embedded<'a> {
    /// The bytes of a message; empty when its offset leads nowhere.
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.next >= self.count {
            return None;
        }
        let start = self.offset(self.next)?;
        let end = if self.next + 1 < self.count {
            self.offset(self.next + 1)?
        } else {
            self.data.len()
        };
        self.next += 1;
        // Offsets that point into the list of offsets, or backwards, carry nothing.
        let first = self.count * 2 + 2;
        Some(if start < first {
            &[]
        } else {
            self.data.get(start..end).unwrap_or_default()
        })
    }
}

/// An Unconnected Send (Volume 1, chapter 3-5.5.4): a message and the route it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnconnectedSend<'a> {
    /// The message.
    pub message: &'a [u8],
    /// The route: port segments.
    pub route: Path<'a>,
}

/// Decodes the service data of an Unconnected Send.
///
/// # Errors
/// `TT-CIP-004` when the message is cut; a cut route is left out.
pub fn unconnected_send(data: &[u8]) -> Result<UnconnectedSend<'_>, Error> {
    let mut cursor = Cursor::new(data);
    cursor.take(2, BAD_MESSAGE)?;
    let len = usize::from(cursor.u16_le(BAD_MESSAGE)?);
    let message = cursor.take(len, BAD_MESSAGE)?;
    if !len.is_multiple_of(2)
        && let Ok(_pad) = cursor.u8(BAD_MESSAGE)
    {}
    let route = (|| {
        let words = usize::from(cursor.u8(BAD_MESSAGE)?);
        cursor.u8(BAD_MESSAGE)?;
        cursor.take(words * 2, BAD_MESSAGE)
    })();
    Ok(UnconnectedSend {
        message,
        route: Path {
            raw: route.unwrap_or_default(),
        },
    })
}

/// The attribute ids that a Get or Set Attribute List request names; of a Set
/// only the first is known, because its value has no length.
pub fn attribute_list(service: u8, data: &[u8]) -> impl Iterator<Item = u16> + '_ {
    let (count, ids) = match data {
        [lo, hi, ids @ ..] => (usize::from(u16::from_le_bytes([*lo, *hi])), ids),
        _ => (0, data),
    };
    let count = match service {
        service::GET_ATTRIBUTE_LIST => count,
        service::SET_ATTRIBUTE_LIST => count.min(1),
        _ => 0,
    };
    ids.chunks_exact(2)
        .take(count)
        .filter_map(|c| c.first_chunk::<2>().map(|b| u16::from_le_bytes(*b)))
}

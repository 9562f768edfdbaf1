//! The MBAP header (Implementation Guide, 3.1.3), and where ADUs begin and end.
use super::{BAD_HEADER, Body, SHORT_DATAGRAM, TRUNCATED};
use crate::{Error, Framing, Probe};

/// Bytes before the function code: transaction, protocol, length, unit.
const HEADER: usize = 7;
/// Bytes that the length field does not count.
const UNCOUNTED: usize = 6;
/// Greatest length field that is taken for Modbus. The standard ends at 254;
/// UMAS stations agree on PDUs of up to about a thousand bytes.
pub const MAX_LENGTH: u16 = 2048;
/// Greatest length field that a new start in the middle of a stream may have.
const MAX_RESYNC_LENGTH: u16 = 260;

/// A Modbus application data unit with its MBAP header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Adu<'a> {
    /// Transaction identifier, echoed by the server.
    pub transaction_id: u16,
    /// Unit identifier: the station behind the address.
    pub unit_id: u8,
    /// Function code without the exception bit (0–127).
    pub function: u8,
    /// Was the exception bit (0x80) set?
    pub exception: bool,
    /// What follows the function code.
    pub data: &'a [u8],
}

/// What the form of a PDU says of its direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// It can only be a request.
    Request,
    /// It can only be a response.
    Response,
    /// It can be either.
    Either,
    /// It has the form of neither.
    Neither,
}

/// Length field of a header with protocol 0, if the bytes can begin an ADU.
fn header(buf: &[u8], max: u16) -> Option<u16> {
    let ([_, _, 0, 0, high, low], _) = buf.split_first_chunk::<UNCOUNTED>()? else {
        return None;
    };
    let length = u16::from_be_bytes([*high, *low]);
    (2..=max).contains(&length).then_some(length)
}

/// Can these bytes, fewer than a header, still become one?
fn may_begin(buf: &[u8]) -> bool {
    buf.get(2).is_none_or(|b| *b == 0)
        && buf.get(3).is_none_or(|b| *b == 0)
        && buf
            .get(4)
            .is_none_or(|b| usize::from(*b) <= usize::from(MAX_LENGTH >> 8))
}

/// Where the next ADU of a stream ends. Bytes that cannot begin one are skipped
/// up to the next place where a whole ADU fits, or wholly: what comes with the
/// next segment most often begins with a header.
#[must_use]
pub fn next_pdu(buf: &[u8]) -> Framing {
    if buf.len() < UNCOUNTED && may_begin(buf) {
        return Framing::NeedMore {
            at_least: HEADER + 1,
        };
    }
    let Some(length) = header(buf, MAX_LENGTH) else {
        return Framing::Resync {
            skip: next_start(buf),
            error: Error::new(BAD_HEADER, "no modbus header: protocol or length", 0),
        };
    };
    let len = UNCOUNTED.saturating_add(usize::from(length));
    if buf.len() < len {
        Framing::NeedMore { at_least: len }
    } else {
        Framing::Pdu { len }
    }
}

/// Bytes to skip until a header whose ADU is whole and is followed by nothing or
/// another header.
fn next_start(buf: &[u8]) -> usize {
    for skip in 1..buf.len() {
        let rest = buf.get(skip..).unwrap_or_default();
        if rest.len() <= HEADER {
            break;
        }
        let Some(length) = header(rest, MAX_RESYNC_LENGTH) else {
            continue;
        };
        let Some(after) = rest.get(UNCOUNTED.saturating_add(usize::from(length))..) else {
            continue;
        };
        let followed = after.is_empty() || header(after, MAX_RESYNC_LENGTH).is_some();
        let known = Adu::parse(rest).is_ok_and(|adu| is_public(adu.function));
        if followed && known {
            return skip;
        }
    }
    buf.len().max(1)
}

/// Function codes of the public specification, and 90 (UMAS).
fn is_public(function: u8) -> bool {
    matches!(function, 1..=8 | 11 | 12 | 15..=17 | 20..=24 | 43 | 90)
}

/// The first ADU of a datagram and its length. One datagram holds one ADU; if
/// more bytes follow they are another's.
///
/// # Errors
/// The header is none of Modbus, or announces more than the datagram holds.
pub fn datagram(bytes: &[u8]) -> Result<usize, Error> {
    let length = header(bytes, MAX_LENGTH)
        .ok_or_else(|| Error::new(BAD_HEADER, "no modbus header: protocol or length", 0))?;
    let len = UNCOUNTED.saturating_add(usize::from(length));
    if bytes.len() < len {
        return Err(Error::new(
            SHORT_DATAGRAM,
            "the datagram ends before the length in its header",
            4,
        ));
    }
    Ok(len)
}

/// Does a payload begin with Modbus? `expected` is set for the protocol's own
/// port, where a well-formed header is enough; elsewhere the payload must
/// consist of whole ADUs with public function codes and the form of one.
#[must_use]
pub fn probe(payload: &[u8], expected: bool) -> Probe {
    if payload.len() <= HEADER {
        return if may_begin(payload) {
            Probe::NeedMore
        } else {
            Probe::No
        };
    }
    if expected {
        return match header(payload, MAX_LENGTH) {
            Some(_) => Probe::Yes,
            None => Probe::No,
        };
    }
    let mut rest = payload;
    // a few ADUs tell; a payload of hundreds is not looked through
    for _ in 0..8 {
        let Framing::Pdu { len } = next_pdu(rest) else {
            return Probe::No;
        };
        let Some((adu, after)) = rest.split_at_checked(len) else {
            return Probe::No;
        };
        match Adu::parse(adu) {
            Ok(adu) if is_public(adu.function) && adu.shape() != Shape::Neither => {}
            _ => return Probe::No,
        }
        rest = after;
        if rest.is_empty() {
            break;
        }
    }
    Probe::Yes
}

impl<'a> Adu<'a> {
    /// Reads header and function code of an ADU that [`next_pdu`] cut.
    ///
    /// # Errors
    /// The bytes end before the function code.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let truncated = || Error::new(TRUNCATED, "no function code", bytes.len());
        let ([t0, t1, _, _, l0, l1, unit_id], rest) =
            bytes.split_first_chunk::<HEADER>().ok_or_else(truncated)?;
        let counted = usize::from(u16::from_be_bytes([*l0, *l1])).saturating_sub(1);
        let pdu = rest.get(..counted).unwrap_or(rest);
        let (code, data) = pdu.split_first().ok_or_else(truncated)?;
        Ok(Self {
            transaction_id: u16::from_be_bytes([*t0, *t1]),
            unit_id: *unit_id,
            function: code & 0x7f,
            exception: code & 0x80 != 0,
            data,
        })
    }

    /// What the PDU's form says of its direction.
    #[must_use]
    pub fn shape(&self) -> Shape {
        if self.exception {
            // some servers pad the code to a word
            return if matches!(self.data.len(), 1 | 2) {
                Shape::Response
            } else {
                Shape::Neither
            };
        }
        let len = self.data.len();
        // a byte count that covers exactly what follows
        let counted = |at: usize| {
            self.data.get(at).is_some_and(|count| {
                usize::from(*count) == len.saturating_sub(at).saturating_sub(1)
            })
        };
        let (request, response) = match self.function {
            1..=4 => (len == 4, counted(0) && len > 1),
            5 | 6 => (len == 4, len == 4),
            7 => (len == 0, len == 1),
            8 => (len >= 2, len >= 2),
            11 => (len == 0, len == 4),
            12 => (len == 0, counted(0)),
            17 => (len == 0, counted(0) && len > 1),
            15 | 16 => (counted(4), len == 4),
            20 | 21 => (counted(0) && len >= 8, counted(0)),
            22 => (len == 6, len == 6),
            23 => (counted(8), counted(0)),
            24 => (len == 2, len >= 4),
            43 => match self.data.first() {
                Some(14) => (len == 3, len >= 6),
                Some(_) => (true, true),
                None => (false, false),
            },
            90 => match self.data.get(1) {
                Some(0xfd | 0xfe) => (false, true),
                Some(_) => (true, false),
                None => (false, false),
            },
            _ => (true, true),
        };
        match (request, response) {
            (true, true) => Shape::Either,
            (true, false) => Shape::Request,
            (false, true) => Shape::Response,
            (false, false) => Shape::Neither,
        }
    }

    /// What a request asks.
    ///
    /// # Errors
    /// The data is shorter than the function code demands, or its counts do not
    /// fit; header and function code stand nevertheless.
    pub fn request(&self) -> Result<Body<'a>, Error> {
        Body::request(self)
    }

    /// What a response answers.
    ///
    /// # Errors
    /// As [`Adu::request`].
    pub fn response(&self) -> Result<Body<'a>, Error> {
        Body::response(self)
    }
}

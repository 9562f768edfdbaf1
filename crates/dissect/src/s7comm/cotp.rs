//! COTP, the connection-oriented transport protocol (ISO 8073 / X.224 §13),
//! class 0 as RFC 1006 uses it.
use crate::{Error, bytes::Cursor};

/// COTP that cannot be decoded.
pub const BAD_COTP: &str = "TT-S7-002";

/// A connection request or confirm (X.224 §13.3, §13.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connection<'a> {
    /// Destination reference.
    pub dst_ref: u16,
    /// Source reference.
    pub src_ref: u16,
    /// Class (high four bits) and options.
    pub class: u8,
    /// Calling (source) TSAP; empty if not given.
    pub src_tsap: &'a [u8],
    /// Called (destination) TSAP; empty if not given.
    pub dst_tsap: &'a [u8],
    /// Largest TPDU, as a power of two.
    pub tpdu_size: Option<u8>,
}

impl Connection<'_> {
    /// Does the called TSAP look like a Siemens station's? Two bytes, the first
    /// the kind of connection (1 PG, 2 OP, 3 other, 0x10 and up configured),
    /// or a name such as `SIMATIC-ROOT-ES`.
    #[must_use]
    pub fn is_siemens(&self) -> bool {
        // A calling TSAP of two bytes never starts with 0; those of MMS do.
        let caller = !matches!(self.src_tsap, [0, _]);
        match self.dst_tsap {
            [1..=3, _] => caller,
            [0x10..=0x5f, _] => caller && self.src_tsap.len() == 2,
            name => name.starts_with(b"SIMATIC-"),
        }
    }
}

/// A two-byte TSAP as a number.
#[must_use]
pub fn tsap_number(tsap: &[u8]) -> Option<u16> {
    match tsap {
        [hi, lo] => Some(u16::from_be_bytes([*hi, *lo])),
        _ => None,
    }
}

/// Rack and slot in the low byte of a two-byte TSAP: rack in the high three
/// bits, slot in the low five. Only connection kinds 1 to 3 and the configured
/// ones from 0x10 carry them.
#[must_use]
pub fn rack_slot(tsap: &[u8]) -> Option<(u8, u8)> {
    match tsap {
        [1..=3 | 0x10..=0xdf, low] => Some((low >> 5, low & 0x1f)),
        _ => None,
    }
}

/// A COTP PDU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cotp<'a> {
    /// CR, 0xe0.
    ConnectRequest(Connection<'a>),
    /// CC, 0xd0.
    ConnectConfirm(Connection<'a>),
    /// DR, 0x80 (§13.5).
    DisconnectRequest {
        /// Destination reference.
        dst_ref: u16,
        /// Source reference.
        src_ref: u16,
        /// Why: 0 not specified, 1 congestion, 2 not attached, 3 address unknown, 128 normal …
        reason: u8,
    },
    /// DC, 0xc0 (§13.6).
    DisconnectConfirm {
        /// Destination reference.
        dst_ref: u16,
        /// Source reference.
        src_ref: u16,
    },
    /// DT, 0xf0 (§13.7): user data, perhaps one part of several.
    Data {
        /// Is it the last part?
        eot: bool,
        /// TPDU number (0 in class 0).
        number: u8,
        /// User data.
        payload: &'a [u8],
    },
    /// ED, 0x10: expedited data.
    Expedited {
        /// User data.
        payload: &'a [u8],
    },
    /// AK, EA, RJ, ER: nothing that matters above.
    Other {
        /// PDU type byte.
        kind: u8,
    },
}

impl Cotp<'_> {
    /// The type byte without the credit bits.
    #[must_use]
    pub const fn kind(&self) -> u8 {
        match self {
            Self::ConnectRequest(_) => 0xe0,
            Self::ConnectConfirm(_) => 0xd0,
            Self::DisconnectRequest { .. } => 0x80,
            Self::DisconnectConfirm { .. } => 0xc0,
            Self::Data { .. } => 0xf0,
            Self::Expedited { .. } => 0x10,
            Self::Other { kind } => *kind,
        }
    }
}

/// Is this byte the type of a COTP PDU?
#[must_use]
pub const fn is_known(kind: u8) -> bool {
    matches!(kind & 0xf0, 0xe0 | 0xd0 | 0x60)
        || matches!(kind, 0x80 | 0xc0 | 0xf0 | 0xf1 | 0x10 | 0x20 | 0x50 | 0x70)
}

/// Decodes the COTP PDU of a whole TPKT.
///
/// # Errors
/// `TT-S7-002` when the header is cut or of no known type.
pub fn parse(tpkt: &[u8]) -> Result<Cotp<'_>, Error> {
    let body = tpkt.get(super::tpkt::HEADER..).unwrap_or_default();
    parse_body(body).map_err(|e| Error {
        offset: e.offset.saturating_add(super::tpkt::HEADER),
        ..e
    })
}

/// Decodes a COTP PDU.
pub(super) fn parse_body(body: &[u8]) -> Result<Cotp<'_>, Error> {
    let mut all = Cursor::new(body);
    let li = usize::from(all.u8(BAD_COTP)?);
    let header = all.take(li, BAD_COTP)?;
    let payload = all.rest();
    let mut cursor = Cursor::new(header);
    let kind = cursor.u8(BAD_COTP)?;
    if !is_known(kind) {
        return Err(Error::new(BAD_COTP, "unknown cotp pdu type", 1));
    }
    Ok(match kind & 0xf0 {
        0xe0 | 0xd0 => {
            let connection = connection(&mut cursor)?;
            if kind & 0xf0 == 0xe0 {
                Cotp::ConnectRequest(connection)
            } else {
                Cotp::ConnectConfirm(connection)
            }
        }
        0x80 => Cotp::DisconnectRequest {
            dst_ref: cursor.u16_be(BAD_COTP)?,
            src_ref: cursor.u16_be(BAD_COTP)?,
            reason: cursor.u8(BAD_COTP)?,
        },
        0xc0 => Cotp::DisconnectConfirm {
            dst_ref: cursor.u16_be(BAD_COTP)?,
            src_ref: cursor.u16_be(BAD_COTP)?,
        },
        0xf0 => {
            // Class 0 and 1 have no destination reference (li 2), others do.
            if li >= 4 {
                cursor.take(2, BAD_COTP)?;
            }
            let number = cursor.u8(BAD_COTP)?;
            Cotp::Data {
                eot: number & 0x80 != 0,
                number: number & 0x7f,
                payload,
            }
        }
        0x10 => Cotp::Expedited { payload },
        _ => Cotp::Other { kind },
    })
}

fn connection<'a>(cursor: &mut Cursor<'a>) -> Result<Connection<'a>, Error> {
    let mut out = Connection {
        dst_ref: cursor.u16_be(BAD_COTP)?,
        src_ref: cursor.u16_be(BAD_COTP)?,
        class: cursor.u8(BAD_COTP)?,
        src_tsap: &[],
        dst_tsap: &[],
        tpdu_size: None,
    };
    // Variable part (§13.2.3): code, length, value. What is cut is left out.
    while let (Ok(code), Ok(len)) = (cursor.u8(BAD_COTP), cursor.u8(BAD_COTP)) {
        let Ok(value) = cursor.take(usize::from(len), BAD_COTP) else {
            break;
        };
        match code {
            0xc0 => out.tpdu_size = value.first().copied(),
            0xc1 => out.src_tsap = value,
            0xc2 => out.dst_tsap = value,
            _ => {}
        }
    }
    Ok(out)
}

//! EtherNet/IP encapsulation (CIP Volume 2, chapter 2-3), over TCP and UDP.
use crate::{Error, Framing, Probe, bytes::Cursor};

/// An encapsulation header that cannot be one.
pub const BAD_ENCAPSULATION: &str = "TT-CIP-001";

/// Bytes of the encapsulation header.
pub const HEADER: usize = 24;

/// Encapsulation commands (Volume 2, table 2-3.2).
pub mod command {
    /// Nothing, no answer.
    pub const NOP: u16 = 0x0000;
    /// Which services?
    pub const LIST_SERVICES: u16 = 0x0004;
    /// Which device?
    pub const LIST_IDENTITY: u16 = 0x0063;
    /// Which interfaces?
    pub const LIST_INTERFACES: u16 = 0x0064;
    /// Opens a session.
    pub const REGISTER_SESSION: u16 = 0x0065;
    /// Ends it.
    pub const UNREGISTER_SESSION: u16 = 0x0066;
    /// Unconnected request or response.
    pub const SEND_RR_DATA: u16 = 0x006f;
    /// Connected message.
    pub const SEND_UNIT_DATA: u16 = 0x0070;
    /// Status indication (obsolete).
    pub const INDICATE_STATUS: u16 = 0x0072;
    /// Cancels (obsolete).
    pub const CANCEL: u16 = 0x0073;
    /// Begins DTLS.
    pub const START_DTLS: u16 = 0x00c8;
}

/// An encapsulation PDU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encapsulation<'a> {
    /// Command, see [`command`].
    pub command: u16,
    /// Session handle.
    pub session: u32,
    /// Status; 0 is success.
    pub status: u32,
    /// Sender context: the responder repeats it.
    pub context: u64,
    /// Options, 0.
    pub options: u32,
    /// Command-specific data.
    pub data: &'a [u8],
}

const fn is_command(command: u16) -> bool {
    matches!(command, 0x00..=0x05 | 0x63..=0x66 | 0x6f | 0x70 | 0x72 | 0x73 | 0xc8)
}

/// Does a header stand here? Commands and status codes are few, options 0.
fn is_header(bytes: &[u8]) -> bool {
    let Ok(header) = header(bytes) else {
        return false;
    };
    is_command(header.command) && header.status <= 0xffff && header.options == 0
}

/// Decodes the header; `data` is what follows, up to its length.
///
/// # Errors
/// `TT-CIP-001` when the header is cut.
pub fn header(bytes: &[u8]) -> Result<Encapsulation<'_>, Error> {
    let mut cursor = Cursor::new(bytes);
    let command = cursor.u16_le(BAD_ENCAPSULATION)?;
    let length = usize::from(cursor.u16_le(BAD_ENCAPSULATION)?);
    let session = cursor.u32_le(BAD_ENCAPSULATION)?;
    let status = cursor.u32_le(BAD_ENCAPSULATION)?;
    let context = cursor.u64_le(BAD_ENCAPSULATION)?;
    let options = cursor.u32_le(BAD_ENCAPSULATION)?;
    let rest = cursor.rest();
    Ok(Encapsulation {
        command,
        session,
        status,
        context,
        options,
        data: rest.get(..length).unwrap_or(rest),
    })
}

/// Decodes an encapsulation PDU.
///
/// # Errors
/// `TT-CIP-001` when header or data are cut, or the command does not exist.
pub fn parse(pdu: &[u8]) -> Result<Encapsulation<'_>, Error> {
    let decoded = header(pdu)?;
    if !is_command(decoded.command) {
        return Err(Error::new(
            BAD_ENCAPSULATION,
            "unknown encapsulation command",
            0,
        ));
    }
    if pdu.len() < pdu_length(pdu).unwrap_or(usize::MAX) {
        return Err(Error::new(
            BAD_ENCAPSULATION,
            "data shorter than the length says",
            pdu.len(),
        ));
    }
    Ok(decoded)
}

fn pdu_length(bytes: &[u8]) -> Option<usize> {
    let [_, _, lo, hi, ..] = bytes else {
        return None;
    };
    Some(HEADER + usize::from(u16::from_le_bytes([*lo, *hi])))
}

/// Where the next PDU of a stream ends.
#[must_use]
pub fn next_pdu(buf: &[u8]) -> Framing {
    if buf.len() < HEADER {
        let could_be = match buf {
            [lo, hi, ..] => is_command(u16::from_le_bytes([*lo, *hi])),
            _ => true,
        };
        if could_be {
            return Framing::NeedMore { at_least: HEADER };
        }
    } else if is_header(buf) {
        let len = pdu_length(buf).unwrap_or(HEADER);
        return if buf.len() >= len {
            Framing::Pdu { len }
        } else {
            Framing::NeedMore { at_least: len }
        };
    }
    let mut skip = 1;
    while let Some(rest) = buf.get(skip..) {
        let plausible = match rest {
            [] => true,
            [lo] => is_command(u16::from(*lo)),
            [lo, hi, ..] if rest.len() < HEADER => is_command(u16::from_le_bytes([*lo, *hi])),
            _ => is_header(rest),
        };
        if plausible {
            break;
        }
        skip += 1;
    }
    Framing::Resync {
        skip: skip.min(buf.len()).max(1),
        error: Error::new(
            BAD_ENCAPSULATION,
            "no encapsulation header: unknown command, status or options",
            0,
        ),
    }
}

/// The same where a port or a site says that EtherNet/IP is spoken: a sound header
/// is enough, so that NOP, old commands and wrong contents are seen too.
#[must_use]
pub fn probe_expected(payload: &[u8]) -> Probe {
    match probe(payload) {
        Probe::No if payload.len() >= HEADER && is_header(payload) => Probe::Yes,
        Probe::No if matches!(next_pdu(payload), Framing::NeedMore { .. }) => Probe::NeedMore,
        other => other,
    }
}

/// Does a stream or datagram carry EtherNet/IP encapsulation? The lengths and
/// contents that each command demands must fit, so other protocols are not claimed.
#[must_use]
pub fn probe(payload: &[u8]) -> Probe {
    if payload.len() < HEADER {
        return match payload {
            [lo, hi, ..] if !is_command(u16::from_le_bytes([*lo, *hi])) || (*lo, *hi) == (0, 0) => {
                Probe::No
            }
            _ => Probe::NeedMore,
        };
    }
    let (Ok(e), true) = (header(payload), is_header(payload)) else {
        return Probe::No;
    };
    let length = pdu_length(payload).unwrap_or(HEADER) - HEADER;
    let sane = match e.command {
        command::LIST_SERVICES | command::LIST_IDENTITY | command::LIST_INTERFACES => {
            length == 0 || (2..=1024).contains(&length) && matches!(e.data, [0..=16, 0, ..])
        }
        command::REGISTER_SESSION => {
            length == 4 && matches!(e.data, [0..=2, 0, ..]) || (length == 0 && e.status != 0)
        }
        command::UNREGISTER_SESSION => length == 0 && e.session != 0,
        command::SEND_RR_DATA | command::SEND_UNIT_DATA => {
            matches!(e.data, [0, 0, 0, 0, _, _, 1..=8, 0, ..]) || (length == 0 && e.status != 0)
        }
        _ => false,
    };
    if sane { Probe::Yes } else { Probe::No }
}

//! TPKT (RFC 1006 §6): the framing of ISO transport over TCP.
use crate::{Error, Framing, Probe};

/// A TPKT that cannot be one: version, length.
pub const BAD_TPKT: &str = "TT-S7-001";

/// Bytes of a TPKT header.
pub const HEADER: usize = 4;
/// The shortest TPKT: its header and a COTP data header (RFC 1006 §6).
const SHORTEST: usize = 7;

/// Length of the TPKT that starts the buffer, if its header is whole and sound.
fn length(buf: &[u8]) -> Option<usize> {
    match buf {
        [3, 0, hi, lo, ..] => {
            let len = usize::from(u16::from_be_bytes([*hi, *lo]));
            (len >= SHORTEST).then_some(len)
        }
        _ => None,
    }
}

/// Where the next TPKT ends (RFC 1006 §6).
#[must_use]
pub fn next_pdu(buf: &[u8]) -> Framing {
    let bad = |reason| Error::new(BAD_TPKT, reason, 0);
    if buf.len() < HEADER {
        let could_be = [3u8, 0].iter().zip(buf).all(|(want, got)| want == got);
        return if could_be {
            Framing::NeedMore { at_least: HEADER }
        } else {
            Framing::Resync {
                skip: skip_to_header(buf),
                error: bad("not a tpkt of version 3"),
            }
        };
    }
    match length(buf) {
        Some(len) if buf.len() >= len => Framing::Pdu { len },
        Some(len) => Framing::NeedMore { at_least: len },
        None => Framing::Resync {
            skip: skip_to_header(buf),
            error: bad("not a tpkt of version 3, or a length below 7"),
        },
    }
}

/// Bytes to skip to the next place that may start a TPKT with a COTP header.
fn skip_to_header(buf: &[u8]) -> usize {
    let mut at = 1;
    while let Some(rest) = buf.get(at..) {
        let plausible = match rest {
            [] => break,
            [3] | [3, 0] | [3, 0, _] => true,
            [3, 0, _, _] => length(rest).is_some(),
            [3, 0, _, _, li] => length(rest).is_some() && *li >= 2,
            [3, 0, _, _, li, kind, ..] => {
                length(rest).is_some() && *li >= 2 && super::cotp::is_known(*kind)
            }
            _ => false,
        };
        if plausible {
            break;
        }
        at += 1;
    }
    at
}

/// Does a stream carry S7 communication? TPKT and COTP alone do not tell (MMS
/// and others use them too): the first user data must start with protocol ID
/// 0x32 (S7) or 0x72 (S7-plus), or a connection request name a TSAP as Siemens
/// stations form them.
#[must_use]
pub fn probe(payload: &[u8]) -> Probe {
    let mut rest = payload;
    // Empty data units (some stations send them to acknowledge) tell nothing.
    for _ in 0..8 {
        let Some(len) = length(rest) else {
            return match rest {
                [] | [3] | [3, 0] | [3, 0, _] => Probe::NeedMore,
                _ => Probe::No,
            };
        };
        let body = rest
            .get(HEADER..len)
            .or_else(|| rest.get(HEADER..))
            .unwrap_or_default();
        let (Some(&li), Some(&kind)) = (body.first(), body.get(1)) else {
            return Probe::NeedMore;
        };
        let li = usize::from(li);
        if li < 2 || li + 1 + HEADER > len || !super::cotp::is_known(kind) {
            return Probe::No;
        }
        match kind & 0xf0 {
            0xf0 => match body.get(li + 1) {
                Some(0x32) => {
                    return match body.get(li + 2) {
                        Some(1 | 2 | 3 | 7) => Probe::Yes,
                        Some(_) => Probe::No,
                        None => Probe::NeedMore,
                    };
                }
                Some(0x72) => {
                    return match body.get(li + 2) {
                        Some(1..=3 | 0xfd..=0xff) => Probe::Yes,
                        Some(_) => Probe::No,
                        None => Probe::NeedMore,
                    };
                }
                Some(_) => return Probe::No,
                None if len == HEADER + li + 1 => {}
                None => return Probe::NeedMore,
            },
            0xe0 | 0xd0 => {
                if let Ok(
                    super::cotp::Cotp::ConnectRequest(c) | super::cotp::Cotp::ConnectConfirm(c),
                ) = super::cotp::parse_body(body)
                    && (c.is_siemens())
                {
                    return Probe::Yes;
                }
            }
            _ => {}
        }
        match rest.get(len..) {
            Some(next) if !next.is_empty() => rest = next,
            _ => return Probe::NeedMore,
        }
    }
    Probe::No
}

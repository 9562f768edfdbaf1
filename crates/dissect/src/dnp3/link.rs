//! Link frames (IEEE 1815-2012, 9.2): ten bytes of header with a CRC, then up to
//! 250 bytes of user data in blocks of sixteen, each with its CRC.
use super::{BAD_CRC, BAD_SYNC, TRUNCATED, crc};
use crate::{Error, Framing, Probe};

const HEADER: usize = 10;
const BLOCK: usize = 16;
const SYNC: [u8; 2] = [0x05, 0x64];
/// Most user data of a frame: length field 255 less control and addresses.
pub const MAX_USER_DATA: usize = 250;

/// A link frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Control byte.
    pub control: u8,
    /// Destination address.
    pub destination: u16,
    /// Source address.
    pub source: u16,
    /// User data with the CRC behind each block.
    blocks: &'a [u8],
    crc_ok: bool,
}

/// Bytes that a frame with this length field has in all.
const fn total(length: u8) -> usize {
    let user = (length as usize).saturating_sub(5);
    HEADER + user + 2 * user.div_ceil(BLOCK)
}

fn sync(buf: &[u8]) -> bool {
    match buf {
        [] => true,
        [a] => *a == SYNC[0],
        [a, b, ..] => [*a, *b] == SYNC,
    }
}

fn header_ok(buf: &[u8]) -> bool {
    match buf.split_first_chunk::<HEADER>() {
        Some(([covered @ .., low, high], _)) => crc(covered) == u16::from_le_bytes([*low, *high]),
        None => false,
    }
}

/// Where the next link frame ends. Bytes that begin none are skipped up to the
/// next 0x0564 (IEEE 1815-2012, 9.2.4.1.1); so is a header with a wrong CRC,
/// since its length cannot be trusted.
#[must_use]
pub fn next_pdu(buf: &[u8]) -> Framing {
    if !sync(buf) {
        return resync(buf, BAD_SYNC, "no dnp3 start bytes");
    }
    let Some(length) = buf.get(2) else {
        return Framing::NeedMore { at_least: HEADER };
    };
    if *length < 5 {
        return resync(buf, BAD_SYNC, "the link length is less than five");
    }
    if buf.len() < HEADER {
        return Framing::NeedMore { at_least: HEADER };
    }
    if !header_ok(buf) {
        return resync(buf, BAD_CRC, "wrong crc of the link header");
    }
    let len = total(*length);
    if buf.len() < len {
        Framing::NeedMore { at_least: len }
    } else {
        Framing::Pdu { len }
    }
}

fn resync(buf: &[u8], code: &'static str, reason: &'static str) -> Framing {
    let skip = (1..buf.len())
        .find(|at| buf.get(*at..).is_some_and(sync))
        .unwrap_or(buf.len())
        .max(1);
    Framing::Resync {
        skip,
        error: Error::new(code, reason, 0),
    }
}

/// Does a payload begin with a link frame? The header's CRC makes it certain.
#[must_use]
pub fn probe(payload: &[u8]) -> Probe {
    if !sync(payload) || payload.get(2).is_some_and(|length| *length < 5) {
        Probe::No
    } else if payload.len() < HEADER {
        Probe::NeedMore
    } else if header_ok(payload) {
        Probe::Yes
    } else {
        Probe::No
    }
}

impl<'a> Frame<'a> {
    /// Reads a frame that [`next_pdu`] cut.
    ///
    /// # Errors
    /// The bytes are shorter than the header or its length.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let short = || Error::new(TRUNCATED, "the link frame ends early", bytes.len());
        let ([_, _, length, control, d0, d1, s0, s1, _, _], rest) =
            bytes.split_first_chunk::<HEADER>().ok_or_else(short)?;
        let blocks = rest
            .get(..total(*length).saturating_sub(HEADER))
            .ok_or_else(short)?;
        let good = |block: &[u8]| {
            block
                .split_last_chunk::<2>()
                .is_some_and(|(data, sum)| crc(data) == u16::from_le_bytes(*sum))
        };
        Ok(Self {
            crc_ok: blocks.chunks(BLOCK + 2).all(good),
            control: *control,
            destination: u16::from_le_bytes([*d0, *d1]),
            source: u16::from_le_bytes([*s0, *s1]),
            blocks,
        })
    }

    /// DIR: sent by the master?
    #[must_use]
    pub const fn dir(&self) -> bool {
        self.control & 0x80 != 0
    }

    /// PRM: does the frame start a transaction?
    #[must_use]
    pub const fn prm(&self) -> bool {
        self.control & 0x40 != 0
    }

    /// Link function code.
    #[must_use]
    pub const fn function(&self) -> u8 {
        self.control & 0x0f
    }

    /// Does it carry user data? Functions 3 and 4 do; a station may put data into
    /// others, but a reset of the link (0) and a request of its status (9) are
    /// taken by what they are.
    #[must_use]
    pub const fn has_user_data(&self) -> bool {
        self.prm() && !matches!(self.function(), 0 | 9) && !self.blocks.is_empty()
    }

    /// The user data in its blocks, without their CRCs.
    pub fn blocks(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.blocks.chunks(BLOCK + 2).map(|block| {
            block
                .split_last_chunk::<2>()
                .map_or(&[][..], |(data, _)| data)
        })
    }

    /// Are the CRCs of all blocks right? (The header's is, or the frame would
    /// not have been cut.)
    #[must_use]
    pub const fn crc_ok(&self) -> bool {
        self.crc_ok
    }

    /// The transport byte: first of the user data.
    #[must_use]
    pub fn transport(&self) -> Option<u8> {
        self.blocks
            .first()
            .copied()
            .filter(|_| self.has_user_data())
    }
}

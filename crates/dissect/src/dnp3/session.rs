//! What must survive from one frame of a connection to the next.
use super::link::MAX_USER_DATA;
use super::{BAD_CRC, BAD_SEQUENCE, Fragment, Frame, TOO_LONG};
use crate::Error;
use crate::pending::Pending;

/// Bytes of an application fragment that are put together; the standard asks
/// for 2048 and lets stations agree on more.
pub const MAX_FRAGMENT: usize = 16 * 1024;
/// Address pairs with segments in the making at once; the oldest goes first.
const MAX_PAIRS: usize = 64;
/// Requests that may wait at once; the oldest goes first.
const MAX_PENDING: usize = 64;
/// Bytes kept of a request.
const MAX_REQUEST: usize = 512;

/// Segments of one sender to one receiver.
#[derive(Debug)]
struct Assembly {
    source: u16,
    destination: u16,
    /// Sequence number of the last segment, while a fragment is in the making.
    last: Option<u8>,
    bytes: Vec<u8>,
}

/// What a frame completes.
#[derive(Debug, PartialEq, Eq)]
pub enum Assembled<'a> {
    /// The frame carries no user data.
    LinkOnly,
    /// More segments must follow.
    Partial,
    /// A whole application fragment.
    Whole(&'a [u8]),
    /// The segment is of no use: a CRC is wrong, or it continues nothing.
    Dropped(Error),
}

/// What pairs a response with its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Link address of the master.
    pub master: u16,
    /// Link address of the outstation.
    pub outstation: u16,
    /// Application sequence number.
    pub seq: u8,
}

/// State of one connection. `M` is what the caller wants back with a response.
#[derive(Debug)]
pub struct Session<M> {
    assemblies: Vec<Assembly>,
    /// Requests that wait for their answer.
    pub pending: Pending<Key, M>,
}

impl<M> Default for Session<M> {
    fn default() -> Self {
        Self {
            assemblies: Vec::new(),
            pending: Pending::new(MAX_PENDING, MAX_REQUEST),
        }
    }
}

impl<M> Session<M> {
    /// A connection of which nothing is known.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn assembly(&mut self, source: u16, destination: u16) -> Option<&mut Assembly> {
        let found = self
            .assemblies
            .iter()
            .position(|a| a.source == source && a.destination == destination);
        let at = match found {
            Some(at) => at,
            None => {
                let mut bytes = Vec::new();
                if self.assemblies.len() >= MAX_PAIRS {
                    bytes = self.assemblies.remove(0).bytes;
                    bytes.clear();
                }
                self.assemblies.push(Assembly {
                    source,
                    destination,
                    last: None,
                    bytes,
                });
                self.assemblies.len().saturating_sub(1)
            }
        };
        self.assemblies.get_mut(at)
    }

    /// Takes a link frame; transport segments are put together by the rules of
    /// IEEE 1815-2012, 8.2.
    pub fn frame(&mut self, frame: &Frame<'_>) -> Assembled<'_> {
        let Some(transport) = frame.transport() else {
            return Assembled::LinkOnly;
        };
        let (fin, fir, seq) = (
            transport & 0x80 != 0,
            transport & 0x40 != 0,
            transport & 0x3f,
        );
        let Some(assembly) = self.assembly(frame.source, frame.destination) else {
            return Assembled::Partial;
        };
        if !frame.crc_ok() {
            assembly.last = None;
            return Assembled::Dropped(Error::new(BAD_CRC, "wrong crc of a data block", 10));
        }
        if fir {
            assembly.bytes.clear();
        } else {
            match assembly.last {
                // a repeated segment
                Some(last) if last == seq => return Assembled::Partial,
                Some(last) if last.wrapping_add(1) & 0x3f == seq => {}
                _ => {
                    assembly.last = None;
                    return Assembled::Dropped(Error::new(
                        BAD_SEQUENCE,
                        "a transport segment that continues nothing",
                        10,
                    ));
                }
            }
        }
        if assembly.bytes.len().saturating_add(MAX_USER_DATA) > MAX_FRAGMENT {
            assembly.last = None;
            return Assembled::Dropped(Error::new(
                TOO_LONG,
                "an application fragment past the limit",
                10,
            ));
        }
        for (at, block) in frame.blocks().enumerate() {
            let data = if at == 0 {
                block.get(1..).unwrap_or_default()
            } else {
                block
            };
            assembly.bytes.extend_from_slice(data);
        }
        if fin {
            assembly.last = None;
            Assembled::Whole(&assembly.bytes)
        } else {
            assembly.last = Some(seq);
            Assembled::Partial
        }
    }

    /// Forgets segments in the making, after a gap in the stream.
    pub fn reset(&mut self) {
        for assembly in &mut self.assemblies {
            assembly.last = None;
        }
    }
}

impl Key {
    /// The key of a fragment in a frame.
    #[must_use]
    pub const fn of(frame: &Frame<'_>, fragment: &Fragment<'_>) -> Self {
        let (master, outstation) = if fragment.is_response() {
            (frame.destination, frame.source)
        } else {
            (frame.source, frame.destination)
        };
        Self {
            master,
            outstation,
            seq: fragment.seq(),
        }
    }
}

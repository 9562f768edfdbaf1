//! What must survive from one PDU of a connection to the next.
use crate::pending::Pending;

/// A transport data unit that is longer than [`MAX_REASSEMBLY`].
pub const TOO_LONG: &str = "TT-S7-008";

/// Bytes that the parts of one transport data unit may add up to; longer ones
/// are dropped whole. S7 negotiates at most 960 bytes, S7-plus some thousands.
pub const MAX_REASSEMBLY: usize = 64 * 1024;

/// Requests of one connection that may wait at once; the oldest goes first.
const MAX_PENDING: usize = 64;
/// Bytes kept of a request; enough for the longest PDU that stations negotiate.
const MAX_REQUEST: usize = 2048;

/// Parts of transport data units of one direction, put together by EOT.
#[derive(Debug, Default)]
pub struct Reassembly {
    parts: Vec<u8>,
    done: bool,
    overflow: bool,
}

/// What a part completes.
#[derive(Debug, PartialEq, Eq)]
pub enum Assembled<'a> {
    /// More parts must follow.
    Partial,
    /// A whole data unit.
    Whole(&'a [u8]),
    /// The unit grew past the limit and was dropped.
    TooLong,
}

impl Reassembly {
    /// Adds the payload of a DT PDU. A unit in one part is handed back as it is,
    /// without a copy.
    pub fn push<'a>(&'a mut self, eot: bool, payload: &'a [u8]) -> Assembled<'a> {
        if self.done {
            self.parts.clear();
            self.done = false;
        }
        if self.overflow {
            self.overflow = !eot;
            self.parts.clear();
            return Assembled::Partial;
        }
        if eot && self.parts.is_empty() {
            return Assembled::Whole(payload);
        }
        if self.parts.len().saturating_add(payload.len()) > MAX_REASSEMBLY {
            self.parts.clear();
            self.overflow = !eot;
            return Assembled::TooLong;
        }
        self.parts.extend_from_slice(payload);
        if eot {
            self.done = true;
            Assembled::Whole(&self.parts)
        } else {
            Assembled::Partial
        }
    }

    /// Forgets the parts, after a gap in the stream.
    pub fn reset(&mut self) {
        self.parts.clear();
        self.done = false;
        self.overflow = false;
    }
}

/// What pairs a response with its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Direction of the request (0 or 1, the caller's numbering).
    pub dir: u8,
    /// PDU reference.
    pub pdu_ref: u16,
    /// Is it userdata? Its references count apart.
    pub userdata: bool,
}

/// State of one connection. `M` is what the caller wants back with a response.
#[derive(Debug)]
pub struct Session<M> {
    /// Parts of each direction.
    pub reassembly: [Reassembly; 2],
    /// Requests that wait for their answer.
    pub pending: Pending<Key, M>,
    /// TSAP of the caller, if it has two bytes.
    pub src_tsap: Option<u16>,
    /// TSAP of the called, if it has two bytes.
    pub dst_tsap: Option<u16>,
    /// Rack and slot of the called.
    pub rack_slot: Option<(u8, u8)>,
}

impl<M> Default for Session<M> {
    fn default() -> Self {
        Self {
            reassembly: [Reassembly::default(), Reassembly::default()],
            pending: Pending::new(MAX_PENDING, MAX_REQUEST),
            src_tsap: None,
            dst_tsap: None,
            rack_slot: None,
        }
    }
}

impl<M> Session<M> {
    /// A connection of which nothing is known.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Remembers the TSAPs of a connection request or confirm.
    pub fn connected(&mut self, connection: &super::Connection<'_>) {
        self.src_tsap = super::cotp::tsap_number(connection.src_tsap).or(self.src_tsap);
        self.dst_tsap = super::cotp::tsap_number(connection.dst_tsap).or(self.dst_tsap);
        self.rack_slot = super::cotp::rack_slot(connection.dst_tsap).or(self.rack_slot);
    }
}

//! The flow table: which packets belong together, who opened the connection,
//! in which state it is, and when it is over.
//!
//! Bounded by [`crate::Config::max_flows`]. Flows are kept in the order of their
//! last packet, so that the one idle longest is found at once, for time-outs and
//! when the table is full.

mod id;
mod table;

use crate::detect::Analysis;
use crate::ip::Address;
use crate::tcp::Stream;
use rustc_hash::FxHasher;
use std::hash::Hasher as _;
use telltale_schema::{FlowState, RoleSource, Transport};

pub use id::CommunityId;
use id::flow_id;
pub(crate) use table::FlowTable;

/// One of the two ends of a flow; `A` is the lower address and port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The lower address and port.
    A,
    /// The other one.
    B,
}

impl Side {
    /// The other end.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    pub(crate) const fn index(self) -> usize {
        match self {
            Self::A => 0,
            Self::B => 1,
        }
    }
}

/// Address and port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// IP address, IPv4 mapped.
    pub ip: Address,
    /// Port, where the transport has one.
    pub port: Option<u16>,
}

/// What makes a flow: the two ends, the transport and the address space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    a: Endpoint,
    b: Endpoint,
    protocol: u8,
    segment: u32,
}

impl Key {
    fn hash(&self) -> u64 {
        let port = |end: &Endpoint| end.port.map_or(0, |p| 1 << 16 | u64::from(p));
        let mut hasher = FxHasher::default();
        hasher.write_u128(u128::from_ne_bytes(self.a.ip));
        hasher.write_u128(u128::from_ne_bytes(self.b.ip));
        hasher.write_u64(port(&self.a) << 17 | port(&self.b));
        hasher.write_u64(u64::from(self.segment) << 8 | u64::from(self.protocol));
        hasher.finish()
    }

    /// Number of the address space.
    #[must_use]
    pub fn segment(&self) -> u32 {
        self.segment
    }

    /// The key of a packet and the side that sent it.
    #[must_use]
    pub fn new(src: Endpoint, dst: Endpoint, protocol: u8, segment: u32) -> (Self, Side) {
        if (src.ip, src.port) <= (dst.ip, dst.port) {
            (
                Self {
                    a: src,
                    b: dst,
                    protocol,
                    segment,
                },
                Side::A,
            )
        } else {
            (
                Self {
                    a: dst,
                    b: src,
                    protocol,
                    segment,
                },
                Side::B,
            )
        }
    }
}

/// Counts of one direction.
#[derive(Debug, Clone, Copy, Default)]
pub struct Traffic {
    /// Packets.
    pub packets: u64,
    /// Bytes on the wire.
    pub bytes: u64,
    /// Transport payload without bytes seen before.
    pub payload: u64,
    /// All TCP flags, or-ed.
    pub flags: u8,
}

/// Rows of `packet_error` that one flow may write; more are counted only.
const ERRORS_PER_FLOW: u32 = 64;

/// What is known of a flow.
#[derive(Debug)]
pub struct FlowHead {
    /// The lower end.
    pub a: Endpoint,
    /// The higher end.
    pub b: Endpoint,
    /// Who opened the flow, as far as known.
    pub initiator: Side,
    /// How that is known.
    pub initiator_source: RoleSource,
    /// TCP, UDP or other.
    pub transport: Transport,
    /// Number of the flow: depends on its ends and its first packet only.
    pub id: u64,
    /// Community ID 1.0.
    pub community_id: CommunityId,
    /// Number of the flow's next row.
    pub ordinal: u64,
    /// State.
    pub state: FlowState,
    /// Was its opening seen?
    pub opening_seen: bool,
    /// First packet, nanoseconds.
    pub first_ns: i64,
    /// Last packet, nanoseconds.
    pub last_ns: i64,
    /// Frames dropped as copies.
    pub duplicates: u32,
    /// Number of the flow's first packet in its file.
    pub first_packet: u64,
    pub(crate) traffic: [Traffic; 2],
    pub(crate) reported: [Traffic; 2],
    pub(crate) reported_ns: i64,
    pub(crate) vlan: Option<u16>,
    pub(crate) macs: [Option<u64>; 2],
    pub(crate) ended: bool,
    errors: u32,
}

impl FlowHead {
    /// Address and port of a side.
    #[must_use]
    pub fn end(&self, side: Side) -> Endpoint {
        match side {
            Side::A => self.a,
            Side::B => self.b,
        }
    }

    pub(crate) fn may_report_error(&mut self) -> bool {
        self.errors += 1;
        self.errors <= ERRORS_PER_FLOW
    }
}

/// A flow with its streams and its protocol.
pub(crate) struct Flow {
    pub head: FlowHead,
    pub key: Key,
    pub streams: [Stream<crate::rows::PacketInfo>; 2],
    /// Bytes of a PDU that is not whole yet, by direction.
    pub partial: [Vec<u8>; 2],
    /// Last acknowledgement number by sender.
    pub acknowledged: [Option<u32>; 2],
    pub analysis: Analysis,
    pub ticked_ns: i64,
    /// Its `start` row is not written yet.
    pub fresh: bool,
    /// Bytes are kept until the protocol is recognised.
    pub keep_undecided: bool,
    /// Number of its last packet.
    pub last_packet: u64,
}

/// What the first packet of a flow says of it.
pub(crate) struct Opening {
    pub sender: Side,
    pub first_ns: i64,
    pub packet: u64,
    pub vlan: Option<u16>,
    /// TCP flags of the first packet.
    pub flags: u8,
    /// The side that listens on a known port, if just one does.
    pub server_by_port: Option<Side>,
}

impl Flow {
    pub(crate) fn new(key: Key, opening: &Opening) -> Box<Self> {
        let transport = match key.protocol {
            6 => Transport::Tcp,
            17 => Transport::Udp,
            _ => Transport::Other,
        };
        let syn = opening.flags & (SYN | ACK);
        let (initiator, initiator_source) = match (transport, syn, opening.server_by_port) {
            (Transport::Tcp, SYN, _) => (opening.sender, RoleSource::Syn),
            (Transport::Tcp, s, _) if s == SYN | ACK => (opening.sender.other(), RoleSource::Syn),
            (_, _, Some(server)) => (server.other(), RoleSource::Port),
            _ => (opening.sender, RoleSource::FirstPacket),
        };
        let opening_seen = transport != Transport::Tcp || syn & SYN != 0;
        Box::new(Self {
            head: FlowHead {
                a: key.a,
                b: key.b,
                initiator,
                initiator_source,
                transport,
                id: flow_id(&key, opening.first_ns),
                community_id: CommunityId::new(&key),
                ordinal: 0,
                state: if transport == Transport::Tcp {
                    FlowState::Midstream
                } else {
                    FlowState::None
                },
                opening_seen,
                first_ns: opening.first_ns,
                last_ns: opening.first_ns,
                duplicates: 0,
                first_packet: opening.packet,
                traffic: [Traffic::default(); 2],
                reported: [Traffic::default(); 2],
                reported_ns: opening.first_ns,
                vlan: opening.vlan,
                macs: [None; 2],
                ended: false,
                errors: 0,
            },
            key,
            streams: [Stream::default(), Stream::default()],
            partial: [Vec::new(), Vec::new()],
            acknowledged: [None; 2],
            analysis: Analysis::default(),
            ticked_ns: opening.first_ns,
            fresh: true,
            keep_undecided: false,
            last_packet: opening.packet,
        })
    }
}

/// TCP flag bits (RFC 9293, 3.1).
pub(crate) const FIN: u8 = 0x01;
pub(crate) const SYN: u8 = 0x02;
pub(crate) const RST: u8 = 0x04;
pub(crate) const ACK: u8 = 0x10;

/// The state after a segment with these flags from `sender`.
pub(crate) fn next_state(head: &FlowHead, sender: Side, flags: u8) -> FlowState {
    let from_initiator = sender == head.initiator;
    match (head.state, flags) {
        (state @ (FlowState::Closed | FlowState::Reset | FlowState::Refused), _) => state,
        (FlowState::SynSent, f) if f & RST != 0 && !from_initiator => FlowState::Refused,
        (_, f) if f & RST != 0 => FlowState::Reset,
        (FlowState::Midstream | FlowState::SynSent, f) if f & (SYN | ACK) == SYN => {
            FlowState::SynSent
        }
        (FlowState::Midstream | FlowState::SynSent, f) if f & (SYN | ACK) == SYN | ACK => {
            FlowState::SynReceived
        }
        (FlowState::SynReceived, f) if f & ACK != 0 && from_initiator && f & FIN == 0 => {
            FlowState::Established
        }
        (state, f) if f & FIN != 0 => {
            let theirs = head
                .traffic
                .get(sender.other().index())
                .is_some_and(|t| t.flags & FIN != 0);
            if theirs {
                FlowState::Closed
            } else if state == FlowState::Closed {
                state
            } else {
                FlowState::Closing
            }
        }
        (state, _) => state,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ip::map_v4;

    fn end(last: u8, port: u16) -> Endpoint {
        Endpoint {
            ip: map_v4([128, 232, 110, last]),
            port: Some(port),
        }
    }

    pub(super) fn flow(n: u16) -> Box<Flow> {
        let (key, sender) = Key::new(end(1, n), end(2, 502), 6, 0);
        Flow::new(
            key,
            &Opening {
                sender,
                first_ns: i64::from(n),
                packet: 1,
                vlan: None,
                flags: SYN,
                server_by_port: None,
            },
        )
    }

    #[test]
    fn tcp_states() {
        let mut f = flow(1);
        let (client, server) = (f.head.initiator, f.head.initiator.other());
        let mut walk = Vec::new();
        for (side, flags) in [
            (client, SYN),
            (server, SYN | ACK),
            (client, ACK),
            (client, FIN | ACK),
            (server, FIN | ACK),
        ] {
            f.head.state = next_state(&f.head, side, flags);
            f.head.traffic[side.index()].flags |= flags;
            walk.push(f.head.state);
        }
        assert_eq!(
            walk,
            [
                FlowState::SynSent,
                FlowState::SynReceived,
                FlowState::Established,
                FlowState::Closing,
                FlowState::Closed
            ]
        );
        let mut f = flow(2);
        f.head.state = next_state(&f.head, client, SYN);
        assert_eq!(next_state(&f.head, server, RST | ACK), FlowState::Refused);
    }
}

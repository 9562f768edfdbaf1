//! The flow table: which packets belong together, who opened the connection,
//! in which state it is, and when it is over.
//!
//! Bounded by [`crate::Config::max_flows`]. Flows are kept in the order of their
//! last packet, so that the one idle longest is found at once, for time-outs and
//! when the table is full.

use crate::detect::Analysis;
use crate::ip::Address;
use crate::tcp::Stream;
use base64::Engine as _;
use hashbrown::HashTable;
use rustc_hash::FxHasher;
use sha1::{Digest as _, Sha1};
use std::hash::Hasher as _;
use telltale_schema::{FlowState, RoleSource, Transport};

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

const NONE: u32 = u32::MAX;

/// Place of a flow. What every packet asks for is here and not in the flow, so
/// that finding one and keeping the order of use touch few cache lines.
struct Slot {
    flow: Option<Box<Flow>>,
    hash: u64,
    /// Time of the flow's last packet, nanoseconds.
    last_ns: i64,
    newer: u32,
    older: u32,
}

/// All living flows.
pub(crate) struct FlowTable {
    /// Places by the hash of the flow's key.
    index: HashTable<u32>,
    slots: Vec<Slot>,
    free: Vec<u32>,
    newest: u32,
    oldest: u32,
}

impl FlowTable {
    pub(crate) fn new() -> Self {
        Self {
            index: HashTable::new(),
            slots: Vec::new(),
            free: Vec::new(),
            newest: NONE,
            oldest: NONE,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    pub(crate) fn find(&self, key: &Key) -> Option<u32> {
        let hash = key.hash();
        let same = |at: &u32| {
            self.slots.get(*at as usize).is_some_and(|slot| {
                slot.hash == hash && slot.flow.as_ref().is_some_and(|flow| flow.key == *key)
            })
        };
        self.index.find(hash, same).copied()
    }

    pub(crate) fn get(&mut self, at: u32) -> Option<&mut Flow> {
        self.slots.get_mut(at as usize)?.flow.as_deref_mut()
    }

    pub(crate) fn insert(&mut self, flow: Box<Flow>) -> u32 {
        let slot = Slot {
            hash: flow.key.hash(),
            last_ns: flow.head.last_ns,
            flow: Some(flow),
            newer: NONE,
            older: NONE,
        };
        let hash = slot.hash;
        let at = match self.free.pop() {
            Some(at) => {
                if let Some(place) = self.slots.get_mut(at as usize) {
                    *place = slot;
                }
                at
            }
            None => {
                self.slots.push(slot);
                u32::try_from(self.slots.len() - 1).unwrap_or(NONE - 1)
            }
        };
        let slots = &self.slots;
        self.index.insert_unique(hash, at, |at| {
            slots.get(*at as usize).map_or(0, |slot| slot.hash)
        });
        self.link(at);
        at
    }

    /// Takes a flow out of its slot for a while; its place and age stay.
    pub(crate) fn take(&mut self, at: u32) -> Option<Box<Flow>> {
        self.slots.get_mut(at as usize)?.flow.take()
    }

    /// Puts a taken flow back.
    pub(crate) fn put(&mut self, at: u32, flow: Box<Flow>) {
        if let Some(slot) = self.slots.get_mut(at as usize) {
            slot.flow = Some(flow);
        }
    }

    pub(crate) fn remove(&mut self, at: u32) -> Option<Box<Flow>> {
        let slot = self.slots.get_mut(at as usize)?;
        let flow = slot.flow.take()?;
        if let Ok(entry) = self.index.find_entry(slot.hash, |other| *other == at) {
            entry.remove();
        }
        self.unlink(at);
        self.free.push(at);
        Some(flow)
    }

    /// Marks a flow as the one used last, with its last packet at `last_ns`.
    pub(crate) fn touch(&mut self, at: u32, last_ns: i64) {
        if let Some(slot) = self.slots.get_mut(at as usize) {
            slot.last_ns = slot.last_ns.max(last_ns);
        }
        if self.newest != at {
            self.unlink(at);
            self.link(at);
        }
    }

    /// The flow idle longest, with the time of its last packet.
    pub(crate) fn oldest(&self) -> Option<(u32, i64)> {
        let slot = self.slots.get(self.oldest as usize)?;
        Some((self.oldest, slot.last_ns))
    }

    /// All flows, from the one idle longest.
    pub(crate) fn oldest_first(&self) -> Vec<u32> {
        let mut all = Vec::with_capacity(self.len());
        let mut at = self.oldest;
        while let Some(slot) = self.slots.get(at as usize) {
            all.push(at);
            at = slot.newer;
        }
        all
    }

    fn link(&mut self, at: u32) {
        let before = self.newest;
        if let Some(slot) = self.slots.get_mut(at as usize) {
            slot.older = before;
            slot.newer = NONE;
        }
        match self.slots.get_mut(before as usize) {
            Some(slot) => slot.newer = at,
            None => self.oldest = at,
        }
        self.newest = at;
    }

    fn unlink(&mut self, at: u32) {
        let Some(slot) = self.slots.get(at as usize) else {
            return;
        };
        let (newer, older) = (slot.newer, slot.older);
        match self.slots.get_mut(newer as usize) {
            Some(slot) => slot.older = older,
            None => self.newest = older,
        }
        match self.slots.get_mut(older as usize) {
            Some(slot) => slot.newer = newer,
            None => self.oldest = newer,
        }
    }
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

fn v4_of(ip: &Address) -> Option<[u8; 4]> {
    match ip {
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d] => Some([*a, *b, *c, *d]),
        _ => None,
    }
}

fn feed(sha: &mut Sha1, key: &Key) {
    for end in [&key.a, &key.b] {
        match v4_of(&end.ip) {
            Some(v4) => sha.update(v4),
            None => sha.update(end.ip),
        }
    }
    sha.update([key.protocol, 0]);
    if let (Some(a), Some(b)) = (key.a.port, key.b.port) {
        sha.update(a.to_be_bytes());
        sha.update(b.to_be_bytes());
    }
}

/// Community ID flow hashing, version 1, seed 0 (corelight/community-id-spec): a
/// text of fixed length, kept beside the rest of the flow.
#[derive(Debug, Clone, Copy)]
#[repr(align(16))]
pub struct CommunityId([u8; 32]);

impl CommunityId {
    const LEN: usize = 30;

    fn new(key: &Key) -> Self {
        let mut sha = Sha1::new();
        sha.update([0, 0]);
        feed(&mut sha, key);
        let mut text = *b"1:                              ";
        if let Some(rest) = text.get_mut(2..Self::LEN) {
            // 20 bytes are 28 characters: it fits
            base64::engine::general_purpose::STANDARD
                .encode_slice(sha.finalize(), rest)
                .unwrap_or_default();
        }
        Self(text)
    }

    /// As it stands in rows.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // whole words, aligned: this is what is checked fastest
        std::str::from_utf8(&self.0)
            .ok()
            .and_then(|text| text.get(..Self::LEN))
            .unwrap_or_default()
    }
}

fn flow_id(key: &Key, first_ns: i64) -> u64 {
    let mut sha = Sha1::new();
    sha.update(first_ns.to_be_bytes());
    sha.update(key.segment.to_be_bytes());
    feed(&mut sha, key);
    let hash = sha.finalize();
    hash.first_chunk::<8>()
        .map_or(0, |b| u64::from_be_bytes(*b))
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

    fn flow(n: u16) -> Box<Flow> {
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
    fn community_id_of_the_specification() {
        // baseline of community-id-spec: 128.232.110.120:34855 > 66.35.250.204:80, TCP
        let a = Endpoint {
            ip: map_v4([128, 232, 110, 120]),
            port: Some(34855),
        };
        let b = Endpoint {
            ip: map_v4([66, 35, 250, 204]),
            port: Some(80),
        };
        for (src, dst) in [(a, b), (b, a)] {
            let (key, _) = Key::new(src, dst, 6, 0);
            assert_eq!(
                CommunityId::new(&key).as_str(),
                "1:LQU9qZlK+B5F3KDmev6m5PMibrg="
            );
        }
    }

    #[test]
    fn table_keeps_the_order_of_use() {
        let mut table = FlowTable::new();
        let at: Vec<u32> = (0..4).map(|n| table.insert(flow(n))).collect();
        table.touch(at[0], 5);
        table.touch(at[2], 6);
        assert_eq!(table.oldest_first(), [at[1], at[3], at[0], at[2]]);
        assert!(table.remove(at[3]).is_some());
        assert_eq!(table.oldest().map(|o| o.0), Some(at[1]));
        table.remove(at[1]);
        assert_eq!(table.oldest_first(), [at[0], at[2]]);
        let again = table.insert(flow(9));
        assert_eq!(table.oldest_first(), [at[0], at[2], again]);
        assert_eq!(table.len(), 3);
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

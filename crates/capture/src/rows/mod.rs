//! Messages to rows: one file per protocol, each an [`Analyzer`].
//!
//! An analyzer belongs to one flow. It gets contiguous bytes of one direction
//! (or a datagram), asks `dissect` what they say, and writes rows with the
//! common columns already filled from the flow and the packet.

pub(crate) mod arp;
pub(crate) mod cip;
pub(crate) mod dnp3;
pub(crate) mod flow;
pub(crate) mod modbus;
pub(crate) mod packet_error;
pub(crate) mod s7comm;
pub(crate) mod scratch;
mod talk;

use crate::counters::Counters;
use crate::flow::{FlowHead, Side};
use std::sync::Arc;
use telltale_schema::{Builders, Common, Direction, ErrorLayer, Protocol, RoleSource};

/// The packet that is being looked at.
#[derive(Debug, Clone, Copy, Default)]
pub struct PacketInfo {
    /// Number in its file, from 1.
    pub number: u64,
    /// Capture time, nanoseconds since 1970-01-01 UTC.
    pub ts_ns: i64,
    /// Outermost VLAN.
    pub vlan: Option<u16>,
    /// Sender's MAC address.
    pub src_mac: Option<u64>,
    /// Receiver's MAC address.
    pub dst_mac: Option<u64>,
}

/// Where all rows go: builders of all tables, and the numbers that rise over them.
pub struct Out {
    pub(crate) builders: Builders,
    pub(crate) counters: Counters,
    pub(crate) next_row: u64,
    pub(crate) next_pdu: u64,
    pub(crate) site: Arc<str>,
    pub(crate) sensor: Arc<str>,
    pub(crate) capture_file: Arc<str>,
    /// Key of the hash that stands in for passwords.
    pub(crate) password_key: [u8; 32],
    /// A request without an answer for this long is `no_response`, nanoseconds.
    pub(crate) response_timeout_ns: i64,
    /// Taken out while an analyzer works with them.
    pub(crate) buffers: Option<Box<Buffers>>,
}

/// What an analyzer sees of the flow, the packet and the output.
pub struct Cx<'a> {
    /// The flow; analyzers may read it.
    pub flow: &'a mut FlowHead,
    /// The packet that completed what is handed in.
    pub packet: PacketInfo,
    /// Who sent the bytes.
    pub sender: Side,
    pub(crate) out: &'a mut Out,
    pub(crate) segment: &'a str,
}

impl Cx<'_> {
    /// Number for a new PDU; also counts it for `protocol`.
    pub fn next_pdu(&mut self, protocol: Protocol) -> u64 {
        self.out.counters.pdu(protocol);
        let id = self.out.next_pdu;
        self.out.next_pdu += 1;
        id
    }

    /// Number for a row that stands for no PDU on the wire: a request that
    /// nobody answered.
    pub fn next_silent_pdu(&mut self) -> u64 {
        let id = self.out.next_pdu;
        self.out.next_pdu += 1;
        id
    }

    /// Key of the hash that stands in for passwords.
    #[must_use]
    pub fn password_key(&self) -> &[u8; 32] {
        &self.out.password_key
    }

    /// A request without an answer for this long is `no_response`, nanoseconds.
    #[must_use]
    pub fn response_timeout_ns(&self) -> i64 {
        self.out.response_timeout_ns
    }

    /// Counts requests that were forgotten because too many waited.
    pub fn count_pairing_evictions(&mut self, n: u64) {
        self.out.counters.pairing_evictions += n;
    }

    /// Takes the next row number and gives the common columns filled from flow
    /// and packet, with the builders of all tables to append to.
    ///
    /// `client` is the side that asks; `source` says how that is known. Still to
    /// fill: operation, phase, function, function_code, direction, outcome,
    /// pdu_id, items, object and data columns.
    // a call would copy some five hundred bytes
    #[inline(always)]
    pub fn row(
        &mut self,
        protocol: Protocol,
        client: Side,
        source: RoleSource,
    ) -> (Common<'_>, &mut Builders) {
        let row_no = self.out.next_row;
        self.out.next_row += 1;
        self.out.counters.rows += 1;
        let flow_ordinal = self.flow.ordinal;
        self.flow.ordinal += 1;
        let (src, dst) = (
            self.flow.end(self.sender),
            self.flow.end(self.sender.other()),
        );
        let (c, s) = (self.flow.end(client), self.flow.end(client.other()));
        let (src_mac, dst_mac) = (self.packet.src_mac, self.packet.dst_mac);
        let (client_mac, server_mac) = if client == self.sender {
            (src_mac, dst_mac)
        } else {
            (dst_mac, src_mac)
        };
        let common = Common {
            row_no,
            event_time: self.packet.ts_ns,
            site: &self.out.site,
            sensor: &self.out.sensor,
            segment: self.segment,
            packet: self.packet.number,
            capture_file: (!self.out.capture_file.is_empty()).then_some(&*self.out.capture_file),
            protocol,
            direction: Direction::None,
            item_count: 1,
            flow_id: self.flow.id,
            flow_ordinal,
            community_id: Some(self.flow.community_id.as_str()),
            transport: self.flow.transport,
            vlan: self.packet.vlan,
            role_source: source,
            src_ip: Some(src.ip),
            dst_ip: Some(dst.ip),
            src_port: src.port,
            dst_port: dst.port,
            src_mac,
            dst_mac,
            client_ip: Some(c.ip),
            server_ip: Some(s.ip),
            client_port: c.port,
            server_port: s.port,
            client_mac,
            server_mac,
            ..Common::default()
        };
        (common, &mut self.out.builders)
    }

    /// Writes a row of `packet_error` for bytes of this flow that could not be
    /// decoded. Bounded per flow; those beyond are counted only.
    pub fn error(
        &mut self,
        protocol: Protocol,
        error: &telltale_dissect::Error,
        length: usize,
        bytes: &[u8],
    ) {
        let (client, source) = (self.flow.initiator, self.flow.initiator_source);
        if !self.flow.may_report_error() {
            self.out.counters.errors_suppressed += 1;
            return;
        }
        self.out.counters.errors += 1;
        let snippet = packet_error::Snippet::new(
            bytes
                .get(error.offset.min(bytes.len())..)
                .unwrap_or_default(),
        );
        let (common, builders) = self.row(protocol, client, source);
        packet_error::append(
            &mut builders.packet_error,
            common,
            &packet_error::Failure {
                layer: ErrorLayer::Application,
                code: error.code,
                reason: error.reason,
                offset: u32::try_from(error.offset).ok(),
                length: u32::try_from(length).ok(),
                snippet: snippet.as_str(),
            },
        );
    }
}

/// A protocol on one flow. `all` are the buffers that all flows share.
pub trait Analyzer: Send {
    /// Contiguous bytes of a TCP stream, sent by `cx.sender`: those left over
    /// from last time, then new ones. Returns how many were used; the rest comes
    /// again with more behind it. Using none is fine while a PDU is incomplete.
    fn stream(&mut self, all: &mut Buffers, cx: &mut Cx<'_>, bytes: &[u8]) -> usize;

    /// One datagram, sent by `cx.sender`.
    fn datagram(&mut self, all: &mut Buffers, cx: &mut Cx<'_>, bytes: &[u8]);

    /// A hole in `cx.sender`'s stream: what was left over is dropped, and the
    /// next bytes may start anywhere.
    fn gap(&mut self, all: &mut Buffers, cx: &mut Cx<'_>);

    /// Called now and then with the present event time in `cx.packet.ts_ns`:
    /// time to give up on requests that nobody answered.
    fn tick(&mut self, all: &mut Buffers, cx: &mut Cx<'_>);

    /// The flow is over: write what still waits.
    fn finish(&mut self, all: &mut Buffers, cx: &mut Cx<'_>);
}

/// Buffers in which rows are built. One set serves all flows: it stays in the
/// cache, and a flow that waits holds no memory for rows.
#[derive(Default)]
pub struct Buffers {
    pub(crate) modbus: modbus::Buffers,
    pub(crate) dnp3: dnp3::Buffers,
    pub(crate) s7comm: s7comm::Buffers,
    pub(crate) cip: cip::Buffers,
}

/// Calls an analyzer with the shared buffers.
#[inline]
pub(crate) fn call<R>(
    analyzer: &mut dyn Analyzer,
    mut cx: Cx<'_>,
    work: impl FnOnce(&mut dyn Analyzer, &mut Buffers, &mut Cx<'_>) -> R,
) -> R {
    let mut buffers = cx.out.buffers.take().unwrap_or_default();
    let result = work(analyzer, &mut buffers, &mut cx);
    cx.out.buffers = Some(buffers);
    result
}

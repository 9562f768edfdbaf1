//! Drives a packet through all stages and cuts frames of rows.

mod header;
mod network;
mod protocol;
mod stream;
mod transport;

use crate::config::Config;
use crate::counters::Counters;
use crate::dedup::Dedup;
use crate::error::CaptureError;
use crate::flow::{FlowTable, Side};
use crate::ip::Defrag;
use crate::link::{self, LinkError};
use crate::reader::Packet;
use crate::rows::{Cx, Out, PacketInfo, arp, packet_error};
use std::collections::BTreeSet;
use std::sync::Arc;
use telltale_schema::{Builders, Common, EndReason, ErrorLayer, Frame, Protocol};

/// Packets in, frames of rows out. Deterministic: the same packets give the
/// same rows, however they are handed in.
pub struct Pipeline {
    config: Config,
    out: Out,
    flows: FlowTable,
    claims: arp::Claims,
    defrag: Defrag,
    dedup: Dedup,
    segments: Segments,
    /// Link types already reported as not decoded.
    unknown_links: BTreeSet<u32>,
    /// Bytes of TCP segments waiting behind holes, over all flows.
    waiting_bytes: usize,
    text: String,
    now_ns: i64,
    frame_start_ns: Option<i64>,
    seq: u64,
    /// Given out with the last frame.
    watermark: i64,
    ended: bool,
}

/// Names of address spaces, by number.
struct Segments {
    first: Arc<str>,
    names: Vec<Arc<str>>,
    by_vlan: Vec<(u16, u32)>,
}

impl Segments {
    fn new(config: &Config) -> Self {
        let mut names: Vec<Arc<str>> = vec![config.segment.as_str().into()];
        let mut by_vlan = Vec::new();
        for (vlan, name) in &config.segment_by_vlan {
            let at = names.iter().position(|n| **n == **name).unwrap_or_else(|| {
                names.push(name.as_str().into());
                names.len() - 1
            });
            by_vlan.push((*vlan, u32::try_from(at).unwrap_or(0)));
        }
        Self {
            first: config.segment.as_str().into(),
            names,
            by_vlan,
        }
    }

    fn of(&self, vlan: Option<u16>) -> u32 {
        let Some(vlan) = vlan else { return 0 };
        self.by_vlan
            .iter()
            .find(|(v, _)| *v == vlan)
            .map_or(0, |(_, at)| *at)
    }

    fn name(&self, at: u32) -> &Arc<str> {
        self.names.get(at as usize).unwrap_or(&self.first)
    }
}

impl Pipeline {
    /// A pipeline for one sensor.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let out = Out {
            builders: Builders::with_capacity(config.flush_rows.min(1 << 16)),
            counters: Counters::default(),
            next_row: 0,
            next_pdu: 0,
            site: config.site.as_str().into(),
            sensor: config.sensor.as_str().into(),
            capture_file: "".into(),
            password_key: config.password_key,
            response_timeout_ns: config.response_timeout_ns,
            buffers: Some(Box::default()),
        };
        Self {
            out,
            flows: FlowTable::new(),
            claims: arp::Claims::default(),
            defrag: Defrag::new(config.fragment_bytes),
            dedup: Dedup::new(),
            segments: Segments::new(&config),
            unknown_links: BTreeSet::new(),
            waiting_bytes: 0,
            text: String::new(),
            now_ns: i64::MIN,
            frame_start_ns: None,
            seq: 0,
            watermark: i64::MIN,
            ended: false,
            config,
        }
    }

    /// Name of the capture file that the next packets come from.
    pub fn set_file(&mut self, name: &str) {
        self.out.capture_file = name.into();
    }

    /// What was seen and dropped so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        Counters {
            fragments_dropped: self.defrag.dropped,
            fragment_overlaps: self.defrag.overlaps,
            arp_claims_full: self.claims.full,
            ..self.out.counters.clone()
        }
    }

    /// Takes one packet.
    pub fn packet(&mut self, packet: &Packet<'_>) {
        self.out.counters.packets += 1;
        self.out.counters.bytes += packet.data.len() as u64;
        self.now_ns = self.now_ns.max(packet.ts_ns);
        self.frame_start_ns.get_or_insert(self.now_ns);
        self.expire();
        let layers = match link::peel(packet.link_type, packet.data) {
            Ok(layers) => layers,
            Err(error) => {
                self.link_failure(packet, error);
                return;
            }
        };
        let info = PacketInfo {
            number: packet.number,
            ts_ns: packet.ts_ns,
            vlan: layers.vlan,
            src_mac: layers.src_mac,
            dst_mac: layers.dst_mac,
        };
        let wire = u64::from(packet.orig_len).max(packet.data.len() as u64);
        self.network(info, &layers, wire, 0);
    }

    fn link_failure(&mut self, packet: &Packet<'_>, error: LinkError) {
        let info = PacketInfo {
            number: packet.number,
            ts_ns: packet.ts_ns,
            ..PacketInfo::default()
        };
        match error {
            LinkError::Unknown(kind) => {
                self.out.counters.link_unknown += 1;
                if self.unknown_links.insert(kind) {
                    self.failure(
                        info,
                        ErrorLayer::Link,
                        "TT-LINK-001",
                        "link type not decoded; further packets of it are counted only",
                        packet.data,
                    );
                }
            }
            LinkError::Truncated => self.failure(
                info,
                ErrorLayer::Link,
                "TT-LINK-002",
                "frame too short for its headers",
                packet.data,
            ),
        }
    }

    /// Writes a row of `packet_error` for a packet that has no flow.
    fn failure(
        &mut self,
        packet: PacketInfo,
        layer: ErrorLayer,
        code: &str,
        reason: &str,
        bytes: &[u8],
    ) {
        let out = &mut self.out;
        out.counters.errors += 1;
        out.counters.rows += 1;
        let snippet = packet_error::Snippet::new(bytes);
        let common = Common {
            row_no: out.next_row,
            event_time: packet.ts_ns,
            site: &out.site,
            sensor: &out.sensor,
            segment: self.segments.name(self.segments.of(packet.vlan)),
            packet: packet.number,
            capture_file: (!out.capture_file.is_empty()).then_some(&*out.capture_file),
            protocol: Protocol::None,
            pdu_id: out.next_pdu,
            item_count: 1,
            flow_ordinal: out.next_row,
            vlan: packet.vlan,
            src_mac: packet.src_mac,
            dst_mac: packet.dst_mac,
            ..Common::default()
        };
        out.next_row += 1;
        out.next_pdu += 1;
        let failure = packet_error::Failure {
            layer,
            code,
            reason,
            offset: None,
            length: u32::try_from(bytes.len()).ok(),
            snippet: snippet.as_str(),
        };
        packet_error::append(&mut out.builders.packet_error, common, &failure);
    }

    /// Reports that a capture file is damaged, as a row.
    pub fn file_failure(&mut self, packet: u64, error: &CaptureError) {
        let info = PacketInfo {
            number: packet,
            ts_ns: self.now_ns.max(0),
            ..PacketInfo::default()
        };
        self.failure(
            info,
            ErrorLayer::File,
            error.code(),
            &error.to_string(),
            &[],
        );
    }

    /// A frame, when enough rows, bytes or event time have come together.
    ///
    /// # Errors
    /// `TT-CAP-006` when rows cannot be made into Arrow batches.
    pub fn take_frame(&mut self) -> Result<Option<Frame>, CaptureError> {
        let waited = self
            .frame_start_ns
            .map_or(0, |start| self.now_ns.saturating_sub(start));
        let rows = self.out.builders.len();
        let due = rows >= self.config.flush_rows
            || (rows > 0 && waited >= self.config.flush_ns)
            || (rows % 256 == 255 && self.out.builders.approx_bytes() >= self.config.flush_bytes);
        if due { self.cut() } else { Ok(None) }
    }

    fn cut(&mut self) -> Result<Option<Frame>, CaptureError> {
        self.frame_start_ns = None;
        if self.out.builders.is_empty() {
            return Ok(None);
        }
        let seq = self.seq;
        self.seq += 1;
        let batches = self
            .out
            .builders
            .finish()
            .map_err(|source| CaptureError::Rows { seq, source })?;
        let watermark = if self.ended {
            self.now_ns
        } else {
            self.now_ns.saturating_sub(self.config.lateness_ns)
        };
        self.watermark = self.watermark.max(watermark);
        Ok(Some(Frame {
            site: self.out.site.clone(),
            sensor: self.out.sensor.clone(),
            seq,
            watermark: self.watermark,
            batches,
        }))
    }

    /// Ends all flows and gives the last frame.
    ///
    /// # Errors
    /// `TT-CAP-006` when rows cannot be made into Arrow batches.
    pub fn finish(&mut self) -> Result<Option<Frame>, CaptureError> {
        self.ended = true;
        for at in self.flows.oldest_first() {
            self.end_flow(at, EndReason::CaptureEnd);
        }
        self.cut()
    }

    /// Ends flows that were idle for too long.
    fn expire(&mut self) {
        while let Some((at, last_ns)) = self.flows.oldest() {
            if self.now_ns.saturating_sub(last_ns) < self.config.flow_idle_ns {
                break;
            }
            self.end_flow(at, EndReason::Timeout);
        }
    }

    /// Removes a flow, with its last rows.
    fn end_flow(&mut self, at: u32, reason: EndReason) {
        let Some(mut flow) = self.flows.remove(at) else {
            return;
        };
        let packet = PacketInfo {
            number: flow.last_packet,
            ts_ns: self.now_ns,
            vlan: flow.head.vlan,
            ..PacketInfo::default()
        };
        self.drain_streams(&mut flow, packet);
        let segment = self.segments.name(flow.key.segment()).clone();
        transport::close(
            &mut self.out,
            &mut flow,
            packet,
            &segment,
            reason,
            &mut self.text,
        );
    }
}

/// The context of one call into an analyzer.
fn context<'a>(
    out: &'a mut Out,
    head: &'a mut crate::flow::FlowHead,
    packet: PacketInfo,
    sender: Side,
    segment: &'a str,
) -> Cx<'a> {
    Cx {
        flow: head,
        packet,
        sender,
        out,
        segment,
    }
}

#[cfg(test)]
mod tests;

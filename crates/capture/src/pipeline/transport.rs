//! From the transport header to the protocol: flows, streams, recognition.

use super::{Pipeline, context};
use crate::detect::{Analysis, Kind, MAX_TRIES, Recognised, new_analyzer, recognise};
use crate::flow::{ACK, Endpoint, Flow, Key, Opening, SYN, Side, next_state};
use crate::ip::Ip;
use crate::rows::{Out, PacketInfo, call, flow as flow_rows};
use crate::tcp::Offer;
use telltale_schema::{EndReason, ErrorLayer, FlowKind, FlowState, Protocol};

/// Bytes of an incomplete PDU that one direction may hold.
const MAX_PARTIAL: usize = 128 << 10;

/// The parts of a transport header that matter.
struct Header<'a> {
    src_port: u16,
    dst_port: u16,
    seq: u32,
    ack: u32,
    flags: u8,
    payload: &'a [u8],
}

fn tcp(bytes: &[u8]) -> Option<Header<'_>> {
    let h = bytes.first_chunk::<20>()?;
    let [
        s0,
        s1,
        d0,
        d1,
        q0,
        q1,
        q2,
        q3,
        a0,
        a1,
        a2,
        a3,
        offset,
        flags,
        ..,
    ] = *h;
    let header = usize::from(offset >> 4) * 4;
    Some(Header {
        src_port: u16::from_be_bytes([s0, s1]),
        dst_port: u16::from_be_bytes([d0, d1]),
        seq: u32::from_be_bytes([q0, q1, q2, q3]),
        ack: u32::from_be_bytes([a0, a1, a2, a3]),
        flags,
        payload: if header < 20 {
            return None;
        } else {
            bytes.get(header..)?
        },
    })
}

fn udp(bytes: &[u8]) -> Option<Header<'_>> {
    let (h, rest) = bytes.split_first_chunk::<8>()?;
    let [s0, s1, d0, d1, l0, l1, ..] = *h;
    let len = usize::from(u16::from_be_bytes([l0, l1]));
    let payload = match len {
        0..8 => rest,
        _ => rest.get(..len - 8).unwrap_or(rest),
    };
    Some(Header {
        src_port: u16::from_be_bytes([s0, s1]),
        dst_port: u16::from_be_bytes([d0, d1]),
        seq: 0,
        ack: 0,
        flags: 0,
        payload,
    })
}

impl Pipeline {
    fn known_port(&self, port: u16) -> Option<Kind> {
        self.config
            .ports
            .get(&port)
            .and_then(|p| Kind::from_protocol(*p))
            .or_else(|| Kind::by_port(port))
    }

    /// The side that listens on a known port, if just one does; else the lower
    /// of a well-known and an ephemeral port.
    fn server_by_port(&self, sender: Side, h: &Header<'_>) -> Option<Side> {
        match (self.known_port(h.src_port), self.known_port(h.dst_port)) {
            (Some(_), None) => Some(sender),
            (None, Some(_)) => Some(sender.other()),
            _ => match (h.src_port < 1024, h.dst_port < 1024) {
                (true, false) => Some(sender),
                (false, true) => Some(sender.other()),
                _ => None,
            },
        }
    }

    fn key(&self, info: &PacketInfo, ip: &Ip<'_>, ports: Option<(u16, u16)>) -> (Key, Side) {
        let src = Endpoint {
            ip: ip.src,
            port: ports.map(|p| p.0),
        };
        let dst = Endpoint {
            ip: ip.dst,
            port: ports.map(|p| p.1),
        };
        Key::new(src, dst, ip.protocol, self.segments.of(info.vlan))
    }

    /// A copy was dropped: its flow, if it has one, counts it.
    pub(super) fn count_duplicate(&mut self, info: PacketInfo, ip: &Ip<'_>) {
        let header = match ip.protocol {
            6 => tcp(ip.payload),
            17 => udp(ip.payload),
            _ => None,
        };
        let (key, _) = self.key(&info, ip, header.map(|h| (h.src_port, h.dst_port)));
        if let Some(flow) = self.flows.find(&key).and_then(|at| self.flows.get(at)) {
            flow.head.duplicates = flow.head.duplicates.saturating_add(1);
        }
    }

    pub(super) fn transport(&mut self, info: PacketInfo, ip: &Ip<'_>, wire: u64) {
        let header = match ip.protocol {
            6 => tcp(ip.payload),
            17 => udp(ip.payload),
            // other transports have flows, but no ports and no protocol
            _ => Some(Header {
                src_port: 0,
                dst_port: 0,
                seq: 0,
                ack: 0,
                flags: 0,
                payload: &[],
            }),
        };
        let Some(h) = header else {
            self.failure(
                info,
                ErrorLayer::Transport,
                "TT-TCP-001",
                "TCP or UDP header cut short or impossible",
                ip.payload,
            );
            return;
        };
        let ports = matches!(ip.protocol, 6 | 17).then_some((h.src_port, h.dst_port));
        let (key, sender) = self.key(&info, ip, ports);
        let mut at = self.flows.find(&key);
        // the same ports opened again
        if let Some(found) = at {
            let reopened = h.flags & (SYN | ACK) == SYN
                && self.flows.get(found).is_some_and(|f| {
                    f.head.ended
                        || matches!(
                            f.head.state,
                            FlowState::Closing | FlowState::Established | FlowState::Midstream
                        ) && !f.resent_syn(sender, h.seq)
                });
            if reopened {
                self.end_flow(found, EndReason::Reuse);
                at = None;
            }
        }
        let at = match at {
            Some(at) => at,
            None => self.open(info, key, sender, &h),
        };
        self.flows.touch(at, info.ts_ns);
        let Some(flow) = self.flows.get(at) else {
            return;
        };
        flow.head.last_ns = flow.head.last_ns.max(info.ts_ns);
        flow.last_packet = info.number;
        if let Some(mac) = flow.head.macs.get_mut(sender.index()) {
            *mac = info.src_mac.or(*mac);
        }
        if ip.protocol == 6 {
            flow.head.state = next_state(&flow.head, sender, h.flags);
            if h.flags & ACK != 0
                && let Some(ack) = flow.acknowledged.get_mut(sender.index())
            {
                *ack = Some(h.ack);
            }
        }
        if let Some(t) = flow.head.traffic.get_mut(sender.index()) {
            t.packets += 1;
            t.bytes += wire;
            t.flags |= h.flags;
        }
        // the flow is taken out while its analyzer writes rows
        let Some(mut flow) = self.flows.take(at) else {
            return;
        };
        let segment = self.segments.name(key.segment()).clone();
        if flow.fresh {
            flow.fresh = false;
            flow_row(
                &mut self.out,
                &mut flow,
                info,
                &segment,
                FlowKind::Start,
                None,
                &mut self.text,
            );
        }
        if ip.protocol == 6 {
            self.segment(&mut flow, info, sender, &h, &segment);
        } else if !h.payload.is_empty() {
            if let Some(t) = flow.head.traffic.get_mut(sender.index()) {
                t.payload += h.payload.len() as u64;
            }
            self.message(&mut flow, info, sender, h.payload, &segment);
        }
        if info.ts_ns.saturating_sub(flow.ticked_ns) >= 1_000_000_000 {
            flow.ticked_ns = info.ts_ns;
            let Flow { head, analysis, .. } = &mut *flow;
            if let Analysis::Known(_, analyzer) = analysis {
                call(
                    &mut **analyzer,
                    context(&mut self.out, head, info, sender, &segment),
                    |a, all, cx| a.tick(all, cx),
                );
            }
        }
        if !flow.head.ended
            && info.ts_ns.saturating_sub(flow.head.reported_ns) >= self.config.flow_update_ns
        {
            flow_row(
                &mut self.out,
                &mut flow,
                info,
                &segment,
                FlowKind::Update,
                None,
                &mut self.text,
            );
        }
        if matches!(
            flow.head.state,
            FlowState::Closed | FlowState::Reset | FlowState::Refused
        ) && !flow.head.ended
        {
            self.drain_streams(&mut flow, info);
            let reason = if flow.head.state == FlowState::Closed {
                EndReason::Fin
            } else {
                EndReason::Rst
            };
            close(
                &mut self.out,
                &mut flow,
                info,
                &segment,
                reason,
                &mut self.text,
            );
        }
        self.flows.put(at, flow);
    }

    fn open(&mut self, info: PacketInfo, key: Key, sender: Side, h: &Header<'_>) -> u32 {
        if self.flows.len() >= self.config.max_flows.max(1)
            && let Some((oldest, _)) = self.flows.oldest()
        {
            self.out.counters.flow_evictions += 1;
            self.end_flow(oldest, EndReason::Eviction);
        }
        self.out.counters.flows += 1;
        let server_by_port = self.server_by_port(sender, h);
        let opening = Opening {
            sender,
            first_ns: info.ts_ns,
            packet: info.number,
            vlan: info.vlan,
            flags: h.flags,
            server_by_port,
        };
        self.flows.insert(Flow::new(key, &opening))
    }

    fn segment(
        &mut self,
        flow: &mut Flow,
        info: PacketInfo,
        sender: Side,
        h: &Header<'_>,
        segment: &str,
    ) {
        // what this packet acknowledges came before it: a question behind a hole
        // is delivered before its answer
        self.give_up_holes(flow, info, sender.other(), segment);
        let Some(stream) = flow.streams.get_mut(sender.index()) else {
            return;
        };
        let mut seq = h.seq;
        if h.flags & SYN != 0 {
            stream.syn(seq);
            seq = seq.wrapping_add(1);
        }
        if h.payload.is_empty() && stream.waiting_bytes() == 0 {
            return;
        }
        let (waited, retransmitted) = (stream.waiting_bytes(), stream.retransmitted);
        let offer = stream.offer(seq, h.payload, info.ts_ns, info);
        self.out.counters.retransmitted_bytes += stream.retransmitted - retransmitted;
        self.waiting_bytes = self.waiting_bytes + stream.waiting_bytes() - waited;
        if let Offer::Deliver(bytes) = offer {
            self.deliver(flow, info, sender, bytes, segment);
            self.deliver_ready(flow, Some(info), sender, segment);
        }
        self.give_up_holes(flow, info, sender, segment);
        self.give_up_holes(flow, info, sender.other(), segment);
    }

    /// Gives up the holes of a direction that will not be filled any more.
    fn give_up_holes(&mut self, flow: &mut Flow, info: PacketInfo, side: Side, segment: &str) {
        let acknowledged = flow
            .acknowledged
            .get(side.other().index())
            .copied()
            .flatten();
        let over = self.waiting_bytes > self.config.reassembly_bytes;
        while let Some(stream) = flow.streams.get_mut(side.index()) {
            if stream.waiting_bytes() == 0
                || !(over
                    || stream.hopeless(
                        info.ts_ns,
                        self.config.hole_ns,
                        self.config.reassembly_bytes_per_flow,
                        acknowledged,
                    ))
            {
                break;
            }
            self.step_over(flow, info, side, segment);
        }
    }

    /// Gives up the oldest hole of a direction and goes on behind it.
    fn step_over(&mut self, flow: &mut Flow, info: PacketInfo, side: Side, segment: &str) {
        let Some(lost) = flow
            .streams
            .get_mut(side.index())
            .and_then(|s| s.give_up(info.ts_ns))
        else {
            return;
        };
        self.out.counters.gaps += 1;
        self.out.counters.gap_bytes += lost;
        if let Some(partial) = flow.partial.get_mut(side.index()) {
            partial.clear();
        }
        let Flow { head, analysis, .. } = flow;
        if let Analysis::Known(_, analyzer) = analysis {
            call(
                &mut **analyzer,
                context(&mut self.out, head, info, side, segment),
                |a, all, cx| a.gap(all, cx),
            );
        }
        self.deliver_ready(flow, None, side, segment);
    }

    /// Delivers what waited and is next now. `filler` is the packet that filled
    /// the hole; where the hole was given up, each packet counts as itself.
    fn deliver_ready(
        &mut self,
        flow: &mut Flow,
        filler: Option<PacketInfo>,
        side: Side,
        segment: &str,
    ) {
        while let Some(stream) = flow.streams.get_mut(side.index()) {
            let waited = stream.waiting_bytes();
            let Some((bytes, own)) = stream.ready() else {
                self.waiting_bytes = self
                    .waiting_bytes
                    .saturating_sub(waited - stream.waiting_bytes());
                break;
            };
            self.waiting_bytes = self
                .waiting_bytes
                .saturating_sub(waited - stream.waiting_bytes());
            // a row is never older than the watermark that was given out
            let own = PacketInfo {
                ts_ns: own.ts_ns.max(self.watermark),
                ..own
            };
            self.deliver(flow, filler.unwrap_or(own), side, &bytes, segment);
        }
    }

    /// Delivers all that waits, holes or not: the flow is over.
    pub(super) fn drain_streams(&mut self, flow: &mut Flow, info: PacketInfo) {
        let segment = self.segments.name(flow.key.segment()).clone();
        for side in [Side::A, Side::B] {
            while flow
                .streams
                .get(side.index())
                .is_some_and(|s| s.waiting_bytes() > 0)
            {
                self.step_over(flow, info, side, &segment);
            }
        }
    }

    /// The next bytes of a stream.
    fn deliver(
        &mut self,
        flow: &mut Flow,
        info: PacketInfo,
        sender: Side,
        bytes: &[u8],
        segment: &str,
    ) {
        if let Some(t) = flow.head.traffic.get_mut(sender.index()) {
            t.payload += bytes.len() as u64;
        }
        if matches!(flow.analysis, Analysis::Opaque) {
            return;
        }
        let mut partial = flow
            .partial
            .get_mut(sender.index())
            .map(std::mem::take)
            .unwrap_or_default();
        let used = if partial.is_empty() {
            let used = self
                .analyse(flow, info, sender, bytes, segment)
                .min(bytes.len());
            partial.extend_from_slice(bytes.get(used..).unwrap_or_default());
            0
        } else {
            partial.extend_from_slice(bytes);
            self.analyse(flow, info, sender, &partial, segment)
                .min(partial.len())
        };
        partial.drain(..used);
        if partial.len() > MAX_PARTIAL {
            self.out.counters.overflow_bytes += partial.len() as u64;
            partial.clear();
            let Flow { head, analysis, .. } = flow;
            if let Analysis::Known(_, analyzer) = analysis {
                call(
                    &mut **analyzer,
                    context(&mut self.out, head, info, sender, segment),
                    |a, all, cx| a.gap(all, cx),
                );
            }
        }
        if matches!(flow.analysis, Analysis::Opaque) {
            partial = Vec::new();
        }
        if let Some(place) = flow.partial.get_mut(sender.index()) {
            *place = partial;
        }
    }

    /// Hands stream bytes to the flow's protocol, recognising it first if need be.
    fn analyse(
        &mut self,
        flow: &mut Flow,
        info: PacketInfo,
        sender: Side,
        bytes: &[u8],
        segment: &str,
    ) -> usize {
        if let Analysis::Undecided { .. } = flow.analysis
            && !self.decide(flow, info, sender, bytes, segment, false)
        {
            // an expected protocol may need more bytes; anything else is not kept
            return if flow.keep_undecided { 0 } else { bytes.len() };
        }
        let Flow { head, analysis, .. } = flow;
        match analysis {
            Analysis::Known(_, analyzer) => call(
                &mut **analyzer,
                context(&mut self.out, head, info, sender, segment),
                |a, all, cx| a.stream(all, cx, bytes),
            ),
            _ => bytes.len(),
        }
    }

    fn message(
        &mut self,
        flow: &mut Flow,
        info: PacketInfo,
        sender: Side,
        payload: &[u8],
        segment: &str,
    ) {
        if let Analysis::Undecided { .. } = flow.analysis
            && !self.decide(flow, info, sender, payload, segment, true)
        {
            return;
        }
        let Flow { head, analysis, .. } = flow;
        if let Analysis::Known(_, analyzer) = analysis {
            call(
                &mut **analyzer,
                context(&mut self.out, head, info, sender, segment),
                |a, all, cx| a.datagram(all, cx, payload),
            );
        }
    }

    /// Looks at a payload of an undecided flow; true when its protocol is known now.
    fn decide(
        &mut self,
        flow: &mut Flow,
        info: PacketInfo,
        sender: Side,
        payload: &[u8],
        segment: &str,
        datagram: bool,
    ) -> bool {
        let Analysis::Undecided { tries } = &mut flow.analysis else {
            return true;
        };
        *tries += 1;
        let tries = *tries;
        let ports = [flow.head.a.port, flow.head.b.port].into_iter().flatten();
        let expected = ports.filter_map(|p| self.known_port(p)).next();
        flow.keep_undecided = false;
        match recognise(expected, payload, datagram) {
            Recognised::Yes(kind) => {
                if let Some(analyzer) = new_analyzer(kind) {
                    flow.analysis = Analysis::Known(kind, analyzer);
                    return true;
                }
            }
            Recognised::NeedMore if tries < MAX_TRIES => flow.keep_undecided = true,
            Recognised::NeedMore | Recognised::No if tries >= MAX_TRIES => {
                flow.analysis = Analysis::Opaque;
            }
            Recognised::NeedMore | Recognised::No => {}
        }
        if let (Some(kind), 1, false) = (expected, tries, flow.keep_undecided) {
            let error = telltale_dissect::Error::new(
                "TT-DET-001",
                "the port's usual protocol is not what is spoken here",
                0,
            );
            let protocol: Protocol = kind.protocol();
            context(&mut self.out, &mut flow.head, info, sender, segment).error(
                protocol,
                &error,
                payload.len(),
                payload,
            );
        }
        false
    }
}

/// Writes a flow row.
fn flow_row(
    out: &mut Out,
    flow: &mut Flow,
    info: PacketInfo,
    segment: &str,
    kind: FlowKind,
    end_reason: Option<EndReason>,
    text: &mut String,
) {
    let sum =
        |f: fn(&crate::tcp::Stream<PacketInfo>) -> u32| flow.streams.iter().map(f).sum::<u32>();
    let app = flow.analysis.kind().map(|k| k.protocol().as_str());
    let moment = flow_rows::Moment {
        kind,
        end_reason,
        app_protocol: app,
        gaps: sum(|s| s.gaps),
        retransmissions: sum(|s| s.retransmissions),
    };
    // the frame's own addresses are those of the side that opened the flow
    let sender = flow.head.initiator;
    let mac = |side: Side| flow.head.macs.get(side.index()).copied().flatten();
    let info = PacketInfo {
        src_mac: mac(sender),
        dst_mac: mac(sender.other()).or(info.dst_mac),
        ..info
    };
    flow_rows::write(
        &mut context(out, &mut flow.head, info, sender, segment),
        &moment,
        text,
    );
}

/// Writes what a flow still has to say, and its `end` row.
pub(super) fn close(
    out: &mut Out,
    flow: &mut Flow,
    info: PacketInfo,
    segment: &str,
    reason: EndReason,
    text: &mut String,
) {
    if flow.head.ended {
        return;
    }
    let Flow { head, analysis, .. } = flow;
    if let Analysis::Known(_, analyzer) = analysis {
        let sender = head.initiator;
        call(
            &mut **analyzer,
            context(out, head, info, sender, segment),
            |a, all, cx| a.finish(all, cx),
        );
    }
    flow.head.ended = true;
    flow_row(out, flow, info, segment, FlowKind::End, Some(reason), text);
}

impl Flow {
    /// Is this SYN the one that opened the flow, sent again?
    fn resent_syn(&self, sender: Side, seq: u32) -> bool {
        self.head.state == FlowState::SynSent
            || self
                .streams
                .get(sender.index())
                .is_some_and(|s| s.opened_with(seq))
    }
}

//! From the transport header to the flow, and a flow's begin and end.

use super::header::{Header, tcp, udp};
use super::{Pipeline, context};
use crate::detect::{Analysis, Kind};
use crate::flow::{ACK, Endpoint, Flow, Key, Opening, SYN, Side, next_state};
use crate::ip::Ip;
use crate::rows::{Out, PacketInfo, call, flow as flow_rows};
use telltale_schema::{EndReason, ErrorLayer, FlowKind, FlowState};

impl Pipeline {
    pub(super) fn known_port(&self, port: u16) -> Option<Kind> {
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
            if let Analysis::Known(analyzers) = analysis {
                call(
                    analyzers.get(),
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
    if let Analysis::Known(analyzers) = analysis {
        let sender = head.initiator;
        call(
            analyzers.get(),
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

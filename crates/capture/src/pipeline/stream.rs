//! TCP segments to the bytes of a stream: order, holes, what is not whole yet.

use super::header::Header;
use super::{Pipeline, context};
use crate::detect::Analysis;
use crate::flow::{Flow, SYN, Side};
use crate::rows::{PacketInfo, call};
use crate::tcp::Offer;

/// Bytes of an incomplete PDU that one direction may hold.
const MAX_PARTIAL: usize = 128 << 10;

impl Pipeline {
    pub(super) fn segment(
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
        if let Analysis::Known(analyzers) = analysis {
            call(
                analyzers.get(),
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
            if let Analysis::Known(analyzers) = analysis {
                call(
                    analyzers.get(),
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
}

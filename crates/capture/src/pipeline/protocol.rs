//! Payload to the flow's protocol, recognising it first if need be.

use super::{Pipeline, context};
use crate::detect::{Analysis, Analyzers, MAX_TRIES, Recognised, recognise};
use crate::flow::{Flow, Side};
use crate::rows::{PacketInfo, call};
use telltale_schema::Protocol;

impl Pipeline {
    /// Hands stream bytes to the flow's protocol, recognising it first if need be.
    pub(super) fn analyse(
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
            Analysis::Known(analyzers) => call(
                analyzers.get(),
                context(&mut self.out, head, info, sender, segment),
                |a, all, cx| a.stream(all, cx, bytes),
            ),
            _ => bytes.len(),
        }
    }

    pub(super) fn message(
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
        if let Analysis::Known(analyzers) = analysis {
            call(
                analyzers.get(),
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
                flow.analysis = Analysis::Known(Analyzers::new(kind));
                return true;
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

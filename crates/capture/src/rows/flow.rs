//! Rows of `flow`.

use super::Cx;
use crate::flow::{FlowHead, Traffic};
use std::fmt::Write as _;
use telltale_schema::flow::{ObjectClass, Row, Space, decide};
use telltale_schema::{Common, EndReason, FlowKind, Protocol, Transport};

/// What a flow row tells besides what the flow's head knows.
pub(crate) struct Moment<'a> {
    pub kind: FlowKind,
    pub end_reason: Option<EndReason>,
    pub app_protocol: Option<&'a str>,
    pub gaps: u32,
    pub retransmissions: u32,
}

fn since(now: Traffic, before: Traffic) -> Traffic {
    Traffic {
        packets: now.packets - before.packets,
        bytes: now.bytes - before.bytes,
        payload: now.payload - before.payload,
        flags: now.flags,
    }
}

/// Writes a row for this moment of the flow.
pub(crate) fn write(cx: &mut Cx<'_>, moment: &Moment<'_>, object: &mut String) {
    let head: &FlowHead = cx.flow;
    let client = head.initiator;
    let counts = |side: crate::flow::Side| {
        let now = head.traffic.get(side.index()).copied().unwrap_or_default();
        let before = head.reported.get(side.index()).copied().unwrap_or_default();
        if moment.kind == FlowKind::End {
            now
        } else {
            since(now, before)
        }
    };
    let (to_server, to_client) = (counts(client), counts(client.other()));
    let duration_us = u64::try_from((cx.packet.ts_ns - head.first_ns).max(0) / 1000).unwrap_or(0);
    let server_port = head.end(client.other()).port;
    let tcp = head.transport == Transport::Tcp;
    let row = Row {
        kind: moment.kind,
        state: head.state,
        app_protocol: moment.app_protocol,
        packets_to_server: to_server.packets,
        packets_to_client: to_client.packets,
        bytes_to_server: to_server.bytes,
        bytes_to_client: to_client.bytes,
        payload_to_server: to_server.payload,
        payload_to_client: to_client.payload,
        duration_us,
        end_reason: moment.end_reason,
        tcp_flags_client: tcp.then_some(to_server.flags),
        tcp_flags_server: tcp.then_some(to_client.flags),
        initiator_known: head.opening_seen,
        gaps: moment.gaps,
        retransmissions: moment.retransmissions,
        duplicates: head.duplicates,
    };
    object.clear();
    if let Some(port) = server_port {
        // writing to a String cannot fail
        write!(object, "{}:{port}", head.transport.as_str()).unwrap_or_default();
    }
    let decision = decide(Space::Event, moment.kind as u16, None, ObjectClass::None);
    let source = head.initiator_source;
    cx.flow.reported = cx.flow.traffic;
    cx.flow.reported_ns = cx.packet.ts_ns;
    let pdu_id = cx.out.next_pdu;
    cx.out.next_pdu += 1;
    let (common, builders) = cx.row(Protocol::Flow, client, source);
    builders.flow.append(
        &Common {
            pdu_id,
            operation: decision.operation,
            function: decision.function,
            object: server_port.map(|_| object.as_str()),
            object_type: server_port.map(|_| "port"),
            object_first: server_port.map(u64::from),
            object_count: server_port.map(|_| 1),
            ..common
        },
        &row,
    );
}

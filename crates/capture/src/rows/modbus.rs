//! Modbus to rows: roles, pairing, one row per item.

mod body;
mod items;

use crate::flow::Side;
use crate::rows::Cx;
use crate::rows::scratch::{bounds, number, opt};
use crate::rows::talk::{Asked, Dialogue, Speaker, Talk, latency};
use items::Items;
use telltale_dissect::modbus::{self, Adu, Body, Key, Session, Shape};
use telltale_dissect::pending::{Pending, Request};
use telltale_dissect::{Error, Framing};
use telltale_schema::modbus::Row;
use telltale_schema::{Common, Direction, Outcome, Protocol, RoleSource};

/// What comes back with a response.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    pdu: u64,
    ts_ns: i64,
}

/// Modbus on one flow.
pub(crate) struct ModbusFlow {
    session: Session<Mark>,
    /// Who asks, as learned from the form of a PDU.
    client: Option<Side>,
}

impl Asked for Mark {
    fn ts_ns(&self) -> i64 {
        self.ts_ns
    }
}

impl Speaker for ModbusFlow {
    type Buffers = Buffers;

    fn buffers(all: &mut crate::rows::Buffers) -> &mut Buffers {
        &mut all.modbus
    }
}

type Modbus<'a> = Talk<'a, ModbusFlow>;

/// What the rows of a PDU are made in.
#[derive(Default)]
pub(crate) struct Buffers {
    items: Items,
    station: String,
}

/// What all rows of a PDU share.
#[derive(Clone, Copy)]
struct Head {
    pdu: u64,
    client: Side,
    source: RoleSource,
    direction: Direction,
    outcome: Option<Outcome>,
    error_code: Option<u32>,
    request_ref: Option<u64>,
    latency_us: Option<u64>,
    transaction_id: u16,
    unit_id: u8,
    function: u8,
    exception: Option<u8>,
}

impl ModbusFlow {
    pub(crate) fn new() -> Self {
        Self {
            session: Session::new(),
            client: None,
        }
    }
}

impl Modbus<'_> {
    fn adu(&mut self, cx: &mut Cx<'_>, bytes: &[u8]) {
        match Adu::parse(bytes) {
            Ok(adu) => self.parsed(cx, &adu, bytes),
            Err(error) => cx.error(Protocol::Modbus, &error, bytes.len(), bytes),
        }
    }

    /// Who asks: the side that opened the connection, else what the PDUs' form says.
    fn client(&mut self, cx: &Cx<'_>, adu: &Adu<'_>) -> (Side, RoleSource) {
        // only servers send exceptions, whoever opened the connection
        if adu.exception && adu.shape() == Shape::Response {
            return (cx.sender.other(), RoleSource::Protocol);
        }
        match cx.flow.initiator_source {
            source @ (RoleSource::Syn | RoleSource::Port) => (cx.flow.initiator, source),
            source => {
                match adu.shape() {
                    Shape::Request => self.flow.client = Some(cx.sender),
                    Shape::Response => self.flow.client = Some(cx.sender.other()),
                    Shape::Either | Shape::Neither => {}
                }
                match self.flow.client {
                    Some(side) => (side, RoleSource::Protocol),
                    None => (cx.flow.initiator, source),
                }
            }
        }
    }

    fn parsed(&mut self, cx: &mut Cx<'_>, adu: &Adu<'_>, bytes: &[u8]) {
        let (client, source) = self.client(cx, adu);
        let mut head = Head {
            pdu: cx.next_pdu(Protocol::Modbus),
            client,
            source,
            direction: Direction::Request,
            outcome: None,
            error_code: None,
            request_ref: None,
            latency_us: None,
            transaction_id: adu.transaction_id,
            unit_id: adu.unit_id,
            function: adu.function,
            exception: None,
        };
        if client == cx.sender {
            self.buffers.items.request(adu.function, adu.request());
            self.emit(cx, &head);
            let mark = Mark {
                pdu: head.pdu,
                ts_ns: cx.packet.ts_ns,
            };
            if let Some(evicted) = self.flow.session.request(adu, mark) {
                cx.count_pairing_evictions(1);
                self.unanswered(cx, evicted);
            }
        } else {
            head.direction = Direction::Response;
            head.outcome = Some(Outcome::Ok);
            let body = adu.response();
            let request = self.flow.session.response(adu);
            if let Some(request) = &request {
                head.request_ref = Some(request.mark.pdu);
                head.latency_us = latency(cx, &request.mark);
                let asked = request.key.adu(&request.bytes);
                self.buffers
                    .items
                    .response(adu.function, Some(asked.request()), &body);
            } else {
                self.buffers.items.response(adu.function, None, &body);
            }
            match body {
                Ok(Body::Exception(code)) => {
                    head.exception = Some(code);
                    head.error_code = Some(u32::from(code));
                    head.outcome = Some(Outcome::Error);
                }
                Ok(Body::Umas(umas)) if umas.code == 0xfd => head.outcome = Some(Outcome::Error),
                _ => {}
            }
            self.emit(cx, &head);
            if let Some(request) = request {
                self.flow.session.pending.recycle(request);
            }
        }
        if let Some(error) = self.buffers.items.error.take() {
            self.report(cx, &error, bytes);
        }
    }

    fn report(&self, cx: &mut Cx<'_>, error: &Error, bytes: &[u8]) {
        cx.error(Protocol::Modbus, error, bytes.len(), bytes);
    }

    /// Writes the rows that [`Items`] holds.
    fn emit(&mut self, cx: &mut Cx<'_>, head: &Head) {
        self.buffers.station.clear();
        number(&mut self.buffers.station, head.unit_id);
        let count = self.buffers.items.list.len();
        for index in 0..count {
            let Some(item) = self.buffers.items.list.get(index).copied() else {
                continue;
            };
            self.buffers.items.name(&item);
            let data = self.buffers.items.data_of(&item);
            let (data_min, data_max) = data.map_or((None, None), bounds);
            let text = self.buffers.items.text_of(&item);
            let (common, builders) = cx.row(Protocol::Modbus, head.client, head.source);
            builders.modbus.append(
                &Common {
                    operation: item.decision.operation,
                    phase: item.decision.phase,
                    function: item.decision.function,
                    function_code: Some(u16::from(head.function)),
                    direction: head.direction,
                    outcome: head.outcome,
                    error_code: head.error_code,
                    pdu_id: head.pdu,
                    item_index: u16::try_from(index).unwrap_or(u16::MAX),
                    item_count: u16::try_from(count).unwrap_or(u16::MAX),
                    request_ref: head.request_ref,
                    latency_us: head.latency_us,
                    server_station: Some(&self.buffers.station),
                    object: opt(&self.buffers.items.object),
                    object_type: item.kind.name(),
                    object_first: item.first,
                    object_count: item.count,
                    data,
                    data_min,
                    data_max,
                    data_text: text,
                    ..common
                },
                &Row {
                    transaction_id: Some(head.transaction_id),
                    unit_id: head.unit_id,
                    exception_code: head.exception,
                    device_object_value: text.filter(|_| item.identifies),
                    ..item.row
                },
            );
        }
    }
}

impl Dialogue for Modbus<'_> {
    const PROTOCOL: Protocol = Protocol::Modbus;
    const QUOTES_ON: bool = true;
    type Key = Key;
    type Mark = Mark;

    fn next_pdu(bytes: &[u8]) -> Framing {
        modbus::next_pdu(bytes)
    }

    fn pdu(&mut self, cx: &mut Cx<'_>, bytes: &[u8]) {
        self.adu(cx, bytes);
    }

    fn datagram(&mut self, cx: &mut Cx<'_>, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            match modbus::datagram(rest) {
                Ok(len) => {
                    let (adu, more) = rest.split_at_checked(len.max(1)).unwrap_or((rest, &[]));
                    self.adu(cx, adu);
                    rest = more;
                }
                Err(error) => {
                    cx.error(Protocol::Modbus, &error, rest.len(), rest);
                    break;
                }
            }
        }
    }

    fn gap(&mut self, _: &mut Cx<'_>) {
        // requests whose answers fell into the hole time out as unanswered
    }

    fn pending(&mut self) -> &mut Pending<Key, Mark> {
        &mut self.flow.session.pending
    }

    fn unanswered(&mut self, cx: &mut Cx<'_>, request: Request<Key, Mark>) {
        let adu = request.key.adu(&request.bytes);
        let (client, source) = self.client(cx, &adu);
        self.buffers.items.request(adu.function, adu.request());
        self.buffers.items.error = None;
        self.buffers.items.forget_data();
        let head = Head {
            pdu: cx.next_silent_pdu(),
            client,
            source,
            direction: Direction::Response,
            outcome: Some(Outcome::NoResponse),
            error_code: None,
            request_ref: Some(request.mark.pdu),
            latency_us: latency(cx, &request.mark),
            transaction_id: adu.transaction_id,
            unit_id: adu.unit_id,
            function: adu.function,
            exception: None,
        };
        self.emit(cx, &head);
        self.flow.session.pending.recycle(request);
    }
}

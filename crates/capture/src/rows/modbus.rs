//! Modbus to rows: roles, pairing, one row per item.

mod items;

use crate::flow::Side;
use crate::rows::scratch::{bounds, number, opt};
use crate::rows::{Analyzer, Cx, Lent};
use items::Items;
use telltale_dissect::modbus::{self, Adu, Body, Key, Session, Shape};
use telltale_dissect::pending::Request;
use telltale_dissect::{Error, Framing};
use telltale_schema::modbus::Row;
use telltale_schema::{Common, Direction, Outcome, Protocol, RoleSource};

/// What comes back with a response.
#[derive(Debug, Clone, Copy)]
struct Mark {
    pdu: u64,
    ts_ns: i64,
}

/// Modbus on one flow.
pub(crate) struct ModbusFlow {
    session: Session<Mark>,
    /// Who asks, as learned from the form of a PDU.
    client: Option<Side>,
    buffers: Lent<Buffers>,
}

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
            buffers: Lent::none(),
        }
    }

    fn adu(&mut self, cx: &mut Cx<'_>, bytes: &[u8]) {
        match Adu::parse(bytes) {
            Ok(adu) => self.pdu(cx, &adu, bytes),
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
                    Shape::Request => self.client = Some(cx.sender),
                    Shape::Response => self.client = Some(cx.sender.other()),
                    Shape::Either | Shape::Neither => {}
                }
                match self.client {
                    Some(side) => (side, RoleSource::Protocol),
                    None => (cx.flow.initiator, source),
                }
            }
        }
    }

    fn pdu(&mut self, cx: &mut Cx<'_>, adu: &Adu<'_>, bytes: &[u8]) {
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
            self.buffers
                .get()
                .items
                .request(adu.function, adu.request());
            self.emit(cx, &head);
            let mark = Mark {
                pdu: head.pdu,
                ts_ns: cx.packet.ts_ns,
            };
            if let Some(evicted) = self.session.request(adu, mark) {
                cx.count_pairing_evictions(1);
                self.unanswered(cx, evicted);
            }
        } else {
            head.direction = Direction::Response;
            head.outcome = Some(Outcome::Ok);
            let body = adu.response();
            let request = self.session.response(adu);
            if let Some(request) = &request {
                head.request_ref = Some(request.mark.pdu);
                let waited = cx.packet.ts_ns.saturating_sub(request.mark.ts_ns) / 1000;
                head.latency_us = u64::try_from(waited).ok();
                let asked = request.key.adu(&request.bytes);
                self.buffers
                    .get()
                    .items
                    .response(adu.function, Some(asked.request()), &body);
            } else {
                self.buffers.get().items.response(adu.function, None, &body);
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
                self.session.pending.recycle(request);
            }
        }
        if let Some(error) = self.buffers.get().items.error.take() {
            self.report(cx, &error, bytes);
        }
    }

    fn report(&self, cx: &mut Cx<'_>, error: &Error, bytes: &[u8]) {
        cx.error(Protocol::Modbus, error, bytes.len(), bytes);
    }

    /// Writes the rows that [`Items`] holds.
    fn emit(&mut self, cx: &mut Cx<'_>, head: &Head) {
        let Buffers { items, station } = self.buffers.get();
        station.clear();
        number(station, head.unit_id);
        let count = items.list.len();
        for index in 0..count {
            items.name(index);
            let Some(item) = items.list.get(index) else {
                continue;
            };
            let data = items.data_of(item);
            let (data_min, data_max) = data.map_or((None, None), bounds);
            let text = items.text_of(item);
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
                    server_station: Some(station),
                    object: opt(&items.object),
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

    /// A row for a request that nobody answered.
    fn unanswered(&mut self, cx: &mut Cx<'_>, request: Request<Key, Mark>) {
        let adu = request.key.adu(&request.bytes);
        let (client, source) = self.client(cx, &adu);
        self.buffers
            .get()
            .items
            .request(adu.function, adu.request());
        self.buffers.get().items.error = None;
        self.buffers.get().items.forget_data();
        let waited = cx.packet.ts_ns.saturating_sub(request.mark.ts_ns) / 1000;
        let head = Head {
            pdu: cx.next_silent_pdu(),
            client,
            source,
            direction: Direction::Response,
            outcome: Some(Outcome::NoResponse),
            error_code: None,
            request_ref: Some(request.mark.pdu),
            latency_us: u64::try_from(waited).ok(),
            transaction_id: adu.transaction_id,
            unit_id: adu.unit_id,
            function: adu.function,
            exception: None,
        };
        self.emit(cx, &head);
        self.session.pending.recycle(request);
    }
}

impl Analyzer for ModbusFlow {
    fn stream(&mut self, cx: &mut Cx<'_>, bytes: &[u8]) -> usize {
        let mut used = 0;
        while let Some(rest) = bytes.get(used..).filter(|r| !r.is_empty()) {
            match modbus::next_pdu(rest) {
                Framing::Pdu { len } => {
                    self.adu(cx, rest.get(..len).unwrap_or(rest));
                    used += len.max(1);
                }
                Framing::NeedMore { .. } => break,
                Framing::Resync { skip, error } => {
                    cx.error(Protocol::Modbus, &error, skip, rest);
                    used += skip.max(1);
                }
            }
        }
        used.min(bytes.len())
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

    fn gap(&mut self, _: &mut Cx<'_>, _: u64) {
        // requests whose answers fell into the hole time out as unanswered
    }

    fn tick(&mut self, cx: &mut Cx<'_>) {
        let limit = cx.response_timeout_ns();
        let now = cx.packet.ts_ns;
        while self
            .session
            .pending
            .oldest()
            .is_some_and(|r| now.saturating_sub(r.mark.ts_ns) > limit)
        {
            let Some(request) = self.session.pending.pop() else {
                break;
            };
            self.unanswered(cx, request);
        }
    }

    fn finish(&mut self, cx: &mut Cx<'_>) {
        while let Some(request) = self.session.pending.pop() {
            self.unanswered(cx, request);
        }
    }

    fn exchange(&mut self, buffers: &mut crate::rows::Buffers) {
        std::mem::swap(&mut self.buffers, &mut buffers.modbus);
    }
}

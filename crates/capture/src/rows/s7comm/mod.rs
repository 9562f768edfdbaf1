//! S7 communication to rows: connection, pairing, roles.
mod body;
mod emit;
mod object;
mod secret;

mod userdata;

use crate::flow::Side;
use crate::rows::Cx;
use crate::rows::scratch::{append_bytes, put};
use crate::rows::talk::{Asked, Dialogue, Speaker, Talk, latency, patience};
pub(crate) use emit::Texts as Buffers;
use emit::{Head, Item, Texts};
use telltale_dissect::Framing;
use telltale_dissect::pending::{Pending as Waiting, Request};
use telltale_dissect::s7comm::{
    self, Assembled, Body, Connection, Cotp, Key, Payload, Pdu, Session,
};
use telltale_schema::s7comm::{ObjectClass, Row, Space, decide};
use telltale_schema::{Direction, FlowState, Outcome, Protocol, RoleSource};

/// What comes back with a response.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    pdu: u64,
    ts_ns: i64,
}

type Pending = Request<Key, Mark>;

/// Uploads of one connection that are remembered, to name the block in their parts.
const MAX_UPLOADS: usize = 8;

/// S7 communication on one flow.
pub(crate) struct S7commFlow {
    session: Session<Mark>,
    /// Who asked for the COTP connection.
    caller: Option<Side>,
    /// A connection request without an answer.
    connecting: Option<Mark>,
    /// Rack and slot of the server, as text.
    station: String,
    /// Long userdata answers, by direction.
    parts: [s7comm::Parts; 2],
    /// Requests whose data the controller pushes later.
    jobs: s7comm::Jobs,
    uploads: Vec<(u32, s7comm::Block)>,
}

impl Asked for Mark {
    fn ts_ns(&self) -> i64 {
        self.ts_ns
    }
}

impl Speaker for S7commFlow {
    type Buffers = Texts;

    fn buffers(all: &mut crate::rows::Buffers) -> &mut Texts {
        all.s7comm.clear();
        &mut all.s7comm
    }
}

type S7comm<'a> = Talk<'a, S7commFlow>;

impl S7commFlow {
    pub(crate) fn new() -> Self {
        Self {
            session: Session::new(),
            caller: None,
            connecting: None,
            station: String::new(),
            parts: Default::default(),
            jobs: s7comm::Jobs::default(),
            uploads: Vec::new(),
        }
    }
}

impl S7comm<'_> {
    fn tpkt(&mut self, cx: &mut Cx<'_>, tpkt: &[u8]) {
        match s7comm::cotp::parse(tpkt) {
            Ok(Cotp::Data { eot, payload, .. }) => {
                let dir = cx.sender.index();
                // The parts are taken out while the unit that borrows from them is decoded.
                let Some(slot) = self.flow.session.reassembly.get_mut(dir) else {
                    return;
                };
                let mut parts = std::mem::take(slot);
                match parts.push(eot, payload) {
                    Assembled::Whole([]) | Assembled::Partial => {}
                    Assembled::Whole(unit) => self.unit(cx, unit),
                    Assembled::TooLong => {
                        let error = telltale_dissect::Error::new(
                            s7comm::TOO_LONG,
                            "parts of a transport data unit add up to more than the limit",
                            0,
                        );
                        cx.error(Protocol::S7comm, &error, tpkt.len(), tpkt);
                    }
                }
                if let Some(slot) = self.flow.session.reassembly.get_mut(dir) {
                    *slot = parts;
                }
            }
            Ok(Cotp::Expedited { payload }) if !payload.is_empty() => self.unit(cx, payload),
            Ok(Cotp::Expedited { .. } | Cotp::Other { .. }) => {}
            Ok(other) => self.connection(cx, &other),
            Err(error) => cx.error(Protocol::S7comm, &error, tpkt.len(), tpkt),
        }
    }

    /// A row of a connection's begin or end.
    fn connection(&mut self, cx: &mut Cx<'_>, cotp: &Cotp<'_>) {
        let id = cx.next_pdu(Protocol::S7comm);
        self.buffers.clear();
        let mut direction = Direction::Request;
        let mut outcome = None;
        let mut answers = None;
        match cotp {
            Cotp::ConnectRequest(c) => {
                self.flow.caller = Some(cx.sender);
                self.named(c);
                self.flow.connecting = Some(Mark {
                    pdu: id,
                    ts_ns: cx.packet.ts_ns,
                });
            }
            Cotp::ConnectConfirm(c) => {
                self.flow.caller = Some(cx.sender.other());
                self.named(c);
                direction = Direction::Response;
                outcome = Some(Outcome::Ok);
                answers = self.flow.connecting.take();
            }
            Cotp::DisconnectRequest { reason, .. } => {
                // A disconnect that answers a connection request refuses it.
                answers = self
                    .flow
                    .connecting
                    .take()
                    .filter(|_| self.flow.caller == Some(cx.sender.other()));
                if answers.is_some() {
                    direction = Direction::Response;
                    outcome = Some(Outcome::Error);
                }
                put!(&mut self.buffers.text, "reason {reason}");
            }
            _ => direction = Direction::Response,
        }
        let (client, source) = match self.flow.caller {
            Some(side) => (side, RoleSource::Protocol),
            None => (cx.flow.initiator, cx.flow.initiator_source),
        };
        let row = Row {
            cotp_type: Some(cotp.kind()),
            ..self.base()
        };
        let error_code = match (cotp, outcome) {
            (Cotp::DisconnectRequest { reason, .. }, Some(Outcome::Error)) => {
                Some(u32::from(*reason))
            }
            _ => None,
        };
        let head = Head {
            id,
            client,
            source,
            direction,
            function_code: None,
            outcome,
            error_code,
            request_ref: answers.map(|m| m.pdu),
            latency_us: answers.and_then(|m| latency(cx, &m)),
            row,
        };
        let decision = decide(Space::Cotp, u16::from(cotp.kind()), None, ObjectClass::None);
        emit::put(
            cx,
            &head,
            &Item::only(decision, ObjectClass::None),
            self.buffers,
            &self.flow.station,
        );
    }

    /// Remembers the TSAPs and names the object by them.
    fn named(&mut self, connection: &Connection<'_>) {
        self.flow.session.connected(connection);
        self.flow.station.clear();
        if let Some((rack, slot)) = self.flow.session.rack_slot {
            put!(&mut self.flow.station, "{rack}/{slot}");
        }
        let object = &mut self.buffers.object;
        object.push_str("cotp:");
        tsap(object, connection.src_tsap);
        object.push('>');
        tsap(object, connection.dst_tsap);
    }

    /// Columns of the connection, for every row.
    fn base(&self) -> Row<'static> {
        Row {
            src_tsap: self.flow.session.src_tsap,
            dst_tsap: self.flow.session.dst_tsap,
            rack: self.flow.session.rack_slot.map(|(rack, _)| rack),
            slot: self.flow.session.rack_slot.map(|(_, slot)| slot),
            ..Row::default()
        }
    }

    fn unit(&mut self, cx: &mut Cx<'_>, unit: &[u8]) {
        match s7comm::parse(unit) {
            Ok(Payload::S7(pdu)) => self.parsed(cx, unit, &pdu),
            // S7-plus is recognised and counted, not decoded.
            Ok(Payload::Plus { .. }) => {
                cx.next_pdu(Protocol::S7comm);
            }
            Err(error) => cx.error(Protocol::S7comm, &error, unit.len(), unit),
        }
    }

    fn parsed(&mut self, cx: &mut Cx<'_>, unit: &[u8], pdu: &Pdu<'_>) {
        let id = cx.next_pdu(Protocol::S7comm);
        let body = match pdu.body() {
            Ok(body) => body,
            Err(error) => {
                cx.error(Protocol::S7comm, &error, unit.len(), unit);
                Body::Other
            }
        };
        if pdu.misfit {
            let error = telltale_dissect::Error::new(
                s7comm::BAD_HEADER,
                "lengths of parameters and data do not add up to the pdu",
                6,
            );
            cx.error(Protocol::S7comm, &error, unit.len(), unit);
        }
        let userdata = pdu.rosctr == 7;
        let request = pdu.is_request();
        let direction = match (&body, request) {
            (_, true) => Direction::Request,
            (Body::Userdata(u), _) if u.kind == s7comm::userdata::Kind::Push => {
                Direction::Unsolicited
            }
            (Body::Userdata(u), _) if u.kind != s7comm::userdata::Kind::Response => Direction::None,
            _ if matches!(pdu.rosctr, 2 | 3 | 7) => Direction::Response,
            _ => Direction::None,
        };
        // A controller asks for the parts of a download: the station stays the client.
        let server_asks = matches!(pdu.function(), Some(0x1b | 0x1c)) && !userdata;
        let client = if request != server_asks {
            cx.sender
        } else {
            cx.sender.other()
        };
        let waited = if direction == Direction::Response {
            let dir = cx.sender.other().index() as u8;
            self.flow.session.pending.take(&Key {
                dir,
                pdu_ref: pdu.pdu_ref,
                userdata,
            })
        } else {
            None
        };
        let mut head = Head {
            id,
            client,
            source: RoleSource::Protocol,
            direction,
            function_code: pdu.function().map(u16::from),
            outcome: None,
            error_code: None,
            request_ref: waited.as_ref().map(|w| w.mark.pdu),
            latency_us: waited.as_ref().and_then(|w| latency(cx, &w.mark)),
            row: Row {
                rosctr: pdu.rosctr,
                pdu_ref: Some(pdu.pdu_ref),
                error_class: pdu.error.map(|e| e.0),
                s7_error_code: pdu.error.map(|e| e.1),
                ..self.base()
            },
        };
        if direction == Direction::Response {
            let error = match (&body, pdu.error) {
                (Body::Userdata(u), _) => userdata::failure(u),
                (_, Some((class, code))) => match u32::from(class) * 256 + u32::from(code) {
                    0 => None,
                    error => Some(error),
                },
                _ => None,
            };
            head.outcome = Some(if error.is_some() {
                Outcome::Error
            } else {
                Outcome::Ok
            });
            head.error_code = error;
        }
        // Parts and jobs are taken out while what borrows from them is decoded.
        let dir = cx.sender.index();
        let mut parts = self
            .flow
            .parts
            .get_mut(dir)
            .map(std::mem::take)
            .unwrap_or_default();
        let jobs = std::mem::take(&mut self.flow.jobs);
        let (body, job) = match body {
            Body::Userdata(u) => {
                let pushed = direction == Direction::Unsolicited;
                let job = if pushed {
                    jobs.find(u.group, u.sequence)
                } else {
                    None
                };
                (Body::Userdata(parts.join(&u)), job)
            }
            other => (other, None),
        };
        let asked = waited
            .as_ref()
            .and_then(asked_pdu)
            .or_else(|| unit_pdu(job?));
        self.body(cx, &mut head, pdu, &body, asked.as_ref());
        let goes_on = match &body {
            Body::Userdata(u) if userdata::goes_on(u, asked.as_ref()) => {
                Some((u.group, u.sequence))
            }
            _ => None,
        };
        self.flow.jobs = jobs;
        if let (Some((group, sequence)), Some(waited)) = (goes_on, &waited) {
            self.flow.jobs.remember(group, sequence, &waited.bytes);
        }
        if let Some(slot) = self.flow.parts.get_mut(dir) {
            *slot = parts;
        }
        if let Some(waited) = waited {
            self.flow.session.pending.recycle(waited);
        }
        if request {
            let key = Key {
                dir: cx.sender.index() as u8,
                pdu_ref: pdu.pdu_ref,
                userdata,
            };
            // A reference that is used again means that its old request gets no answer.
            let again = self.flow.session.pending.take(&key);
            let evicted = self.flow.session.pending.insert(
                key,
                Mark {
                    pdu: id,
                    ts_ns: cx.packet.ts_ns,
                },
                unit,
            );
            for old in again.into_iter().chain(evicted) {
                cx.count_pairing_evictions(1);
                self.unanswered(cx, old);
            }
        }
    }
}

/// The request that a waiting entry holds.
fn asked_pdu(request: &Pending) -> Option<Pdu<'_>> {
    unit_pdu(&request.bytes)
}

fn unit_pdu(unit: &[u8]) -> Option<Pdu<'_>> {
    match s7comm::parse(unit) {
        Ok(Payload::S7(pdu)) => Some(pdu),
        _ => None,
    }
}

/// A TSAP as text: two bytes as a number, others as they read.
fn tsap(text: &mut String, tsap: &[u8]) {
    match s7comm::cotp::tsap_number(tsap) {
        Some(number) => put!(text, "{number:#06x}"),
        None => append_bytes(text, tsap),
    }
}

impl Dialogue for S7comm<'_> {
    const PROTOCOL: Protocol = Protocol::S7comm;
    type Key = Key;
    type Mark = Mark;

    fn next_pdu(bytes: &[u8]) -> Framing {
        s7comm::next_pdu(bytes)
    }

    fn pdu(&mut self, cx: &mut Cx<'_>, bytes: &[u8]) {
        self.tpkt(cx, bytes);
    }

    fn datagram(&mut self, cx: &mut Cx<'_>, bytes: &[u8]) {
        // No transport over UDP is defined; one TPKT per datagram is what such senders do.
        if let Framing::Pdu { len } = s7comm::next_pdu(bytes)
            && let Some(tpkt) = bytes.get(..len)
        {
            self.tpkt(cx, tpkt);
        }
    }

    fn gap(&mut self, cx: &mut Cx<'_>) {
        if let Some(parts) = self.flow.session.reassembly.get_mut(cx.sender.index()) {
            parts.reset();
        }
        if let Some(parts) = self.flow.parts.get_mut(cx.sender.index()) {
            parts.reset();
        }
    }

    fn pending(&mut self) -> &mut Waiting<Key, Mark> {
        &mut self.flow.session.pending
    }

    fn finish(&mut self, cx: &mut Cx<'_>) {
        // A capture that just ends says nothing about answers still under way.
        let over = matches!(cx.flow.state, FlowState::Closed | FlowState::Reset);
        let limit = if over { i64::MAX } else { patience(cx) };
        self.give_up(cx, limit);
    }

    fn unanswered(&mut self, cx: &mut Cx<'_>, request: Pending) {
        let sender = if request.key.dir == 0 {
            Side::A
        } else {
            Side::B
        };
        if let Some(pdu) = asked_pdu(&request)
            && let Ok(body) = pdu.body()
        {
            let server_asks = matches!(pdu.function(), Some(0x1b | 0x1c)) && pdu.rosctr == 1;
            let mut head = Head {
                id: cx.next_pdu(Protocol::S7comm),
                client: if server_asks { sender.other() } else { sender },
                source: RoleSource::Protocol,
                direction: Direction::Response,
                function_code: pdu.function().map(u16::from),
                outcome: Some(Outcome::NoResponse),
                error_code: None,
                request_ref: Some(request.mark.pdu),
                latency_us: None,
                row: Row {
                    rosctr: pdu.rosctr,
                    pdu_ref: Some(pdu.pdu_ref),
                    ..self.base()
                },
            };
            let before = std::mem::replace(&mut cx.sender, sender.other());
            self.body(cx, &mut head, &pdu, &body, None);
            cx.sender = before;
        }
        self.flow.session.pending.recycle(request);
    }
}

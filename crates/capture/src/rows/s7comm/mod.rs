//! S7 communication to rows: connection, pairing, roles.
mod body;
mod emit;
mod object;
mod secret;

mod userdata;

use crate::flow::Side;
use crate::rows::scratch::{append_bytes, put};
use crate::rows::{Analyzer, Cx, Lent};
pub(crate) use emit::Texts as Buffers;
use emit::{Head, Item, Texts};
use telltale_dissect::Framing;
use telltale_dissect::pending::Request;
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
    texts: Lent<Texts>,
    /// Rack and slot of the server, as text.
    station: String,
    /// Long userdata answers, by direction.
    parts: [s7comm::Parts; 2],
    /// Requests whose data the controller pushes later.
    jobs: s7comm::Jobs,
    uploads: Vec<(u32, s7comm::Block)>,
}

impl S7commFlow {
    pub(crate) fn new() -> Self {
        Self {
            session: Session::new(),
            caller: None,
            connecting: None,
            texts: Lent::none(),
            station: String::new(),
            parts: Default::default(),
            jobs: s7comm::Jobs::default(),
            uploads: Vec::new(),
        }
    }

    fn tpkt(&mut self, cx: &mut Cx<'_>, tpkt: &[u8]) {
        match s7comm::cotp::parse(tpkt) {
            Ok(Cotp::Data { eot, payload, .. }) => {
                let dir = cx.sender.index();
                // The parts are taken out while the unit that borrows from them is decoded.
                let Some(slot) = self.session.reassembly.get_mut(dir) else {
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
                if let Some(slot) = self.session.reassembly.get_mut(dir) {
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
        self.texts.get().clear();
        let mut direction = Direction::Request;
        let mut outcome = None;
        let mut answers = None;
        match cotp {
            Cotp::ConnectRequest(c) => {
                self.caller = Some(cx.sender);
                self.named(c);
                self.connecting = Some(Mark {
                    pdu: id,
                    ts_ns: cx.packet.ts_ns,
                });
            }
            Cotp::ConnectConfirm(c) => {
                self.caller = Some(cx.sender.other());
                self.named(c);
                direction = Direction::Response;
                outcome = Some(Outcome::Ok);
                answers = self.connecting.take();
            }
            Cotp::DisconnectRequest { reason, .. } => {
                // A disconnect that answers a connection request refuses it.
                answers = self
                    .connecting
                    .take()
                    .filter(|_| self.caller == Some(cx.sender.other()));
                if answers.is_some() {
                    direction = Direction::Response;
                    outcome = Some(Outcome::Error);
                }
                put!(&mut self.texts.get().text, "reason {reason}");
            }
            _ => direction = Direction::Response,
        }
        let (client, source) = match self.caller {
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
            latency_us: answers.and_then(|m| latency(m.ts_ns, cx.packet.ts_ns)),
            row,
        };
        let decision = decide(Space::Cotp, u16::from(cotp.kind()), None, ObjectClass::None);
        emit::put(
            cx,
            &head,
            &Item::only(decision, ObjectClass::None),
            self.texts.get(),
            &self.station,
        );
    }

    /// Remembers the TSAPs and names the object by them.
    fn named(&mut self, connection: &Connection<'_>) {
        self.session.connected(connection);
        self.station.clear();
        if let Some((rack, slot)) = self.session.rack_slot {
            put!(&mut self.station, "{rack}/{slot}");
        }
        let object = &mut self.texts.get().object;
        object.push_str("cotp:");
        tsap(object, connection.src_tsap);
        object.push('>');
        tsap(object, connection.dst_tsap);
    }

    /// Columns of the connection, for every row.
    fn base(&self) -> Row<'static> {
        Row {
            src_tsap: self.session.src_tsap,
            dst_tsap: self.session.dst_tsap,
            rack: self.session.rack_slot.map(|(rack, _)| rack),
            slot: self.session.rack_slot.map(|(_, slot)| slot),
            ..Row::default()
        }
    }

    fn unit(&mut self, cx: &mut Cx<'_>, unit: &[u8]) {
        match s7comm::parse(unit) {
            Ok(Payload::S7(pdu)) => self.pdu(cx, unit, &pdu),
            // S7-plus is recognised and counted, not decoded.
            Ok(Payload::Plus { .. }) => {
                cx.next_pdu(Protocol::S7comm);
            }
            Err(error) => cx.error(Protocol::S7comm, &error, unit.len(), unit),
        }
    }

    fn pdu(&mut self, cx: &mut Cx<'_>, unit: &[u8], pdu: &Pdu<'_>) {
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
            self.session.pending.take(&Key {
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
            latency_us: waited
                .as_ref()
                .and_then(|w| latency(w.mark.ts_ns, cx.packet.ts_ns)),
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
            .parts
            .get_mut(dir)
            .map(std::mem::take)
            .unwrap_or_default();
        let jobs = std::mem::take(&mut self.jobs);
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
        self.jobs = jobs;
        if let (Some((group, sequence)), Some(waited)) = (goes_on, &waited) {
            self.jobs.remember(group, sequence, &waited.bytes);
        }
        if let Some(slot) = self.parts.get_mut(dir) {
            *slot = parts;
        }
        if let Some(waited) = waited {
            self.session.pending.recycle(waited);
        }
        if request {
            let key = Key {
                dir: cx.sender.index() as u8,
                pdu_ref: pdu.pdu_ref,
                userdata,
            };
            // A reference that is used again means that its old request gets no answer.
            let again = self.session.pending.take(&key);
            let evicted = self.session.pending.insert(
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

    /// A row for a request that nobody answered.
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
        self.session.pending.recycle(request);
    }

    fn give_up(&mut self, cx: &mut Cx<'_>, older_than: i64) {
        while let Some(old) = self.session.pending.take_if(|r| r.mark.ts_ns < older_than) {
            self.unanswered(cx, old);
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

fn latency(from: i64, to: i64) -> Option<u64> {
    u64::try_from(to.saturating_sub(from))
        .ok()
        .map(|ns| ns / 1000)
}

/// A TSAP as text: two bytes as a number, others as they read.
fn tsap(text: &mut String, tsap: &[u8]) {
    match s7comm::cotp::tsap_number(tsap) {
        Some(number) => put!(text, "{number:#06x}"),
        None => append_bytes(text, tsap),
    }
}

impl Analyzer for S7commFlow {
    fn stream(&mut self, cx: &mut Cx<'_>, bytes: &[u8]) -> usize {
        let mut rest = bytes;
        while !rest.is_empty() {
            match s7comm::next_pdu(rest) {
                Framing::Pdu { len } => {
                    let Some((tpkt, tail)) = rest.split_at_checked(len) else {
                        break;
                    };
                    self.tpkt(cx, tpkt);
                    rest = tail;
                }
                Framing::NeedMore { .. } => break,
                Framing::Resync { skip, error } => {
                    let Some((lost, tail)) = rest.split_at_checked(skip) else {
                        break;
                    };
                    cx.error(Protocol::S7comm, &error, skip, lost);
                    rest = tail;
                }
            }
        }
        bytes.len() - rest.len()
    }

    fn datagram(&mut self, cx: &mut Cx<'_>, bytes: &[u8]) {
        // No transport over UDP is defined; one TPKT per datagram is what such senders do.
        if let Framing::Pdu { len } = s7comm::next_pdu(bytes)
            && let Some(tpkt) = bytes.get(..len)
        {
            self.tpkt(cx, tpkt);
        }
    }

    fn gap(&mut self, cx: &mut Cx<'_>, _lost: u64) {
        if let Some(parts) = self.session.reassembly.get_mut(cx.sender.index()) {
            parts.reset();
        }
        if let Some(parts) = self.parts.get_mut(cx.sender.index()) {
            parts.reset();
        }
    }

    fn tick(&mut self, cx: &mut Cx<'_>) {
        self.give_up(cx, cx.packet.ts_ns.saturating_sub(cx.response_timeout_ns()));
    }

    fn finish(&mut self, cx: &mut Cx<'_>) {
        // A capture that just ends says nothing about answers still under way.
        let over = matches!(cx.flow.state, FlowState::Closed | FlowState::Reset);
        let limit = if over {
            i64::MAX
        } else {
            cx.packet.ts_ns.saturating_sub(cx.response_timeout_ns())
        };
        self.give_up(cx, limit);
    }

    fn exchange(&mut self, buffers: &mut crate::rows::Buffers) {
        std::mem::swap(&mut self.texts, &mut buffers.s7comm);
        if let Some(texts) = self.texts.here() {
            texts.clear();
        }
    }
}

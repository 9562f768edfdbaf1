//! EtherNet/IP and CIP to rows: encapsulation, pairing, connections, roles.
mod columns;
mod emit;
mod explicit;
mod io;
mod object;
mod service;

use crate::flow::Side;
use crate::rows::Cx;
use crate::rows::talk::{Asked, Dialogue, Speaker, Talk, latency, patience};
pub(crate) use emit::Texts as Buffers;
use emit::{Head, Texts};
use io::Io;
use service::Walk;
use telltale_dissect::Framing;
use telltale_dissect::cip::encap::command;
use telltale_dissect::cip::{self, Encapsulation, Key, Message, Session, cpf, message};
use telltale_dissect::pending::{Pending, Request as Waiting};
use telltale_schema::cip::Row;
use telltale_schema::{Direction, FlowState, Outcome, Protocol, RoleSource, Transport};

/// What comes back with a response.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    pdu: u64,
    ts_ns: i64,
    session: u32,
}

/// Routes of connections that are remembered per flow; the oldest goes first.
const MAX_ROUTES: usize = 64;

struct Route {
    o2t: u32,
    t2o: u32,
    text: String,
}

/// EtherNet/IP on one flow.
pub(crate) struct CipFlow {
    session: Session<Mark>,
    io: Io,
    routes: Vec<Route>,
}

impl Asked for Mark {
    fn ts_ns(&self) -> i64 {
        self.ts_ns
    }
}

impl Speaker for CipFlow {
    type Buffers = Texts;

    fn buffers(all: &mut crate::rows::Buffers) -> &mut Texts {
        all.cip.clear();
        all.cip.station.clear();
        &mut all.cip
    }
}

type Cip<'a> = Talk<'a, CipFlow>;

impl CipFlow {
    pub(crate) fn new() -> Self {
        Self {
            session: Session::new(),
            io: Io::default(),
            routes: Vec::new(),
        }
    }
}

impl Cip<'_> {
    fn head(&self, cx: &mut Cx<'_>, encap: &Encapsulation<'_>, direction: Direction) -> Head {
        let response = direction == Direction::Response;
        Head {
            id: cx.next_pdu(Protocol::EnipCip),
            client: if response {
                cx.sender.other()
            } else {
                cx.sender
            },
            source: RoleSource::Protocol,
            direction,
            outcome: None,
            error_code: None,
            request_ref: None,
            latency_us: None,
            index: 0,
            count: 1,
            row: Row {
                encap_command: Some(encap.command),
                session: Some(encap.session),
                encap_status: Some(encap.status),
                is_response: response,
                ..Row::default()
            },
        }
    }

    /// A command without a CIP service.
    fn plain_command(&mut self, cx: &mut Cx<'_>, encap: &Encapsulation<'_>) {
        let dir = cx.sender.other().index() as u8;
        let asked = self
            .flow
            .session
            .waits(dir, encap.command, encap.context, 0);
        let response = match encap.command {
            command::NOP | command::UNREGISTER_SESSION => false,
            command::REGISTER_SESSION => encap.session != 0 || encap.status != 0,
            _ => asked || encap.status != 0 || !encap.data.is_empty(),
        };
        let direction = if response {
            Direction::Response
        } else {
            Direction::Request
        };
        let mut head = self.head(cx, encap, direction);
        let mut row = head.row;
        if response {
            let request = self
                .flow
                .session
                .take_encapsulated(dir, encap.command, encap.context, 0)
                .or_else(|| {
                    self.flow
                        .session
                        .take_any_service(dir, encap.command, encap.context)
                });
            answered(cx, &mut head, request.as_ref().map(|r| r.mark));
            head.outcome = Some(if encap.status == 0 {
                Outcome::Ok
            } else {
                Outcome::Error
            });
            head.error_code = (encap.status != 0).then_some(encap.status);
            if let Some(request) = request {
                self.flow.session.pending.recycle(request);
            }
        }
        let mut walk = Walk {
            texts: self.buffers,
        };
        if encap.command == command::LIST_IDENTITY
            && let Ok(items) = cpf::CpfItems::new(encap.data)
        {
            for item in items.flatten().filter(|i| i.kind == cpf::item::IDENTITY) {
                match cip::identity::list_identity(item.data) {
                    Ok(found) => walk.identity(&mut row, &found),
                    Err(error) => cx.error(Protocol::EnipCip, &error, item.data.len(), item.data),
                }
            }
        }
        walk.encapsulation(cx, &mut head, encap.command, row);
        if !response && !matches!(encap.command, command::NOP | command::UNREGISTER_SESSION) {
            let key = Key::Encapsulated {
                dir: cx.sender.index() as u8,
                command: encap.command,
                context: encap.context,
                service: 0,
            };
            // Broadcast questions have no answer on their own flow; they are not waited for.
            if cx.flow.transport == Transport::Tcp {
                self.wait(cx, key, head.id, encap.session, &[]);
            }
        }
    }

    fn wait(&mut self, cx: &mut Cx<'_>, key: Key, pdu: u64, session: u32, bytes: &[u8]) {
        let mark = Mark {
            pdu,
            ts_ns: cx.packet.ts_ns,
            session,
        };
        if let Some(old) = self.flow.session.pending.insert(key, mark, bytes) {
            cx.count_pairing_evictions(1);
            self.unanswered(cx, old);
        }
    }
}

fn answered(cx: &Cx<'_>, head: &mut Head, request: Option<Mark>) {
    if let Some(mark) = request {
        head.request_ref = Some(mark.pdu);
        head.latency_us = latency(cx, &mark);
    }
}

impl Dialogue for Cip<'_> {
    const PROTOCOL: Protocol = Protocol::EnipCip;
    type Key = Key;
    type Mark = Mark;

    fn next_pdu(bytes: &[u8]) -> Framing {
        cip::next_pdu(bytes)
    }

    fn pdu(&mut self, cx: &mut Cx<'_>, bytes: &[u8]) {
        let encap = match cip::encap::parse(bytes) {
            Ok(encap) => encap,
            Err(error) => return cx.error(Protocol::EnipCip, &error, bytes.len(), bytes),
        };
        self.buffers.clear();
        self.buffers.station.clear();
        if !matches!(
            encap.command,
            command::SEND_RR_DATA | command::SEND_UNIT_DATA
        ) || encap.data.is_empty()
        {
            return self.plain_command(cx, &encap);
        }
        let mut packet = cpf::Packet::default();
        if let Err(error) = cpf::sent(encap.data, &mut packet) {
            cx.error(Protocol::EnipCip, &error, encap.data.len(), encap.data);
        }
        match (packet.unconnected, packet.connected, packet.connection_id) {
            (Some(bytes), ..) => self.unconnected(cx, &encap, bytes),
            (None, Some(bytes), id) => {
                let known = id.and_then(|id| self.flow.session.connection(id));
                let implicit = known.is_some_and(|c| c.explicit == Some(false));
                match id {
                    // Over UDP nothing explicit is connected; some devices put I/O into this command.
                    Some(id) if implicit || cx.flow.transport == Transport::Udp => {
                        self.flow.io.count(cx, self.buffers, id, bytes.len());
                    }
                    _ => self.connected(cx, &encap, id, bytes),
                }
            }
            _ => self.plain_command(cx, &encap),
        }
    }

    fn datagram(&mut self, cx: &mut Cx<'_>, bytes: &[u8]) {
        if cip::is_implicit(bytes)
            && let Ok(packet) = cpf::implicit(bytes)
            && let (Some(id), Some(data)) = (packet.connection_id, packet.connected)
        {
            return self.flow.io.count(cx, self.buffers, id, data.len());
        }
        match cip::next_pdu(bytes) {
            Framing::Pdu { len } => {
                if let Some(pdu) = bytes.get(..len) {
                    self.pdu(cx, pdu);
                }
            }
            Framing::NeedMore { .. } => {
                let error = telltale_dissect::Error::new(
                    cip::encap::BAD_ENCAPSULATION,
                    "datagram shorter than its encapsulation says",
                    0,
                );
                cx.error(Protocol::EnipCip, &error, bytes.len(), bytes);
            }
            Framing::Resync { error, .. } => {
                cx.error(Protocol::EnipCip, &error, bytes.len(), bytes);
            }
        }
    }

    fn gap(&mut self, _: &mut Cx<'_>) {}

    fn pending(&mut self) -> &mut Pending<Key, Mark> {
        &mut self.flow.session.pending
    }

    fn tick(&mut self, cx: &mut Cx<'_>) {
        self.give_up(cx, patience(cx));
        self.flow.io.due(cx, self.buffers, 60_000_000_000);
    }

    fn finish(&mut self, cx: &mut Cx<'_>) {
        let over = matches!(cx.flow.state, FlowState::Closed | FlowState::Reset);
        let limit = if over { i64::MAX } else { patience(cx) };
        self.give_up(cx, limit);
        self.flow.io.due(cx, self.buffers, 0);
    }

    fn unanswered(&mut self, cx: &mut Cx<'_>, old: Waiting<Key, Mark>) {
        let (dir, command) = match old.key {
            Key::Encapsulated { dir, command, .. } => (dir, command),
            Key::Connected { dir, .. } => (dir, command::SEND_UNIT_DATA),
        };
        let sender = if dir == 0 { Side::A } else { Side::B };
        let before = std::mem::replace(&mut cx.sender, sender.other());
        self.buffers.clear();
        self.buffers.station.clear();
        let nothing = Encapsulation {
            command,
            session: old.mark.session,
            status: 0,
            context: 0,
            options: 0,
            data: &[],
        };
        let mut head = self.head(cx, &nothing, Direction::Response);
        head.outcome = Some(Outcome::NoResponse);
        head.request_ref = Some(old.mark.pdu);
        head.row.encap_status = None;
        head.row.is_response = false;
        if let Key::Connected {
            connection,
            sequence,
            ..
        } = old.key
        {
            head.row.connection_id = Some(connection);
            head.row.sequence_count = Some(sequence);
        }
        let mut walk = Walk {
            texts: self.buffers,
        };
        match message::parse(&old.bytes) {
            Ok(Message::Request(request)) => {
                head.count = service::count(&old.bytes);
                walk.request(cx, &mut head, &request, 0);
            }
            _ => {
                let row = head.row;
                walk.encapsulation(cx, &mut head, command, row);
            }
        }
        cx.sender = before;
        self.flow.session.pending.recycle(old);
    }
}

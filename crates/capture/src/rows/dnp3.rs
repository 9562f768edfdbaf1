//! DNP3 to rows: roles by the DIR bit, fragments, pairing, one row per object
//! header and, for controls, per point.

mod emit;
mod object;

use crate::rows::Cx;
use crate::rows::talk::{Asked, Dialogue, Speaker, Talk, latency};
use telltale_dissect::dnp3::{self, Assembled, Fragment, Frame, Key, Session};
use telltale_dissect::pending::{Pending, Request};
use telltale_dissect::{Error, Framing};
use telltale_schema::dnp3::{ObjectClass, Row, Space, decide};
use telltale_schema::{Decision, Direction, Outcome, Protocol};

/// What comes back with a response.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    pdu: u64,
    ts_ns: i64,
    function: u8,
    class: ObjectClass,
}

/// Rows that one fragment may yield; the rest of its points is left out.
const MAX_ROWS: usize = 4096;
/// First of the broadcast addresses (IEEE 1815-2012, 9.2.5.2).
const BROADCAST: u16 = 65_533;
/// IIN2 bits that refuse a request: function, object, parameter.
const IIN_REFUSED: u16 = 0x0007;

/// What a row of a fragment says besides its PDU.
struct Item {
    decision: Decision,
    class: ObjectClass,
    row: Row<'static>,
    object: (usize, usize),
    first: Option<u64>,
    count: Option<u32>,
    data: (usize, usize),
    indexes: (usize, usize),
    text: (usize, usize),
    file: (usize, usize),
    failed: Option<u32>,
}

/// What all rows of a PDU share.
#[derive(Clone, Copy)]
struct Head {
    pdu: u64,
    direction: Direction,
    function_code: u16,
    outcome: Option<Outcome>,
    error_code: Option<u32>,
    request_ref: Option<u64>,
    latency_us: Option<u64>,
    from_master: bool,
    master: u16,
    outstation: u16,
}

/// DNP3 on one flow.
pub(crate) struct Dnp3Flow {
    session: Session<Mark>,
}

impl Asked for Mark {
    fn ts_ns(&self) -> i64 {
        self.ts_ns
    }
}

impl Speaker for Dnp3Flow {
    type Buffers = Buffers;

    fn buffers(all: &mut crate::rows::Buffers) -> &mut Buffers {
        &mut all.dnp3
    }
}

type Dnp3<'a> = Talk<'a, Dnp3Flow>;

/// What the rows of a fragment are made in.
#[derive(Default)]
pub(crate) struct Buffers {
    fragment: Vec<u8>,
    items: Vec<Item>,
    names: String,
    data: Vec<f64>,
    indexes: Vec<u32>,
    client: String,
    server: String,
}

impl Dnp3Flow {
    pub(crate) fn new() -> Self {
        Self {
            session: Session::new(),
        }
    }
}

impl Dnp3<'_> {
    fn frame(&mut self, cx: &mut Cx<'_>, bytes: &[u8]) {
        let frame = match Frame::parse(bytes) {
            Ok(frame) => frame,
            Err(error) => {
                cx.error(Protocol::Dnp3, &error, bytes.len(), bytes);
                return;
            }
        };
        let mut whole = std::mem::take(&mut self.buffers.fragment);
        whole.clear();
        match self.flow.session.frame(&frame) {
            // a segment that completes nothing yet has a row of its own, too
            Assembled::LinkOnly | Assembled::Partial => self.link(cx, &frame),
            Assembled::Whole(fragment) => {
                whole.extend_from_slice(fragment);
                match Fragment::parse(&whole) {
                    Ok(fragment) => self.application(cx, &frame, &fragment, &whole),
                    Err(error) => cx.error(Protocol::Dnp3, &error, whole.len(), &whole),
                }
            }
            Assembled::Dropped(error) => {
                self.link(cx, &frame);
                cx.error(Protocol::Dnp3, &error, bytes.len(), bytes);
            }
        }
        self.buffers.fragment = whole;
    }

    fn clear(&mut self) {
        self.buffers.items.clear();
        self.buffers.names.clear();
        self.buffers.data.clear();
        self.buffers.indexes.clear();
    }

    fn base(frame: &Frame<'_>) -> Row<'static> {
        Row {
            link_source: frame.source,
            link_destination: frame.destination,
            link_function: frame.function(),
            link_dir: frame.dir(),
            link_prm: frame.prm(),
            crc_ok: frame.crc_ok(),
            ..Row::default()
        }
    }

    /// A frame without an application fragment.
    fn link(&mut self, cx: &mut Cx<'_>, frame: &Frame<'_>) {
        self.clear();
        let space = if frame.prm() {
            Space::LinkPrimary
        } else {
            Space::LinkSecondary
        };
        let code = u16::from(frame.function());
        let decision = decide(space, code, None, ObjectClass::None);
        self.plain(decision, ObjectClass::None, Self::base(frame));
        let head = Head {
            pdu: cx.next_pdu(Protocol::Dnp3),
            direction: if frame.prm() {
                Direction::Request
            } else {
                Direction::Response
            },
            function_code: code,
            outcome: (!frame.prm()).then_some(Outcome::Ok),
            error_code: None,
            request_ref: None,
            latency_us: None,
            from_master: frame.dir(),
            master: if frame.dir() {
                frame.source
            } else {
                frame.destination
            },
            outstation: if frame.dir() {
                frame.destination
            } else {
                frame.source
            },
        };
        self.emit(cx, &head);
    }

    /// A row about no object.
    fn plain(&mut self, decision: Decision, class: ObjectClass, row: Row<'static>) {
        self.buffers.items.push(Item {
            decision,
            class,
            row,
            object: (0, 0),
            first: None,
            count: None,
            data: (0, 0),
            indexes: (0, 0),
            text: (0, 0),
            file: (0, 0),
            failed: None,
        });
    }

    fn application(
        &mut self,
        cx: &mut Cx<'_>,
        frame: &Frame<'_>,
        fragment: &Fragment<'_>,
        bytes: &[u8],
    ) {
        let key = Key::of(frame, fragment);
        let now = cx.packet.ts_ns;
        let mut head = Head {
            pdu: cx.next_pdu(Protocol::Dnp3),
            direction: match fragment.function {
                129 | 131 => Direction::Response,
                130 => Direction::Unsolicited,
                _ => Direction::Request,
            },
            function_code: u16::from(fragment.function),
            outcome: None,
            error_code: None,
            request_ref: None,
            latency_us: None,
            from_master: frame.dir(),
            master: if frame.dir() {
                frame.source
            } else {
                frame.destination
            },
            outstation: if frame.dir() {
                frame.destination
            } else {
                frame.source
            },
        };
        let mut asked = None;
        if head.direction == Direction::Response {
            head.outcome = Some(if fragment.fin() {
                Outcome::Ok
            } else {
                Outcome::Partial
            });
            if let Some(request) = self.flow.session.pending.take_newest_if(|r| r.key == key) {
                head.request_ref = Some(request.mark.pdu);
                head.latency_us = latency(cx, &request.mark);
                asked = Some(request.mark);
                self.flow.session.pending.recycle(request);
            }
            if let Some(iin) = fragment.iin.filter(|iin| iin & IIN_REFUSED != 0) {
                head.outcome = Some(Outcome::Error);
                head.error_code = Some(u32::from(iin & IIN_REFUSED));
            }
        }
        // a response keeps its request's function
        let function = asked.map_or(fragment.function, |m| m.function);
        let row = Row {
            app_seq: Some(fragment.seq()),
            fir: Some(fragment.fir()),
            fin: Some(fragment.fin()),
            con: Some(fragment.con()),
            uns: Some(fragment.uns()),
            iin: fragment.iin,
            ..Self::base(frame)
        };
        self.clear();
        let mut wrong: Option<Error> = None;
        for object in fragment.objects() {
            match object {
                Ok(object) if self.buffers.items.len() < MAX_ROWS => {
                    self.object(function, &object, row);
                }
                Ok(_) => break,
                Err(error) => {
                    wrong = Some(error);
                    break;
                }
            }
        }
        let class = self
            .buffers
            .items
            .first()
            .map_or(ObjectClass::None, |i| i.class);
        if self.buffers.items.is_empty() {
            let class = asked.map_or(ObjectClass::None, |m| m.class);
            let decision = decide(Space::Application, u16::from(function), None, class);
            self.plain(decision, class, row);
        }
        self.emit(cx, &head);
        if let Some(error) = wrong {
            cx.error(Protocol::Dnp3, &error, bytes.len(), bytes);
        }
        if fragment.wants_response() && frame.dir() && frame.destination < BROADCAST {
            let mark = Mark {
                pdu: head.pdu,
                ts_ns: now,
                function,
                class,
            };
            if let Some(evicted) = self.flow.session.pending.insert(key, mark, &[]) {
                cx.count_pairing_evictions(1);
                self.unanswered(cx, evicted);
            }
        }
    }
}

impl Dialogue for Dnp3<'_> {
    const PROTOCOL: Protocol = Protocol::Dnp3;
    const QUOTES_ON: bool = true;
    type Key = Key;
    type Mark = Mark;

    fn next_pdu(bytes: &[u8]) -> Framing {
        dnp3::next_pdu(bytes)
    }

    fn pdu(&mut self, cx: &mut Cx<'_>, bytes: &[u8]) {
        self.frame(cx, bytes);
    }

    fn datagram(&mut self, cx: &mut Cx<'_>, bytes: &[u8]) {
        let used = self.stream(cx, bytes);
        if let Some(rest) = bytes.get(used..).filter(|r| !r.is_empty()) {
            let error = Error::new(dnp3::TRUNCATED, "the datagram ends inside a link frame", 0);
            cx.error(Protocol::Dnp3, &error, rest.len(), rest);
        }
    }

    fn gap(&mut self, _: &mut Cx<'_>) {
        self.flow.session.reset();
    }

    fn pending(&mut self) -> &mut Pending<Key, Mark> {
        &mut self.flow.session.pending
    }

    fn unanswered(&mut self, cx: &mut Cx<'_>, request: Request<Key, Mark>) {
        self.clear();
        let mark = request.mark;
        let decision = decide(
            Space::Application,
            u16::from(mark.function),
            None,
            mark.class,
        );
        let row = Row {
            link_source: request.key.outstation,
            link_destination: request.key.master,
            crc_ok: true,
            app_seq: Some(request.key.seq),
            ..Row::default()
        };
        self.plain(decision, mark.class, row);
        let client = cx.flow.initiator;
        let head = Head {
            pdu: cx.next_silent_pdu(),
            direction: Direction::Response,
            function_code: u16::from(mark.function),
            outcome: Some(Outcome::NoResponse),
            error_code: None,
            request_ref: Some(mark.pdu),
            latency_us: latency(cx, &mark),
            from_master: client == cx.sender,
            master: request.key.master,
            outstation: request.key.outstation,
        };
        self.emit(cx, &head);
        self.flow.session.pending.recycle(request);
    }
}

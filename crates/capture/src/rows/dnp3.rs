//! DNP3 to rows: roles by the DIR bit, fragments, pairing, one row per object
//! header and, for controls, per point.

use crate::rows::Cx;
use crate::rows::scratch::{append_bytes, bounds, number, opt, put};
use crate::rows::talk::{Asked, Dialogue, Speaker, Talk, latency};
use telltale_dissect::dnp3::{
    self, Assembled, FileObject, Fragment, Frame, Key, Object, Range, Session,
};
use telltale_dissect::pending::{Pending, Request};
use telltale_dissect::{Error, Framing};
use telltale_schema::dnp3::{ObjectClass, Row, Space, decide};
use telltale_schema::{Common, Decision, Direction, Outcome, Protocol, RoleSource};

/// What comes back with a response.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    pdu: u64,
    ts_ns: i64,
    function: u8,
    class: ObjectClass,
}

/// Points whose values are kept of one object header.
const MAX_POINTS: usize = 4096;
/// Indexes that are written out in an object's text.
const NAMED_INDEXES: usize = 8;
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

    /// Rows of an object header: one, or one per point for controls.
    fn object(&mut self, function: u8, object: &Object<'_>, base: Row<'static>) {
        let class = ObjectClass::of_number(u32::from(object.group));
        let decision = decide(Space::Application, u16::from(function), None, class);
        let (range_start, range_stop) = match object.range {
            Range::Span { first, last } => (Some(first), Some(last)),
            _ => (None, None),
        };
        let row = Row {
            group: Some(object.group),
            variation: Some(object.variation),
            qualifier: Some(object.qualifier),
            range_start,
            range_stop,
            ..base
        };
        if object.has_data && matches!(object.group, 12 | 41) {
            self.controls(decision, class, object, row);
            return;
        }
        let (data, indexes, text, file) = (
            self.buffers.data.len(),
            self.buffers.indexes.len(),
            self.buffers.names.len(),
            self.buffers.names.len(),
        );
        let mut row = row;
        let mut first = range_start;
        let (mut text_at, mut file_at) = ((text, text), (file, file));
        if let Some(point) = object.points().next() {
            if first.is_none() && object.is_indexed() {
                first = Some(point.index);
            }
            let at = self.buffers.names.len();
            match object.group {
                70 => {
                    if let Ok(found) = FileObject::read(object.variation, point.bytes) {
                        append_bytes(&mut self.buffers.names, found.name);
                        file_at = (at, self.buffers.names.len());
                        row.file_size = found.size;
                    }
                }
                0 => {
                    if let Some(attribute) = point.attribute().and_then(|a| a.text()) {
                        append_bytes(&mut self.buffers.names, attribute);
                        text_at = (at, self.buffers.names.len());
                    }
                }
                110..=113 => {
                    append_bytes(&mut self.buffers.names, point.bytes);
                    text_at = (at, self.buffers.names.len());
                }
                _ => {}
            }
        }
        let points = object.points().take(MAX_POINTS);
        if object.is_indexed() {
            for point in points {
                self.buffers.indexes.push(point.index);
                self.buffers.data.extend(point.value);
            }
        } else {
            self.buffers
                .data
                .extend(points.filter_map(|point| point.value));
        }
        let at = self.buffers.names.len();
        if file_at.1 > file_at.0 {
            put!(&mut self.buffers.names, "file:");
            self.buffers.names.extend_from_within_range(file_at);
        } else {
            group(&mut self.buffers.names, object);
            match (object.range, self.buffers.indexes.get(indexes..)) {
                (Range::Span { first, last }, _) if first == last => {
                    self.buffers.names.push(':');
                    number(&mut self.buffers.names, first);
                }
                (Range::Span { first, last }, _) => {
                    self.buffers.names.push(':');
                    number(&mut self.buffers.names, first);
                    self.buffers.names.push_str("..");
                    number(&mut self.buffers.names, last);
                }
                (Range::All, _) => put!(&mut self.buffers.names, ":all"),
                (Range::Count(_), Some(list)) if !list.is_empty() => {
                    for (n, index) in list.iter().take(NAMED_INDEXES).enumerate() {
                        self.buffers.names.push(if n == 0 { ':' } else { ',' });
                        number(&mut self.buffers.names, *index);
                    }
                    if list.len() > NAMED_INDEXES {
                        put!(&mut self.buffers.names, "…");
                    }
                }
                (Range::Count(count), _) => put!(&mut self.buffers.names, ":count={count}"),
            }
        }
        self.buffers.items.push(Item {
            decision,
            class,
            row,
            object: (at, self.buffers.names.len()),
            first: first.map(u64::from),
            count: object.count(),
            data: (data, self.buffers.data.len()),
            indexes: (indexes, self.buffers.indexes.len()),
            text: text_at,
            file: file_at,
            failed: None,
        });
    }

    fn controls(
        &mut self,
        decision: Decision,
        class: ObjectClass,
        object: &Object<'_>,
        base: Row<'static>,
    ) {
        for point in object.points().take(MAX_POINTS) {
            if self.buffers.items.len() >= MAX_ROWS {
                break;
            }
            let data = self.buffers.data.len();
            let indexes = self.buffers.indexes.len();
            self.buffers.indexes.push(point.index);
            let mut row = base;
            let mut status = point.flags.filter(|_| object.group == 41);
            if let Some(crob) = point
                .crob()
                .filter(|_| object.group == 12 && object.variation == 1)
            {
                row.control_code = Some(crob.code);
                row.control_op = crob.operation_name();
                row.trip_close = Some(crob.trip_close_name());
                row.count = Some(crob.count);
                row.on_time = Some(crob.on_time);
                row.off_time = Some(crob.off_time);
                status = Some(crob.status);
                let on = matches!(crob.operation(), 1 | 3) || crob.trip_close() == 1;
                self.buffers.data.push(f64::from(u8::from(on)));
            } else if let Some(value) = point.value {
                self.buffers.data.push(value);
            }
            row.control_status = status;
            let at = self.buffers.names.len();
            group(&mut self.buffers.names, object);
            self.buffers.names.push(':');
            number(&mut self.buffers.names, point.index);
            self.buffers.items.push(Item {
                decision,
                class,
                row,
                object: (at, self.buffers.names.len()),
                first: Some(u64::from(point.index)),
                count: Some(1),
                data: (data, self.buffers.data.len()),
                indexes: (indexes, self.buffers.indexes.len()),
                text: (0, 0),
                file: (0, 0),
                failed: status.filter(|s| *s != 0).map(u32::from),
            });
        }
    }

    /// Writes the rows that are at hand.
    fn emit(&mut self, cx: &mut Cx<'_>, head: &Head) {
        self.buffers.client.clear();
        self.buffers.server.clear();
        number(&mut self.buffers.client, head.master);
        number(&mut self.buffers.server, head.outstation);
        let client = if head.from_master {
            cx.sender
        } else {
            cx.sender.other()
        };
        let count = self.buffers.items.len();
        let words = |(from, to): (usize, usize)| self.buffers.names.get(from..to).and_then(opt);
        for (index, item) in self.buffers.items.iter().enumerate() {
            let data = self
                .buffers
                .data
                .get(item.data.0..item.data.1)
                .filter(|d| !d.is_empty());
            let (data_min, data_max) = data.map_or((None, None), bounds);
            let indexes = self
                .buffers
                .indexes
                .get(item.indexes.0..item.indexes.1)
                .filter(|i| !i.is_empty());
            let failed = item
                .failed
                .filter(|_| head.direction == Direction::Response);
            let (common, builders) = cx.row(Protocol::Dnp3, client, RoleSource::Protocol);
            builders.dnp3.append(
                &Common {
                    operation: item.decision.operation,
                    phase: item.decision.phase,
                    function: item.decision.function,
                    function_code: Some(head.function_code),
                    direction: head.direction,
                    outcome: if failed.is_some() {
                        Some(Outcome::Error)
                    } else {
                        head.outcome
                    },
                    error_code: failed.or(head.error_code),
                    pdu_id: head.pdu,
                    item_index: u16::try_from(index).unwrap_or(u16::MAX),
                    item_count: u16::try_from(count).unwrap_or(u16::MAX),
                    request_ref: head.request_ref,
                    latency_us: head.latency_us,
                    client_station: Some(&self.buffers.client),
                    server_station: Some(&self.buffers.server),
                    object: words(item.object),
                    object_type: (item.class != ObjectClass::None).then(|| item.class.as_str()),
                    object_first: item.first,
                    object_count: item.count,
                    data,
                    data_min,
                    data_max,
                    data_text: words(item.text),
                    ..common
                },
                &Row {
                    indexes,
                    file_name: words(item.file),
                    ..item.row
                },
            );
        }
    }
}

/// Group and variation of an object, as `g30v1`.
fn group(text: &mut String, object: &Object<'_>) {
    text.push('g');
    number(text, object.group);
    text.push('v');
    number(text, object.variation);
}

/// Text copied within one buffer.
trait ExtendWithin {
    fn extend_from_within_range(&mut self, range: (usize, usize));
}

impl ExtendWithin for String {
    fn extend_from_within_range(&mut self, (from, to): (usize, usize)) {
        if self.is_char_boundary(from) && self.is_char_boundary(to) && from <= to {
            self.reserve(to - from);
            let mut at = from;
            while at < to {
                let Some(c) = self.get(at..to).and_then(|s| s.chars().next()) else {
                    break;
                };
                self.push(c);
                at += c.len_utf8();
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

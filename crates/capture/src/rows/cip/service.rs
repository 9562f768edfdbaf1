//! CIP services to rows: requests, responses, services within services.
use super::emit::{self, Head, Item, Texts};
use super::object;
use crate::rows::Cx;
use telltale_dissect::cip::message::{self, Embedded, class, service};
use telltale_dissect::cip::pccc;
use telltale_dissect::cip::{Message, Path, Request, Response, Target, connection, tag};
use telltale_schema::cip::{ObjectClass, Row, Space, decide};
use telltale_schema::{Outcome, Protocol};

/// Services within services that are followed; the standard knows two levels.
const MAX_DEPTH: u8 = 4;

fn short(n: usize) -> u16 {
    u16::try_from(n).unwrap_or(u16::MAX)
}

pub(super) fn is_unconnected_send(request: &Request<'_>) -> bool {
    request.service == service::UNCONNECTED_SEND
        && request.path.target().class == Some(class::CONNECTION_MANAGER)
}

/// Rows that a message yields: one per service, those within included.
pub(super) fn rows_of(bytes: &[u8], depth: u8) -> usize {
    if depth > MAX_DEPTH {
        return 0;
    }
    match message::parse(bytes) {
        Ok(Message::Request(r)) if r.service == service::MULTIPLE => {
            1 + embedded_rows(r.data, depth)
        }
        Ok(Message::Response(r)) if r.service == service::MULTIPLE => {
            1 + embedded_rows(r.data, depth)
        }
        Ok(Message::Request(r)) if is_unconnected_send(&r) => {
            1 + message::unconnected_send(r.data).map_or(0, |send| rows_of(send.message, depth + 1))
        }
        Ok(_) => 1,
        Err(_) => usize::from(message::salvage(bytes).is_some()),
    }
}

fn embedded_rows(data: &[u8], depth: u8) -> usize {
    Embedded::new(data).map_or(0, |all| all.map(|one| rows_of(one, depth + 1)).sum())
}

/// The service that a response will name: of an unconnected send, the one inside.
pub(super) fn answered_service(message: &Message<'_>) -> u8 {
    match message {
        Message::Request(r) if is_unconnected_send(r) => message::unconnected_send(r.data)
            .ok()
            .and_then(|send| send.message.first().copied())
            .map_or(r.service, |inner| inner & 0x7f),
        other => other.service(),
    }
}

/// A message; of one that is cut what it still says, with a row for the failure.
pub(super) fn parsed<'a>(cx: &mut Cx<'_>, bytes: &'a [u8]) -> Option<Message<'a>> {
    match message::parse(bytes) {
        Ok(message) => Some(message),
        Err(error) => {
            cx.error(Protocol::EnipCip, &error, bytes.len(), bytes);
            message::salvage(bytes)
        }
    }
}

/// Writes the rows of services; borrows what the flow keeps.
pub(super) struct Walk<'t> {
    pub texts: &'t mut Texts,
}

impl Walk<'_> {
    /// A request and what it carries.
    pub(super) fn request(
        &mut self,
        cx: &mut Cx<'_>,
        head: &mut Head,
        request: &Request<'_>,
        depth: u8,
    ) {
        self.texts.clear();
        let target = request.path.target();
        let mut row = Row {
            service: Some(request.service),
            is_response: false,
            ..head.row
        };
        let mut item = self.about(&mut row, request, &target);
        if request.service == service::EXECUTE_PCCC && target.class == Some(class::PCCC) {
            match pccc::execute(request.data) {
                Ok(pccc) => self.pccc(&mut row, &mut item, &pccc, None),
                Err(error) => cx.error(Protocol::EnipCip, &error, request.data.len(), request.data),
            }
        } else if is_unconnected_send(request) {
            match message::unconnected_send(request.data) {
                Ok(send) => {
                    self.texts.station.clear();
                    object::route(&mut self.texts.station, &send.route);
                    emit::put(cx, head, &item, row, self.texts);
                    return self.inner(cx, head, send.message, depth);
                }
                Err(error) => cx.error(Protocol::EnipCip, &error, request.data.len(), request.data),
            }
        } else {
            self.request_data(&mut row, &mut item, request, &target);
        }
        emit::put(cx, head, &item, row, self.texts);
        if request.service == service::MULTIPLE {
            match Embedded::new(request.data) {
                Ok(all) => all.for_each(|one| self.inner(cx, head, one, depth)),
                Err(error) => cx.error(Protocol::EnipCip, &error, request.data.len(), request.data),
            }
        }
    }

    /// A message inside a request.
    fn inner(&mut self, cx: &mut Cx<'_>, head: &mut Head, bytes: &[u8], depth: u8) {
        if depth >= MAX_DEPTH {
            return;
        }
        match parsed(cx, bytes) {
            Some(Message::Request(inner)) => self.request(cx, head, &inner, depth + 1),
            Some(Message::Response(inner)) => {
                self.response(cx, head, &inner, None, true, depth + 1);
            }
            None => {}
        }
    }

    /// A response; `asked` is its request, `marked` whether it has the response bit.
    pub(super) fn response(
        &mut self,
        cx: &mut Cx<'_>,
        head: &mut Head,
        response: &Response<'_>,
        asked: Option<Request<'_>>,
        marked: bool,
        depth: u8,
    ) {
        self.texts.clear();
        let mut asked = asked;
        if let Some(outer) = asked.filter(is_unconnected_send)
            && let Ok(send) = message::unconnected_send(outer.data)
        {
            self.texts.station.clear();
            object::route(&mut self.texts.station, &send.route);
            // A route that failed answers for the send, all else for what was sent.
            let inner = match message::parse(send.message) {
                Ok(Message::Request(inner)) => Some(inner),
                _ => None,
            };
            if inner.is_some_and(|i| i.service == response.service) {
                asked = inner;
            }
        }
        let (outcome, error_code) = match response.status {
            0 => (Outcome::Ok, None),
            6 => (Outcome::Partial, None),
            status => (Outcome::Error, Some(u32::from(status))),
        };
        let carrier = (head.outcome, head.error_code);
        (head.outcome, head.error_code) = (Some(outcome), error_code);
        let mut row = Row {
            service: Some(response.service),
            is_response: marked,
            general_status: Some(response.status),
            extended_status: response.extended(),
            ..head.row
        };
        let item = match &asked {
            Some(request) => {
                let target = request.path.target();
                let mut item = self.about(&mut row, request, &target);
                self.answer(&mut row, &mut item, response, request, &target);
                item
            }
            None => Item {
                decision: decide(
                    Space::Service,
                    u16::from(response.service),
                    None,
                    ObjectClass::None,
                ),
                class: ObjectClass::None,
                function_code: Some(u16::from(response.service)),
                first: None,
                elements: None,
            },
        };
        emit::put(cx, head, &item, row, self.texts);
        if response.service == service::MULTIPLE && !response.data.is_empty() {
            let mut requests = asked.and_then(|a| Embedded::new(a.data).ok());
            match Embedded::new(response.data) {
                Ok(all) => {
                    for one in all {
                        let request = requests.as_mut().and_then(Iterator::next);
                        self.inner_answer(cx, head, one, request, depth);
                    }
                }
                Err(error) => cx.error(
                    Protocol::EnipCip,
                    &error,
                    response.data.len(),
                    response.data,
                ),
            }
        }
        (head.outcome, head.error_code) = carrier;
    }

    fn inner_answer(
        &mut self,
        cx: &mut Cx<'_>,
        head: &mut Head,
        bytes: &[u8],
        asked: Option<&[u8]>,
        depth: u8,
    ) {
        if depth >= MAX_DEPTH {
            return;
        }
        let asked = asked.and_then(|bytes| match message::parse(bytes) {
            Ok(Message::Request(request)) => Some(request),
            _ => None,
        });
        match parsed(cx, bytes) {
            Some(Message::Response(inner)) => {
                let asked = asked.filter(|a| a.service == inner.service);
                self.response(cx, head, &inner, asked, true, depth + 1);
            }
            Some(Message::Request(inner)) => self.request(cx, head, &inner, depth + 1),
            None => {}
        }
    }

    /// Object and decision of a request, for its own row and its response's.
    fn about(
        &mut self,
        row: &mut Row<'static>,
        request: &Request<'_>,
        target: &Target<'_>,
    ) -> Item {
        object::write(&mut self.texts.object, &request.path);
        if target.symbol.is_some() {
            object::tag(&mut self.texts.symbol, &request.path);
        }
        row.class_id = target.class;
        row.instance_id = target.instance;
        row.attribute_id = target.attribute;
        row.member_id = target.member;
        row.connection_point = target.connection_point;
        let class = object::class(target);
        let elements = match (request.service, class) {
            (
                service::READ_TAG | service::READ_TAG_FRAGMENTED,
                ObjectClass::Tag | ObjectClass::Symbol,
            ) => tag::read_count(request.data).map(u32::from),
            _ => None,
        };
        Item {
            decision: decide(Space::Service, u16::from(request.service), None, class),
            class,
            function_code: Some(u16::from(request.service)),
            first: target.member.or(target.instance).map(u64::from),
            elements,
        }
    }

    /// A row for a command without a CIP service.
    pub(super) fn encapsulation(
        &mut self,
        cx: &mut Cx<'_>,
        head: &mut Head,
        command: u16,
        row: Row<'static>,
    ) {
        let class = ObjectClass::None;
        let decision = decide(Space::Encapsulation, command, None, class);
        let item = Item {
            decision,
            class,
            function_code: Some(command),
            first: None,
            elements: None,
        };
        head.count = head.count.max(1);
        emit::put(cx, head, &item, row, self.texts);
    }
}

/// How many rows a message yields, for `item_count`.
pub(super) fn count(bytes: &[u8]) -> u16 {
    short(rows_of(bytes, 0).max(1))
}

/// The route of the connection that a Forward Open asks for.
pub(super) fn opened_route<'a>(request: &Request<'a>) -> Option<(Path<'a>, bool)> {
    let (request, large) = match request.service {
        service::FORWARD_OPEN => (request, false),
        service::LARGE_FORWARD_OPEN => (request, true),
        _ => return None,
    };
    let open = connection::forward_open(request.data, large).ok()?;
    (request.path.target().class == Some(class::CONNECTION_MANAGER))
        .then_some((open.path, open.is_explicit()))
}

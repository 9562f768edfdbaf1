//! CIP services to rows: requests, responses, services within services.
use super::emit::{self, Head, Item, Texts};
use super::object;
use crate::rows::Cx;
use crate::rows::scratch::{append_bytes, put};
use telltale_dissect::cip::message::{self, Embedded, class, service};
use telltale_dissect::cip::pccc::{self, Pccc};
use telltale_dissect::cip::{Message, Path, Request, Response, Target, connection, identity, tag};
use telltale_schema::cip::{ObjectClass, Row, Space, decide};
use telltale_schema::{Outcome, Protocol};

/// Services within services that are followed; the standard knows two levels.
const MAX_DEPTH: u8 = 4;
/// Numbers taken from data whose type is not known.
const MAX_BYTES: usize = 512;

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
        Err(_) => 0,
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
        match message::parse(bytes) {
            Ok(Message::Request(inner)) => self.request(cx, head, &inner, depth + 1),
            Ok(Message::Response(inner)) => self.response(cx, head, &inner, None, true, depth + 1),
            Err(error) => cx.error(Protocol::EnipCip, &error, bytes.len(), bytes),
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
        match message::parse(bytes) {
            Ok(Message::Response(inner)) => {
                let asked = asked.filter(|a| a.service == inner.service);
                self.response(cx, head, &inner, asked, true, depth + 1);
            }
            Ok(Message::Request(inner)) => self.request(cx, head, &inner, depth + 1),
            Err(error) => cx.error(Protocol::EnipCip, &error, bytes.len(), bytes),
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

    /// What a request writes or opens.
    fn request_data(
        &mut self,
        row: &mut Row<'static>,
        item: &mut Item,
        request: &Request<'_>,
        target: &Target<'_>,
    ) {
        let data = request.data;
        match (request.service, item.class) {
            (
                service::WRITE_TAG | service::WRITE_TAG_FRAGMENTED,
                ObjectClass::Tag | ObjectClass::Symbol,
            ) => {
                let fragmented = request.service == service::WRITE_TAG_FRAGMENTED;
                if let Ok(written) = tag::write_request(data, fragmented) {
                    item.elements = written.count.map(u32::from);
                    if written.kind != tag::STRUCTURE {
                        self.texts
                            .data
                            .extend(tag::Values::new(written.kind, written.values));
                    }
                }
            }
            (service::READ_MODIFY_WRITE_TAG, ObjectClass::Tag | ObjectClass::Symbol) => {
                if let Some((or_mask, and_mask)) = tag::masks(data) {
                    self.texts.text.push_str("or ");
                    or_mask
                        .iter()
                        .rev()
                        .for_each(|b| put!(&mut self.texts.text, "{b:02x}"));
                    self.texts.text.push_str(" and ");
                    and_mask
                        .iter()
                        .rev()
                        .for_each(|b| put!(&mut self.texts.text, "{b:02x}"));
                }
            }
            (service::GET_ATTRIBUTE_LIST | service::SET_ATTRIBUTE_LIST, _) => {
                for id in message::attribute_list(request.service, data) {
                    let separator = if self.texts.text.is_empty() {
                        "attributes "
                    } else {
                        ","
                    };
                    put!(&mut self.texts.text, "{separator}{id}");
                }
            }
            (
                service::FORWARD_OPEN | service::LARGE_FORWARD_OPEN,
                ObjectClass::ConnectionManager,
            ) => {
                if let Ok((o2t, t2o, triad)) = connection::forward_open_ids(data) {
                    row.o2t_connection_id = Some(o2t);
                    row.t2o_connection_id = Some(t2o);
                    named(row, &triad);
                }
                if let Ok(open) =
                    connection::forward_open(data, request.service == service::LARGE_FORWARD_OPEN)
                {
                    self.texts.station.clear();
                    object::route(&mut self.texts.station, &open.path);
                    put!(
                        &mut self.texts.text,
                        "class {} rpi_us {}/{} path ",
                        open.transport & 0x0f,
                        open.o2t_rpi_us,
                        open.t2o_rpi_us
                    );
                    object::write(&mut self.texts.text, &open.path);
                }
            }
            (service::FORWARD_CLOSE, ObjectClass::ConnectionManager) => {
                if let Ok(triad) = connection::forward_close(data) {
                    named(row, &triad);
                }
            }
            (
                service::MULTIPLE | service::GET_ATTRIBUTES_ALL | service::GET_ATTRIBUTE_SINGLE,
                _,
            ) => {}
            (service::SET_ATTRIBUTE_SINGLE | 0x02 | 0x05, _) => self.plain(data, target),
            _ => {}
        }
    }

    /// Data whose type is not known: one number of 1, 2 or 4 bytes, or the bytes.
    fn plain(&mut self, data: &[u8], target: &Target<'_>) {
        let one = target.class != Some(class::ASSEMBLY);
        let out = &mut self.texts.data;
        match data {
            [a] => out.push(f64::from(*a)),
            [a, b] if one => out.push(f64::from(u16::from_le_bytes([*a, *b]))),
            [a, b, c, d] if one => out.push(f64::from(u32::from_le_bytes([*a, *b, *c, *d]))),
            bytes => out.extend(bytes.iter().take(MAX_BYTES).map(|b| f64::from(*b))),
        }
    }

    /// What a response carries.
    fn answer(
        &mut self,
        row: &mut Row<'static>,
        item: &mut Item,
        response: &Response<'_>,
        asked: &Request<'_>,
        target: &Target<'_>,
    ) {
        let data = response.data;
        if asked.service == service::EXECUTE_PCCC && target.class == Some(class::PCCC) {
            let question = pccc::execute(asked.data).ok();
            match pccc::execute(data) {
                Ok(reply) => self.pccc(row, item, &reply, question.as_ref()),
                Err(_) => {
                    if let Some(question) = question {
                        self.pccc(row, item, &question, None);
                    }
                }
            }
            return;
        }
        match (asked.service, item.class) {
            (
                service::FORWARD_OPEN | service::LARGE_FORWARD_OPEN,
                ObjectClass::ConnectionManager,
            ) => {
                if let Ok(open) = connection::forward_open(
                    asked.data,
                    asked.service == service::LARGE_FORWARD_OPEN,
                ) {
                    self.texts.station.clear();
                    object::route(&mut self.texts.station, &open.path);
                }
                if response.status == 0 {
                    if let Ok(opened) = connection::opened(data) {
                        row.o2t_connection_id = Some(opened.o2t);
                        row.t2o_connection_id = Some(opened.t2o);
                        named(row, &opened.triad);
                    }
                } else if let Ok(triad) = connection::answered_triad(data) {
                    named(row, &triad);
                }
            }
            (service::FORWARD_CLOSE, ObjectClass::ConnectionManager) => {
                if let Ok(triad) = connection::answered_triad(data) {
                    named(row, &triad);
                }
            }
            _ if response.status != 0 && response.status != 6 => {}
            (
                service::READ_TAG | service::READ_TAG_FRAGMENTED,
                ObjectClass::Tag | ObjectClass::Symbol,
            ) => {
                if let Ok(read) = tag::read_answer(data)
                    && read.kind != tag::STRUCTURE
                {
                    self.texts
                        .data
                        .extend(tag::Values::new(read.kind, read.values));
                }
            }
            (service::GET_ATTRIBUTES_ALL, ObjectClass::Identity) => {
                if let Ok(found) = identity::attributes_all(data) {
                    self.identity(row, &found);
                }
            }
            (service::GET_ATTRIBUTE_SINGLE, ObjectClass::Identity) => {
                self.identity_attribute(row, target, data);
            }
            (service::GET_ATTRIBUTE_SINGLE, _) => self.plain(data, target),
            _ => {}
        }
    }

    /// Columns of an identity.
    pub(super) fn identity(&mut self, row: &mut Row<'static>, found: &identity::Identity<'_>) {
        row.vendor_id = Some(found.vendor);
        row.device_type = Some(found.device_type);
        row.product_code = Some(found.product_code);
        row.serial_number = Some(found.serial);
        row.device_state = found.state;
        put!(
            &mut self.texts.revision,
            "{}.{}",
            found.revision.0,
            found.revision.1
        );
        append_bytes(&mut self.texts.name, found.name);
    }

    fn identity_attribute(&mut self, row: &mut Row<'static>, target: &Target<'_>, data: &[u8]) {
        match (target.attribute, data) {
            (Some(1), [a, b, ..]) => row.vendor_id = Some(u16::from_le_bytes([*a, *b])),
            (Some(2), [a, b, ..]) => row.device_type = Some(u16::from_le_bytes([*a, *b])),
            (Some(3), [a, b, ..]) => row.product_code = Some(u16::from_le_bytes([*a, *b])),
            (Some(4), [major, minor, ..]) => put!(&mut self.texts.revision, "{major}.{minor}"),
            (Some(6), [a, b, c, d, ..]) => {
                row.serial_number = Some(u32::from_le_bytes([*a, *b, *c, *d]));
            }
            (Some(7), [len, name @ ..]) => {
                append_bytes(
                    &mut self.texts.name,
                    name.get(..usize::from(*len)).unwrap_or(name),
                );
            }
            (Some(8), [state, ..]) => row.device_state = Some(*state),
            _ => self.plain(data, target),
        }
    }

    /// Columns of PCCC; `asked` is the command that a reply answers.
    fn pccc(
        &mut self,
        row: &mut Row<'static>,
        item: &mut Item,
        found: &Pccc<'_>,
        asked: Option<&Pccc<'_>>,
    ) {
        let question = asked.unwrap_or(found);
        row.pccc_command = Some(question.command);
        row.pccc_function = question.function;
        row.pccc_status = found.reply.then_some(found.status);
        item.class = match (question.function, question.mode()) {
            (Some(0x80), Some(1)) | (Some(0x3a), Some(0 | 1)) => ObjectClass::ModeProgram,
            (Some(0x80), Some(6)) | (Some(0x3a), Some(2)) => ObjectClass::ModeRun,
            (Some(0x80), Some(7..=9)) => ObjectClass::ModeTest,
            _ => ObjectClass::Pccc,
        };
        item.decision = decide(
            Space::Pccc,
            u16::from(question.command),
            question.function.map(u16::from),
            item.class,
        );
        item.function_code = Some(u16::from(question.command));
        if let Some(mode) = question.mode() {
            self.texts.data.push(f64::from(mode));
        }
        if let Some(address) = question.address() {
            self.texts.object.clear();
            object::pccc(&mut self.texts.object, &address);
            let kind = pccc::value_kind(address.file_type);
            let values = if found.reply {
                found.data
            } else {
                address.values
            };
            item.first = Some(u64::from(address.element));
            item.elements = Some(u32::from(address.bytes));
            self.texts.data.extend(tag::Values::new(kind, values));
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

fn named(row: &mut Row<'static>, triad: &connection::Triad) {
    row.connection_serial = Some(triad.serial);
    row.originator_vendor = Some(triad.vendor);
    row.originator_serial = Some(triad.originator);
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

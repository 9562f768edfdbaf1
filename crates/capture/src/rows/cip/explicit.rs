//! Explicit messages: unconnected and connected, paired with their answers, and
//! the connections that they open and close.
use super::emit::Head;
use super::service::{self, Walk};
use super::{Cip, MAX_ROUTES, Mark, Route, answered, object};
use crate::rows::Cx;
use telltale_dissect::cip::message::{class, service as code};
use telltale_dissect::cip::{self, Encapsulation, Key, Message, connection, message};
use telltale_dissect::pending::Request as Waiting;
use telltale_schema::Direction;

impl Cip<'_> {
    pub(super) fn unconnected(&mut self, cx: &mut Cx<'_>, encap: &Encapsulation<'_>, bytes: &[u8]) {
        let Some(parsed) = service::parsed(cx, bytes) else {
            return self.plain_command(cx, encap);
        };
        let other = cx.sender.other().index() as u8;
        let unmarked = self.unmarked(other, encap, bytes);
        match (parsed, unmarked) {
            (Message::Request(request), None) => {
                let mut head = self.head(cx, encap, Direction::Request);
                head.count = service::count(bytes);
                Walk {
                    texts: self.buffers,
                }
                .request(cx, &mut head, &request, 0);
                let key = Key::Encapsulated {
                    dir: cx.sender.index() as u8,
                    command: encap.command,
                    context: encap.context,
                    service: service::answered_service(&parsed),
                };
                self.wait(cx, key, head.id, encap.session, bytes);
            }
            (Message::Response(response), _) => {
                let waited = self
                    .flow
                    .session
                    .take_encapsulated(other, encap.command, encap.context, response.service)
                    .or_else(|| {
                        self.flow
                            .session
                            .take_any_service(other, encap.command, encap.context)
                    });
                self.answer(cx, encap, bytes, &response, waited, true);
            }
            (_, Some(response)) => {
                let waited = self
                    .flow
                    .session
                    .take_encapsulated(other, encap.command, encap.context, response.service)
                    .or_else(|| {
                        self.flow
                            .session
                            .take_any_service(other, encap.command, encap.context)
                    });
                self.answer(cx, encap, bytes, &response, waited, false);
            }
        }
    }

    /// Some stacks answer without the response bit: such a message has no path,
    /// and its peer waits for just that service.
    fn unmarked<'a>(
        &self,
        other: u8,
        encap: &Encapsulation<'_>,
        bytes: &'a [u8],
    ) -> Option<cip::Response<'a>> {
        let [service, 0, ..] = bytes else { return None };
        let waits = |service| {
            self.flow
                .session
                .waits(other, encap.command, encap.context, service)
        };
        let opens = *service == 0 && (waits(code::FORWARD_OPEN) || waits(code::FORWARD_CLOSE));
        if *service < 0x80 && (waits(*service) || opens) {
            message::unmarked_response(bytes)
        } else {
            None
        }
    }

    pub(super) fn connected(
        &mut self,
        cx: &mut Cx<'_>,
        encap: &Encapsulation<'_>,
        id: Option<u32>,
        bytes: &[u8],
    ) {
        // Without an address the message is decoded all the same.
        let connection = id.unwrap_or(0);
        let (sequence, bytes) = match bytes {
            [lo, hi, rest @ ..] => (u16::from_le_bytes([*lo, *hi]), rest),
            _ => return self.plain_command(cx, encap),
        };
        if let Some(route) = self
            .flow
            .routes
            .iter()
            .find(|r| id == Some(r.o2t) || id == Some(r.t2o))
        {
            self.buffers.station.push_str(&route.text);
        }
        // An empty message keeps the connection alive.
        let found = if bytes.is_empty() {
            None
        } else {
            service::parsed(cx, bytes)
        };
        let Some(parsed) = found else {
            return self.plain_command(cx, encap);
        };
        let columns = |head: &mut Head| {
            head.row.connection_id = id;
            head.row.sequence_count = Some(sequence);
        };
        match parsed {
            Message::Request(request) => {
                let mut head = self.head(cx, encap, Direction::Request);
                columns(&mut head);
                head.count = service::count(bytes);
                Walk {
                    texts: self.buffers,
                }
                .request(cx, &mut head, &request, 0);
                let service = service::answered_service(&parsed);
                let key = Key::Connected {
                    dir: cx.sender.index() as u8,
                    connection,
                    sequence,
                    service,
                };
                self.wait(cx, key, head.id, encap.session, bytes);
            }
            Message::Response(response) => {
                let dir = cx.sender.other().index() as u8;
                let waited =
                    self.flow
                        .session
                        .take_connected(dir, connection, sequence, response.service);
                let mut head = self.head(cx, encap, Direction::Response);
                columns(&mut head);
                head.count = service::count(bytes);
                self.answer_with(cx, head, &response, waited, true);
            }
        }
    }

    fn answer(
        &mut self,
        cx: &mut Cx<'_>,
        encap: &Encapsulation<'_>,
        bytes: &[u8],
        response: &cip::Response<'_>,
        waited: Option<Waiting<Key, Mark>>,
        marked: bool,
    ) {
        let mut head = self.head(cx, encap, Direction::Response);
        head.count = if marked { service::count(bytes) } else { 1 };
        self.answer_with(cx, head, response, waited, marked);
    }

    fn answer_with(
        &mut self,
        cx: &mut Cx<'_>,
        mut head: Head,
        response: &cip::Response<'_>,
        waited: Option<Waiting<Key, Mark>>,
        marked: bool,
    ) {
        answered(cx, &mut head, waited.as_ref().map(|w| w.mark));
        let asked = waited
            .as_ref()
            .and_then(|w| match message::parse(&w.bytes) {
                Ok(Message::Request(request)) => Some(request),
                _ => None,
            });
        Walk {
            texts: self.buffers,
        }
        .response(cx, &mut head, response, asked, marked, 0);
        if let Some(request) = asked {
            self.connections(&request, response);
        }
        if let Some(waited) = waited {
            self.flow.session.pending.recycle(waited);
        }
    }

    /// Keeps the connections that were opened, forgets those closed.
    fn connections(&mut self, request: &cip::Request<'_>, response: &cip::Response<'_>) {
        // A Forward Open may itself travel in an unconnected send.
        if service::is_unconnected_send(request)
            && let Ok(send) = message::unconnected_send(request.data)
            && let Ok(Message::Request(inner)) = message::parse(send.message)
            && !service::is_unconnected_send(&inner)
        {
            return self.connections(&inner, response);
        }
        if response.status != 0 || request.path.target().class != Some(class::CONNECTION_MANAGER) {
            return;
        }
        if request.service == code::FORWARD_CLOSE {
            if let Ok(triad) = connection::forward_close(request.data) {
                self.flow.session.closed(&triad);
            }
        } else if let (Some((path, explicit)), Ok(opened)) = (
            service::opened_route(request),
            connection::opened(response.data),
        ) {
            self.flow.session.opened(&opened, Some(explicit));
            self.flow
                .routes
                .retain(|r| r.o2t != opened.o2t && r.t2o != opened.t2o);
            if self.flow.routes.len() >= MAX_ROUTES {
                self.flow.routes.remove(0);
            }
            let mut text = String::new();
            object::route(&mut text, &path);
            self.flow.routes.push(Route {
                o2t: opened.o2t,
                t2o: opened.t2o,
                text,
            });
        }
    }
}

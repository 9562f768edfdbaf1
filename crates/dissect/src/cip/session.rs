//! What must survive from one PDU of a TCP connection to the next: requests that
//! wait, and the CIP connections that run through it.
use super::connection::{Opened, Triad};
use crate::pending::{Pending, Request};

/// Requests of one TCP connection that may wait at once; the oldest goes first.
const MAX_PENDING: usize = 256;
/// Bytes kept of a request; connected messages carry at most 504, large ones 4000.
const MAX_REQUEST: usize = 4096;
/// CIP connections remembered per TCP connection; the oldest goes first.
const MAX_CONNECTIONS: usize = 256;

/// What pairs a response with its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// Unconnected, or a command without CIP: command, session and sender context.
    Encapsulated {
        /// Direction of the request (0 or 1, the caller's numbering).
        dir: u8,
        /// Encapsulation command.
        command: u16,
        /// Sender context.
        context: u64,
        /// CIP service, 0 if none.
        service: u8,
    },
    /// Connected.
    Connected {
        /// Direction of the request.
        dir: u8,
        /// Connection id of the request.
        connection: u32,
        /// Sequence count.
        sequence: u16,
        /// CIP service.
        service: u8,
    },
}

/// A CIP connection: opened before our eyes, or learned from a pair of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connection {
    /// Originator-to-target connection id.
    pub o2t: u32,
    /// Target-to-originator connection id.
    pub t2o: u32,
    /// Does it carry explicit messages? `None` if it was learned mid-stream.
    pub explicit: Option<bool>,
    /// Identity, if its opening was seen.
    pub triad: Option<Triad>,
}

/// State of one TCP connection (or UDP flow). `M` is what the caller wants back
/// with a response.
#[derive(Debug)]
pub struct Session<M> {
    /// Requests that wait for their answer.
    pub pending: Pending<Key, M>,
    connections: Vec<Connection>,
}

impl<M> Default for Session<M> {
    fn default() -> Self {
        Self {
            pending: Pending::new(MAX_PENDING, MAX_REQUEST),
            connections: Vec::new(),
        }
    }
}

impl<M> Session<M> {
    /// A connection of which nothing is known.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Remembers a connection that a target granted; `explicit` from the request.
    pub fn opened(&mut self, opened: &Opened, explicit: Option<bool>) {
        self.connections
            .retain(|c| c.o2t != opened.o2t && c.t2o != opened.t2o);
        self.remember(Connection {
            o2t: opened.o2t,
            t2o: opened.t2o,
            explicit,
            triad: Some(opened.triad),
        });
    }

    /// Forgets a connection that was closed.
    pub fn closed(&mut self, triad: &Triad) {
        self.connections.retain(|c| c.triad.as_ref() != Some(triad));
    }

    /// The connection with this id, in either direction.
    #[must_use]
    pub fn connection(&self, id: u32) -> Option<&Connection> {
        self.connections.iter().find(|c| c.o2t == id || c.t2o == id)
    }

    fn remember(&mut self, connection: Connection) {
        if self.connections.len() >= MAX_CONNECTIONS {
            self.connections.remove(0);
        }
        self.connections.push(connection);
    }

    /// The request of a connected response that came on `connection` from the
    /// other side of `dir`. When the opening of the connection was not seen, the
    /// pair of ids is learned from the first answer that fits only one request.
    pub fn take_connected(
        &mut self,
        dir: u8,
        connection: u32,
        sequence: u16,
        service: u8,
    ) -> Option<Request<Key, M>> {
        if let Some(known) = self.connections.iter().find(|c| c.t2o == connection) {
            let key = Key::Connected {
                dir,
                connection: known.o2t,
                sequence,
                service,
            };
            return self.pending.take(&key);
        }
        let connections = &self.connections;
        let fits = |key: &Key| match key {
            Key::Connected {
                dir: d,
                connection: id,
                sequence: s,
                service: v,
            } => {
                (*d, *s, *v) == (dir, sequence, service)
                    && !connections.iter().any(|c| c.o2t == *id)
            }
            Key::Encapsulated { .. } => false,
        };
        let candidates = self.pending.iter().filter(|r| fits(&r.key)).count();
        let found = self.pending.take_if(|r| fits(&r.key))?;
        if candidates == 1
            && let Key::Connected {
                connection: o2t, ..
            } = found.key
        {
            self.remember(Connection {
                o2t,
                t2o: connection,
                explicit: Some(true),
                triad: None,
            });
        }
        Some(found)
    }

    /// The request of an unconnected response, or of a command without CIP.
    pub fn take_encapsulated(
        &mut self,
        dir: u8,
        command: u16,
        context: u64,
        service: u8,
    ) -> Option<Request<Key, M>> {
        self.pending.take(&Key::Encapsulated {
            dir,
            command,
            context,
            service,
        })
    }

    /// The same, when the response names no service that could be compared.
    pub fn take_any_service(
        &mut self,
        dir: u8,
        command: u16,
        context: u64,
    ) -> Option<Request<Key, M>> {
        self.pending.take_if(|r| match r.key {
            Key::Encapsulated {
                dir: d,
                command: c,
                context: x,
                ..
            } => (d, c, x) == (dir, command, context),
            Key::Connected { .. } => false,
        })
    }

    /// Is a request with this service still waiting?
    #[must_use]
    pub fn waits(&self, dir: u8, command: u16, context: u64, service: u8) -> bool {
        let key = Key::Encapsulated {
            dir,
            command,
            context,
            service,
        };
        self.pending.iter().any(|r| r.key == key)
    }
}

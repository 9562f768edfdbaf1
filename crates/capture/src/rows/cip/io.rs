//! Implicit I/O: too many messages for a row each, so a row per connection,
//! direction and interval.
use super::emit::{self, Head, Item, Texts};
use crate::flow::Side;
use crate::rows::Cx;
use crate::rows::scratch::put;
use telltale_schema::cip::{ObjectClass, Row, Space, decide};
use telltale_schema::{Direction, Protocol};

/// A rate row is written this often, nanoseconds of event time.
const INTERVAL_NS: i64 = 60_000_000_000;
/// Connections counted at once on one flow; the oldest gives its row early.
const MAX_CONNECTIONS: usize = 64;

struct Rate {
    sender: Side,
    connection: u32,
    since_ns: i64,
    packets: u64,
    bytes: u64,
}

/// Counts of one flow.
#[derive(Default)]
pub(super) struct Io {
    rates: Vec<Rate>,
}

impl Io {
    /// Counts a message of `bytes` application bytes.
    pub(super) fn count(
        &mut self,
        cx: &mut Cx<'_>,
        texts: &mut Texts,
        connection: u32,
        bytes: usize,
    ) {
        self.due(cx, texts, INTERVAL_NS);
        let sender = cx.sender;
        let at = self
            .rates
            .iter()
            .position(|r| r.sender == sender && r.connection == connection);
        let rate = match at.and_then(|at| self.rates.get_mut(at)) {
            Some(rate) => rate,
            None => {
                if self.rates.len() >= MAX_CONNECTIONS {
                    let oldest = self.rates.remove(0);
                    row(cx, texts, &oldest);
                }
                self.rates.push(Rate {
                    sender,
                    connection,
                    since_ns: cx.packet.ts_ns,
                    packets: 0,
                    bytes: 0,
                });
                let Some(rate) = self.rates.last_mut() else {
                    return;
                };
                rate
            }
        };
        rate.packets += 1;
        rate.bytes += bytes as u64;
    }

    /// Writes the rows of intervals that lasted at least `ns`.
    pub(super) fn due(&mut self, cx: &mut Cx<'_>, texts: &mut Texts, ns: i64) {
        let now = cx.packet.ts_ns;
        for rate in &mut self.rates {
            if rate.packets > 0 && now.saturating_sub(rate.since_ns) >= ns {
                row(cx, texts, rate);
                (rate.since_ns, rate.packets, rate.bytes) = (now, 0, 0);
            }
        }
    }
}

fn row(cx: &mut Cx<'_>, texts: &mut Texts, rate: &Rate) {
    let before = std::mem::replace(&mut cx.sender, rate.sender);
    texts.clear();
    texts.station.clear();
    put!(&mut texts.object, "connection:{:#010x}", rate.connection);
    let mut head = Head {
        id: cx.next_pdu(Protocol::EnipCip),
        client: cx.flow.initiator,
        source: cx.flow.initiator_source,
        direction: Direction::None,
        outcome: None,
        error_code: None,
        request_ref: None,
        latency_us: None,
        index: 0,
        count: 1,
        row: Row::default(),
    };
    let class = ObjectClass::None;
    let item = Item {
        decision: decide(Space::Io, 0, None, class),
        class,
        function_code: None,
        first: None,
        elements: None,
    };
    let own = Row {
        connection_id: Some(rate.connection),
        io_packets: Some(rate.packets),
        io_bytes: Some(rate.bytes),
        ..Row::default()
    };
    emit::put(cx, &mut head, &item, own, texts);
    cx.sender = before;
}

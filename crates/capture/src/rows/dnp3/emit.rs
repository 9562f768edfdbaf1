//! Rows of a fragment's items.

use super::{Dnp3, Head};
use crate::rows::Cx;
use crate::rows::scratch::{bounds, number, opt};
use telltale_schema::dnp3::{ObjectClass, Row};
use telltale_schema::{Common, Direction, Outcome, Protocol, RoleSource};

impl Dnp3<'_> {
    /// Writes the rows that are at hand.
    pub(super) fn emit(&mut self, cx: &mut Cx<'_>, head: &Head) {
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

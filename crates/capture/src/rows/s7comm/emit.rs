//! One row of `s7comm`, from what a PDU and an item of it say.
use super::object;
use crate::flow::Side;
use crate::rows::Cx;
use crate::rows::scratch::{bounds, opt};
use telltale_dissect::s7comm::Variable;
use telltale_schema::s7comm::{ObjectClass, Row};
use telltale_schema::{Common, Decision, Direction, Outcome, Protocol, RoleSource};

/// What all rows of a PDU share.
#[derive(Clone, Copy)]
pub(super) struct Head {
    pub id: u64,
    pub client: Side,
    pub source: RoleSource,
    pub direction: Direction,
    pub function_code: Option<u16>,
    pub outcome: Option<Outcome>,
    pub error_code: Option<u32>,
    pub request_ref: Option<u64>,
    pub latency_us: Option<u64>,
    /// Numeric columns; the texts are in [`Texts`].
    pub row: Row<'static>,
}

/// What is a row's own.
#[derive(Clone, Copy)]
pub(super) struct Item {
    pub decision: Decision,
    pub class: ObjectClass,
    pub index: u16,
    pub count: u16,
    pub first: Option<u64>,
    pub elements: Option<u32>,
    /// Return code; a failure becomes the row's outcome on a response.
    pub return_code: Option<u8>,
}

impl Item {
    /// The only row of a PDU, about nothing in particular.
    pub(super) const fn only(decision: Decision, class: ObjectClass) -> Self {
        Self {
            decision,
            class,
            index: 0,
            count: 1,
            first: None,
            elements: None,
            return_code: None,
        }
    }

    /// About a variable.
    pub(super) fn about(mut self, variable: &Variable) -> Self {
        self.first = Some(u64::from(variable.byte()));
        self.elements = Some(object::span(variable));
        self
    }
}

/// Texts and data of the row that is being built; buffers that stay.
#[derive(Default)]
pub(crate) struct Texts {
    pub object: String,
    pub text: String,
    pub filename: String,
    pub service: String,
    pub argument: String,
    pub hash: String,
    pub data: Vec<f64>,
}

impl Texts {
    pub(super) fn clear(&mut self) {
        for text in [&mut self.object, &mut self.text, &mut self.filename] {
            text.clear();
        }
        for text in [&mut self.service, &mut self.argument, &mut self.hash] {
            text.clear();
        }
        self.data.clear();
    }
}

/// Writes the row. `station` is rack and slot of the server, where known.
pub(super) fn put(cx: &mut Cx<'_>, head: &Head, item: &Item, texts: &Texts, station: &str) {
    let (common, builders) = cx.row(Protocol::S7comm, head.client, head.source);
    let (data_min, data_max) = bounds(&texts.data);
    let answered = head.direction == Direction::Response && head.outcome == Some(Outcome::Ok);
    let (outcome, error_code) = match item.return_code {
        Some(code) if code != 0xff && answered => (Some(Outcome::Error), Some(u32::from(code))),
        _ => (head.outcome, head.error_code),
    };
    let common = Common {
        pdu_id: head.id,
        operation: item.decision.operation,
        phase: item.decision.phase,
        function: item.decision.function,
        function_code: head.function_code,
        direction: head.direction,
        outcome,
        error_code,
        request_ref: head.request_ref,
        latency_us: head.latency_us,
        item_index: item.index,
        item_count: item.count,
        object: opt(&texts.object),
        object_type: (item.class != ObjectClass::None).then(|| item.class.as_str()),
        object_first: item.first,
        object_count: item.elements,
        data: (!texts.data.is_empty()).then_some(texts.data.as_slice()),
        data_min,
        data_max,
        data_text: opt(&texts.text),
        server_station: opt(station),
        ..common
    };
    let row = Row {
        return_code: item.return_code.or(head.row.return_code),
        filename: opt(&texts.filename),
        pi_service: opt(&texts.service),
        pi_argument: opt(&texts.argument),
        password_hash: opt(&texts.hash),
        ..head.row
    };
    builders.s7comm.append(&common, &row);
}

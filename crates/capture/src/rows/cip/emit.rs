//! One row of `cip`, from what a PDU and a service in it say.
use crate::flow::Side;
use crate::rows::Cx;
use crate::rows::scratch::{bounds, opt};
use telltale_schema::cip::{ObjectClass, Row};
use telltale_schema::{Common, Decision, Direction, Outcome, Protocol, RoleSource};

/// What all rows of a PDU share.
#[derive(Clone, Copy)]
pub(super) struct Head {
    pub id: u64,
    pub client: Side,
    pub source: RoleSource,
    pub direction: Direction,
    pub outcome: Option<Outcome>,
    pub error_code: Option<u32>,
    pub request_ref: Option<u64>,
    pub latency_us: Option<u64>,
    /// Number of the next row of the PDU, and how many there will be.
    pub index: u16,
    pub count: u16,
    /// Numeric columns; the texts are in [`Texts`].
    pub row: Row<'static>,
}

/// What is a row's own.
#[derive(Clone, Copy)]
pub(super) struct Item {
    pub decision: Decision,
    pub class: ObjectClass,
    pub function_code: Option<u16>,
    pub first: Option<u64>,
    pub elements: Option<u32>,
}

/// Texts and data of the row that is being built; buffers that stay.
#[derive(Default)]
pub(crate) struct Texts {
    pub object: String,
    pub symbol: String,
    pub text: String,
    pub revision: String,
    pub name: String,
    /// Route to the server; kept over the services of a PDU.
    pub station: String,
    pub data: Vec<f64>,
}

impl Texts {
    /// Clears what belongs to one row.
    pub(super) fn clear(&mut self) {
        for text in [
            &mut self.object,
            &mut self.symbol,
            &mut self.text,
            &mut self.revision,
            &mut self.name,
        ] {
            text.clear();
        }
        self.data.clear();
    }
}

/// Writes the row and counts it in `head`.
pub(super) fn put(cx: &mut Cx<'_>, head: &mut Head, item: &Item, row: Row<'static>, texts: &Texts) {
    let (common, builders) = cx.row(Protocol::EnipCip, head.client, head.source);
    let (data_min, data_max) = bounds(&texts.data);
    let common = Common {
        pdu_id: head.id,
        operation: item.decision.operation,
        phase: item.decision.phase,
        function: item.decision.function,
        function_code: item.function_code,
        direction: head.direction,
        outcome: head.outcome,
        error_code: head.error_code,
        request_ref: head.request_ref,
        latency_us: head.latency_us,
        item_index: head.index,
        item_count: head.count.max(head.index.saturating_add(1)),
        object: opt(&texts.object),
        object_type: (item.class != ObjectClass::None).then(|| item.class.as_str()),
        object_first: item.first,
        object_count: item.elements,
        data: (!texts.data.is_empty()).then_some(texts.data.as_slice()),
        data_min,
        data_max,
        data_text: opt(&texts.text),
        server_station: opt(&texts.station),
        ..common
    };
    let row = Row {
        symbol: opt(&texts.symbol),
        revision: opt(&texts.revision),
        product_name: opt(&texts.name),
        ..row
    };
    builders.cip.append(&common, &row);
    head.index = head.index.saturating_add(1);
}

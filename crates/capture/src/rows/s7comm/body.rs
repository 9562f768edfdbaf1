//! Jobs and acknowledgements: variables, block transfer, PI services.
use super::emit::{self, Head, Item};
use super::{MAX_UPLOADS, S7comm, object};
use crate::rows::Cx;
use crate::rows::scratch::{append_bytes, put};
use telltale_dissect::Error;
use telltale_dissect::s7comm::data::Kind;
use telltale_dissect::s7comm::{
    self, Block, Body, DataItem, DataItems, Items, Pdu, Transfer, Values, Variable,
};
use telltale_schema::Protocol;
use telltale_schema::s7comm::{ObjectClass, Space, decide};

/// Rows that a list of items yields: a DBREAD gives one per area.
fn rows_of(items: Items<'_>) -> usize {
    items
        .flatten()
        .map(|item| {
            if let s7comm::Item::DbRead(areas) = item {
                areas.count().max(1)
            } else {
                1
            }
        })
        .sum()
}

pub(super) fn short(n: usize) -> u16 {
    u16::try_from(n).unwrap_or(u16::MAX)
}

impl S7comm<'_> {
    /// Writes the rows of a PDU. `asked` is the request that it answers.
    pub(super) fn body(
        &mut self,
        cx: &mut Cx<'_>,
        head: &mut Head,
        pdu: &Pdu<'_>,
        body: &Body<'_>,
        asked: Option<&Pdu<'_>>,
    ) {
        self.buffers.clear();
        match body {
            Body::Userdata(u) => return self.userdata(cx, head, u, asked),
            Body::ReadRequest(items) => return self.variables(cx, head, 4, *items, None),
            Body::WriteRequest(items, values) => {
                return self.variables(cx, head, 5, *items, Some(*values));
            }
            Body::ReadResponse(values) if values.declared() > 0 => {
                return self.read_answer(cx, head, *values, items_of(asked));
            }
            Body::WriteResponse(codes) if codes.declared() > 0 => {
                let total = short(codes.iter().count());
                let mut items = items_of(asked);
                for (index, code) in codes.iter().enumerate() {
                    let variable = items.as_mut().and_then(next_variable);
                    self.item(
                        cx,
                        head,
                        5,
                        (short(index), total),
                        variable.as_ref(),
                        None,
                        Some(code),
                    );
                }
                if total > 0 {
                    return;
                }
            }
            Body::Setup(setup) => head.row.pdu_length = Some(setup.pdu_length),
            _ => {}
        }
        // What answers repeats what was asked.
        let asked_body = asked.and_then(|a| a.body().ok());
        let Some(code) = pdu.function().or_else(|| asked.and_then(Pdu::function)) else {
            let decision = decide(
                Space::Rosctr,
                u16::from(pdu.rosctr),
                None,
                ObjectClass::None,
            );
            emit::put(
                cx,
                head,
                &Item::only(decision, ObjectClass::None),
                self.buffers,
                &self.flow.station,
            );
            return;
        };
        head.function_code = Some(u16::from(code));
        let subject = match body {
            Body::Other | Body::Ack => asked_body.as_ref().unwrap_or(body),
            _ => body,
        };
        match subject {
            Body::Pi(pi) => self.pi(cx, head, code, pi),
            Body::Transfer(transfer) => {
                let asked_transfer = match &asked_body {
                    Some(Body::Transfer(t)) => Some(t),
                    _ => None,
                };
                self.transfer(cx, head, transfer, asked_transfer);
            }
            Body::Stop(service) => {
                append_bytes(&mut self.buffers.service, service);
                self.only(cx, head, code, ObjectClass::None);
            }
            Body::ReadRequest(items) | Body::WriteRequest(items, _) => {
                // A refused read or write: one row per item that was asked for.
                self.variables(cx, head, code, *items, None);
            }
            _ => self.only(cx, head, code, ObjectClass::None),
        }
    }

    fn only(&mut self, cx: &mut Cx<'_>, head: &Head, code: u8, class: ObjectClass) {
        let decision = decide(Space::Job, u16::from(code), None, class);
        emit::put(
            cx,
            head,
            &Item::only(decision, class),
            self.buffers,
            &self.flow.station,
        );
    }

    /// One row per item of a read or write request.
    fn variables(
        &mut self,
        cx: &mut Cx<'_>,
        head: &Head,
        code: u8,
        items: Items<'_>,
        mut values: Option<DataItems<'_>>,
    ) {
        let total = short(rows_of(items));
        let mut index = 0;
        for item in items {
            let value = match values.as_mut().and_then(Iterator::next) {
                Some(Ok(value)) => Some(value),
                Some(Err(error)) => {
                    cx.error(Protocol::S7comm, &error, 0, &[]);
                    values = None;
                    None
                }
                None => None,
            };
            match item {
                Ok(s7comm::Item::Variable(v)) => {
                    self.item(
                        cx,
                        head,
                        code,
                        (index, total),
                        Some(&v),
                        value.as_ref(),
                        None,
                    );
                }
                Ok(s7comm::Item::DbRead(areas)) => {
                    let mut any = false;
                    for area in areas {
                        self.item(cx, head, code, (index, total), Some(&area), None, None);
                        index += 1;
                        any = true;
                    }
                    if any {
                        continue;
                    }
                    self.item(cx, head, code, (index, total), None, None, None);
                }
                Ok(other) => {
                    self.buffers.clear();
                    self.other_item(&other);
                    self.item_with_object(cx, head, code, (index, total), value.as_ref());
                }
                Err(error) => return cx.error(Protocol::S7comm, &error, 0, &[]),
            }
            index += 1;
        }
        if total == 0 {
            self.only(cx, head, code, ObjectClass::None);
        }
    }

    /// Names items that are no S7ANY address.
    fn other_item(&mut self, item: &s7comm::Item<'_>) {
        match item {
            s7comm::Item::Drive {
                parameter, index, ..
            } => put!(&mut self.buffers.object, "drive:{parameter}:{index}"),
            s7comm::Item::Symbolic { root, db, crc } => {
                put!(
                    &mut self.buffers.object,
                    "symbol:{root:#06x}:{db}:{crc:#010x}"
                );
            }
            other => put!(&mut self.buffers.object, "syntax:{:#04x}", other.syntax()),
        }
    }

    fn item_with_object(
        &mut self,
        cx: &mut Cx<'_>,
        head: &Head,
        code: u8,
        at: (u16, u16),
        value: Option<&DataItem<'_>>,
    ) {
        if let Some(value) = value {
            self.buffers
                .data
                .extend(Values::new(Kind::of_data(value.transport_size), value.data));
        }
        let class = ObjectClass::System;
        let decision = decide(Space::Job, u16::from(code), None, class);
        let item = Item {
            index: at.0,
            count: at.1,
            ..Item::only(decision, class)
        };
        emit::put(cx, head, &item, self.buffers, &self.flow.station);
    }

    fn read_answer(
        &mut self,
        cx: &mut Cx<'_>,
        head: &Head,
        values: DataItems<'_>,
        mut items: Option<Items<'_>>,
    ) {
        let total = short(values.filter(Result::is_ok).count());
        let mut failed: Option<Error> = None;
        for (index, value) in values.enumerate() {
            match value {
                Ok(value) => {
                    let variable = items.as_mut().and_then(next_variable);
                    let code = Some(value.return_code);
                    self.item(
                        cx,
                        head,
                        4,
                        (short(index), total),
                        variable.as_ref(),
                        Some(&value),
                        code,
                    );
                }
                Err(error) => failed = Some(error),
            }
        }
        if total == 0 {
            self.only(cx, head, 4, ObjectClass::None);
        }
        if let Some(error) = failed {
            cx.error(Protocol::S7comm, &error, 0, &[]);
        }
    }

    /// A row about a variable.
    #[expect(clippy::too_many_arguments, reason = "one row has that many sources")]
    fn item(
        &mut self,
        cx: &mut Cx<'_>,
        head: &Head,
        code: u8,
        at: (u16, u16),
        variable: Option<&Variable>,
        value: Option<&DataItem<'_>>,
        return_code: Option<u8>,
    ) {
        self.buffers.clear();
        let class = variable.map_or(ObjectClass::None, object::class);
        let decision = decide(Space::Job, u16::from(code), None, class);
        let item = Item {
            index: at.0,
            count: at.1,
            return_code,
            ..Item::only(decision, class)
        };
        self.variable_row(cx, head, item, variable, value, code == 5);
    }

    /// Fills object, address and values of `variable` and writes the row.
    pub(super) fn variable_row(
        &mut self,
        cx: &mut Cx<'_>,
        head: &Head,
        mut item: Item,
        variable: Option<&Variable>,
        value: Option<&DataItem<'_>>,
        writes: bool,
    ) {
        let mut head = *head;
        if let Some(v) = variable {
            object::write(&mut self.buffers.object, v, writes);
            item = item.about(v);
            head.row.area = Some(v.area);
            head.row.db_number = Some(v.db);
            head.row.byte_address = Some(v.byte());
            head.row.bit_address = (!v.is_numbered()).then(|| v.bit());
            head.row.transport_size = Some(v.transport_size);
            head.row.item_length = Some(v.length);
        }
        if let Some(value) = value {
            let kind = variable.map_or_else(
                || Kind::of_data(value.transport_size),
                |v| Kind::of_address(v.transport_size),
            );
            self.buffers.data.extend(Values::new(kind, value.data));
        }
        emit::put(cx, &head, &item, self.buffers, &self.flow.station);
    }

    fn pi(&mut self, cx: &mut Cx<'_>, head: &mut Head, code: u8, pi: &s7comm::Pi<'_>) {
        let class = object::pi_class(pi.kind());
        let decision = decide(Space::Job, u16::from(code), None, class);
        let total = pi.blocks().count();
        for (index, block) in pi.blocks().enumerate() {
            self.buffers.clear();
            append_bytes(&mut self.buffers.service, pi.service);
            self.name_block(head, &block);
            let item = Item {
                index: short(index),
                count: short(total),
                ..Item::only(decision, class)
            };
            emit::put(cx, head, &item, self.buffers, &self.flow.station);
        }
        if total == 0 {
            append_bytes(&mut self.buffers.service, pi.service);
            append_bytes(&mut self.buffers.argument, pi.argument);
            self.buffers.object.push_str("pi:");
            append_bytes(&mut self.buffers.object, pi.service);
            emit::put(
                cx,
                head,
                &Item::only(decision, class),
                self.buffers,
                &self.flow.station,
            );
        }
    }

    /// Names a block in the object and in its columns.
    pub(super) fn name_block(&mut self, head: &mut Head, block: &Block) {
        head.row.block_type = block.type_name();
        head.row.block_number = Some(block.number);
        self.buffers.object.push_str("block:");
        match block.type_name() {
            Some(name) => self.buffers.object.push_str(name),
            None => append_bytes(&mut self.buffers.object, &block.kind),
        }
        put!(&mut self.buffers.object, "{}", block.number);
    }

    fn transfer(
        &mut self,
        cx: &mut Cx<'_>,
        head: &mut Head,
        transfer: &Transfer<'_>,
        asked: Option<&Transfer<'_>>,
    ) {
        let named = if transfer.filename.is_some() {
            Some(transfer)
        } else {
            asked
        };
        let id = transfer
            .upload_id
            .or_else(|| asked.and_then(|a| a.upload_id))
            .filter(|id| *id != 0);
        let known = id.and_then(|id| {
            self.flow
                .uploads
                .iter()
                .find(|(known, _)| *known == id)
                .map(|(_, block)| *block)
        });
        let block = named.and_then(Transfer::block).or(known);
        if let Some(name) = named.and_then(|t| t.filename) {
            append_bytes(&mut self.buffers.filename, name);
        }
        if let Some(block) = &block {
            self.name_block(head, block);
        }
        // The answer to "start upload" gives the upload its number.
        if let (0x1d, Some(id), Some(block)) = (
            transfer.function,
            transfer.upload_id.filter(|id| *id != 0),
            block,
        ) {
            self.flow.uploads.retain(|(known, _)| *known != id);
            if self.flow.uploads.len() >= MAX_UPLOADS {
                self.flow.uploads.remove(0);
            }
            self.flow.uploads.push((id, block));
        }
        let class = if block.is_some() {
            ObjectClass::Block
        } else {
            ObjectClass::None
        };
        let decision = decide(Space::Job, u16::from(transfer.function), None, class);
        let elements = transfer
            .length
            .or_else(|| u32::try_from(transfer.data.len()).ok().filter(|n| *n > 0));
        let item = Item {
            first: block.map(|b| u64::from(b.number)),
            elements,
            ..Item::only(decision, class)
        };
        emit::put(cx, head, &item, self.buffers, &self.flow.station);
    }
}

/// The items that the request asked for.
fn items_of<'a>(asked: Option<&Pdu<'a>>) -> Option<Items<'a>> {
    match asked?.body().ok()? {
        Body::ReadRequest(items) | Body::WriteRequest(items, _) => Some(items),
        _ => None,
    }
}

/// The variable of the next item; of a DBREAD its first area.
pub(super) fn next_variable(items: &mut Items<'_>) -> Option<Variable> {
    items
        .next()
        .and_then(Result::ok)
        .and_then(|item| s7comm::userdata::first_variable(&item))
}

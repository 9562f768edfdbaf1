//! Userdata: programmer commands, cyclic data, blocks, CPU functions, passwords, clock.
use super::body::{next_variable, short};
use super::emit::{self, Head, Item};
use super::{S7comm, object, secret};
use crate::rows::Cx;
use crate::rows::scratch::{append_bytes, put};
use telltale_dissect::s7comm::userdata::{Kind, Userdata, first_variable, group, is_identity_szl};
use telltale_dissect::s7comm::{Body, DataItem, DataItems, Items, Pdu, Variable};
use telltale_schema::s7comm::{ObjectClass, Space, decide};

/// The error of a response: its error code, or a return code that is neither
/// success nor "no data" (0x0a also ends an answer that has nothing to carry).
pub(super) fn failure(u: &Userdata<'_>) -> Option<u32> {
    match (u.error, u.return_code) {
        (Some(error), _) if error != 0 => Some(u32::from(error)),
        (_, Some(code)) if !matches!(code, 0xff | 0x0a | 0x00) => Some(u32::from(code)),
        _ => None,
    }
}

/// Will the controller push data of this job, by the number of its answer?
pub(super) fn goes_on(answer: &Userdata<'_>, asked: Option<&Pdu<'_>>) -> bool {
    let named = match asked.map(Pdu::body) {
        Some(Ok(Body::Userdata(asked))) => {
            asked.table().is_some() || asked.cyclic_items().is_some()
        }
        _ => false,
    };
    named && answer.kind == Kind::Response && answer.sequence != 0
}

impl S7comm<'_> {
    pub(super) fn userdata(
        &mut self,
        cx: &mut Cx<'_>,
        head: &mut Head,
        u: &Userdata<'_>,
        asked: Option<&Pdu<'_>>,
    ) {
        head.row.function_group = Some(u.group);
        head.row.sub_function = Some(u.sub);
        head.row.return_code = u.return_code;
        let asked = asked.and_then(|a| match a.body() {
            Ok(Body::Userdata(asked)) => Some(asked),
            _ => None,
        });
        match u.group {
            group::CPU if u.sub == 1 => self.szl(cx, head, u, asked.as_ref()),
            group::BLOCK => self.blocks(cx, head, u, asked.as_ref()),
            group::CYCLIC => self.cyclic(cx, head, u, asked.as_ref()),
            group::PROGRAMMER => self.table(cx, head, u, asked.as_ref()),
            group::SECURITY => {
                if let Some(password) = u.password() {
                    let key = *cx.password_key();
                    head.row.is_default =
                        Some(secret::hash(&mut self.buffers.hash, &key, &password));
                }
                self.whole(cx, head, u, ObjectClass::None);
            }
            group::TIME => {
                if let Some(c) = u.clock() {
                    put!(
                        &mut self.buffers.text,
                        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}",
                        c.year,
                        c.month,
                        c.day,
                        c.hour,
                        c.minute,
                        c.second,
                        c.millisecond
                    );
                }
                self.whole(cx, head, u, ObjectClass::None);
            }
            group::MODE_TRANSITION => {
                self.buffers.text.push_str(match u.sub {
                    0 => "stop",
                    1 => "warm restart",
                    2 => "run",
                    3 => "hot restart",
                    4 => "hold",
                    6 => "cold restart",
                    9 => "run, redundant",
                    11 => "link-up",
                    12 => "update",
                    _ => "",
                });
                self.whole(cx, head, u, ObjectClass::None);
            }
            _ => self.whole(cx, head, u, ObjectClass::None),
        }
    }

    /// One row for the whole PDU.
    fn whole(&mut self, cx: &mut Cx<'_>, head: &Head, u: &Userdata<'_>, class: ObjectClass) {
        let decision = decide(
            Space::Userdata,
            u16::from(u.group),
            Some(u16::from(u.sub)),
            class,
        );
        emit::put(
            cx,
            head,
            &Item::only(decision, class),
            self.buffers,
            &self.flow.station,
        );
    }

    fn szl(
        &mut self,
        cx: &mut Cx<'_>,
        head: &mut Head,
        u: &Userdata<'_>,
        asked: Option<&Userdata<'_>>,
    ) {
        let list = u.szl();
        // A request for a later part names no list: the parts that came say which.
        let under_way = || {
            self.flow
                .parts
                .get(cx.sender.other().index())
                .and_then(|parts| parts.under_way(u)?.szl())
        };
        let id = list
            .or_else(|| asked.and_then(Userdata::szl))
            .or_else(under_way)
            .map(|l| (l.id, l.index));
        if let Some((id, index)) = id {
            head.row.szl_id = Some(id);
            head.row.szl_index = Some(index);
            put!(&mut self.buffers.object, "szl:{id:#06x}:{index:#06x}");
        }
        if let Some(list) = list.filter(|_| u.kind == Kind::Response && !u.more) {
            for (index, text) in list.texts().filter(|(_, text)| !text.is_empty()) {
                if !self.buffers.text.is_empty() {
                    self.buffers.text.push_str("; ");
                }
                put!(&mut self.buffers.text, "{index}: ");
                append_bytes(&mut self.buffers.text, text);
            }
        }
        let class = match id {
            Some((id, _)) if is_identity_szl(id) => ObjectClass::SzlIdentity,
            Some(_) => ObjectClass::Szl,
            None => ObjectClass::None,
        };
        self.whole(cx, head, u, class);
    }

    fn blocks(
        &mut self,
        cx: &mut Cx<'_>,
        head: &mut Head,
        u: &Userdata<'_>,
        asked: Option<&Userdata<'_>>,
    ) {
        let block = u.block().or_else(|| asked.and_then(Userdata::block));
        let kind = u
            .block_type()
            .or_else(|| asked.and_then(Userdata::block_type));
        if let Some(block) = &block {
            self.name_block(head, block);
        } else {
            head.row.block_type =
                kind.and_then(telltale_dissect::s7comm::transfer::block_type_name);
        }
        // A long list counts once, when its last part came.
        let listed = (!u.more).then_some(u);
        for (kind, count) in listed.iter().flat_map(|u| u.block_counts()) {
            if !self.buffers.text.is_empty() {
                self.buffers.text.push(' ');
            }
            match telltale_dissect::s7comm::transfer::block_type_name(kind) {
                Some(name) => self.buffers.text.push_str(name),
                None => append_bytes(&mut self.buffers.text, &kind),
            }
            put!(&mut self.buffers.text, ":{count}");
        }
        self.buffers
            .data
            .extend(listed.iter().flat_map(|u| u.block_numbers()).map(f64::from));
        let class = if block.is_some() || kind.is_some() {
            ObjectClass::Block
        } else {
            ObjectClass::None
        };
        self.whole(cx, head, u, class);
    }

    fn cyclic(
        &mut self,
        cx: &mut Cx<'_>,
        head: &Head,
        u: &Userdata<'_>,
        asked: Option<&Userdata<'_>>,
    ) {
        if let Some(items) = u.cyclic_items() {
            return self.cyclic_request(cx, head, u, items);
        }
        match u.cyclic_data() {
            Some(values) => {
                let mut items = asked.and_then(Userdata::cyclic_items);
                self.answers(cx, head, u, values, || {
                    items.as_mut().and_then(next_variable)
                });
            }
            None => self.whole(cx, head, u, ObjectClass::None),
        }
    }

    fn cyclic_request(&mut self, cx: &mut Cx<'_>, head: &Head, u: &Userdata<'_>, items: Items<'_>) {
        use telltale_dissect::s7comm::Item as Asked;
        let total = items
            .flatten()
            .map(|item| {
                if let Asked::DbRead(areas) = item {
                    areas.count().max(1)
                } else {
                    1
                }
            })
            .sum::<usize>();
        let mut index = 0;
        for item in items.flatten() {
            match item {
                Asked::DbRead(areas) => {
                    for area in areas {
                        self.entry(cx, head, u, (index, total), Some(&area), None);
                        index += 1;
                    }
                }
                other => {
                    self.entry(
                        cx,
                        head,
                        u,
                        (index, total),
                        first_variable(&other).as_ref(),
                        None,
                    );
                    index += 1;
                }
            }
        }
        if index == 0 {
            self.whole(cx, head, u, ObjectClass::None);
        }
    }

    fn table(
        &mut self,
        cx: &mut Cx<'_>,
        head: &Head,
        u: &Userdata<'_>,
        asked: Option<&Userdata<'_>>,
    ) {
        if let Some(table) = u.table() {
            let total = table.count();
            for (index, entry) in table.enumerate() {
                let value = entry.value.map(|data| DataItem {
                    return_code: 0,
                    transport_size: 9,
                    length: 0,
                    data,
                });
                self.entry(
                    cx,
                    head,
                    u,
                    (index, total),
                    Some(&entry.variable),
                    value.as_ref(),
                );
            }
            if total > 0 {
                return;
            }
        } else if let Some(values) = u.table_values() {
            let mut table = asked.and_then(Userdata::table);
            return self.answers(cx, head, u, values, || {
                table.as_mut().and_then(Iterator::next).map(|e| e.variable)
            });
        }
        let total = u.table_codes().count();
        let mut table = asked.and_then(Userdata::table);
        for (index, code) in u.table_codes().enumerate() {
            let variable = table.as_mut().and_then(Iterator::next).map(|e| e.variable);
            let code = DataItem {
                return_code: code,
                transport_size: 0,
                length: 0,
                data: &[],
            };
            self.entry(cx, head, u, (index, total), variable.as_ref(), Some(&code));
        }
        if total > 0 {
            return;
        }
        self.whole(cx, head, u, ObjectClass::None);
    }

    /// One row per answered item, or one for the PDU when it carries none.
    fn answers(
        &mut self,
        cx: &mut Cx<'_>,
        head: &Head,
        u: &Userdata<'_>,
        values: DataItems<'_>,
        mut variable: impl FnMut() -> Option<Variable>,
    ) {
        let total = values.filter(Result::is_ok).count();
        for (index, value) in values.flatten().enumerate() {
            self.entry(
                cx,
                head,
                u,
                (index, total),
                variable().as_ref(),
                Some(&value),
            );
        }
        if total == 0 {
            self.whole(cx, head, u, ObjectClass::None);
        }
    }

    fn entry(
        &mut self,
        cx: &mut Cx<'_>,
        head: &Head,
        u: &Userdata<'_>,
        at: (usize, usize),
        variable: Option<&Variable>,
        value: Option<&DataItem<'_>>,
    ) {
        self.buffers.clear();
        let class = variable.map_or(ObjectClass::None, object::class);
        let decision = decide(
            Space::Userdata,
            u16::from(u.group),
            Some(u16::from(u.sub)),
            class,
        );
        let return_code = value
            .map(|v| v.return_code)
            .filter(|_| u.kind != Kind::Request);
        let item = Item {
            index: short(at.0),
            count: short(at.1),
            return_code,
            ..Item::only(decision, class)
        };
        let writes = u.group == group::PROGRAMMER && u.kind == Kind::Request && u.sub != 2;
        self.variable_row(cx, head, item, variable, value, writes);
    }
}

//! What services carry, as columns and data: values, connections, identities, PCCC.
use super::emit::Item;
use super::object;
use super::service::Walk;
use crate::rows::scratch::{append_bytes, put};
use telltale_dissect::cip::message::{self, class, service};
use telltale_dissect::cip::pccc::{self, Pccc};
use telltale_dissect::cip::{Request, Response, Target, connection, identity, tag};
use telltale_schema::cip::{ObjectClass, Row, Space, decide};

/// Numbers taken from data whose type is not known.
const MAX_BYTES: usize = 512;

impl Walk<'_> {
    /// What a request writes or opens.
    pub(super) fn request_data(
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
    pub(super) fn plain(&mut self, data: &[u8], target: &Target<'_>) {
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
    pub(super) fn answer(
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

    pub(super) fn identity_attribute(
        &mut self,
        row: &mut Row<'static>,
        target: &Target<'_>,
        data: &[u8],
    ) {
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
    pub(super) fn pccc(
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
}

fn named(row: &mut Row<'static>, triad: &connection::Triad) {
    row.connection_serial = Some(triad.serial);
    row.originator_vendor = Some(triad.vendor);
    row.originator_serial = Some(triad.originator);
}

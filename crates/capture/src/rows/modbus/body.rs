//! What each body of a PDU touches.

use super::items::{Items, Kind};
use telltale_dissect::modbus::Body;
use telltale_schema::Decision;
use telltale_schema::modbus::{ObjectClass, Row, Space, decide};

impl Items {
    /// Adds the items of a body. `request`: as it asks, not as it answers.
    #[allow(clippy::too_many_lines)]
    pub(super) fn body(&mut self, function: u8, body: &Body<'_>, request: bool) {
        let d = plain(function);
        let row = Row::default();
        match body {
            Body::Read {
                table,
                first,
                quantity,
            } => {
                self.push(
                    d,
                    (*table).into(),
                    Some(*first),
                    Some(*quantity),
                    Row {
                        quantity: Some(*quantity),
                        ..row
                    },
                );
            }
            Body::ReadBits { byte_count, bits } => {
                let kind = if function == 2 {
                    Kind::DiscreteInput
                } else {
                    Kind::Coil
                };
                self.push(
                    d,
                    kind,
                    None,
                    None,
                    Row {
                        byte_count: Some(u16::from(*byte_count)),
                        ..row
                    },
                );
                self.values(bits.iter().map(f64::from));
            }
            Body::ReadRegisters {
                byte_count,
                registers,
            } => {
                let kind = if function == 4 {
                    Kind::InputRegister
                } else {
                    Kind::HoldingRegister
                };
                self.push(
                    sub(function, 0),
                    kind,
                    None,
                    None,
                    Row {
                        byte_count: Some(u16::from(*byte_count)),
                        ..row
                    },
                );
                self.values(registers.iter().map(f64::from));
            }
            Body::WriteCoil { address, value } => {
                self.push(d, Kind::Coil, Some(*address), Some(1), row);
                self.values(std::iter::once(f64::from(u8::from(*value == 0xff00))));
            }
            Body::WriteRegister { address, value } => {
                self.push(d, Kind::HoldingRegister, Some(*address), Some(1), row);
                self.values(std::iter::once(f64::from(*value)));
            }
            Body::WriteCoils {
                first,
                quantity,
                byte_count,
                bits,
            } => {
                let row = Row {
                    quantity: Some(*quantity),
                    byte_count: Some(u16::from(*byte_count)),
                    ..row
                };
                self.push(d, Kind::Coil, Some(*first), Some(*quantity), row);
                self.values(bits.iter().take(usize::from(*quantity)).map(f64::from));
            }
            Body::WriteRegisters {
                first,
                quantity,
                byte_count,
                registers,
            } => {
                let row = Row {
                    quantity: Some(*quantity),
                    byte_count: Some(u16::from(*byte_count)),
                    ..row
                };
                self.push(d, Kind::HoldingRegister, Some(*first), Some(*quantity), row);
                self.values(registers.iter().map(f64::from));
            }
            Body::Written {
                table,
                first,
                quantity,
            } => {
                self.push(
                    d,
                    (*table).into(),
                    Some(*first),
                    Some(*quantity),
                    Row {
                        quantity: Some(*quantity),
                        ..row
                    },
                );
            }
            Body::Empty | Body::Raw(_) | Body::Exception(_) => {
                self.push(d, Kind::None, None, None, row);
            }
            Body::ExceptionStatus(status) => {
                self.push(d, Kind::None, None, None, row);
                self.values(std::iter::once(f64::from(*status)));
            }
            Body::Diagnostics { sub: code, .. } => {
                self.push(
                    sub(function, *code),
                    Kind::None,
                    None,
                    None,
                    Row {
                        sub_function: Some(*code),
                        ..row
                    },
                );
            }
            Body::EventCounter { status, count } => {
                self.push(d, Kind::None, None, None, row);
                self.values([f64::from(*status), f64::from(*count)].into_iter());
            }
            Body::EventLog {
                byte_count,
                status,
                events,
                messages,
                ..
            } => {
                self.push(
                    d,
                    Kind::None,
                    None,
                    None,
                    Row {
                        byte_count: Some(u16::from(*byte_count)),
                        ..row
                    },
                );
                self.values(
                    [f64::from(*status), f64::from(*events), f64::from(*messages)].into_iter(),
                );
            }
            Body::ServerId { byte_count, data } => {
                self.push(
                    d,
                    Kind::DeviceId,
                    None,
                    None,
                    Row {
                        byte_count: Some(u16::from(*byte_count)),
                        ..row
                    },
                );
                self.printable(data);
            }
            Body::Files {
                byte_count,
                records,
            } => {
                for record in *records {
                    match record {
                        Ok(r) => {
                            let row = Row {
                                byte_count: Some(u16::from(*byte_count)),
                                file_number: r.file,
                                record_number: r.record,
                                ..row
                            };
                            self.push(
                                d,
                                Kind::File(r.file.unwrap_or(0)),
                                r.record,
                                Some(r.length),
                                row,
                            );
                            self.values(r.registers.iter().map(f64::from));
                        }
                        Err(error) => {
                            self.error = Some(error);
                            break;
                        }
                    }
                }
                if self.list.is_empty() {
                    self.push(
                        d,
                        Kind::None,
                        None,
                        None,
                        Row {
                            byte_count: Some(u16::from(*byte_count)),
                            ..row
                        },
                    );
                }
            }
            Body::MaskWrite {
                address,
                and_mask,
                or_mask,
            } => {
                let row = Row {
                    and_mask: Some(*and_mask),
                    or_mask: Some(*or_mask),
                    ..row
                };
                self.push(d, Kind::HoldingRegister, Some(*address), Some(1), row);
            }
            Body::ReadWrite {
                read_first,
                read_quantity,
                write_first,
                write_quantity,
                byte_count,
                registers,
            } => {
                let read = Row {
                    quantity: Some(*read_quantity),
                    ..row
                };
                self.push(
                    sub(function, 0),
                    Kind::HoldingRegister,
                    Some(*read_first),
                    Some(*read_quantity),
                    read,
                );
                let write = Row {
                    quantity: Some(*write_quantity),
                    byte_count: Some(u16::from(*byte_count)),
                    ..row
                };
                self.push(
                    sub(function, 1),
                    Kind::HoldingRegister,
                    Some(*write_first),
                    Some(*write_quantity),
                    write,
                );
                self.values(registers.iter().map(f64::from));
            }
            Body::ReadFifo { address } => {
                self.push(d, Kind::Fifo, Some(*address), None, row);
            }
            Body::Fifo {
                byte_count,
                registers,
                ..
            } => {
                self.push(
                    d,
                    Kind::Fifo,
                    None,
                    None,
                    Row {
                        byte_count: Some(*byte_count),
                        ..row
                    },
                );
                self.values(registers.iter().map(f64::from));
            }
            Body::DeviceIdRequest { code, object } => {
                let row = Row {
                    mei_type: Some(14),
                    device_id_code: Some(*code),
                    device_object_id: Some(*object),
                    ..row
                };
                self.push(
                    sub(function, 14),
                    Kind::DeviceId,
                    Some(u16::from(*object)),
                    Some(1),
                    row,
                );
            }
            Body::DeviceId { code, objects, .. } => {
                let row = Row {
                    mei_type: Some(14),
                    device_id_code: Some(*code),
                    ..row
                };
                for object in *objects {
                    match object {
                        Ok(o) => {
                            let row = Row {
                                device_object_id: Some(o.id),
                                ..row
                            };
                            self.push(
                                sub(function, 14),
                                Kind::DeviceId,
                                Some(u16::from(o.id)),
                                Some(1),
                                row,
                            );
                            self.words(o.value);
                        }
                        Err(error) => {
                            self.error = Some(error);
                            break;
                        }
                    }
                }
                if self.list.is_empty() {
                    self.push(sub(function, 14), Kind::DeviceId, None, None, row);
                }
            }
            Body::Mei { mei, .. } => {
                self.push(
                    sub(function, u16::from(*mei)),
                    Kind::None,
                    None,
                    None,
                    Row {
                        mei_type: Some(*mei),
                        ..row
                    },
                );
            }
            Body::Umas(umas) => {
                let row = Row {
                    umas_code: Some(umas.code),
                    umas_session: Some(umas.session),
                    ..row
                };
                let decision = decide(Space::Umas, u16::from(umas.code), None, ObjectClass::None);
                match umas.memory_block().filter(|_| request) {
                    Some((block, offset, length)) => self.push(
                        decision,
                        Kind::UmasMemory(block),
                        Some(offset),
                        Some(length),
                        row,
                    ),
                    None => self.push(decision, Kind::None, None, None, row),
                };
            }
        }
    }
}

pub(super) fn plain(function: u8) -> Decision {
    decide(Space::Pdu, u16::from(function), None, ObjectClass::None)
}

fn sub(function: u8, sub: u16) -> Decision {
    decide(
        Space::Pdu,
        u16::from(function),
        Some(sub),
        ObjectClass::None,
    )
}

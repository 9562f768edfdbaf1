//! What a Modbus PDU touches, item by item, in buffers that stay.

use super::body::plain;
use crate::rows::scratch::{append_bytes, number, opt};
use telltale_dissect::Error;
use telltale_dissect::modbus::{Body, Table};
use telltale_schema::Decision;
use telltale_schema::modbus::{ObjectClass, Row};

/// Kind of object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    None,
    Coil,
    DiscreteInput,
    InputRegister,
    HoldingRegister,
    File(u16),
    Fifo,
    DeviceId,
    UmasMemory(u16),
}

impl Kind {
    fn class(self) -> ObjectClass {
        match self {
            Self::None => ObjectClass::None,
            Self::Coil => ObjectClass::Coil,
            Self::DiscreteInput => ObjectClass::DiscreteInput,
            Self::InputRegister => ObjectClass::InputRegister,
            Self::HoldingRegister => ObjectClass::HoldingRegister,
            Self::File(_) => ObjectClass::File,
            Self::Fifo => ObjectClass::Fifo,
            Self::DeviceId => ObjectClass::DeviceId,
            Self::UmasMemory(_) => ObjectClass::UmasMemory,
        }
    }

    pub(super) fn name(self) -> Option<&'static str> {
        (self != Self::None).then(|| self.class().as_str())
    }
}

impl From<Table> for Kind {
    fn from(table: Table) -> Self {
        match table {
            Table::Coil => Self::Coil,
            Table::DiscreteInput => Self::DiscreteInput,
            Table::InputRegister => Self::InputRegister,
            Table::HoldingRegister => Self::HoldingRegister,
        }
    }
}

/// One row to be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item {
    pub decision: Decision,
    pub kind: Kind,
    pub first: Option<u64>,
    pub count: Option<u32>,
    /// Place of its values and of its text in the buffers.
    data: (usize, usize),
    text: (usize, usize),
    /// Is its text what a device says it is?
    pub identifies: bool,
    pub row: Row<'static>,
}

/// The rows of one PDU.
#[derive(Default)]
pub(super) struct Items {
    pub list: Vec<Item>,
    pub object: String,
    data: Vec<f64>,
    text: String,
    pub error: Option<Error>,
}

impl Items {
    fn clear(&mut self) {
        self.list.clear();
        self.data.clear();
        self.text.clear();
        self.error = None;
    }

    /// Values that stand in no response: an unanswered request keeps its object only.
    pub(super) fn forget_data(&mut self) {
        for item in &mut self.list {
            item.data = (0, 0);
        }
    }

    pub(super) fn data_of(&self, item: &Item) -> Option<&[f64]> {
        self.data
            .get(item.data.0..item.data.1)
            .filter(|d| !d.is_empty())
    }

    pub(super) fn text_of(&self, item: &Item) -> Option<&str> {
        self.text.get(item.text.0..item.text.1).and_then(opt)
    }

    /// Writes an item's object text.
    pub(super) fn name(&mut self, item: &Item) {
        self.object.clear();
        let Some(first) = item.first else { return };
        let Some(name) = item.kind.name() else { return };
        self.object.push_str(name);
        self.object.push(':');
        if let Kind::File(n) | Kind::UmasMemory(n) = item.kind {
            number(&mut self.object, n);
            self.object.push(':');
        }
        number(&mut self.object, first);
        if let Some(count) = item.count.filter(|c| *c > 1) {
            self.object.push_str("..");
            number(&mut self.object, first + u64::from(count) - 1);
        }
    }

    pub(super) fn push(
        &mut self,
        decision: Decision,
        kind: Kind,
        first: Option<u16>,
        count: Option<u16>,
        row: Row<'static>,
    ) {
        let (data, text) = (self.data.len(), self.text.len());
        self.list.push(Item {
            decision,
            kind,
            first: first.map(u64::from),
            count: count.map(u32::from),
            data: (data, data),
            text: (text, text),
            identifies: false,
            row,
        });
    }

    pub(super) fn values(&mut self, values: impl Iterator<Item = f64>) {
        let start = self.data.len();
        self.data.extend(values);
        let end = self.data.len();
        if let Some(item) = self.list.last_mut() {
            item.data = (start, end);
        }
    }

    pub(super) fn words(&mut self, bytes: &[u8]) {
        let start = self.text.len();
        append_bytes(&mut self.text, bytes);
        let end = self.text.len();
        if let Some(item) = self.list.last_mut() {
            item.text = (start, end);
            item.identifies = true;
        }
    }

    /// A request.
    pub(super) fn request(&mut self, function: u8, body: Result<Body<'_>, Error>) {
        self.clear();
        match body {
            Ok(body) => self.body(function, &body, true),
            Err(error) => {
                self.push(plain(function), Kind::None, None, None, Row::default());
                self.error = Some(error);
            }
        }
    }

    /// A response, with what its request asked if that was seen.
    pub(super) fn response(
        &mut self,
        function: u8,
        asked: Option<Result<Body<'_>, Error>>,
        body: &Result<Body<'_>, Error>,
    ) {
        self.clear();
        if let Some(Ok(asked)) = asked {
            self.body(function, &asked, true);
            // the request's own values are not the response's
            self.forget_data();
            self.data.clear();
        }
        match body {
            Ok(body) if self.list.is_empty() => self.body(function, body, false),
            Ok(body) => self.answer(function, body),
            Err(error) => {
                if self.list.is_empty() {
                    self.push(plain(function), Kind::None, None, None, Row::default());
                }
                self.error = Some(*error);
            }
        }
    }

    /// Puts a response's values to its request's items.
    fn answer(&mut self, function: u8, body: &Body<'_>) {
        let count = self.list.first().and_then(|i| i.count).unwrap_or(u32::MAX) as usize;
        match body {
            Body::ReadBits { byte_count, bits } => {
                self.first_values(bits.iter().take(count).map(f64::from));
                self.each(|row| row.byte_count = Some(u16::from(*byte_count)));
            }
            Body::ReadRegisters {
                byte_count,
                registers,
            } => {
                self.first_values(registers.iter().map(f64::from));
                if let Some(item) = self.list.first_mut() {
                    item.row.byte_count = Some(u16::from(*byte_count));
                }
            }
            Body::WriteCoil { value, .. } | Body::WriteRegister { value, .. } => {
                let value = if function == 5 {
                    f64::from(u8::from(*value == 0xff00))
                } else {
                    f64::from(*value)
                };
                self.first_values(std::iter::once(value));
            }
            Body::Files {
                records,
                byte_count,
            } => {
                for (at, record) in (*records).enumerate() {
                    let Ok(record) = record else { break };
                    let start = self.data.len();
                    self.data.extend(record.registers.iter().map(f64::from));
                    let end = self.data.len();
                    if let Some(item) = self.list.get_mut(at) {
                        item.data = (start, end);
                        item.row.byte_count = Some(u16::from(*byte_count));
                    }
                }
            }
            Body::Umas(umas) => {
                self.each(|row| {
                    row.umas_code = Some(umas.code);
                    row.umas_session = Some(umas.session);
                });
                if umas.code == 0xfe {
                    self.list.truncate(1);
                    self.words_if_identity(umas.data);
                }
            }
            Body::Exception(_) | Body::Written { .. } | Body::MaskWrite { .. } => {}
            // identification, logs and the like say more than their request
            other => {
                self.list.clear();
                self.body(function, other, false);
            }
        }
    }

    fn first_values(&mut self, values: impl Iterator<Item = f64>) {
        let start = self.data.len();
        self.data.extend(values);
        let end = self.data.len();
        if let Some(item) = self.list.first_mut() {
            item.data = (start, end);
        }
    }

    fn each(&mut self, mut change: impl FnMut(&mut Row<'static>)) {
        for item in &mut self.list {
            change(&mut item.row);
        }
    }

    /// Readable parts of an identification.
    fn words_if_identity(&mut self, data: &[u8]) {
        let identity = self
            .list
            .last()
            .is_some_and(|i| i.decision.operation == telltale_schema::Operation::Identify);
        if identity {
            self.printable(data);
        }
    }

    pub(super) fn printable(&mut self, data: &[u8]) {
        let start = self.text.len();
        for part in data
            .split(|b| !(0x20..0x7f).contains(b))
            .filter(|p| p.len() >= 3)
        {
            if self.text.len() > start {
                self.text.push(' ');
            }
            append_bytes(&mut self.text, part);
        }
        let end = self.text.len();
        if let Some(item) = self.list.last_mut() {
            item.text = (start, end);
            item.identifies = true;
        }
    }
}

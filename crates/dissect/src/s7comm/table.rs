//! Variable tables of programmer commands: what is watched, modified or forced.
use super::data::DataItems;
use super::item::{Variable, area, size};

/// A variable of a variable table (programmer commands).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableEntry<'a> {
    /// The variable.
    pub variable: Variable,
    /// The value to write, when the table modifies.
    pub value: Option<&'a [u8]>,
}

/// The variables of a variable table.
#[derive(Debug, Clone, Copy)]
pub struct Table<'a> {
    addresses: &'a [u8],
    values: DataItems<'a>,
}

impl<'a> Table<'a> {
    /// Addresses of six bytes each, and the values to write, if any.
    pub(super) const fn new(addresses: &'a [u8], values: DataItems<'a>) -> Self {
        Self { addresses, values }
    }
}

impl<'a> Iterator for Table<'a> {
    type Item = TableEntry<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let (head, rest) = self.addresses.split_first_chunk::<6>()?;
        self.addresses = rest;
        let value = self
            .values
            .next()
            .and_then(Result::ok)
            .map(|item| item.data);
        let [code, factor, db_hi, db_lo, at_hi, at_lo] = *head;
        let (area, numbered) = match code >> 4 {
            0 => (area::MARKERS, false),
            1 => (area::INPUTS, false),
            2 => (area::OUTPUTS, false),
            3 => (area::PERIPHERY, false),
            5 => (area::TIMERS, true),
            6 => (area::COUNTERS, true),
            7 => (area::DB, false),
            _ => (0, false),
        };
        let address = u32::from(u16::from_be_bytes([at_hi, at_lo]));
        // Of a bit, the factor is the bit's position.
        let (transport_size, length, bit) = match (numbered, code & 0x0f) {
            (true, _) if area == area::TIMERS => (size::TIMER, u16::from(factor), 0),
            (true, _) => (size::COUNTER, u16::from(factor), 0),
            (false, 0) => (size::BIT, 1, u32::from(factor & 7)),
            (false, 2) => (size::WORD, u16::from(factor), 0),
            (false, 3) => (size::DWORD, u16::from(factor), 0),
            (false, _) => (size::BYTE, u16::from(factor), 0),
        };
        let variable = Variable {
            syntax: 0x10,
            transport_size,
            length,
            db: u16::from_be_bytes([db_hi, db_lo]),
            area,
            address: if numbered {
                address
            } else {
                (address << 3) | bit
            },
        };
        Some(TableEntry { variable, value })
    }
}

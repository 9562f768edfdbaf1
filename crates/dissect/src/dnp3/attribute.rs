/// A device attribute, group 0 (IEEE 1815-2012, A.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// Data type: 1 text, 2 unsigned, 3 signed, 4 float, 5 octets, 6 bits, 7 time, 254 list.
    pub data_type: u8,
    /// The data.
    pub data: &'a [u8],
}

impl<'a> Attribute<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let ([data_type, len], rest) = bytes.split_first_chunk::<2>()?;
        Some(Self {
            data_type: *data_type,
            data: rest.get(..usize::from(*len))?,
        })
    }

    /// The text of a text attribute.
    #[must_use]
    pub const fn text(&self) -> Option<&'a [u8]> {
        match self.data_type {
            1 => Some(self.data),
            _ => None,
        }
    }

    /// The number of an unsigned, signed or time attribute.
    #[must_use]
    pub fn number(&self) -> Option<i64> {
        if self.data.len() > 8 || self.data.is_empty() {
            return None;
        }
        let negative = self.data_type == 3 && self.data.last().is_some_and(|b| b & 0x80 != 0);
        let mut wide = if negative { [0xff; 8] } else { [0; 8] };
        for (to, from) in wide.iter_mut().zip(self.data) {
            *to = *from;
        }
        matches!(self.data_type, 2 | 3 | 7).then_some(i64::from_le_bytes(wide))
    }
}

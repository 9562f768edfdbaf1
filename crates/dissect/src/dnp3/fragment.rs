//! Application fragments (IEEE 1815-2012, 4.2).
use super::{Objects, TRUNCATED};
use crate::Error;
use crate::bytes::Cursor;

/// An application fragment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fragment<'a> {
    /// Application control byte.
    pub control: u8,
    /// Function code.
    pub function: u8,
    /// Internal indications of a response: IIN1 in the high byte.
    pub iin: Option<u16>,
    /// Object headers and objects.
    pub data: &'a [u8],
    /// Bytes in front of `data`.
    header: usize,
}

impl<'a> Fragment<'a> {
    /// Reads the application header.
    ///
    /// # Errors
    /// The fragment ends inside its header.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let mut c = Cursor::new(bytes);
        let (control, function) = (c.u8(TRUNCATED)?, c.u8(TRUNCATED)?);
        let iin = if matches!(function, 129..=131) {
            Some(c.u16_be(TRUNCATED)?)
        } else {
            None
        };
        Ok(Self {
            control,
            function,
            iin,
            data: c.rest(),
            header: c.offset(),
        })
    }

    /// FIR: first fragment of a message.
    #[must_use]
    pub const fn fir(&self) -> bool {
        self.control & 0x80 != 0
    }

    /// FIN: last fragment of a message.
    #[must_use]
    pub const fn fin(&self) -> bool {
        self.control & 0x40 != 0
    }

    /// CON: a confirmation is asked for.
    #[must_use]
    pub const fn con(&self) -> bool {
        self.control & 0x20 != 0
    }

    /// UNS: belongs to unsolicited responses.
    #[must_use]
    pub const fn uns(&self) -> bool {
        self.control & 0x10 != 0
    }

    /// Sequence number.
    #[must_use]
    pub const fn seq(&self) -> u8 {
        self.control & 0x0f
    }

    /// Is it sent by an outstation (129–131)?
    #[must_use]
    pub const fn is_response(&self) -> bool {
        matches!(self.function, 129..=131)
    }

    /// Does the outstation answer this request? Confirmations and the functions
    /// "no acknowledgement" get none.
    #[must_use]
    pub const fn wants_response(&self) -> bool {
        !self.is_response() && !matches!(self.function, 0 | 6 | 8 | 10 | 12 | 33)
    }

    /// Do objects follow their headers? Requests that only name points carry
    /// headers alone.
    #[must_use]
    pub const fn has_data(&self) -> bool {
        matches!(self.function, 2..=6 | 11 | 12 | 25..=33 | 129..=131)
    }

    /// The object headers. Offsets of errors count from the fragment's start.
    #[must_use]
    pub const fn objects(&self) -> Objects<'a> {
        let none: &[u8] = &[];
        // a confirmation has none, and of an unknown function's data nothing is known
        let data = match self.function {
            1..=33 | 129..=131 => self.data,
            _ => none,
        };
        Objects::new(data, self.has_data(), self.header)
    }
}

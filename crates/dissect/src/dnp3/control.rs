use crate::bytes::Cursor;

/// A control relay output block, group 12 variation 1 (IEEE 1815-2012, A.8.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crob {
    /// Control code: operation, queue, clear, trip-close.
    pub code: u8,
    /// How often it is repeated.
    pub count: u8,
    /// On-time in milliseconds.
    pub on_time: u32,
    /// Off-time in milliseconds.
    pub off_time: u32,
    /// Status (7 bits), meaningful in responses.
    pub status: u8,
}

impl Crob {
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut c = Cursor::new(bytes);
        let code = super::TRUNCATED;
        Some(Self {
            code: c.u8(code).ok()?,
            count: c.u8(code).ok()?,
            on_time: c.u32_le(code).ok()?,
            off_time: c.u32_le(code).ok()?,
            status: c.u8(code).ok()? & 0x7f,
        })
    }

    /// Operation type (bits 0–3): 0 nul, 1 pulse on, 2 pulse off, 3 latch on, 4 latch off.
    #[must_use]
    pub const fn operation(&self) -> u8 {
        self.code & 0x0f
    }

    /// Its name.
    #[must_use]
    pub const fn operation_name(&self) -> Option<&'static str> {
        Some(match self.operation() {
            0 => "nul",
            1 => "pulse_on",
            2 => "pulse_off",
            3 => "latch_on",
            4 => "latch_off",
            _ => return None,
        })
    }

    /// Trip-close code (bits 6–7): 0 nul, 1 close, 2 trip.
    #[must_use]
    pub const fn trip_close(&self) -> u8 {
        self.code >> 6
    }

    /// Its name.
    #[must_use]
    pub const fn trip_close_name(&self) -> &'static str {
        match self.trip_close() {
            0 => "nul",
            1 => "close",
            2 => "trip",
            _ => "reserved",
        }
    }

    /// Clear bit (5): cancels what is queued.
    #[must_use]
    pub const fn clear(&self) -> bool {
        self.code & 0x20 != 0
    }
}

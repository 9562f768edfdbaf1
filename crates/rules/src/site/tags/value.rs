//! From the numbers of a row to the raw value of a tag.

use super::Tag;

/// Transport size of a bit.
pub(super) const BIT: u8 = 1;

/// Areas of S7 that are addressed by number: counters and timers.
pub(super) const fn is_numbered(area: u8) -> bool {
    matches!(area, 0x1c..=0x1f)
}

/// How a value is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// As the wire says, or the smallest unit of the place.
    Plain,
    Bool,
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    F32,
    U64,
    I64,
    F64,
}

impl Kind {
    pub(super) const NAMES: &'static str = "bool, u8, i8, u16, i16, u32, i32, f32, u64, i64 or f64";

    pub(super) fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "" => Self::Plain,
            "bool" => Self::Bool,
            "u8" => Self::U8,
            "i8" => Self::I8,
            "u16" => Self::U16,
            "i16" => Self::I16,
            "u32" => Self::U32,
            "i32" => Self::I32,
            "f32" => Self::F32,
            "u64" => Self::U64,
            "i64" => Self::I64,
            "f64" => Self::F64,
            _ => return None,
        })
    }

    pub(super) const fn bytes(self) -> usize {
        match self {
            Self::Plain | Self::Bool | Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
        }
    }

    /// The number in bytes, most significant first. Above 2^53 its lowest bits are lost.
    fn read(self, bytes: [u8; 8]) -> f64 {
        let raw = u64::from_be_bytes(bytes);
        let [.., h, g, f, e] = bytes;
        let low = u32::from_be_bytes([h, g, f, e]);
        match self {
            Self::Plain | Self::Bool | Self::U8 => f64::from(e),
            Self::I8 => f64::from(e.cast_signed()),
            Self::U16 => f64::from(u16::from_be_bytes([f, e])),
            Self::I16 => f64::from(i16::from_be_bytes([f, e])),
            Self::U32 => f64::from(low),
            Self::I32 => f64::from(low.cast_signed()),
            Self::F32 => f64::from(f32::from_bits(low)),
            Self::U64 => raw as f64,
            Self::I64 => raw.cast_signed() as f64,
            Self::F64 => f64::from_bits(raw),
        }
    }

    /// A number that the protocol has typed; one that it calls unsigned, and the tag
    /// signed, is read as the tag says.
    pub(super) fn typed(self, raw: f64) -> f64 {
        let bits = match self {
            Self::I8 => 8,
            Self::I16 => 16,
            Self::I32 => 32,
            _ => return raw,
        };
        let (half, whole) = (2_f64.powi(bits - 1), 2_f64.powi(bits));
        if (half..whole).contains(&raw) {
            raw - whole
        } else {
            raw
        }
    }
}

/// A whole number of so many bits, as sent.
#[allow(
    clippy::cast_possible_truncation,
    reason = "values of rows come from fields of at most 32 bits"
)]
fn bits(value: f64) -> u32 {
    (value as i64) as u32
}

impl Tag {
    /// Modbus registers that it takes.
    pub(super) const fn register_count(kind: Kind) -> usize {
        match kind.bytes() {
            4 => 2,
            8 => 4,
            _ => 1,
        }
    }

    /// The raw value in Modbus registers, or coils.
    pub(super) fn registers(&self, words: &[f64]) -> Option<f64> {
        let n = Self::register_count(self.kind);
        if n == 1 {
            let raw = *words.first()?;
            return Some(match self.kind {
                // sign-extended over the register, or not
                Kind::I8 if raw > 255.0 => Kind::I16.typed(raw),
                kind => kind.typed(raw),
            });
        }
        let words = words.get(..n)?;
        let mut all = 0_u64;
        for at in 0..n {
            let at = if self.low_first { n - 1 - at } else { at };
            all = (all << 16) | u64::from(bits(*words.get(at)?) & 0xffff);
        }
        Some(self.kind.read(all.to_be_bytes()))
    }
}

/// The values of an S7 item as the bytes that they were.
#[derive(Debug, Clone, Copy)]
pub(super) struct Memory<'r> {
    /// Transport size of the address.
    pub size: u8,
    pub data: &'r [f64],
}

impl Memory<'_> {
    fn byte(&self, at: usize) -> Option<u8> {
        let width = match self.size {
            4 | 5 | 28 | 29 => 2,
            6..=8 => 4,
            _ => 1,
        };
        let value = *self.data.get(at / width)?;
        let [a, b, c, d] = match self.size {
            #[allow(clippy::cast_possible_truncation, reason = "it was one")]
            8 => (value as f32).to_bits(),
            _ => bits(value),
        }
        .to_be_bytes();
        let all = [d, c, b, a];
        all.get(width - 1 - at % width).copied()
    }

    /// The bit at a distance in bits.
    pub(super) fn bit(&self, at: usize) -> Option<f64> {
        let byte = self.byte(at / 8)?;
        Some(f64::from((byte >> (at % 8)) & 1))
    }

    /// The number at a distance in bytes.
    pub(super) fn number(&self, at: usize, kind: Kind) -> Option<f64> {
        let mut bytes = [0; 8];
        let own = bytes.get_mut(8 - kind.bytes()..)?;
        for (n, byte) in own.iter_mut().enumerate() {
            *byte = self.byte(at + n)?;
        }
        Some(kind.read(bytes))
    }
}

//! What the points of each group and variation look like (IEEE 1815-2012, annex A).

/// The number that a point carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Number {
    /// None.
    None,
    /// The highest bit of the flags.
    FlagBit,
    /// The two highest bits of the flags.
    FlagBits2,
    /// 8 bits.
    U8,
    /// 16 bits.
    U16,
    /// 32 bits.
    U32,
    /// 64 bits.
    U64,
    /// 16 bits, signed.
    I16,
    /// 32 bits, signed.
    I32,
    /// Single precision.
    F32,
    /// Double precision.
    F64,
    /// Milliseconds since 1970 in 48 bits, as the value itself.
    T48,
}

/// The time stamp of a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Time {
    /// None.
    None,
    /// Milliseconds since 1970, 48 bits.
    Absolute,
    /// Milliseconds since the common time of occurrence, 16 bits.
    Relative,
}

/// How a point is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Nothing follows (classes, variation 0).
    Empty,
    /// One bit per point.
    Bits,
    /// Two bits per point.
    Bits2,
    /// Flags (or status), number, time, in this order, then bytes without a meaning here.
    Point {
        /// Is there a flags byte?
        flags: bool,
        /// The number.
        number: Number,
        /// The time.
        time: Time,
        /// More bytes.
        more: u8,
    },
    /// A number, then a control status byte (group 41).
    Command {
        /// The number.
        number: Number,
    },
    /// Control relay output block, 11 bytes.
    Crob,
    /// As many bytes as the variation says.
    Text,
    /// Type, length, data (group 0).
    Attribute,
    /// Only the size prefix tells.
    Sized,
}

impl Number {
    const fn size(self) -> usize {
        match self {
            Self::None | Self::FlagBit | Self::FlagBits2 => 0,
            Self::U8 => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::T48 => 6,
            Self::U64 | Self::F64 => 8,
        }
    }
}

impl Layout {
    /// Bytes of a point, if they are whole and the same for all.
    #[must_use]
    pub const fn size(self, variation: u8) -> Option<usize> {
        Some(match self {
            Self::Empty => 0,
            Self::Point {
                flags,
                number,
                time,
                more,
            } => {
                let time = match time {
                    Time::None => 0,
                    Time::Absolute => 6,
                    Time::Relative => 2,
                };
                flags as usize + number.size() + time + more as usize
            }
            Self::Command { number } => number.size() + 1,
            Self::Crob => 11,
            Self::Text => variation as usize,
            Self::Bits | Self::Bits2 | Self::Attribute | Self::Sized => return None,
        })
    }
}

const fn point(flags: bool, number: Number, time: Time) -> Layout {
    Layout::Point {
        flags,
        number,
        time,
        more: 0,
    }
}

/// Flags and number, with an absolute time where `timed`.
const fn flagged(number: Number, timed: bool) -> Layout {
    point(
        true,
        number,
        if timed { Time::Absolute } else { Time::None },
    )
}

const fn plain(number: Number) -> Layout {
    point(false, number, Time::None)
}

/// The layout of a group and variation, if known.
#[must_use]
pub const fn layout(group: u8, variation: u8) -> Option<Layout> {
    use Number::{F32, F64, FlagBit, FlagBits2, I16, I32, T48, U8, U16, U32, U64};
    Some(match (group, variation) {
        (0, _) => Layout::Attribute,
        (110..=113, _) => Layout::Text,
        (60, _) | (1..=59 | 61..=69 | 80..=81 | 101..=102 | 121..=122, 0) => Layout::Empty,
        (1 | 10 | 80, 1) | (12, 3) => Layout::Bits,
        (3, 1) => Layout::Bits2,
        (1 | 2 | 10 | 11 | 13, 1 | 2) if variation == 1 || group == 1 || group == 10 => {
            flagged(FlagBit, false)
        }
        (2 | 11 | 13, 2) => flagged(FlagBit, true),
        (2, 3) => point(true, FlagBit, Time::Relative),
        (3, 2) | (4, 1) => flagged(FlagBits2, false),
        (4, 2) => flagged(FlagBits2, true),
        (4, 3) => point(true, FlagBits2, Time::Relative),
        (12, 1 | 2) => Layout::Crob,
        (20, 1 | 3) | (21..=23, 1 | 3) => flagged(U32, false),
        (20, 2 | 4) | (21..=23, 2 | 4) => flagged(U16, false),
        (20, 5 | 7) | (21, 9 | 11) => plain(U32),
        (20, 6 | 8) | (21, 10 | 12) => plain(U16),
        (21..=23, 5 | 7) => flagged(U32, true),
        (21..=23, 6 | 8) => flagged(U16, true),
        (30..=33 | 40 | 42 | 43, 1) => flagged(I32, false),
        (30..=33 | 40 | 42 | 43, 2) => flagged(I16, false),
        (30, 3) | (31, 5) => plain(I32),
        (30, 4) | (31, 6) => plain(I16),
        (30, 5) | (31, 7) | (32 | 33 | 42 | 43, 5) | (40, 3) => flagged(F32, false),
        (30, 6) | (31, 8) | (32 | 33 | 42 | 43, 6) | (40, 4) => flagged(F64, false),
        (31..=33 | 42 | 43, 3) => flagged(I32, true),
        (31..=33 | 42 | 43, 4) => flagged(I16, true),
        (32 | 33 | 42 | 43, 7) => flagged(F32, true),
        (32 | 33 | 42 | 43, 8) => flagged(F64, true),
        (34, 1) => plain(U16),
        (34, 2) => plain(U32),
        (34, 3) => plain(F32),
        (41, 1) => Layout::Command { number: I32 },
        (41, 2) => Layout::Command { number: I16 },
        (41, 3) => Layout::Command { number: F32 },
        (41, 4) => Layout::Command { number: F64 },
        (50, 1 | 3) | (51, 1 | 2) => plain(T48),
        (50, 2) => Layout::Point {
            flags: false,
            number: T48,
            time: Time::None,
            more: 4,
        },
        (50, 4) => Layout::Point {
            flags: false,
            number: T48,
            time: Time::None,
            more: 5,
        },
        (52, 1 | 2) => plain(U16),
        (81, 1) => Layout::Point {
            flags: false,
            number: Number::None,
            time: Time::None,
            more: 3,
        },
        (101, 1) => plain(U16),
        (101, 2) => plain(U32),
        (101, 3) => plain(U64),
        (102, 1) => plain(U8),
        // challenge sequence and user, user: the forms that come without a size
        (120, 3) => Layout::Point {
            flags: false,
            number: Number::None,
            time: Time::None,
            more: 6,
        },
        (120, 4) => Layout::Point {
            flags: false,
            number: Number::None,
            time: Time::None,
            more: 2,
        },
        // association, count value
        (121, 1) | (122, 1) => Layout::Point {
            flags: true,
            number: U16,
            time: Time::None,
            more: 4,
        },
        (122, 2) => Layout::Point {
            flags: true,
            number: U16,
            time: Time::Absolute,
            more: 4,
        },
        (70 | 82 | 83 | 85..=88 | 90 | 91 | 120, _) => Layout::Sized,
        _ => return None,
    })
}

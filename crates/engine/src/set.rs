//! Sets of values of one column.

use crate::cells::{Kind, kind};
use crate::pattern::Pattern;
use arrow_schema::DataType;
use std::sync::Arc;

/// A set of values of a column.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Set {
    /// All or no value: IS NOT NULL, IS NULL.
    Every(bool),
    /// A bit per small number; greater ones are in if `rest`.
    Bits { bits: Vec<u64>, rest: bool },
    /// Keys from `low` to `high`, or all others.
    Range { low: u64, high: u64, inside: bool },
    /// Addresses from `low` to `high`, or all others.
    Wide { low: u128, high: u128, inside: bool },
    /// These keys, sorted, or all others.
    Words { values: Vec<u64>, inside: bool },
    /// These addresses, sorted, or all others.
    Wides { values: Vec<u128>, inside: bool },
    /// These texts, sorted, or all others.
    Texts { values: Vec<Arc<str>>, inside: bool },
    /// Texts of this pattern, or all others.
    Like { pattern: Pattern, inside: bool },
}

/// Is the column one of small numbers, whose sets are bits?
pub(crate) fn is_small(data_type: &DataType) -> bool {
    matches!(data_type, DataType::UInt8 | DataType::UInt16)
}

/// Bits of a set of small numbers.
pub(crate) fn bits_of(values: impl IntoIterator<Item = u64>) -> Vec<u64> {
    let mut bits = Vec::new();
    for value in values {
        let Ok(word) = usize::try_from(value >> 6) else {
            continue;
        };
        if word >= bits.len() {
            bits.resize(word + 1, 0);
        }
        if let Some(slot) = bits.get_mut(word) {
            *slot |= 1 << (value & 63);
        }
    }
    bits
}

/// Adds values to a sorted set of them.
fn join<T: Ord>(values: &mut Vec<T>, more: Vec<T>) {
    values.extend(more);
    values.sort_unstable();
    values.dedup();
}

impl Set {
    /// Keys from `low` to `high`, both included.
    pub(crate) fn range(low: u64, high: u64) -> Self {
        if low > high {
            return Self::Words {
                values: Vec::new(),
                inside: true,
            };
        }
        Self::Range {
            low,
            high,
            inside: true,
        }
    }

    /// Addresses from `low` to `high`, both included.
    pub(crate) fn wide(low: u128, high: u128) -> Self {
        if low > high {
            return Self::Wides {
                values: Vec::new(),
                inside: true,
            };
        }
        Self::Wide {
            low,
            high,
            inside: true,
        }
    }

    /// All other values.
    pub(crate) fn others(mut self) -> Self {
        match &mut self {
            Self::Every(all) => *all = !*all,
            Self::Bits { bits, rest } => {
                bits.iter_mut().for_each(|word| *word = !*word);
                *rest = !*rest;
            }
            Self::Range { inside, .. }
            | Self::Wide { inside, .. }
            | Self::Words { inside, .. }
            | Self::Wides { inside, .. }
            | Self::Texts { inside, .. }
            | Self::Like { inside, .. } => *inside = !*inside,
        }
        self
    }

    /// Either, where both have the same form and can be joined exactly.
    pub(crate) fn unite(mut self, other: Self) -> Option<Self> {
        match (&mut self, other) {
            (
                Self::Words {
                    values,
                    inside: true,
                },
                Self::Words {
                    values: more,
                    inside: true,
                },
            ) => join(values, more),
            (
                Self::Wides {
                    values,
                    inside: true,
                },
                Self::Wides {
                    values: more,
                    inside: true,
                },
            ) => join(values, more),
            (
                Self::Texts {
                    values,
                    inside: true,
                },
                Self::Texts {
                    values: more,
                    inside: true,
                },
            ) => join(values, more),
            // not (neither)
            (Self::Bits { .. }, other @ Self::Bits { .. }) => {
                let both = self.others().intersect(&other.others())?;
                return Some(both.others());
            }
            _ => return None,
        }
        Some(self)
    }

    /// Does a small or wide number's key pass?
    #[inline]
    pub(crate) fn has_word(&self, key: u64) -> bool {
        match self {
            Self::Every(all) => *all,
            Self::Bits { bits, rest } => usize::try_from(key >> 6)
                .ok()
                .and_then(|word| bits.get(word))
                .map_or(*rest, |word| word >> (key & 63) & 1 == 1),
            Self::Range { low, high, inside } => {
                (key.wrapping_sub(*low) <= high.wrapping_sub(*low)) == *inside
            }
            Self::Words { values, inside } => values.binary_search(&key).is_ok() == *inside,
            _ => false,
        }
    }

    #[inline]
    pub(crate) fn has_wide(&self, key: u128) -> bool {
        match self {
            Self::Every(all) => *all,
            Self::Wide { low, high, inside } => (*low <= key && key <= *high) == *inside,
            Self::Wides { values, inside } => values.binary_search(&key).is_ok() == *inside,
            _ => false,
        }
    }

    #[inline]
    pub(crate) fn has_text(&self, text: &str) -> bool {
        match self {
            Self::Every(all) => *all,
            Self::Texts { values, inside } => {
                values.binary_search_by(|v| (**v).cmp(text)).is_ok() == *inside
            }
            Self::Like { pattern, inside } => pattern.fits(text) == *inside,
            _ => false,
        }
    }

    /// Does it say which values it wants, rather than a range or what it does not want?
    pub(crate) fn is_pointed(&self) -> bool {
        match self {
            Self::Bits { rest, .. } => !rest,
            Self::Words { inside, .. }
            | Self::Wides { inside, .. }
            | Self::Texts { inside, .. } => *inside,
            Self::Range { low, high, inside } => *inside && low == high,
            Self::Wide { low, high, inside } => *inside && low == high,
            Self::Every(_) | Self::Like { .. } => false,
        }
    }

    /// Empty whatever the value?
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Every(all) => !all,
            Self::Bits { bits, rest } => !rest && bits.iter().all(|w| *w == 0),
            Self::Range { .. } | Self::Wide { .. } | Self::Like { .. } => false,
            Self::Words { values, inside } => *inside && values.is_empty(),
            Self::Wides { values, inside } => *inside && values.is_empty(),
            Self::Texts { values, inside } => *inside && values.is_empty(),
        }
    }

    /// Both, where both have the same form and can be joined exactly.
    pub(crate) fn intersect(&self, other: &Self) -> Option<Self> {
        match (self, other) {
            (Self::Every(true), any) | (any, Self::Every(true)) => Some(any.clone()),
            (
                Self::Range {
                    low: a,
                    high: b,
                    inside: true,
                },
                Self::Range {
                    low: c,
                    high: d,
                    inside: true,
                },
            ) => Some(Self::range(*a.max(c), *b.min(d))),
            (
                Self::Wide {
                    low: a,
                    high: b,
                    inside: true,
                },
                Self::Wide {
                    low: c,
                    high: d,
                    inside: true,
                },
            ) => Some(Self::wide(*a.max(c), *b.min(d))),
            (Self::Bits { bits: a, rest: x }, Self::Bits { bits: b, rest: y }) => {
                let word = |bits: &[u64], rest: bool, at: usize| {
                    bits.get(at)
                        .copied()
                        .unwrap_or(if rest { u64::MAX } else { 0 })
                };
                let bits = (0..a.len().max(b.len()))
                    .map(|at| word(a, *x, at) & word(b, *y, at))
                    .collect();
                Some(Self::Bits {
                    bits,
                    rest: *x && *y,
                })
            }
            (
                Self::Words {
                    values,
                    inside: true,
                },
                any,
            )
            | (
                any,
                Self::Words {
                    values,
                    inside: true,
                },
            ) => Some(Self::Words {
                values: values
                    .iter()
                    .copied()
                    .filter(|v| any.has_word(*v))
                    .collect(),
                inside: true,
            }),
            (
                Self::Wides {
                    values,
                    inside: true,
                },
                any,
            )
            | (
                any,
                Self::Wides {
                    values,
                    inside: true,
                },
            ) => Some(Self::Wides {
                values: values
                    .iter()
                    .copied()
                    .filter(|v| any.has_wide(*v))
                    .collect(),
                inside: true,
            }),
            (
                Self::Texts {
                    values,
                    inside: true,
                },
                any,
            )
            | (
                any,
                Self::Texts {
                    values,
                    inside: true,
                },
            ) => Some(Self::Texts {
                values: values.iter().filter(|v| any.has_text(v)).cloned().collect(),
                inside: true,
            }),
            _ => None,
        }
    }
}

/// Does a set of this form fit a column of this type?
pub(crate) fn fits(data_type: &DataType, set: &Set) -> bool {
    match set {
        Set::Every(_) => true,
        Set::Bits { .. } => is_small(data_type),
        Set::Range { .. } | Set::Words { .. } => kind(data_type) == Kind::Word,
        Set::Wide { .. } | Set::Wides { .. } => kind(data_type) == Kind::Wide,
        Set::Texts { .. } | Set::Like { .. } => kind(data_type) == Kind::Text,
    }
}

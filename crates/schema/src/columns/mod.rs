//! Growing columns. Rows come staged, some dozens at a time, so that each column
//! is written in one short loop. A missing value costs a comparison and no memory:
//! a column is filled up with nulls only when a value comes, and a column that
//! never got one is a slice of a shared array of nulls.

mod fixed;
mod lists;
mod numbers;
mod text;

pub(crate) use fixed::{OptBool, OptIp, ReqBool, ReqIp};
pub(crate) use lists::OptList;
pub(crate) use numbers::{Opt, Plain, Req, ReqTime};
pub(crate) use text::{OptText, ReqText};

use arrow_array::{Array, ArrayRef, new_null_array};
use arrow_buffer::{ArrowNativeType, BooleanBuffer, Buffer, NullBuffer};
use arrow_schema::DataType;
use std::sync::Arc;

/// Arrays of nulls, shared by all columns of a type that stay empty.
#[derive(Debug)]
pub(crate) struct NullCache {
    capacity: usize,
    arrays: Vec<ArrayRef>,
}

impl NullCache {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            arrays: Vec::new(),
        }
    }

    fn get(&mut self, data_type: &DataType, rows: usize) -> ArrayRef {
        if let Some(a) = self
            .arrays
            .iter()
            .find(|a| a.data_type() == data_type && a.len() >= rows)
        {
            return if a.len() == rows {
                Arc::clone(a)
            } else {
                a.slice(0, rows)
            };
        }
        self.arrays.retain(|a| a.data_type() != data_type);
        let array = new_null_array(data_type, rows.max(self.capacity));
        self.arrays.push(Arc::clone(&array));
        if array.len() == rows {
            array
        } else {
            array.slice(0, rows)
        }
    }
}

/// Bits of this many rows are written at once.
type Word = u64;

/// Rows that are staged before they are written to the columns.
pub(crate) const STAGE: usize = Word::BITS as usize;

/// A bit for each of at most [`STAGE`] rows.
#[inline]
fn word<R>(rows: &[R], is: impl Fn(&R) -> bool) -> Word {
    rows.iter()
        .zip(0_u32..)
        .fold(0, |word, (row, at)| word | Word::from(is(row)) << at)
}

/// Does any row have a value? Most columns have one in every row or in none.
#[inline]
fn any<R, V>(rows: &[R], get: impl Fn(&R) -> Option<V>) -> bool {
    rows.iter().any(|row| get(row).is_some())
}

/// Adds the rows' values, with a default where there is none; which have one.
#[inline]
fn gather<R, V, T: Default>(
    values: &mut Vec<T>,
    rows: &[R],
    get: impl Fn(&R) -> Option<V>,
    kept: impl Fn(V) -> T,
) -> Word {
    let (mut valid, mut bit) = (0, 1);
    values.extend(rows.iter().map(|row| {
        let value = get(row);
        if value.is_some() {
            valid |= bit;
        }
        bit <<= 1;
        value.map(&kept).unwrap_or_default()
    }));
    valid
}

/// Bits of validity or of truth, filled up with zeroes as late as possible.
#[derive(Debug, Default)]
struct Bits(Vec<Word>);

impl Bits {
    /// The bits of staged rows; `at` is the first of them, a multiple of [`STAGE`].
    #[inline]
    fn put(&mut self, at: usize, word: Word, capacity: usize) {
        if self.0.capacity() == 0 {
            self.0.reserve_exact(capacity / STAGE + 1);
        }
        self.0.resize(at / STAGE, 0);
        self.0.push(word);
    }

    /// Sets a single row's bit.
    #[inline]
    fn set(&mut self, row: usize) {
        let place = row / STAGE;
        if place >= self.0.len() {
            self.0.resize(place + 1, 0);
        }
        if let Some(word) = self.0.get_mut(place) {
            *word |= 1 << (row % STAGE);
        }
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn bytes(&self) -> usize {
        self.0.len() * size_of::<Word>()
    }

    fn take(&mut self, rows: usize) -> BooleanBuffer {
        let mut words = std::mem::take(&mut self.0);
        words.resize(rows.div_ceil(STAGE), 0);
        BooleanBuffer::new(Buffer::from_vec(words), 0, rows)
    }

    fn nulls(&mut self, rows: usize) -> Option<NullBuffer> {
        Some(NullBuffer::new(self.take(rows))).filter(|n| n.null_count() > 0)
    }
}

/// Memory of the last batch's column: taken again for the next one once nobody
/// else holds that batch, so that a steady stream of flushes asks the system for
/// no new pages. At most one batch's column is kept.
#[derive(Debug, Default)]
struct Room(Option<Buffer>);

impl Room {
    fn take<T: ArrowNativeType>(&mut self, capacity: usize) -> Vec<T> {
        if let Some(Ok(mut values)) = self.0.take().map(Buffer::into_vec::<T>)
            && values.capacity() >= capacity
        {
            values.clear();
            return values;
        }
        Vec::with_capacity(capacity)
    }

    fn keep<T: ArrowNativeType>(&mut self, values: Vec<T>) -> Buffer {
        let buffer = Buffer::from_vec(values);
        self.0 = Some(buffer.clone());
        buffer
    }
}

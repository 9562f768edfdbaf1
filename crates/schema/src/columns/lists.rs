//! Columns of lists.

use super::numbers::Plain;
use super::{Bits, NullCache, Room};
use arrow_array::types::ArrowPrimitiveType;
use arrow_array::{ArrayRef, ListArray, PrimitiveArray};
use arrow_buffer::{OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType, Field};
use std::sync::Arc;

/// Lists that a row may lack.
#[derive(Debug)]
pub(crate) struct OptList<T> {
    offsets: Vec<i32>,
    values: Vec<T>,
    valid: Bits,
    room: Room,
    capacity: usize,
}

impl<T: Plain> OptList<T> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            offsets: Vec::new(),
            values: Vec::new(),
            valid: Bits::default(),
            room: Room::default(),
            capacity,
        }
    }

    #[inline]
    pub(crate) fn push(&mut self, row: usize, value: Option<&[T]>) {
        let Some(value) = value else { return };
        if self.offsets.len() != row + 1 {
            if self.offsets.capacity() == 0 {
                self.offsets.reserve_exact(self.capacity.max(row) + 2);
                self.values = self.room.take(self.capacity);
            }
            let last = self.end();
            self.offsets.resize(row + 1, last);
        }
        // 2^31 numbers in one batch would be 16 GiB: a flush comes long before
        self.values.extend_from_slice(value);
        let end = i32::try_from(self.values.len()).unwrap_or(i32::MAX);
        self.offsets.push(end);
        self.valid.set(row);
    }

    fn end(&self) -> i32 {
        self.offsets.last().copied().unwrap_or(0)
    }

    pub(crate) fn finish(
        &mut self,
        rows: usize,
        nulls: &mut NullCache,
    ) -> Result<ArrayRef, ArrowError> {
        let item = Arc::new(Field::new_list_field(T::Arrow::DATA_TYPE, true));
        if self.offsets.is_empty() {
            return Ok(nulls.get(&DataType::List(item), rows));
        }
        let last = self.end();
        let mut offsets = std::mem::take(&mut self.offsets);
        offsets.resize(rows + 1, last);
        let values = ScalarBuffer::from(self.room.keep(std::mem::take(&mut self.values)));
        let values = PrimitiveArray::<T::Arrow>::try_new(values, None)?;
        let array = ListArray::try_new(
            item,
            OffsetBuffer::new(offsets.into()),
            Arc::new(values),
            self.valid.nulls(rows),
        )?;
        Ok(Arc::new(array))
    }

    pub(crate) fn bytes(&self) -> usize {
        self.offsets.len() * 4 + self.values.len() * size_of::<T>()
    }
}

//! Columns of numbers and times.

use super::{Bits, NullCache, Room, any, gather};
use arrow_array::types::{
    ArrowPrimitiveType, Float64Type, Int64Type, TimestampNanosecondType, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{ArrayRef, PrimitiveArray};
use arrow_buffer::{ArrowNativeType, ScalarBuffer};
use arrow_schema::ArrowError;
use std::sync::Arc;

/// Which Arrow type a plain number is kept in.
pub(crate) trait Plain: ArrowNativeType {
    type Arrow: ArrowPrimitiveType<Native = Self>;
}
impl Plain for u8 {
    type Arrow = UInt8Type;
}
impl Plain for u16 {
    type Arrow = UInt16Type;
}
impl Plain for u32 {
    type Arrow = UInt32Type;
}
impl Plain for u64 {
    type Arrow = UInt64Type;
}
impl Plain for i64 {
    type Arrow = Int64Type;
}
impl Plain for f64 {
    type Arrow = Float64Type;
}

/// Numbers that every row has.
#[derive(Debug)]
pub(crate) struct Req<T> {
    values: Vec<T>,
    room: Room,
    capacity: usize,
}

impl<T: Plain> Req<T> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            values: Vec::new(),
            room: Room::default(),
            capacity,
        }
    }

    #[inline]
    pub(crate) fn extend<R>(&mut self, _at: usize, rows: &[R], get: impl Fn(&R) -> T) {
        if self.values.capacity() == 0 {
            self.values = self.room.take(self.capacity);
        }
        self.values.extend(rows.iter().map(get));
    }

    pub(crate) fn finish(
        &mut self,
        _rows: usize,
        _nulls: &mut NullCache,
    ) -> Result<ArrayRef, ArrowError> {
        let values = ScalarBuffer::from(self.room.keep(std::mem::take(&mut self.values)));
        Ok(Arc::new(PrimitiveArray::<T::Arrow>::try_new(values, None)?))
    }

    pub(crate) fn bytes(&self) -> usize {
        self.values.len() * size_of::<T>()
    }
}

/// Numbers that a row may lack.
#[derive(Debug)]
pub(crate) struct Opt<T> {
    values: Vec<T>,
    valid: Bits,
    room: Room,
    capacity: usize,
}

impl<T: Plain> Opt<T> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            values: Vec::new(),
            valid: Bits::default(),
            room: Room::default(),
            capacity,
        }
    }

    #[inline]
    pub(crate) fn extend<R>(&mut self, at: usize, rows: &[R], get: impl Fn(&R) -> Option<T>) {
        if !any(rows, &get) {
            return;
        }
        if self.values.capacity() == 0 {
            self.values = self.room.take(self.capacity.max(at + rows.len()));
        }
        self.values.resize(at, T::default());
        let valid = gather(&mut self.values, rows, get, |value| value);
        self.valid.put(at, valid, self.capacity);
    }

    pub(crate) fn finish(
        &mut self,
        rows: usize,
        nulls: &mut NullCache,
    ) -> Result<ArrayRef, ArrowError> {
        if self.values.is_empty() {
            return Ok(nulls.get(&T::Arrow::DATA_TYPE, rows));
        }
        let mut values = std::mem::take(&mut self.values);
        values.resize(rows, T::default());
        let array = PrimitiveArray::<T::Arrow>::try_new(
            ScalarBuffer::from(self.room.keep(values)),
            self.valid.nulls(rows),
        )?;
        Ok(Arc::new(array))
    }

    pub(crate) fn bytes(&self) -> usize {
        self.values.len() * size_of::<T>()
    }
}

/// Times that every row has: nanoseconds since 1970-01-01 UTC.
#[derive(Debug)]
pub(crate) struct ReqTime(Req<i64>);

impl ReqTime {
    pub(crate) fn new(capacity: usize) -> Self {
        Self(Req::new(capacity))
    }

    #[inline]
    pub(crate) fn extend<R>(&mut self, at: usize, rows: &[R], get: impl Fn(&R) -> i64) {
        self.0.extend(at, rows, get);
    }

    pub(crate) fn finish(
        &mut self,
        _rows: usize,
        _nulls: &mut NullCache,
    ) -> Result<ArrayRef, ArrowError> {
        let values = std::mem::take(&mut self.0.values);
        let values = ScalarBuffer::from(self.0.room.keep(values));
        let array = PrimitiveArray::<TimestampNanosecondType>::try_new(values, None)?;
        Ok(Arc::new(array.with_timezone("UTC")))
    }

    pub(crate) fn bytes(&self) -> usize {
        self.0.bytes()
    }
}

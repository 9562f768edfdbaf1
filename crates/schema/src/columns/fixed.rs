//! Columns of truth values and of IP addresses.

use super::{Bits, NullCache, Room, any, gather, word};
use arrow_array::{ArrayRef, BooleanArray, FixedSizeBinaryArray};
use arrow_schema::{ArrowError, DataType};
use std::sync::Arc;

/// Truth values that every row has.
#[derive(Debug)]
pub(crate) struct ReqBool {
    values: Bits,
    capacity: usize,
}

impl ReqBool {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            values: Bits::default(),
            capacity,
        }
    }

    #[inline]
    pub(crate) fn extend<R>(&mut self, at: usize, rows: &[R], get: impl Fn(&R) -> bool) {
        self.values.put(at, word(rows, get), self.capacity);
    }

    pub(crate) fn finish(
        &mut self,
        rows: usize,
        _nulls: &mut NullCache,
    ) -> Result<ArrayRef, ArrowError> {
        Ok(Arc::new(BooleanArray::new(self.values.take(rows), None)))
    }

    pub(crate) fn bytes(&self) -> usize {
        self.values.bytes()
    }
}

/// Truth values that a row may lack.
#[derive(Debug)]
pub(crate) struct OptBool {
    values: Bits,
    valid: Bits,
    capacity: usize,
}

impl OptBool {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            values: Bits::default(),
            valid: Bits::default(),
            capacity,
        }
    }

    #[inline]
    pub(crate) fn extend<R>(&mut self, at: usize, rows: &[R], get: impl Fn(&R) -> Option<bool>) {
        let valid = word(rows, |r| get(r).is_some());
        if valid != 0 {
            let values = word(rows, |r| get(r) == Some(true));
            self.valid.put(at, valid, self.capacity);
            self.values.put(at, values, self.capacity);
        }
    }

    pub(crate) fn finish(
        &mut self,
        rows: usize,
        nulls: &mut NullCache,
    ) -> Result<ArrayRef, ArrowError> {
        if self.valid.is_empty() {
            return Ok(nulls.get(&DataType::Boolean, rows));
        }
        let valid = self.valid.nulls(rows);
        Ok(Arc::new(BooleanArray::new(self.values.take(rows), valid)))
    }

    pub(crate) fn bytes(&self) -> usize {
        self.values.bytes() + self.valid.bytes()
    }
}

/// IP addresses that every row has.
#[derive(Debug)]
pub(crate) struct ReqIp(OptIp);

impl ReqIp {
    pub(crate) fn new(capacity: usize) -> Self {
        Self(OptIp::new(capacity))
    }

    #[inline]
    pub(crate) fn extend<R>(&mut self, at: usize, rows: &[R], get: impl Fn(&R) -> [u8; 16]) {
        self.0.extend(at, rows, |r| Some(get(r)));
    }

    pub(crate) fn finish(
        &mut self,
        rows: usize,
        nulls: &mut NullCache,
    ) -> Result<ArrayRef, ArrowError> {
        self.0.finish(rows, nulls)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.0.bytes()
    }
}

/// IP addresses that a row may lack.
#[derive(Debug)]
pub(crate) struct OptIp {
    values: Vec<u128>,
    valid: Bits,
    room: Room,
    capacity: usize,
}

impl OptIp {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            values: Vec::new(),
            valid: Bits::default(),
            room: Room::default(),
            capacity,
        }
    }

    #[inline]
    pub(crate) fn extend<R>(
        &mut self,
        at: usize,
        rows: &[R],
        get: impl Fn(&R) -> Option<[u8; 16]>,
    ) {
        if !any(rows, &get) {
            return;
        }
        if self.values.capacity() == 0 {
            self.values = self.room.take(self.capacity.max(at + rows.len()));
        }
        self.values.resize(at, 0);
        let valid = gather(&mut self.values, rows, get, u128::from_ne_bytes);
        self.valid.put(at, valid, self.capacity);
    }

    pub(crate) fn finish(
        &mut self,
        rows: usize,
        nulls: &mut NullCache,
    ) -> Result<ArrayRef, ArrowError> {
        if self.values.is_empty() {
            return Ok(nulls.get(&DataType::FixedSizeBinary(16), rows));
        }
        let mut values = std::mem::take(&mut self.values);
        values.resize(rows, 0);
        let valid = self.valid.nulls(rows);
        Ok(Arc::new(FixedSizeBinaryArray::try_new(
            16,
            self.room.keep(values),
            valid,
        )?))
    }

    pub(crate) fn bytes(&self) -> usize {
        self.values.len() * 16
    }
}

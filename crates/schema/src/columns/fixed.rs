//! Columns of truth values and of IP addresses.

use super::{Bits, NullCache, Room};
use arrow_array::{ArrayRef, BooleanArray, FixedSizeBinaryArray};
use arrow_schema::{ArrowError, DataType};
use std::sync::Arc;

/// Truth values that every row has.
#[derive(Debug)]
pub(crate) struct ReqBool(Bits);

impl ReqBool {
    pub(crate) fn new(_capacity: usize) -> Self {
        Self(Bits::default())
    }

    #[inline]
    pub(crate) fn push(&mut self, row: usize, value: bool) {
        if value {
            self.0.set(row);
        }
    }

    pub(crate) fn finish(
        &mut self,
        rows: usize,
        _nulls: &mut NullCache,
    ) -> Result<ArrayRef, ArrowError> {
        Ok(Arc::new(BooleanArray::new(self.0.take(rows), None)))
    }

    pub(crate) fn bytes(&self) -> usize {
        self.0.0.len()
    }
}

/// Truth values that a row may lack.
#[derive(Debug)]
pub(crate) struct OptBool {
    values: Bits,
    valid: Bits,
}

impl OptBool {
    pub(crate) fn new(_capacity: usize) -> Self {
        Self {
            values: Bits::default(),
            valid: Bits::default(),
        }
    }

    #[inline]
    pub(crate) fn push(&mut self, row: usize, value: Option<bool>) {
        if let Some(value) = value {
            self.valid.set(row);
            if value {
                self.values.set(row);
            }
        }
    }

    pub(crate) fn finish(
        &mut self,
        rows: usize,
        nulls: &mut NullCache,
    ) -> Result<ArrayRef, ArrowError> {
        if self.valid.0.is_empty() {
            return Ok(nulls.get(&DataType::Boolean, rows));
        }
        let valid = self.valid.nulls(rows);
        Ok(Arc::new(BooleanArray::new(self.values.take(rows), valid)))
    }

    pub(crate) fn bytes(&self) -> usize {
        self.values.0.len() + self.valid.0.len()
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
    pub(crate) fn push(&mut self, row: usize, value: [u8; 16]) {
        self.0.push(row, Some(value));
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
    pub(crate) fn push(&mut self, row: usize, value: Option<[u8; 16]>) {
        if let Some(value) = value {
            if self.values.len() != row || row == 0 {
                if self.values.capacity() == 0 {
                    self.values = self.room.take(self.capacity.max(row + 1));
                }
                self.values.resize(row, 0);
            }
            self.values.push(u128::from_ne_bytes(value));
            self.valid.set(row);
        }
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

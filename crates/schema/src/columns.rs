//! Growing columns. A missing value costs a comparison and no memory: a column
//! is filled up with nulls only when a value comes, and a column that never got
//! one is a slice of a shared array of nulls.

use arrow_array::builder::StringViewBuilder;
use arrow_array::types::{
    ArrowPrimitiveType, Float64Type, Int64Type, TimestampNanosecondType, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{
    Array, ArrayRef, BooleanArray, FixedSizeBinaryArray, ListArray, PrimitiveArray, new_null_array,
};
use arrow_buffer::{
    ArrowNativeType, BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer,
};
use arrow_schema::{ArrowError, DataType, Field};
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

/// Bits of validity or of truth, filled up with zeroes as late as possible.
#[derive(Debug, Default)]
struct Bits(Vec<u8>);

impl Bits {
    #[inline]
    fn set(&mut self, row: usize) {
        let byte = row >> 3;
        if byte >= self.0.len() {
            self.0.resize(byte + 1, 0);
        }
        if let Some(b) = self.0.get_mut(byte) {
            *b |= 1 << (row & 7);
        }
    }

    fn take(&mut self, rows: usize) -> BooleanBuffer {
        let mut bytes = std::mem::take(&mut self.0);
        bytes.resize(rows.div_ceil(8), 0);
        BooleanBuffer::new(Buffer::from_vec(bytes), 0, rows)
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
    pub(crate) fn push(&mut self, _row: usize, value: T) {
        if self.values.capacity() == 0 {
            self.values = self.room.take(self.capacity);
        }
        self.values.push(value);
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
    pub(crate) fn push(&mut self, row: usize, value: Option<T>) {
        if let Some(value) = value {
            if self.values.len() != row || row == 0 {
                self.fill(row);
            }
            self.values.push(value);
            self.valid.set(row);
        }
    }

    fn fill(&mut self, row: usize) {
        if self.values.capacity() == 0 {
            self.values = self.room.take(self.capacity.max(row + 1));
        }
        self.values.resize(row, T::default());
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
    pub(crate) fn push(&mut self, row: usize, value: i64) {
        self.0.push(row, value);
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

/// Text that every row has.
#[derive(Debug)]
pub(crate) struct ReqText(OptText);

impl ReqText {
    pub(crate) fn new(capacity: usize) -> Self {
        Self(OptText::new(capacity))
    }

    #[inline]
    pub(crate) fn push(&mut self, row: usize, value: &str) {
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

/// Text that a row may lack. Neighbouring rows often have the same text (the
/// site, the file, the community ID of request and response): a run of equal
/// texts is kept once and costs a comparison per row.
#[derive(Debug)]
pub(crate) struct OptText {
    builder: Option<StringViewBuilder>,
    /// Text of the run that is not in the builder yet.
    last: String,
    run: usize,
    /// Rows up to the end of the run.
    len: usize,
    capacity: usize,
    bytes: usize,
}

impl OptText {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            builder: None,
            last: String::new(),
            run: 0,
            len: 0,
            capacity,
            bytes: 0,
        }
    }

    #[inline]
    pub(crate) fn push(&mut self, row: usize, value: Option<&str>) {
        let Some(value) = value else { return };
        if self.run > 0 && self.len == row && self.last == value {
            self.run += 1;
        } else {
            self.next(row, value);
        }
        self.len = row + 1;
    }

    /// Begins a run with `value` at `row`.
    fn next(&mut self, row: usize, value: &str) {
        let nulls = row.saturating_sub(self.len);
        self.flush(nulls);
        self.last.clear();
        self.last.push_str(value);
        self.run = 1;
        self.bytes += if value.len() > 12 { value.len() } else { 0 };
    }

    /// Moves the run into the builder, then so many nulls.
    fn flush(&mut self, nulls: usize) {
        let capacity = self.capacity;
        let builder = self
            .builder
            .get_or_insert_with(|| StringViewBuilder::with_capacity(capacity));
        let run = std::mem::take(&mut self.run);
        // only a text above 4 GiB is refused; it then reads as missing
        if builder.try_append_value_n(&self.last, run).is_err() {
            (0..run).for_each(|_| builder.append_null());
        }
        (0..nulls).for_each(|_| builder.append_null());
    }

    pub(crate) fn finish(
        &mut self,
        rows: usize,
        nulls: &mut NullCache,
    ) -> Result<ArrayRef, ArrowError> {
        if self.len == 0 {
            return Ok(nulls.get(&DataType::Utf8View, rows));
        }
        self.flush(rows.saturating_sub(self.len));
        self.len = 0;
        self.bytes = 0;
        match self.builder.take() {
            Some(mut builder) => Ok(Arc::new(builder.finish())),
            None => Ok(nulls.get(&DataType::Utf8View, rows)),
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes + self.len * 16
    }
}

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

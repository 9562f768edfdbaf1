//! Columns of text.

use super::NullCache;
use arrow_array::ArrayRef;
use arrow_array::builder::StringViewBuilder;
use arrow_schema::{ArrowError, DataType};
use std::sync::Arc;

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
        if self.run > 0 && self.len == row && same(self.last.as_bytes(), value.as_bytes()) {
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
        let added = match run {
            1 => builder.try_append_value(&self.last),
            _ => builder.try_append_value_n(&self.last, run),
        };
        // only a text above 4 GiB is refused; it then reads as missing
        if added.is_err() {
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

/// Are these the same? Most texts are short: no call for them.
#[inline]
fn same(a: &[u8], b: &[u8]) -> bool {
    fn ends<const N: usize>(a: &[u8], b: &[u8]) -> bool {
        a.first_chunk::<N>() == b.first_chunk::<N>() && a.last_chunk::<N>() == b.last_chunk::<N>()
    }
    a.len() == b.len()
        && match a.len() {
            0..=3 => a.iter().eq(b),
            4..=7 => ends::<4>(a, b),
            8..=15 => ends::<8>(a, b),
            16..=32 => ends::<16>(a, b),
            _ => a == b,
        }
}

#[cfg(test)]
mod tests {
    use super::same;

    #[test]
    fn same_means_equal_at_every_length() {
        for len in 0..40 {
            let a: Vec<u8> = (0..len).collect();
            assert!(same(&a, &a.clone()));
            for at in 0..a.len() {
                let mut b = a.clone();
                b[at] ^= 1;
                assert!(!same(&a, &b), "{len} {at}");
            }
            assert!(!same(&a, &[a.as_slice(), &[0]].concat()));
        }
    }
}

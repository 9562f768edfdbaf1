//! Fills the columns `tag` and `value` with what the site says of a row's point.
//!
//! A site without tags costs nothing; a device without tags costs one look-up by
//! address, and a batch in which no row touches a tag is passed on as it is.

use arrow_array::builder::{Float64Builder, StringViewBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Float64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use std::sync::Arc;
use telltale_rules::Site;
use telltale_rules::site::tags::{Place, Tags, Touched};
use telltale_schema::{Frame, TableBatch, TableId, col, dnp3, s7comm};

/// Fills `tag` and `value` of a frame's rows from the site's `tags.csv`. Rows whose
/// point has no tag, and rows that have one already, stay as they are.
#[must_use]
pub fn fill(site: &Site, mut frame: Frame) -> Frame {
    for batch in &mut frame.batches {
        if let Some(tagged) = tagged(&site.tags, batch) {
            batch.batch = tagged;
        }
    }
    frame
}

/// The same for one batch.
#[must_use]
pub fn fill_batch(site: &Site, mut batch: TableBatch) -> TableBatch {
    if let Some(tagged) = tagged(&site.tags, &batch) {
        batch.batch = tagged;
    }
    batch
}

/// The batch with both columns; `None` if they stay as they are.
fn tagged(tags: &Tags, batch: &TableBatch) -> Option<RecordBatch> {
    if tags.is_empty() {
        return None;
    }
    let rows = Rows::of(batch)?;
    let mut filled: Option<Filled> = None;
    for at in 0..batch.batch.num_rows() {
        if let Some(found) = rows.touched(at).and_then(|row| tags.find(&row)) {
            let filled = filled.get_or_insert_with(|| Filled::new(batch.batch.num_rows()));
            filled.keep(&rows, at);
            filled.names.append_value(&found.tag.name);
            filled.values.append_option(found.value);
            filled.len = at + 1;
        }
    }
    filled?.put(&rows, &batch.batch)
}

/// A column of numbers, if it is one.
fn number<T: ArrowPrimitiveType>(array: &ArrayRef, at: usize) -> Option<T::Native> {
    let array = array.as_primitive_opt::<T>()?;
    array.is_valid(at).then(|| array.value(at))
}

fn text(array: &ArrayRef, at: usize) -> Option<&str> {
    let array = array.as_string_view_opt()?;
    array.is_valid(at).then(|| array.value(at))
}

/// The numbers of a list, without a copy.
fn list<T: ArrowPrimitiveType>(array: &ArrayRef, at: usize) -> &[T::Native] {
    let numbers = || {
        let lists = array.as_list_opt::<i32>()?;
        if lists.is_null(at) {
            return None;
        }
        let offsets = lists.value_offsets();
        let from = usize::try_from(*offsets.get(at)?).ok()?;
        let to = usize::try_from(*offsets.get(at + 1)?).ok()?;
        let values = lists.values().as_primitive_opt::<T>()?;
        values.values().get(from..to)
    };
    numbers().unwrap_or_default()
}

/// The columns that say what a row touches.
struct Rows<'b> {
    table: TableId,
    columns: &'b [ArrayRef],
    /// Null where the row touches nothing.
    place: &'b ArrayRef,
}

impl<'b> Rows<'b> {
    /// `None` for tables without points, and when no row names an object.
    fn of(batch: &'b TableBatch) -> Option<Self> {
        let columns = batch.batch.columns();
        let place = columns.get(match batch.table {
            TableId::Modbus | TableId::Dnp3 => col::OBJECT_FIRST,
            TableId::S7comm => s7comm::col::AREA,
            TableId::Cip => col::OBJECT,
            _ => return None,
        })?;
        (place.null_count() < place.len()).then_some(Self {
            table: batch.table,
            columns,
            place,
        })
    }

    fn number<T: ArrowPrimitiveType>(&self, column: usize, at: usize) -> Option<T::Native> {
        number::<T>(self.columns.get(column)?, at)
    }

    fn text(&self, column: usize, at: usize) -> Option<&'b str> {
        text(self.columns.get(column)?, at)
    }

    fn list<T: ArrowPrimitiveType>(&self, column: usize, at: usize) -> &'b [T::Native] {
        self.columns
            .get(column)
            .map(|array| list::<T>(array, at))
            .unwrap_or_default()
    }

    /// What the row touches on which device.
    fn touched(&self, at: usize) -> Option<Touched<'b>> {
        if self.place.is_null(at) || self.text(col::TAG, at).is_some() {
            return None;
        }
        let server = self.columns.get(col::SERVER_IP)?;
        let server = server
            .as_fixed_size_binary_opt()
            .filter(|_| server.is_valid(at))?;
        let count = || {
            self.number::<UInt32Type>(col::OBJECT_COUNT, at)
                .map_or(1, u64::from)
        };
        let first = || self.number::<UInt64Type>(col::OBJECT_FIRST, at);
        let class = || self.text(col::OBJECT_TYPE, at);
        let object = match self.table {
            TableId::Modbus => Place::Modbus {
                class: class()?,
                first: first()?,
                count: count(),
            },
            TableId::Dnp3 => Place::Dnp3 {
                class: class()?,
                first: first()?,
                count: count(),
                indexes: self.list::<UInt32Type>(dnp3::col::INDEXES, at),
            },
            TableId::S7comm => {
                use s7comm::col as own;
                let small = |column| self.number::<UInt8Type>(column, at);
                Place::S7 {
                    area: small(own::AREA)?,
                    db: self
                        .number::<UInt16Type>(own::DB_NUMBER, at)
                        .unwrap_or_default(),
                    first: first()?,
                    bit: small(own::BIT_ADDRESS).unwrap_or_default(),
                    size: small(own::TRANSPORT_SIZE).unwrap_or_default(),
                    count: count(),
                    length: self
                        .number::<UInt16Type>(own::ITEM_LENGTH, at)
                        .map_or(1, u64::from),
                }
            }
            _ => Place::Cip {
                object: self.text(col::OBJECT, at)?,
                count: count(),
            },
        };
        Some(Touched {
            device: server.value(at).try_into().ok()?,
            segment: self.text(col::SEGMENT, at).unwrap_or_default(),
            station: self.text(col::SERVER_STATION, at),
            object,
            data: self.list::<Float64Type>(col::DATA, at),
        })
    }
}

/// The columns that a tag fills.
struct Filled {
    len: usize,
    names: StringViewBuilder,
    values: Float64Builder,
}

impl Filled {
    fn new(rows: usize) -> Self {
        Self {
            len: 0,
            names: StringViewBuilder::with_capacity(rows).with_deduplicate_strings(),
            values: Float64Builder::with_capacity(rows),
        }
    }

    /// Copies what the rows up to this one have.
    fn keep(&mut self, rows: &Rows<'_>, until: usize) {
        for at in self.len..until {
            self.names.append_option(rows.text(col::TAG, at));
            self.values
                .append_option(rows.number::<Float64Type>(col::VALUE, at));
        }
        self.len = until;
    }

    fn put(mut self, rows: &Rows<'_>, batch: &RecordBatch) -> Option<RecordBatch> {
        self.keep(rows, batch.num_rows());
        let mut columns = batch.columns().to_vec();
        *columns.get_mut(col::TAG)? = Arc::new(self.names.finish());
        *columns.get_mut(col::VALUE)? = Arc::new(self.values.finish());
        // only names above 4 GiB are refused; the rows then stay without
        RecordBatch::try_new(batch.schema(), columns).ok()
    }
}

//! Fills the columns `tag` and `value` with what the site says of a row's point.

use crate::cells::Cells;
use arrow_array::builder::{Float64Builder, StringViewBuilder};
use arrow_array::cast::AsArray as _;
use arrow_array::types::Float64Type;
use arrow_array::{Array as _, ArrayRef, RecordBatch};
use std::sync::Arc;
use telltale_rules::Site;
use telltale_rules::site::tags::Touched;
use telltale_schema::value::ip_addr;
use telltale_schema::{Frame, TableBatch, TableDef, TableId};

/// Fills `tag` and `value` of a frame's rows from the site's `tags.csv`. Rows whose
/// point has no tag, and rows that have one already, stay as they are.
#[must_use]
pub fn fill(site: &Site, mut frame: Frame) -> Frame {
    if !site.tags.is_empty() {
        for batch in &mut frame.batches {
            if let Some(filled) = tagged(site, batch) {
                batch.batch = filled;
            }
        }
    }
    frame
}

/// The same for one batch.
#[must_use]
pub fn fill_batch(site: &Site, mut batch: TableBatch) -> TableBatch {
    if !site.tags.is_empty()
        && let Some(filled) = tagged(site, &batch)
    {
        batch.batch = filled;
    }
    batch
}

/// Columns that tell which point a row touches, by position.
struct Columns {
    device: usize,
    station: usize,
    object: usize,
    object_type: usize,
    first: usize,
    count: usize,
    data: usize,
    transport_size: Option<usize>,
    tag: usize,
    value: usize,
}

impl Columns {
    fn of(def: &TableDef) -> Option<Self> {
        let at = |name| def.column(name).map(|(at, _)| at);
        Some(Self {
            device: at("server_ip")?,
            station: at("server_station")?,
            object: at("object")?,
            object_type: at("object_type")?,
            first: at("object_first")?,
            count: at("object_count")?,
            data: at("data")?,
            transport_size: at("transport_size").filter(|_| def.id == TableId::S7comm),
            tag: at("tag")?,
            value: at("value")?,
        })
    }
}

/// The batch with both columns; `None` if no row has a tag.
fn tagged(site: &Site, batch: &TableBatch) -> Option<RecordBatch> {
    let columns = Columns::of(batch.table.def())?;
    let batch = &batch.batch;
    let cells = |at: usize| batch.columns().get(at).map(Cells::of);
    let (device, station) = (cells(columns.device)?, cells(columns.station)?);
    let (object, object_type) = (cells(columns.object)?, cells(columns.object_type)?);
    let (first, count) = (cells(columns.first)?, cells(columns.count)?);
    let (tag, value) = (cells(columns.tag)?, cells(columns.value)?);
    let transport_size = columns.transport_size.and_then(cells);
    let data = batch.columns().get(columns.data)?.as_list_opt::<i32>()?;
    let elements = data.values().as_primitive_opt::<Float64Type>()?.values();
    let text = |cells: &Cells<'_>, row| (!cells.is_null(row)).then(|| cells.text(row).to_owned());
    let mut tags: Option<(StringViewBuilder, Float64Builder)> = None;
    for row in 0..batch.num_rows() {
        let found = (|| {
            if device.is_null(row) || object_type.is_null(row) || !tag.is_null(row) {
                return None;
            }
            let device = ip_addr(device.wide(row).to_be_bytes());
            if !site.tags.knows(&device) {
                return None;
            }
            let data = data.is_valid(row).then(|| {
                let ends = data.value_offsets();
                let end = |at: usize| ends.get(at).map_or(0, |e| usize::try_from(*e).unwrap_or(0));
                elements.get(end(row)..end(row + 1)).unwrap_or_default()
            });
            site.tags.find(&Touched {
                device,
                station: text(&station, row).as_deref(),
                object: text(&object, row).as_deref(),
                object_type: object_type.text(row),
                first: (!first.is_null(row)).then(|| first.word(row)),
                count: if count.is_null(row) {
                    1
                } else {
                    count.word(row)
                },
                data,
                real: transport_size
                    .as_ref()
                    .is_some_and(|t| !t.is_null(row) && t.word(row) == Touched::S7_REAL),
            })
        })();
        if found.is_none() && tags.is_none() {
            continue;
        }
        let (names, values) = tags.get_or_insert_with(|| {
            let mut names = StringViewBuilder::with_capacity(batch.num_rows());
            let mut values = Float64Builder::with_capacity(batch.num_rows());
            for row in 0..row {
                keep(&tag, &value, row, &mut names, &mut values);
            }
            (names, values)
        });
        match found {
            Some((tag, value)) => {
                names.append_value(&tag.name);
                values.append_option(value);
            }
            None => keep(&tag, &value, row, names, values),
        }
    }
    let (mut names, mut values) = tags?;
    let mut all: Vec<ArrayRef> = batch.columns().to_vec();
    *all.get_mut(columns.tag)? = Arc::new(names.finish());
    *all.get_mut(columns.value)? = Arc::new(values.finish());
    RecordBatch::try_new(batch.schema(), all).ok()
}

/// Copies what a row has.
fn keep(
    tag: &Cells<'_>,
    value: &Cells<'_>,
    row: usize,
    names: &mut StringViewBuilder,
    values: &mut Float64Builder,
) {
    names.append_option((!tag.is_null(row)).then(|| tag.text(row)));
    values.append_option((!value.is_null(row)).then(|| crate::cells::f64_of_key(value.word(row))));
}

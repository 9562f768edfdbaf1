//! Telltale's own SQL functions. They are declared by name for the planner, and
//! bound to a site's content when a rule is compiled.

use crate::cells::{Cells, f64_of_key, i64_of_key};
use arrow_array::builder::StringBuilder;
use arrow_array::{ArrayRef, BooleanArray, Float64Array, RecordBatch, StringArray, UInt8Array};
use arrow_buffer::BooleanBuffer;
use arrow_schema::{DataType, Schema};
use chrono::{Datelike as _, TimeZone as _, Timelike as _};
use datafusion_common::{DataFusionError, Result};
use datafusion_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use rustc_hash::FxHashMap;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;
use telltale_rules::site::assets::{Assets, UNKNOWN};
use telltale_rules::site::calendar::Calendar;
use telltale_rules::site::list::List;
use telltale_rules::site::tags::Tags;
use telltale_schema::ColumnDef;
use telltale_schema::value::{Value, cell as read, ip_addr};

/// Names and types of the functions that a site's content answers.
pub(crate) const DECLARED: &[(&str, DataType)] = &[
    ("in_list", DataType::Boolean),
    ("in_calendar", DataType::Boolean),
    ("cidr_match", DataType::Boolean),
    ("overlaps", DataType::Boolean),
    ("outside_limits", DataType::Boolean),
    ("local_hour", DataType::UInt8),
    ("local_dow", DataType::UInt8),
    ("value_at", DataType::Float64),
    ("asset_name", DataType::Utf8),
    ("asset_zone", DataType::Utf8),
    ("asset_level", DataType::Utf8),
    ("asset_role", DataType::Utf8),
];

/// What a bound function does with its arguments, row by row.
pub(crate) enum Body {
    /// Not bound yet: cannot run.
    Declared,
    /// `event_time`, then key columns.
    InList(Arc<List>),
    /// Address, `event_time`.
    InCalendar(Arc<Calendar>),
    /// Address.
    Cidr(ipnet::IpNet),
    /// `object_first`, `object_count` against a range.
    Overlaps(u64, u64),
    /// `server_ip`, `tag`, `value`.
    OutsideLimits(Arc<Tags>),
    /// `event_time`.
    LocalHour(chrono_tz::Tz),
    /// `event_time`.
    LocalDow(chrono_tz::Tz),
    /// `data`.
    ValueAt(usize),
    /// Address.
    Asset(Arc<Assets>, AssetField),
    /// A column as people write it.
    Text,
}

/// What is asked of an asset.
#[derive(Clone, Copy)]
pub(crate) enum AssetField {
    Name,
    Zone,
    Level,
    Role,
}

/// A function with its body and the definitions of the columns it is called on.
pub(crate) struct Function {
    /// Distinct for distinct content: equal names are equal functions.
    name: String,
    returns: DataType,
    body: Body,
    columns: Vec<&'static ColumnDef>,
    signature: Signature,
}

impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}

impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Function {}

impl Hash for Function {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

fn signature() -> Signature {
    Signature::variadic_any(Volatility::Immutable)
}

pub(crate) fn declared(name: &str, returns: DataType) -> ScalarUDF {
    ScalarUDF::new_from_impl(Function {
        name: name.to_owned(),
        returns,
        body: Body::Declared,
        columns: Vec::new(),
        signature: signature(),
    })
}

pub(crate) fn bound(
    name: String,
    returns: DataType,
    body: Body,
    columns: Vec<&'static ColumnDef>,
) -> ScalarUDF {
    ScalarUDF::new_from_impl(Function {
        name,
        returns,
        body,
        columns,
        signature: signature(),
    })
}

impl ScalarUDFImpl for Function {
    fn name(&self) -> &str {
        &self.name
    }
    fn signature(&self) -> &Signature {
        &self.signature
    }
    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.returns.clone())
    }
    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let arrays: Vec<ArrayRef> = args
            .args
            .iter()
            .map(|a| a.to_array(rows))
            .collect::<Result<_>>()?;
        let cells: Vec<Cells<'_>> = arrays.iter().map(Cells::of).collect();
        let cell = |column: usize| cells.get(column).ok_or_else(|| self.wrong_call());
        let all = 0..rows;
        let truth = |answer: &mut dyn FnMut(usize) -> bool| -> ArrayRef {
            Arc::new(BooleanArray::new(
                BooleanBuffer::collect_bool(rows, answer),
                None,
            ))
        };
        let array: ArrayRef = match &self.body {
            Body::Declared => return Err(self.wrong_call()),
            Body::InList(list) => {
                let time = cell(0)?;
                let batch = self.batch(&arrays)?;
                truth(&mut |row| {
                    let keys = self.columns.iter().enumerate().skip(1);
                    let values: Vec<Value> =
                        keys.map(|(at, def)| read(&batch, at, def, row)).collect();
                    list.contains(&values, time_at(time, row))
                })
            }
            Body::InCalendar(calendar) => {
                let (ip, time) = (cell(0)?, cell(1)?);
                truth(&mut |row| calendar.contains(ip_at(ip, row), time_at(time, row)))
            }
            Body::Cidr(net) => {
                let ip = cell(0)?;
                truth(&mut |row| ip_at(ip, row).is_some_and(|ip| net.contains(&ip)))
            }
            Body::Overlaps(first, last) => {
                let (begin, count) = (cell(0)?, cell(1)?);
                truth(&mut |row| {
                    let count = if count.is_null(row) {
                        1
                    } else {
                        count.word(row).max(1)
                    };
                    let begin = (!begin.is_null(row)).then(|| begin.word(row));
                    begin.is_some_and(|b| b <= *last && b.saturating_add(count - 1) >= *first)
                })
            }
            Body::OutsideLimits(tags) => {
                let (device, tag, value) = (cell(0)?, cell(1)?, cell(2)?);
                truth(&mut |row| {
                    !tag.is_null(row)
                        && !value.is_null(row)
                        && ip_at(device, row).is_some_and(|device| {
                            tags.is_outside(device, tag.text(row), f64_of_key(value.word(row)))
                        })
                })
            }
            Body::LocalHour(zone) => {
                let time = cell(0)?;
                Arc::new(UInt8Array::from_iter(all.map(|row| {
                    u8::try_from(local(*zone, time_at(time, row)).hour()).ok()
                })))
            }
            Body::LocalDow(zone) => {
                let time = cell(0)?;
                Arc::new(UInt8Array::from_iter(all.map(|row| {
                    u8::try_from(
                        local(*zone, time_at(time, row))
                            .weekday()
                            .number_from_monday(),
                    )
                    .ok()
                })))
            }
            Body::ValueAt(n) => {
                let batch = self.batch(&arrays)?;
                Arc::new(Float64Array::from_iter(all.map(|row| {
                    match self.columns.first().map(|def| read(&batch, 0, def, row)) {
                        Some(Value::List(list)) => list.get(*n).and_then(Value::as_f64),
                        _ => None,
                    }
                })))
            }
            Body::Asset(assets, field) => {
                let ip = cell(0)?;
                let mut out = StringBuilder::new();
                let mut known: FxHashMap<Option<IpAddr>, &str> = FxHashMap::default();
                for row in all {
                    let ip = ip_at(ip, row);
                    let answer = *known.entry(ip).or_insert_with(|| asset(assets, *field, ip));
                    out.append_value(answer);
                }
                Arc::new(out.finish())
            }
            Body::Text => {
                let batch = self.batch(&arrays)?;
                Arc::new(StringArray::from_iter(all.map(|row| {
                    match self.columns.first().map(|def| read(&batch, 0, def, row)) {
                        None | Some(Value::Null) => None,
                        Some(other) => Some(other.to_string()),
                    }
                })))
            }
        };
        Ok(ColumnarValue::Array(array))
    }
}

fn local(zone: chrono_tz::Tz, ns: i64) -> chrono::NaiveDateTime {
    zone.from_utc_datetime(&chrono::DateTime::from_timestamp_nanos(ns).naive_utc())
        .naive_local()
}

fn asset(assets: &Assets, field: AssetField, ip: Option<IpAddr>) -> &str {
    let known = ip.and_then(|ip| assets.get(&ip));
    known.map_or(UNKNOWN, |a| match field {
        AssetField::Name => &a.name,
        AssetField::Zone => &a.zone,
        AssetField::Level => &a.level,
        AssetField::Role => &a.role,
    })
}

fn ip_at(cells: &Cells<'_>, row: usize) -> Option<IpAddr> {
    (!cells.is_null(row)).then(|| ip_addr(cells.wide(row).to_be_bytes()))
}

fn time_at(cells: &Cells<'_>, row: usize) -> i64 {
    if cells.is_null(row) {
        return 0;
    }
    i64_of_key(cells.word(row))
}

impl Function {
    /// The list that it looks into, if it does.
    pub(crate) fn list(&self) -> Option<&Arc<List>> {
        match &self.body {
            Body::InList(list) => Some(list),
            _ => None,
        }
    }

    fn wrong_call(&self) -> DataFusionError {
        DataFusionError::Execution(format!("{} is not bound to these columns", self.name))
    }

    fn batch(&self, arrays: &[ArrayRef]) -> Result<RecordBatch> {
        let fields: Vec<_> = self.columns.iter().map(|c| c.field()).collect();
        Ok(RecordBatch::try_new(
            Arc::new(Schema::new(fields)),
            arrays.to_vec(),
        )?)
    }
}

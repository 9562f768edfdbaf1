//! Telltale's own SQL functions. They are declared by name for the planner, and
//! bound to a site's content when a rule is compiled.

use arrow_array::{ArrayRef, BooleanArray, Float64Array, RecordBatch, StringArray, UInt8Array};
use arrow_schema::{DataType, Schema};
use chrono::{Datelike as _, TimeZone as _, Timelike as _};
use datafusion_common::{DataFusionError, Result};
use datafusion_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;
use telltale_rules::site::assets::{Assets, UNKNOWN};
use telltale_rules::site::calendar::Calendar;
use telltale_rules::site::list::List;
use telltale_schema::ColumnDef;
use telltale_schema::value::{Value, cell};

/// Names and types of the functions that a site's content answers.
pub(crate) const DECLARED: &[(&str, DataType)] = &[
    ("in_list", DataType::Boolean),
    ("in_calendar", DataType::Boolean),
    ("cidr_match", DataType::Boolean),
    ("overlaps", DataType::Boolean),
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
    InList(List),
    /// Address, `event_time`.
    InCalendar(Calendar),
    /// Address.
    Cidr(ipnet::IpNet),
    /// `object_first`, `object_count` against a range.
    Overlaps(u64, u64),
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
        let fields: Vec<_> = self.columns.iter().map(|c| c.field()).collect();
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?;
        let value = |column: usize, row: usize| {
            self.columns
                .get(column)
                .map_or(Value::Null, |def| cell(&batch, column, def, row))
        };
        let ip = |column: usize, row: usize| match value(column, row) {
            Value::Ip(ip) => Some(ip),
            _ => None,
        };
        let time = |column: usize, row: usize| match value(column, row) {
            Value::Time(ns) => ns,
            _ => 0,
        };
        let all = 0..rows;
        let array: ArrayRef = match &self.body {
            Body::Declared => {
                return Err(DataFusionError::Execution(format!(
                    "{} is not bound",
                    self.name
                )));
            }
            Body::InList(list) => Arc::new(BooleanArray::from_iter(all.map(|row| {
                let values: Vec<Value> = (1..self.columns.len()).map(|c| value(c, row)).collect();
                Some(list.contains(&values, time(0, row)))
            }))),
            Body::InCalendar(calendar) => Arc::new(BooleanArray::from_iter(
                all.map(|row| Some(calendar.contains(ip(0, row), time(1, row)))),
            )),
            Body::Cidr(net) => Arc::new(BooleanArray::from_iter(
                all.map(|row| Some(ip(0, row).is_some_and(|ip| net.contains(&ip)))),
            )),
            Body::Overlaps(first, last) => Arc::new(BooleanArray::from_iter(all.map(|row| {
                let begin = value(0, row).as_u64();
                let count = value(1, row).as_u64().unwrap_or(1).max(1);
                Some(begin.is_some_and(|b| b <= *last && b.saturating_add(count - 1) >= *first))
            }))),
            Body::LocalHour(zone) => Arc::new(UInt8Array::from_iter(
                all.map(|row| u8::try_from(local(*zone, time(0, row)).hour()).ok()),
            )),
            Body::LocalDow(zone) => Arc::new(UInt8Array::from_iter(all.map(|row| {
                u8::try_from(local(*zone, time(0, row)).weekday().number_from_monday()).ok()
            }))),
            Body::ValueAt(n) => Arc::new(Float64Array::from_iter(all.map(|row| {
                match value(0, row) {
                    Value::List(list) => list.get(*n).and_then(Value::as_f64),
                    _ => None,
                }
            }))),
            Body::Asset(assets, field) => Arc::new(StringArray::from_iter_values(
                all.map(|row| asset(assets, *field, ip(0, row))),
            )),
            Body::Text => Arc::new(StringArray::from_iter(all.map(|row| match value(0, row) {
                Value::Null => None,
                other => Some(other.to_string()),
            }))),
        };
        Ok(ColumnarValue::Array(array))
    }
}

fn local(zone: chrono_tz::Tz, ns: i64) -> chrono::NaiveDateTime {
    zone.from_utc_datetime(&chrono::DateTime::from_timestamp_nanos(ns).naive_utc())
        .naive_local()
}

fn asset(assets: &Assets, field: AssetField, ip: Option<IpAddr>) -> String {
    let known = ip.and_then(|ip| assets.get(&ip));
    known
        .map_or(UNKNOWN, |a| match field {
            AssetField::Name => &a.name,
            AssetField::Zone => &a.zone,
            AssetField::Level => &a.level,
            AssetField::Role => &a.role,
        })
        .to_owned()
}

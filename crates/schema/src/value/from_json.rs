//! Rows from the few columns that a person gives; the others take defaults.

use super::build::keep;
use super::{LiteralError, RowValues, Value, ip_addr};
use crate::defs::{ColumnDef, ColumnKind, DecisionRow, Function, TableDef, UnknownName};
use crate::object::{Object, S7Size};
use crate::tables::TableId;
use crate::value::Literal;
use serde_json::{Map, Value as Json};
use thiserror::Error;

/// What the surroundings of a row decide.
#[derive(Debug, Clone, Copy, Default)]
pub struct RowDefaults {
    /// Number of the row; also gives `packet`, `pdu_id` and `flow_ordinal`.
    pub row_no: u64,
    /// Its time: nanoseconds since 1970-01-01 UTC.
    pub event_time: i64,
}

/// What can be wrong with given values.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RowError {
    /// No such column.
    #[error("table `{table}`: {source}")]
    Column {
        /// The table.
        table: &'static str,
        /// The name, and the nearest.
        source: UnknownName,
    },
    /// Not a value of that column.
    #[error(transparent)]
    Literal(#[from] LiteralError),
    /// A list where one value belongs, or one value where a list belongs.
    #[error("column `{column}` holds {wanted}; `{text}` is none")]
    Shape {
        /// The column.
        column: &'static str,
        /// What belongs there.
        wanted: &'static str,
        /// What was given.
        text: String,
    },
    /// A column that every row has is missing.
    #[error("column `{column}` may not be null; give a value or leave it out")]
    Missing {
        /// The column.
        column: &'static str,
    },
    /// A row of another table.
    #[error("a row of table `{row}` among rows of table `{table}`")]
    OtherTable {
        /// The batch's table.
        table: &'static str,
        /// The row's.
        row: &'static str,
    },
    /// Arrow refused the batch.
    #[error("cannot make a batch: {0}")]
    Batch(String),
}

impl RowError {
    /// Stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Column { .. } => "TT-SCH-005",
            Self::Literal(e) => e.code(),
            Self::Shape { .. } => "TT-SCH-006",
            Self::Missing { .. } => "TT-SCH-007",
            Self::OtherTable { .. } => "TT-SCH-008",
            Self::Batch(_) => "TT-SCH-001",
        }
    }
}

fn scalar(def: &'static ColumnDef, json: &Json) -> Result<Value, RowError> {
    let text = match json {
        Json::Null => return Ok(Value::Null),
        Json::String(s) => s.clone(),
        Json::Bool(_) | Json::Number(_) => json.to_string(),
        Json::Array(_) | Json::Object(_) => {
            return Err(RowError::Shape {
                column: def.name,
                wanted: "one value",
                text: json.to_string(),
            });
        }
    };
    Ok(match keep(def, &Value::Text(text))? {
        Literal::Bool(b) => Value::Bool(b),
        Literal::U64(n) => Value::U64(n),
        Literal::I64(n) => Value::I64(n),
        Literal::F64(n) => Value::F64(n),
        Literal::Text(t) => Value::Text(t),
        Literal::Ip(ip) => Value::Ip(ip_addr(ip)),
        Literal::Mac(m) => Value::Mac(m),
        Literal::Time(t) => Value::Time(t),
        Literal::Enum(id) => match def.kind {
            ColumnKind::Enum(e) => e
                .def()
                .name_of(id)
                .map_or(Value::Null, |n| Value::Text(n.to_owned())),
            _ => Value::Null,
        },
    })
}

fn given_value(def: &'static ColumnDef, json: &Json) -> Result<Value, RowError> {
    let list = matches!(def.kind, ColumnKind::ListF64 | ColumnKind::ListU32);
    match json {
        Json::Null => Ok(Value::Null),
        Json::Array(items) if list => {
            let values: Result<Vec<Value>, RowError> =
                items.iter().map(|i| scalar(def, i)).collect();
            values.map(Value::List)
        }
        _ if list => Err(RowError::Shape {
            column: def.name,
            wanted: "a list of numbers",
            text: json.to_string(),
        }),
        _ => scalar(def, json),
    }
}

/// One row of `table` from the columns in `given`. What is left out takes defaults:
///
/// | column | default |
/// |---|---|
/// | `row_no`, `event_time` | of `defaults`; `packet` is `row_no` + 1, `pdu_id` and `flow_ordinal` are `row_no` |
/// | `site`, `sensor`, `segment` | `test`, `test`, `default` |
/// | `protocol` | the table's |
/// | `function_code`, `operation`, `phase` | of the decision table for `function`, for the class that `object_type` names, else for any |
/// | `function` | of the decision table for `function_code` (and `sub_function`), else `unknown` |
/// | `operation` | `other` without function |
/// | `direction` | `request`; `none` for flow, arp and packet_error |
/// | `outcome` | `ok` on responses |
/// | `item_index`, `item_count`, `flow_id` | 0, 1, 1 |
/// | `transport`, `role_source` | `tcp` (`ethernet` for arp), `protocol` |
/// | `client_*`, `server_*` | 10.0.0.1:49152, 10.0.0.2 at the protocol's port, 02:00:00:00:00:01 and :02 |
/// | `src_*`, `dst_*` | client and server, or server and client on responses and unsolicited messages |
/// | `object_type`, `object_first`, `object_count`, and the table's own columns of the object's place | of `object`, if it names points |
/// | `data_min`, `data_max` | of `data` |
/// | the table's own | null where allowed, else 0, false, empty, first name (`crc_ok` and `initiator_known` true, `unit_id` 1) |
///
/// # Errors
/// [`RowError`] for unknown columns (with the nearest name) and values that a column cannot have.
pub fn row_from_json(
    table: TableId,
    given: &Map<String, Json>,
    defaults: &RowDefaults,
) -> Result<RowValues, RowError> {
    let def = table.def();
    let mut row = RowValues::new(table);
    for (name, json) in given {
        let Some((at, column)) = def.column(name) else {
            return Err(RowError::Column {
                table: def.name,
                source: UnknownName::new("column", name, def.columns.iter().map(|c| c.name)),
            });
        };
        let value = given_value(column, json)?;
        if value.is_null() && !column.nullable {
            return Err(RowError::Missing {
                column: column.name,
            });
        }
        row.set_at(at, value);
    }
    let mut fill = Fill { row, given, def };
    fill.surroundings(defaults);
    fill.object();
    fill.decision();
    fill.endpoints();
    fill.rest();
    Ok(fill.row)
}

struct Fill<'g> {
    row: RowValues,
    given: &'g Map<String, Json>,
    def: &'static TableDef,
}

impl Fill<'_> {
    /// Sets a column that was not given (a given null stays null).
    fn default(&mut self, name: &str, value: Value) {
        if !self.given.contains_key(name) && self.row.get(name).is_null() {
            self.row.set(name, value);
        }
    }

    fn name(&mut self, column: &str, name: &str) {
        self.default(column, Value::Text(name.to_owned()));
    }

    fn is_protocol(&self) -> bool {
        matches!(
            self.row.table,
            TableId::Modbus | TableId::Dnp3 | TableId::S7comm | TableId::Cip
        )
    }

    fn surroundings(&mut self, d: &RowDefaults) {
        self.default("row_no", Value::U64(d.row_no));
        self.default("event_time", Value::Time(d.event_time));
        self.default("packet", Value::U64(d.row_no.saturating_add(1)));
        self.default("pdu_id", Value::U64(d.row_no));
        self.default("flow_ordinal", Value::U64(d.row_no));
        self.default("flow_id", Value::U64(1));
        self.default("item_index", Value::U64(0));
        self.default("item_count", Value::U64(1));
        self.name("site", "test");
        self.name("sensor", "test");
        self.name("segment", "default");
        self.name("protocol", self.def.protocol.as_str());
        let arp = self.row.table == TableId::Arp;
        self.name("transport", if arp { "ethernet" } else { "tcp" });
        self.name("role_source", "protocol");
        let direction = if self.is_protocol() {
            "request"
        } else {
            "none"
        };
        self.name("direction", direction);
        if self.row.get("direction").as_str() == Some("response") {
            self.name("outcome", "ok");
        }
    }

    /// What the text of the object says in columns of their own.
    fn object(&mut self) {
        let Some(text) = self.row.get("object").as_str().map(str::to_owned) else {
            return;
        };
        let Some(object) = Object::parse(&text).filter(|o| o.table() == self.row.table) else {
            return;
        };
        self.name("object_type", object.object_type());
        let mut number = |column: &str, n: u64| self.default(column, Value::U64(n));
        match object {
            Object::Modbus { span, .. } | Object::Dnp3 { span, .. } | Object::S7 { span, .. } => {
                number("object_first", span.0);
                number("object_count", span.1 - span.0 + 1);
            }
            Object::Cip { base, index } => {
                if base.len() < text.len() {
                    number("object_first", index);
                }
            }
        }
        match object {
            Object::Modbus { .. } => {}
            Object::Dnp3 { group, span, .. } => {
                if let Some((group, variation)) = group {
                    number("group", group.into());
                    number("variation", variation.into());
                }
                number("range_start", span.0);
                number("range_stop", span.1);
            }
            Object::S7 {
                area,
                db,
                size,
                span,
                bit,
            } => {
                number("area", area.into());
                number("db_number", db.into());
                number("byte_address", span.0);
                if size != S7Size::Element {
                    number("bit_address", bit.into());
                }
                number("transport_size", size.transport_size(area).into());
                number("item_length", (span.1 - span.0 + 1) / size.bytes());
            }
            Object::Cip { .. } => {
                if let Some(name) = text.strip_prefix("tag:") {
                    self.name("symbol", name);
                }
            }
        }
    }

    fn small(&self, column: &str) -> Option<u16> {
        self.row
            .get(column)
            .as_u64()
            .and_then(|v| u16::try_from(v).ok())
    }

    fn decision(&mut self) {
        let class = self.row.get("object_type").as_str().map(str::to_owned);
        let named = self
            .row
            .get("function")
            .as_str()
            .and_then(Function::from_name);
        let decision: Option<&'static DecisionRow> = match named {
            Some(function) => self.def.decision_for(function, class.as_deref()),
            None => self.by_code(class.as_deref()),
        };
        if let Some(d) = decision {
            self.name("function", d.function.as_str());
            self.name("operation", d.operation.as_str());
            if let Some(phase) = d.phase {
                self.name("phase", phase.as_str());
            }
            if self.is_protocol()
                && let Some(code) = d.code.first()
            {
                self.default("function_code", Value::U64(code.into()));
            }
        }
        self.name("function", "unknown");
        self.name("operation", "other");
    }

    fn by_code(&self, class: Option<&str>) -> Option<&'static DecisionRow> {
        let code = match self.row.table {
            TableId::Flow => self.enum_id("kind"),
            TableId::PacketError => self.enum_id("layer"),
            TableId::Arp => self.small("arp_operation"),
            _ => self.small("function_code"),
        };
        let code = code?;
        let sub = self
            .small("sub_function")
            .or_else(|| self.small("mei_type"));
        let space = self.def.spaces.first()?.0;
        self.def.decisions.iter().find(|d| {
            d.space == space
                && d.code.fits(Some(code))
                && d.sub.fits(sub)
                && d.classes
                    .is_none_or(|l| l.contains(&class.unwrap_or("none")))
        })
    }

    fn enum_id(&self, column: &str) -> Option<u16> {
        let (_, def) = self.def.column(column)?;
        let ColumnKind::Enum(e) = def.kind else {
            return None;
        };
        match self.row.get(column).as_str() {
            Some(name) => e.def().id_of(name).ok(),
            None => e.def().values.first().map(|v| v.0),
        }
    }

    fn endpoints(&mut self) {
        let port = match self.row.table {
            TableId::Dnp3 => 20000,
            TableId::S7comm => 102,
            TableId::Cip => 44818,
            _ => 502,
        };
        let backwards = matches!(
            self.row.get("direction").as_str(),
            Some("response" | "unsolicited")
        );
        let ends = [
            ("client", "src", "dst", 1u8, 49152u64),
            ("server", "dst", "src", 2, port),
        ];
        for (role, forward, backward, n, port) in ends {
            let frame = if backwards { backward } else { forward };
            let mut ip = [0u8; 16];
            ip.copy_from_slice(&(0xffff_0a00_0000u128 + u128::from(n)).to_be_bytes());
            let fallback = [
                ("ip", Value::Ip(ip_addr(ip)), true),
                ("port", Value::U64(port), self.row.table != TableId::Arp),
                ("mac", Value::Mac(0x0200_0000_0000 + u64::from(n)), true),
            ];
            for (what, value, applies) in fallback {
                let (role, frame) = (format!("{role}_{what}"), format!("{frame}_{what}"));
                let seen = self.row.get(&frame).clone();
                if !seen.is_null() {
                    self.default(&role, seen);
                } else if applies {
                    self.default(&role, value);
                }
                let known = self.row.get(&role).clone();
                self.default(&frame, known);
            }
        }
    }

    fn rest(&mut self) {
        let numbers: Vec<f64> = match self.row.get("data") {
            Value::List(l) => l.iter().filter_map(Value::as_f64).collect(),
            _ => Vec::new(),
        };
        if let Some(first) = numbers.first() {
            let least = numbers.iter().copied().fold(*first, f64::min);
            let greatest = numbers.iter().copied().fold(*first, f64::max);
            self.default("data_min", Value::F64(least));
            self.default("data_max", Value::F64(greatest));
        }
        self.default("crc_ok", Value::Bool(true));
        self.default("initiator_known", Value::Bool(true));
        self.default("unit_id", Value::U64(1));
        for column in self.def.columns.iter().filter(|c| !c.nullable) {
            let value = match column.kind {
                ColumnKind::Bool => Value::Bool(false),
                ColumnKind::F64 => Value::F64(0.0),
                ColumnKind::I64 => Value::I64(0),
                ColumnKind::Text => Value::Text(String::new()),
                ColumnKind::Ip => Value::Ip(ip_addr([0; 16])),
                ColumnKind::Mac => Value::Mac(0),
                ColumnKind::Timestamp => Value::Time(0),
                ColumnKind::Enum(e) => match e.def().values.first() {
                    Some(v) => Value::Text(v.1.to_owned()),
                    None => Value::Null,
                },
                _ => Value::U64(0),
            };
            self.default(column.name, value);
        }
    }
}

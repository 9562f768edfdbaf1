//! Telltale's tables: the only definition is `/schemas/*.yaml`, read at build time.
//!
//! What this crate offers:
//! - [`TableId`], [`TableDef`], [`ColumnDef`]: what a table holds, for programs;
//! - one module per table (`modbus`, `dnp3`, …) with its `Row`, `Builder`,
//!   functions, object classes and decision table;
//! - the enumerations ([`Protocol`], [`Operation`], [`Phase`], …);
//! - [`Frame`] and [`TableBatch`]: all rows of one sensor's flush;
//! - [`object`]: the text of an object taken apart;
//! - [`value`]: rows back to names, literals to typed values, rows from JSON;
//! - [`docs`]: the same definitions as Markdown, text, JSON and JSON Schema.
//!
//! ```
//! use telltale_schema::{Builders, Common, Direction, modbus, value};
//!
//! let d = modbus::decide(modbus::Space::Pdu, 8, Some(4), modbus::ObjectClass::None);
//! assert_eq!(d.operation.as_str(), "stop"); // force listen only: the device falls silent
//!
//! let mut builders = Builders::with_capacity(8192);
//! let common = Common {
//!     site: "plant",
//!     operation: d.operation,
//!     function: d.function,
//!     direction: Direction::Request,
//!     ..Default::default()
//! };
//! let own = modbus::Row { unit_id: 1, sub_function: Some(4), ..Default::default() };
//! builders.modbus.append(&common, &own);
//!
//! let batches = builders.finish()?;
//! let row = value::row(&batches[0], 0);
//! assert_eq!(row.get("function").as_str(), Some("diag_force_listen_only"));
//! # Ok::<(), telltale_schema::SchemaError>(())
//! ```
#![forbid(unsafe_code)]

mod arrow_types;
mod columns;
mod defs;
pub mod docs;
mod frame;
mod macros;
pub mod object;
mod tables;
pub mod value;

pub use arrow_types::{META_ENUM, META_KIND, META_SENSITIVITY, META_UNIT, events_schema};
pub use defs::{
    CodeMatch, ColumnDef, ColumnKind, Decision, DecisionRow, EnumDef, Function, FunctionDef,
    SchemaError, Sensitivity, TableDef, UnknownName, events_columns, nearest,
};
pub use frame::{Frame, TableBatch};
pub use tables::*;

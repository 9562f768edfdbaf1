//! Telltale's tables: the only definition is `/schemas/*.yaml`, read at build time.
//!
//! What this crate offers:
//! - [`TableId`], [`TableDef`], [`ColumnDef`]: what a table holds, for programs;
//! - one module per table (`modbus`, `dnp3`, …) with its `Row`, `Builder`,
//!   functions, object classes and decision table;
//! - the enumerations ([`Protocol`], [`Operation`], [`Phase`], …);
//! - [`Frame`] and [`TableBatch`]: all rows of one sensor's flush;
//! - [`value`]: rows back to names, literals to typed values, rows from JSON;
//! - [`docs`]: the same definitions as Markdown, text, JSON and JSON Schema.
#![forbid(unsafe_code)]

mod arrow_types;
mod columns;
mod defs;
pub mod docs;
mod frame;
mod macros;
mod tables;
pub mod value;

pub use arrow_types::{META_ENUM, META_KIND, META_SENSITIVITY, META_UNIT, events_schema};
pub use defs::{
    CodeMatch, ColumnDef, ColumnKind, Decision, DecisionRow, EnumDef, Function, FunctionDef,
    SchemaError, Sensitivity, TableDef, UnknownName, events_columns, nearest,
};
pub use frame::{Frame, TableBatch};
pub use tables::*;

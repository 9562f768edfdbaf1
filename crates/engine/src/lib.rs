//! Compiles rules and runs them over frames. The only crate that names DataFusion.
//!
//! Compile once, at load: SQL → checks → DataFusion logical expressions → our
//! physical form. A rule's WHERE is split into conjuncts; equal conjuncts of
//! different rules are one. Rules are indexed by what they demand to be equal
//! (protocol, operation, function, direction, an address …), so that a row meets
//! only the rules whose equality conditions it fulfils; comparisons of one cell
//! read Arrow's buffers; the rest (text patterns, look-ups, arithmetic) is
//! DataFusion's, once a batch for all rules that share it, on the rows that are
//! still in question. A rule whose guards pass no row costs nothing.
#![forbid(unsafe_code)]

mod atom;
mod cells;
mod cheap;
mod compile;
mod context;
pub mod detector;
mod engine;
pub mod explain;
mod functions;
mod index;
mod literals;
mod look;
mod masks;
mod memory;
mod near;
mod negation;
mod pattern;
mod plan;
mod possible;
mod provider;
mod quick;
mod set;
mod slow;
mod sql;
pub mod tagging;
mod test;
pub mod testing;
mod text;

pub use detector::Detector;
pub use engine::{Engine, NotApplicable};
pub use memory::Limits;
pub use memory::first_seen::{SeenKey, Standing};

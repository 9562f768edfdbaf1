//! Compiles rules and runs them over frames. The only crate that names DataFusion.
//!
//! Compile once, at load: SQL → checks → DataFusion logical expressions → our
//! physical form. A rule's WHERE is split into conjuncts; equal conjuncts of
//! different rules are one [`atom`]. Comparisons of small integers
//! (protocol, operation, function, direction …) run over the whole batch once and
//! are shared; the rest runs only on rows that are still in question, so that a
//! rule whose guards pass no row costs a few nanoseconds a batch.
#![forbid(unsafe_code)]

pub mod atom;
mod bits;
mod compile;
mod engine;
pub mod explain;
mod functions;
mod literals;
mod provider;
mod sql;
pub mod testing;

pub use engine::{Engine, NotApplicable};

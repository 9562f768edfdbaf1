//! Finding to alert, and alert to text.
//!
//! [`Stage`] is one stage for all kinds of rule: the site's word on the rule,
//! exceptions, suppression in event time, a cap, risk of devices. It reads no clock: the same
//! findings give the same alerts. Encoders write what people, programs and SIEMs read.
#![forbid(unsafe_code)]

pub mod encode;
pub mod evidence;
mod make;
mod stage;
mod words;

/// Generated from `proto/telltale/v1/alert.proto`.
#[allow(missing_docs, clippy::all)]
pub mod v1 {
    include!(concat!(env!("OUT_DIR"), "/telltale.v1.rs"));
}

pub use stage::{Counters, FORMAT, Limits, Restored, Stage, StateError};
pub use v1::Alert;

//! Packets to rows.
//!
//! The order of the data path: [`reader`] hands out packets of a capture file,
//! [`link`] peels link layers and tunnels, [`ip`] parses addresses and puts
//! fragments together, [`flow`] gives a packet its flow, [`tcp`] its place in
//! the stream, [`detect`] recognises the protocol by what it says, [`rows`]
//! turns messages into rows, and [`Pipeline`] drives them and cuts frames.
//! Nothing here reads a clock: the same packets give the same rows.
#![forbid(unsafe_code)]

mod config;
mod counters;
mod dedup;
pub mod detect;
mod error;
pub mod flow;
pub mod ip;
pub mod link;
pub mod pipeline;
pub mod reader;
pub mod rows;
pub mod tcp;

pub use config::Config;
pub use counters::Counters;
pub use error::CaptureError;
pub use pipeline::Pipeline;
pub use reader::{Packet, Reader};

//! Protocol parsers: bytes in, typed messages out.
//!
//! Sans-IO: nothing here opens a socket, reads a clock or knows Arrow. Messages
//! borrow from the packet, and no parser allocates per PDU. What must survive
//! from one PDU to the next (request/response pairing, fragments) lives in
//! explicit, bounded session structs.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

pub mod bytes;
pub mod cip;
pub mod dnp3;
mod error;
pub mod framing;
pub mod modbus;
pub mod pending;
pub mod s7comm;

pub use error::Error;
pub use framing::{Framing, Probe};

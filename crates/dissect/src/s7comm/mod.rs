//! S7 communication (protocol ID 0x32) over COTP (ISO 8073) and TPKT (RFC 1006).
//!
//! Siemens publishes no specification; structures and names follow what public
//! dissectors and traces agree on. S7-plus (0x72) is recognised and reported
//! as [`Payload::Plus`], not decoded.
//!
//! The way of a byte: [`next_pdu`] cuts TPKTs out of a stream, [`cotp::parse`]
//! opens one, [`Session`] puts the parts of a transport data unit together,
//! [`parse`] reads the S7 header, and [`Pdu::body`] says what is asked.
pub mod cotp;
pub mod data;
pub mod item;
mod parts;
mod pdu;
mod session;
mod table;
#[cfg(test)]
mod tests;
pub mod tpkt;
pub mod transfer;
pub mod userdata;

pub use cotp::{Connection, Cotp};
pub use data::{DataItem, DataItems, Values};
pub use item::{Item, Items, Variable};
pub use parts::{Jobs, Parts};
pub use pdu::{BAD_HEADER, Body, Payload, Pdu, ReturnCodes, Setup, parse};
pub use session::{Assembled, Key, MAX_REASSEMBLY, Reassembly, Session, TOO_LONG};
pub use tpkt::{next_pdu, probe};
pub use transfer::{Block, Pi, PiKind, Transfer};
pub use userdata::Userdata;

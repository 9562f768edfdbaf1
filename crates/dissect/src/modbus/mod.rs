//! Modbus over TCP and UDP, with UMAS (Schneider Electric) in function code 90.
//!
//! Sources: *MODBUS Application Protocol Specification V1.1b3* (section numbers
//! below are its own) and *MODBUS Messaging on TCP/IP Implementation Guide
//! V1.0b*. UMAS has no published specification; what is here follows public
//! research and traces.
//!
//! The way of a byte: [`next_pdu`] cuts ADUs out of a stream ([`datagram`] for
//! UDP), [`Adu::parse`] reads the MBAP header, [`Adu::request`] what is asked or
//! ([`Adu::response`]) answered, and [`Session`] finds the request of a response.
mod adu;
mod body;
mod records;
mod session;
#[cfg(test)]
mod tests;

pub use adu::{Adu, MAX_LENGTH, Shape, datagram, next_pdu, probe};
pub use body::{Body, Table, Umas};
pub use records::{Bits, DeviceObject, DeviceObjects, FileRecord, FileRecords, Registers};
pub use session::{Key, Session};

/// The MBAP header is not one of Modbus.
pub const BAD_HEADER: &str = "TT-MODBUS-001";
/// The PDU is shorter than its function code demands.
pub const TRUNCATED: &str = "TT-MODBUS-002";
/// A length or count inside the PDU contradicts its size.
pub const BAD_COUNT: &str = "TT-MODBUS-003";
/// The datagram ends before the length that its header announces.
pub const SHORT_DATAGRAM: &str = "TT-MODBUS-004";

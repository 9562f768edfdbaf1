//! EtherNet/IP encapsulation and CIP (ODVA, CIP Volumes 1 and 2), tag services of
//! Logix controllers, and PCCC inside CIP.
//!
//! The way of a byte: [`next_pdu`] cuts encapsulation PDUs out of a stream,
//! [`encap::parse`] opens one, [`cpf`] finds addresses and data in it,
//! [`message::parse`] reads a CIP message, [`epath`] its path. Implicit I/O over
//! UDP has no encapsulation header: [`cpf::implicit`].
pub mod connection;
pub mod cpf;
pub mod encap;
pub mod epath;
pub mod identity;
pub mod message;
pub mod pccc;
mod session;
pub mod tag;
#[cfg(test)]
mod tests;

use crate::Probe;
pub use encap::{Encapsulation, next_pdu, probe, probe_expected};
pub use epath::{Path, Segment, Target};
pub use message::{Message, Request, Response};
pub use session::{Connection, Key, Session};

/// Does a datagram carry EtherNet/IP: encapsulation, or implicit I/O?
#[must_use]
pub fn probe_datagram(datagram: &[u8]) -> Probe {
    match probe(datagram) {
        Probe::Yes => Probe::Yes,
        _ if is_implicit(datagram) => Probe::Yes,
        _ => Probe::No,
    }
}

/// Is a datagram an implicit message: a sequenced address, then connected data,
/// and nothing behind?
#[must_use]
pub fn is_implicit(datagram: &[u8]) -> bool {
    matches!(datagram, [2..=4, 0, 0x02, 0x80, 8, 0, ..]) && cpf::implicit(datagram).is_ok()
}

//! DNP3 (IEEE 1815-2012) over TCP and UDP.
//!
//! The way of a byte: [`next_pdu`] cuts link frames out of a stream (or a
//! datagram), [`Frame::parse`] checks header and CRCs, [`Session::frame`] puts
//! transport segments together, [`Fragment::parse`] reads the application
//! header, and [`Fragment::objects`] walks the object headers with their points.
mod attribute;
mod auth;
mod control;
mod crc;
mod file;
mod fragment;
mod layout;
mod link;
mod object;
mod session;
#[cfg(test)]
mod tests;

pub use attribute::Attribute;
pub use auth::user as auth_user;
pub use control::Crob;
pub use crc::crc;
pub use file::{FileObject, function as file_function};
pub use fragment::Fragment;
pub use layout::{Layout, Number, Time, layout};
pub use link::{Frame, next_pdu, probe};
pub use object::{Object, Objects, Point, Points, Range};
pub use session::{Assembled, Key, MAX_FRAGMENT, Session};

/// Bytes do not begin a link frame.
pub const BAD_SYNC: &str = "TT-DNP3-001";
/// A CRC of the frame is wrong.
pub const BAD_CRC: &str = "TT-DNP3-002";
/// A frame, fragment or object ends early.
pub const TRUNCATED: &str = "TT-DNP3-003";
/// A transport segment does not continue what came before.
pub const BAD_SEQUENCE: &str = "TT-DNP3-004";
/// An application fragment grew past the limit.
pub const TOO_LONG: &str = "TT-DNP3-005";
/// The size of this group and variation is not known; what follows it is lost.
pub const UNKNOWN_OBJECT: &str = "TT-DNP3-006";
/// A qualifier that the standard does not define.
pub const BAD_QUALIFIER: &str = "TT-DNP3-007";
/// A range ends before it starts.
pub const BAD_RANGE: &str = "TT-DNP3-008";

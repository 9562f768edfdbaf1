//! The protocols, one line each.

use super::Kind;
use crate::rows::Analyzer;
use telltale_dissect::Probe;

/// Asks a protocol whether these bytes are its own.
pub(crate) fn probe(kind: Kind, payload: &[u8], expected: bool, datagram: bool) -> Probe {
    match kind {
        Kind::Modbus => telltale_dissect::modbus::probe(payload, expected),
        Kind::S7comm if datagram => Probe::No,
        Kind::S7comm => telltale_dissect::s7comm::probe(payload),
        Kind::Cip if datagram => telltale_dissect::cip::probe_datagram(payload),
        Kind::Cip if expected => telltale_dissect::cip::probe_expected(payload),
        Kind::Cip => telltale_dissect::cip::probe(payload),
        Kind::Dnp3 => telltale_dissect::dnp3::probe(payload),
    }
}

/// A new analyzer for a flow.
pub(crate) fn new_analyzer(kind: Kind) -> Option<Box<dyn Analyzer>> {
    match kind {
        Kind::Modbus => Some(Box::new(crate::rows::modbus::ModbusFlow::new())),
        Kind::S7comm => Some(Box::new(crate::rows::s7comm::S7commFlow::new())),
        Kind::Cip => Some(Box::new(crate::rows::cip::CipFlow::new())),
        Kind::Dnp3 => Some(Box::new(crate::rows::dnp3::Dnp3Flow::new())),
    }
}

//! The protocols, one line each.

use super::Kind;
use crate::rows::Analyzer;
use crate::rows::cip::CipFlow;
use crate::rows::dnp3::Dnp3Flow;
use crate::rows::modbus::ModbusFlow;
use crate::rows::s7comm::S7commFlow;
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

/// What a flow keeps of its protocol, without a detour over the heap.
#[allow(
    clippy::large_enum_variant,
    reason = "most flows that live speak one of them"
)]
pub(crate) enum Analyzers {
    Modbus(ModbusFlow),
    S7comm(S7commFlow),
    Cip(CipFlow),
    Dnp3(Dnp3Flow),
}

impl Analyzers {
    /// For a new flow.
    pub(crate) fn new(kind: Kind) -> Self {
        match kind {
            Kind::Modbus => Self::Modbus(ModbusFlow::new()),
            Kind::S7comm => Self::S7comm(S7commFlow::new()),
            Kind::Cip => Self::Cip(CipFlow::new()),
            Kind::Dnp3 => Self::Dnp3(Dnp3Flow::new()),
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Modbus(_) => Kind::Modbus,
            Self::S7comm(_) => Kind::S7comm,
            Self::Cip(_) => Kind::Cip,
            Self::Dnp3(_) => Kind::Dnp3,
        }
    }

    pub(crate) fn get(&mut self) -> &mut dyn Analyzer {
        match self {
            Self::Modbus(flow) => flow,
            Self::S7comm(flow) => flow,
            Self::Cip(flow) => flow,
            Self::Dnp3(flow) => flow,
        }
    }
}

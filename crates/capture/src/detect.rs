//! Which protocol a flow speaks: decided by what it says. Ports are a hint of
//! what to try first, and of what was expected when nothing fits.

use telltale_dissect::Probe;
use telltale_schema::Protocol;

/// A protocol that can be recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Modbus/TCP or Modbus over UDP.
    Modbus,
    /// DNP3.
    Dnp3,
    /// S7comm over TPKT and COTP.
    S7comm,
    /// EtherNet/IP and CIP.
    Cip,
}

impl Kind {
    /// Its protocol column.
    #[must_use]
    pub const fn protocol(self) -> Protocol {
        match self {
            Self::Modbus => Protocol::Modbus,
            Self::Dnp3 => Protocol::Dnp3,
            Self::S7comm => Protocol::S7comm,
            Self::Cip => Protocol::EnipCip,
        }
    }

    /// The protocol that usually lives on this port (IANA).
    #[must_use]
    pub const fn by_port(port: u16) -> Option<Self> {
        match port {
            502 | 802 => Some(Self::Modbus),
            20000 | 19999 => Some(Self::Dnp3),
            102 => Some(Self::S7comm),
            44818 | 2222 | 2221 => Some(Self::Cip),
            _ => None,
        }
    }

    /// From the protocol column.
    #[must_use]
    pub const fn from_protocol(protocol: Protocol) -> Option<Self> {
        match protocol {
            Protocol::Modbus => Some(Self::Modbus),
            Protocol::Dnp3 => Some(Self::Dnp3),
            Protocol::S7comm => Some(Self::S7comm),
            Protocol::EnipCip => Some(Self::Cip),
            _ => None,
        }
    }
}

/// Payloads that are looked at before a flow is left alone, per flow.
pub const MAX_TRIES: u8 = 8;

/// What is known of a flow's protocol.
#[allow(
    clippy::large_enum_variant,
    reason = "most flows that live are recognised"
)]
pub(crate) enum Analysis {
    /// Nothing yet, after so many payloads.
    Undecided {
        /// Payloads looked at.
        tries: u8,
    },
    /// Recognised.
    Known(Analyzers),
    /// Given up.
    Opaque,
}

impl Default for Analysis {
    fn default() -> Self {
        Self::Undecided { tries: 0 }
    }
}

impl Analysis {
    pub(crate) fn kind(&self) -> Option<Kind> {
        match self {
            Self::Known(analyzers) => Some(analyzers.kind()),
            _ => None,
        }
    }
}

/// Outcome of looking at a payload.
pub(crate) enum Recognised {
    Yes(Kind),
    /// More bytes could tell.
    NeedMore,
    No,
}

/// Looks at the first bytes of a payload. `expected` is tried first.
pub(crate) fn recognise(expected: Option<Kind>, payload: &[u8], datagram: bool) -> Recognised {
    let mut need_more = false;
    let order = [Kind::Modbus, Kind::Dnp3, Kind::S7comm, Kind::Cip];
    let rest = order.into_iter().filter(|k| Some(*k) != expected);
    for kind in expected.into_iter().chain(rest) {
        match probe(kind, payload, Some(kind) == expected, datagram) {
            Probe::Yes => return Recognised::Yes(kind),
            // only the expected protocol may hold bytes back
            Probe::NeedMore if Some(kind) == expected => need_more = true,
            Probe::NeedMore | Probe::No => {}
        }
    }
    if need_more {
        Recognised::NeedMore
    } else {
        Recognised::No
    }
}

mod registry;
pub(crate) use registry::Analyzers;
use registry::probe;

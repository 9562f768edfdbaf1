//! Tunnels inside IP: what a mirror port at the other end of a network arrives in.

use super::{Layers, Net, be16, by_ethertype, ethernet};

/// UDP port of VXLAN (RFC 7348) and GENEVE (RFC 8926).
const VXLAN: u16 = 4789;
const VXLAN_LINUX: u16 = 8472;
const GENEVE: u16 = 6081;

/// What an IP protocol number announces, when it is a tunnel: GRE (47, with
/// ERSPAN and transparent Ethernet bridging), IP in IP (4), IPv6 in IP (41).
#[must_use]
pub fn by_ip_protocol(protocol: u8, payload: &[u8]) -> Option<Layers<'_>> {
    match protocol {
        4 | 41 => Some(Layers {
            src_mac: None,
            dst_mac: None,
            vlan: None,
            redundant: false,
            net: Net::Ip(payload),
        }),
        47 => gre(payload),
        _ => None,
    }
}

/// RFC 2784 and 2890; ERSPAN types I to III (draft-foschiano-erspan).
fn gre(payload: &[u8]) -> Option<Layers<'_>> {
    let flags = be16(payload, 0)?;
    let kind = be16(payload, 2)?;
    if flags & 0x0007 != 0 {
        return None; // version 1 carries PPP for PPTP
    }
    let mut at = 4;
    for bit in [0x8000, 0x2000, 0x1000] {
        if flags & bit != 0 {
            at += 4;
        }
    }
    let inner = payload.get(at..)?;
    match kind {
        0x6558 => ethernet(inner),
        // ERSPAN type I has no header and no sequence number, type II eight bytes
        0x88be if flags & 0x1000 == 0 => ethernet(inner),
        0x88be => ethernet(inner.get(8..)?),
        0x22eb => {
            let optional = inner.get(11).is_some_and(|b| b & 1 == 1);
            ethernet(inner.get(if optional { 20 } else { 12 }..)?)
        }
        0x8100 | 0x88a8 | 0x8847 => super::ether::by_type(kind, inner),
        other => match by_ethertype(other, inner) {
            Net::Other(_) => None,
            net => Some(Layers {
                src_mac: None,
                dst_mac: None,
                vlan: None,
                redundant: false,
                net,
            }),
        },
    }
}

/// A UDP datagram to one of the tunnels' ports.
#[must_use]
pub fn by_udp_port(port: u16, payload: &[u8]) -> Option<Layers<'_>> {
    match port {
        VXLAN | VXLAN_LINUX => {
            // the I flag must be set, the reserved bytes zero
            let header = payload.first_chunk::<8>()?;
            let valid = header.first().is_some_and(|b| b & 0x08 != 0) && header.get(7) == Some(&0);
            if valid {
                ethernet(payload.get(8..)?)
            } else {
                None
            }
        }
        GENEVE => {
            let first = *payload.first()?;
            let kind = be16(payload, 2)?;
            let at = 8 + 4 * usize::from(first & 0x3f);
            (first >> 6 == 0 && kind == 0x6558)
                .then(|| payload.get(at..).and_then(ethernet))
                .flatten()
        }
        _ => None,
    }
}

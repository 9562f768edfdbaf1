//! Link layers and what lies between them and IP: VLAN tags, MPLS, PPPoE,
//! LLC/SNAP, PRP and HSR; and the tunnels that carry whole frames (GRE,
//! ERSPAN, VXLAN, GENEVE), which the pipeline peels with [`tunnel`].

mod ether;
pub mod tunnel;

pub use ether::ethernet;

/// What a frame holds behind its link layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Net<'a> {
    /// An IPv4 or IPv6 packet (the first nibble tells).
    Ip(&'a [u8]),
    /// An ARP message.
    Arp(&'a [u8]),
    /// Some other protocol; its EtherType, or 0 where there is none.
    Other(u16),
}

/// A frame without its link layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layers<'a> {
    /// Sender's MAC address, if the link layer has one.
    pub src_mac: Option<u64>,
    /// Receiver's MAC address.
    pub dst_mac: Option<u64>,
    /// Outermost VLAN.
    pub vlan: Option<u16>,
    /// Carried by PRP or HSR: a second copy is expected.
    pub redundant: bool,
    /// What is inside.
    pub net: Net<'a>,
}

impl<'a> Layers<'a> {
    fn bare(net: Net<'a>) -> Self {
        Self {
            src_mac: None,
            dst_mac: None,
            vlan: None,
            redundant: false,
            net,
        }
    }
}

/// Why a frame was not peeled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkError {
    /// The link type is not one that can carry IP, or not one we know.
    Unknown(u32),
    /// The frame is too short for its headers.
    Truncated,
}

fn ip_or_other(bytes: &[u8]) -> Net<'_> {
    match bytes.first().map(|b| b >> 4) {
        Some(4 | 6) => Net::Ip(bytes),
        _ => Net::Other(0),
    }
}

/// What an EtherType announces.
fn by_ethertype(kind: u16, bytes: &[u8]) -> Net<'_> {
    match kind {
        0x0800 | 0x86dd => Net::Ip(bytes),
        0x0806 => Net::Arp(bytes),
        other => Net::Other(other),
    }
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    bytes
        .get(at..)?
        .first_chunk()
        .map(|b| u16::from_be_bytes(*b))
}

/// Peels the link layer of type `link_type` (`LINKTYPE_…`).
///
/// # Errors
/// When the type is not known, or the frame too short.
pub fn peel(link_type: u32, frame: &[u8]) -> Result<Layers<'_>, LinkError> {
    let short = LinkError::Truncated;
    match link_type {
        1 => ethernet(frame).ok_or(short),
        // BSD loopback: address family in the order of whoever wrote it, or of the network
        0 | 108 => {
            let (family, rest) = frame.split_first_chunk::<4>().ok_or(short)?;
            let family = u32::from_be_bytes(*family);
            let family = if family > 0xffff {
                family.swap_bytes()
            } else {
                family
            };
            Ok(Layers::bare(match family {
                2 | 10 | 23 | 24 | 28 | 30 => ip_or_other(rest),
                _ => Net::Other(0),
            }))
        }
        // raw IP, under its several numbers
        12 | 14 | 101 | 228 | 229 => Ok(Layers::bare(ip_or_other(frame))),
        // PPP, with or without HDLC framing
        9 | 50 => {
            let frame = frame.strip_prefix(&[0xff, 0x03]).unwrap_or(frame);
            let protocol = be16(frame, 0).ok_or(short)?;
            let rest = frame.get(2..).ok_or(short)?;
            Ok(Layers::bare(match protocol {
                0x0021 | 0x0057 => Net::Ip(rest),
                _ => Net::Other(0),
            }))
        }
        // Cisco HDLC
        104 => {
            let kind = be16(frame, 2).ok_or(short)?;
            Ok(Layers::bare(by_ethertype(
                kind,
                frame.get(4..).ok_or(short)?,
            )))
        }
        // frame relay, two address bytes: RFC 2427 NLPID, or SNAP
        107 => {
            let rest = frame.get(2..).ok_or(short)?;
            Ok(Layers::bare(match rest {
                [0x03, 0xcc, ip @ ..] | [0x03, 0x8e, ip @ ..] => Net::Ip(ip),
                [0x03, 0x00, 0x80, 0, 0, 0, hi, lo, rest @ ..] => {
                    by_ethertype(u16::from_be_bytes([*hi, *lo]), rest)
                }
                [hi, lo, rest @ ..] => by_ethertype(u16::from_be_bytes([*hi, *lo]), rest),
                _ => return Err(short),
            }))
        }
        // Linux cooked capture, versions 1 and 2
        113 => {
            let kind = be16(frame, 14).ok_or(short)?;
            let len = be16(frame, 4).ok_or(short)?;
            let mut layers = ether::by_type(kind, frame.get(16..).ok_or(short)?).ok_or(short)?;
            if len == 6 {
                layers.src_mac = ether::mac(frame, 6);
            }
            Ok(layers)
        }
        276 => {
            let kind = be16(frame, 0).ok_or(short)?;
            let mut layers = ether::by_type(kind, frame.get(20..).ok_or(short)?).ok_or(short)?;
            if frame.get(11) == Some(&6) {
                layers.src_mac = ether::mac(frame, 12);
            }
            Ok(layers)
        }
        // 802.11, bare or behind a radiotap header
        105 => wifi(frame).ok_or(short),
        127 => {
            let len = frame
                .get(2..4)
                .and_then(|b| b.first_chunk())
                .map(|b| u16::from_le_bytes(*b))
                .ok_or(short)?;
            wifi(frame.get(usize::from(len)..).ok_or(short)?).ok_or(short)
        }
        // Ethernet from SLIP-like and DOCSIS taps
        143 => ethernet(frame).ok_or(short),
        other => Err(LinkError::Unknown(other)),
    }
}

/// An unencrypted 802.11 data frame with LLC/SNAP (IEEE 802.11-2020, 9.3.2).
fn wifi(frame: &[u8]) -> Option<Layers<'_>> {
    let control = u16::from_le_bytes(*frame.first_chunk()?);
    if (control >> 2) & 3 != 2 || control & 0x4000 != 0 || (control >> 4) & 4 != 0 {
        return Some(Layers::bare(Net::Other(0)));
    }
    let (to_ds, from_ds) = (control & 0x0100 != 0, control & 0x0200 != 0);
    let mut header = if to_ds && from_ds { 30 } else { 24 };
    if (control >> 4) & 8 != 0 {
        header += 2;
    }
    let (dst, src) = match (to_ds, from_ds) {
        (false, false) => (4, 10),
        (true, false) => (16, 10),
        (false, true) => (4, 16),
        (true, true) => (16, 24),
    };
    let mut layers = ether::llc(frame.get(header..)?)?;
    layers.src_mac = ether::mac(frame, src);
    layers.dst_mac = ether::mac(frame, dst);
    Some(layers)
}

#[cfg(test)]
mod tests;

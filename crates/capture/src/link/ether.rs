//! Ethernet and the tags that stack on it.

use super::{Layers, Net, be16, by_ethertype, ip_or_other};

/// Tags, labels and headers that are peeled from one frame at most.
const MAX_DEPTH: usize = 12;

/// Six bytes at `at` as a number.
pub(super) fn mac(bytes: &[u8], at: usize) -> Option<u64> {
    let b = bytes.get(at..)?.first_chunk::<6>()?;
    Some(b.iter().fold(0, |acc, byte| (acc << 8) | u64::from(*byte)))
}

/// An Ethernet II or 802.3 frame, with all that may be stacked on it.
/// `None` when it is too short.
#[must_use]
pub fn ethernet(frame: &[u8]) -> Option<Layers<'_>> {
    let kind = be16(frame, 12)?;
    let rest = frame.get(14..)?;
    let mut layers = match kind {
        // the two that matter, first
        0x0800 => Layers::bare(Net::Ip(rest)),
        _ => by_type(kind, rest)?,
    };
    layers.dst_mac = mac(frame, 0);
    layers.src_mac = mac(frame, 6);
    if has_prp_trailer(frame) {
        layers.redundant = true;
    }
    Some(layers)
}

/// PRP's redundancy control trailer (IEC 62439-3, 4.2.7): the last two bytes are
/// 0x88FB, and the size field is the length of what the frame carries.
fn has_prp_trailer(frame: &[u8]) -> bool {
    let Some((rest, suffix)) = frame.split_last_chunk::<2>() else {
        return false;
    };
    if *suffix != [0x88, 0xfb] {
        return false;
    }
    let Some((_, lan_size)) = rest.split_last_chunk::<2>() else {
        return false;
    };
    let lan_size = u16::from_be_bytes(*lan_size);
    let (lan, size) = (lan_size >> 12, usize::from(lan_size & 0x0fff));
    let tags = if be16(frame, 12) == Some(0x8100) {
        4
    } else {
        0
    };
    matches!(lan, 0xa | 0xb) && frame.len().checked_sub(14 + tags) == Some(size)
}

/// What an EtherType (or an 802.3 length) announces, tags and all.
pub(super) fn by_type(mut kind: u16, mut rest: &[u8]) -> Option<Layers<'_>> {
    let mut vlan = None;
    let mut redundant = false;
    for _ in 0..MAX_DEPTH {
        match kind {
            // 802.1Q, 802.1ad and their older numbers
            0x8100 | 0x88a8 | 0x9100 | 0x9200 => {
                let tag = be16(rest, 0)?;
                vlan = vlan.or(Some(tag & 0x0fff));
                kind = be16(rest, 2)?;
                rest = rest.get(4..)?;
            }
            // HSR tag (IEC 62439-3, 5.7): path, size, sequence number, EtherType
            0x892f => {
                redundant = true;
                kind = be16(rest, 4)?;
                rest = rest.get(6..)?;
            }
            // MPLS: labels until the bottom of the stack
            0x8847 | 0x8848 => {
                let net = mpls(rest)?;
                return Some(Layers {
                    vlan,
                    redundant,
                    ..net
                });
            }
            // PPPoE session
            0x8864 => {
                let protocol = be16(rest, 6)?;
                let inner = rest.get(8..)?;
                let net = if matches!(protocol, 0x0021 | 0x0057) {
                    Net::Ip(inner)
                } else {
                    Net::Other(0x8864)
                };
                return Some(Layers {
                    src_mac: None,
                    dst_mac: None,
                    vlan,
                    redundant,
                    net,
                });
            }
            // 802.3 length: LLC
            0..=0x05ff => {
                let inner = rest.get(..usize::from(kind)).unwrap_or(rest);
                let net = llc(inner).map_or(Net::Other(0), |l| l.net);
                return Some(Layers {
                    src_mac: None,
                    dst_mac: None,
                    vlan,
                    redundant,
                    net,
                });
            }
            other => {
                return Some(Layers {
                    src_mac: None,
                    dst_mac: None,
                    vlan,
                    redundant,
                    net: by_ethertype(other, rest),
                });
            }
        }
    }
    Some(Layers {
        src_mac: None,
        dst_mac: None,
        vlan,
        redundant,
        net: Net::Other(kind),
    })
}

/// LLC, with SNAP where it is used (IEEE 802.2).
pub(super) fn llc(rest: &[u8]) -> Option<Layers<'_>> {
    Some(Layers::bare(match rest {
        [0xaa, 0xaa, 0x03, _, _, _, hi, lo, inner @ ..] => {
            by_ethertype(u16::from_be_bytes([*hi, *lo]), inner)
        }
        [0x06, 0x06, 0x03, inner @ ..] => Net::Ip(inner),
        [_, _, ..] => Net::Other(0),
        _ => return None,
    }))
}

fn mpls(mut rest: &[u8]) -> Option<Layers<'_>> {
    for _ in 0..MAX_DEPTH {
        let (label, inner) = rest.split_first_chunk::<4>()?;
        rest = inner;
        if label.get(2).is_some_and(|b| b & 1 == 1) {
            return match inner.first()? >> 4 {
                4 | 6 => Some(Layers::bare(ip_or_other(inner))),
                // a pseudowire: control word, then Ethernet
                0 => ethernet(inner.get(4..)?),
                _ => Some(Layers::bare(Net::Other(0x8847))),
            };
        }
    }
    None
}

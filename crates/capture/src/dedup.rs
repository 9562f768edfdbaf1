//! Frames seen twice: both directions of a mirror port, two mirror ports, PRP
//! and HSR, a router that is mirrored on both sides.
//!
//! A second copy has the same IP addresses, identification, protocol and payload
//! and comes within milliseconds; link layer, VLAN, TTL and checksums may differ.
//! What is no copy: a TCP retransmission (a new identification, or hundreds of
//! milliseconds later) and a poll that repeats (TCP numbers rise). Where the
//! identification is 0 or the protocol is UDP, as in cyclic I/O of simple
//! devices, only a copy within a millisecond, or one that PRP or HSR announces, counts.

use crate::ip::Ip;
use std::hash::Hasher as _;

const SLOTS: usize = 8192;

/// Remembers the last packets, in a table of fixed size: a newer packet takes
/// the slot of an older one, so that a copy may be missed but memory is bounded.
pub(crate) struct Dedup {
    slots: Vec<(u64, i64)>,
}

impl Dedup {
    pub(crate) fn new() -> Self {
        Self {
            slots: vec![(0, i64::MIN / 2); SLOTS],
        }
    }

    /// Was this packet seen just now?
    pub(crate) fn seen(&mut self, now: i64, ip: &Ip<'_>, redundant: bool) -> bool {
        let hash = fingerprint(ip);
        let window_ns = match (redundant, ip.id, ip.protocol) {
            (true, _, _) => 100_000_000,
            (_, 0, 6) => 1_000_000,
            (_, _, 6) => 50_000_000,
            (_, 0, _) => 20_000,
            _ => 1_000_000,
        };
        let Some(slot) = usize::try_from(hash % SLOTS as u64)
            .ok()
            .and_then(|i| self.slots.get_mut(i))
        else {
            return false;
        };
        let (last, at) = *slot;
        let age = now.saturating_sub(at);
        *slot = (hash, now);
        last == hash && (0..=window_ns).contains(&age)
    }
}

fn fingerprint(ip: &Ip<'_>) -> u64 {
    let mut hasher = rustc_hash::FxHasher::default();
    hasher.write(&ip.src);
    hasher.write(&ip.dst);
    hasher.write_u64(
        u64::from(ip.id) << 32
            | u64::from(ip.protocol) << 24
            | ip.fragment.map_or(0, |f| f.offset as u64),
    );
    hasher.write_usize(ip.payload.len());
    // ports, numbers and flags of TCP and UDP; their checksums are the same on a copy
    hasher.write(ip.payload);
    hasher.finish() | 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ip::map_v4;

    fn ip(id: u16, protocol: u8, payload: &[u8]) -> Ip<'_> {
        Ip {
            src: map_v4([1, 1, 1, 1]),
            dst: map_v4([2, 2, 2, 2]),
            protocol,
            id,
            fragment: None,
            payload,
            truncated: false,
        }
    }

    #[test]
    fn copies_and_what_is_none() {
        let mut dedup = Dedup::new();
        assert!(!dedup.seen(0, &ip(5, 6, b"poll"), false));
        assert!(
            dedup.seen(30_000, &ip(5, 6, b"poll"), false),
            "a copy 30 µs later"
        );
        assert!(
            !dedup.seen(40_000, &ip(6, 6, b"poll"), false),
            "another identification"
        );
        assert!(
            !dedup.seen(300_000_000, &ip(5, 6, b"poll"), false),
            "300 ms later"
        );
        assert!(!dedup.seen(0, &ip(0, 17, b"cyclic"), false));
        assert!(
            !dedup.seen(500_000, &ip(0, 17, b"cyclic"), false),
            "cyclic UDP repeats"
        );
        assert!(
            dedup.seen(600_000, &ip(0, 17, b"cyclic"), true),
            "PRP announces it"
        );
    }
}

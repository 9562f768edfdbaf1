//! IPv4 (RFC 791) and IPv6 (RFC 8200) headers, and the putting together of fragments.

use rustc_hash::FxHashMap;
use std::collections::VecDeque;

/// An IP address as it stands in rows: 16 bytes, IPv4 mapped into `::ffff:0:0/96`.
pub type Address = [u8; 16];

/// A parsed IP header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ip<'a> {
    /// Sender.
    pub src: Address,
    /// Receiver.
    pub dst: Address,
    /// Protocol of the payload (IANA number), behind extension headers.
    pub protocol: u8,
    /// Identification of IPv4, 0 for IPv6.
    pub id: u16,
    /// Set when this is a fragment.
    pub fragment: Option<Fragment>,
    /// What the header announces, cut to the length it states.
    pub payload: &'a [u8],
    /// The frame holds fewer bytes than the header announces.
    pub truncated: bool,
}

/// Place of a fragment in its datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fragment {
    /// Identification of the datagram.
    pub id: u32,
    /// First byte of this fragment in the datagram.
    pub offset: usize,
    /// More fragments follow.
    pub more: bool,
}

/// IPv4 mapped into IPv6.
#[must_use]
pub fn map_v4(v4: [u8; 4]) -> Address {
    let [a, b, c, d] = v4;
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d]
}

/// Parses an IPv4 or IPv6 header; the reason when it cannot be one.
///
/// # Errors
/// A stable code and the reason in words.
pub fn parse(bytes: &[u8]) -> Result<Ip<'_>, (&'static str, &'static str)> {
    match bytes.first().map(|b| b >> 4) {
        Some(4) => v4(bytes).ok_or(("TT-IP-001", "IPv4 header cut short or impossible")),
        Some(6) => v6(bytes).ok_or(("TT-IP-002", "IPv6 header cut short or impossible")),
        _ => Err(("TT-IP-003", "neither IPv4 nor IPv6")),
    }
}

fn v4(bytes: &[u8]) -> Option<Ip<'_>> {
    let header = bytes.first_chunk::<20>()?;
    let [
        vihl,
        _,
        len_hi,
        len_lo,
        id_hi,
        id_lo,
        frag_hi,
        frag_lo,
        _,
        protocol,
        _,
        _,
        s0,
        s1,
        s2,
        s3,
        d0,
        d1,
        d2,
        d3,
    ] = *header;
    let header_len = usize::from(vihl & 0x0f) * 4;
    let total = usize::from(u16::from_be_bytes([len_hi, len_lo]));
    // total length 0: segmentation offload wrote the length of the frame
    let total = if total == 0 { bytes.len() } else { total };
    if header_len < 20 || total < header_len || bytes.len() < header_len {
        return None;
    }
    let id = u16::from_be_bytes([id_hi, id_lo]);
    let frag = u16::from_be_bytes([frag_hi, frag_lo]);
    let (more, offset) = (frag & 0x2000 != 0, usize::from(frag & 0x1fff) * 8);
    Some(Ip {
        src: map_v4([s0, s1, s2, s3]),
        dst: map_v4([d0, d1, d2, d3]),
        protocol,
        id,
        fragment: (more || offset > 0).then_some(Fragment {
            id: u32::from(id),
            offset,
            more,
        }),
        payload: bytes.get(header_len..total.min(bytes.len()))?,
        truncated: total > bytes.len(),
    })
}

fn v6(bytes: &[u8]) -> Option<Ip<'_>> {
    let (header, rest) = bytes.split_first_chunk::<40>()?;
    let len = usize::from(u16::from_be_bytes([*header.get(4)?, *header.get(5)?]));
    let truncated = len > rest.len();
    let mut payload = rest.get(..len.min(rest.len()))?;
    if len == 0 {
        payload = rest;
    }
    let mut next = *header.get(6)?;
    let mut fragment = None;
    for _ in 0..8 {
        match next {
            // hop-by-hop, routing, destination options, mobility
            0 | 43 | 60 | 135 => {
                let size = 8 + 8 * usize::from(*payload.get(1)?);
                next = *payload.first()?;
                payload = payload.get(size..)?;
            }
            // authentication header
            51 => {
                let size = 8 + 4 * usize::from(*payload.get(1)?);
                next = *payload.first()?;
                payload = payload.get(size..)?;
            }
            44 => {
                let (f, inner) = payload.split_first_chunk::<8>()?;
                let [first, _, hi, lo, i0, i1, i2, i3] = *f;
                let place = u16::from_be_bytes([hi, lo]);
                let (offset, more) = (usize::from(place & 0xfff8), place & 1 == 1);
                next = first;
                payload = inner;
                if more || offset > 0 {
                    fragment = Some(Fragment {
                        id: u32::from_be_bytes([i0, i1, i2, i3]),
                        offset,
                        more,
                    });
                    break;
                }
            }
            _ => break,
        }
    }
    Some(Ip {
        src: *header.get(8..)?.first_chunk()?,
        dst: *header.get(24..)?.first_chunk()?,
        protocol: next,
        id: 0,
        fragment,
        payload,
        truncated,
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    src: Address,
    dst: Address,
    protocol: u8,
    id: u32,
}

#[derive(Debug, Default)]
struct Datagram {
    /// Pieces by offset, not overlapping: what came first stays.
    pieces: Vec<(usize, Vec<u8>)>,
    total: Option<usize>,
    bytes: usize,
    first_seen: i64,
    serial: u64,
}

/// Fragments waiting for the rest of their datagram. Bounded by bytes: when
/// full, the datagram begun first is dropped and counted; so is one that is not
/// whole after [`Defrag::TIMEOUT_NS`] of event time. Where fragments overlap,
/// what came first stays.
#[derive(Debug)]
pub struct Defrag {
    limit: usize,
    bytes: usize,
    waiting: FxHashMap<Key, Datagram>,
    /// Oldest first; an entry whose serial no longer fits is stale.
    order: VecDeque<(Key, u64)>,
    serial: u64,
    /// Datagrams dropped because the bound was reached or their time was up.
    pub dropped: u64,
    /// Bytes that overlapped what was there already.
    pub overlaps: u64,
}

impl Defrag {
    /// Event time that a datagram may take to become whole (RFC 791 suggests 15 s, Linux takes 30 s).
    pub const TIMEOUT_NS: i64 = 30_000_000_000;
    /// A datagram cannot be larger (RFC 791).
    const MAX_DATAGRAM: usize = 65_535;
    const COST: usize = 160;

    /// Holds at most `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            bytes: 0,
            waiting: FxHashMap::default(),
            order: VecDeque::new(),
            serial: 0,
            dropped: 0,
            overlaps: 0,
        }
    }

    /// Bytes held now.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes a fragment; the payload of the whole datagram when this was the last piece.
    pub fn push(&mut self, now: i64, ip: &Ip<'_>, fragment: Fragment) -> Option<Vec<u8>> {
        self.expire(now);
        let end = fragment.offset + ip.payload.len();
        if end > Self::MAX_DATAGRAM || (fragment.more && ip.payload.is_empty()) || ip.truncated {
            self.dropped += 1;
            return None;
        }
        let key = Key {
            src: ip.src,
            dst: ip.dst,
            protocol: ip.protocol,
            id: fragment.id,
        };
        let serial = self.serial;
        let datagram = self.waiting.entry(key).or_insert_with(|| {
            self.order.push_back((key, serial));
            self.serial += 1;
            self.bytes += Self::COST;
            Datagram {
                first_seen: now,
                serial,
                ..Datagram::default()
            }
        });
        if !fragment.more {
            datagram.total.get_or_insert(end);
        }
        let (added, overlap) = datagram.insert(fragment.offset, ip.payload);
        self.overlaps += overlap as u64;
        self.bytes += added;
        let whole = datagram
            .total
            .is_some_and(|total| datagram.bytes >= total && datagram.contiguous(total));
        if whole {
            return self.remove(&key).map(Datagram::assemble);
        }
        while self.bytes > self.limit {
            let Some((key, serial)) = self.order.pop_front() else {
                break;
            };
            if self.waiting.get(&key).is_some_and(|d| d.serial == serial) {
                self.remove(&key);
                self.dropped += 1;
            }
        }
        None
    }

    fn remove(&mut self, key: &Key) -> Option<Datagram> {
        let datagram = self.waiting.remove(key)?;
        self.bytes = self
            .bytes
            .saturating_sub(datagram.pieces.iter().map(|p| p.1.len()).sum::<usize>() + Self::COST);
        Some(datagram)
    }

    fn expire(&mut self, now: i64) {
        if self.order.len() > 2 * self.waiting.len() + 1024 {
            let waiting = &self.waiting;
            self.order
                .retain(|(key, serial)| waiting.get(key).is_some_and(|d| d.serial == *serial));
        }
        while let Some((key, serial)) = self.order.front().copied() {
            match self.waiting.get(&key) {
                Some(d) if d.serial == serial => {
                    if now.saturating_sub(d.first_seen) < Self::TIMEOUT_NS {
                        break;
                    }
                    self.remove(&key);
                    self.dropped += 1;
                }
                _ => {}
            }
            self.order.pop_front();
        }
    }
}

impl Datagram {
    /// Adds the bytes not yet there; how many were added, how many overlapped.
    fn insert(&mut self, offset: usize, payload: &[u8]) -> (usize, usize) {
        let end = offset + payload.len();
        let mut added = 0;
        let mut at = offset;
        let mut new: Vec<(usize, Vec<u8>)> = Vec::new();
        for (start, piece) in &self.pieces {
            let stop = start + piece.len();
            if stop <= at {
                continue;
            }
            if *start >= end {
                break;
            }
            if *start > at
                && let Some(part) = payload.get(at - offset..*start - offset)
            {
                new.push((at, part.to_vec()));
                added += part.len();
            }
            at = at.max(stop);
        }
        if at < end
            && let Some(part) = payload.get(at - offset..)
        {
            new.push((at, part.to_vec()));
            added += part.len();
        }
        self.pieces.append(&mut new);
        self.pieces.sort_by_key(|p| p.0);
        self.bytes += added;
        (added, payload.len() - added)
    }

    fn contiguous(&self, total: usize) -> bool {
        let mut at = 0;
        for (start, piece) in &self.pieces {
            if *start != at {
                return false;
            }
            at += piece.len();
        }
        at >= total
    }

    fn assemble(self) -> Vec<u8> {
        let mut whole = Vec::with_capacity(self.bytes);
        for (_, piece) in self.pieces {
            whole.extend(piece);
        }
        whole.truncate(self.total.unwrap_or(usize::MAX));
        whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn datagram(payload: &[u8]) -> Ip<'_> {
        Ip {
            src: map_v4([1, 2, 3, 4]),
            dst: map_v4([5, 6, 7, 8]),
            protocol: 17,
            id: 9,
            fragment: None,
            payload,
            truncated: false,
        }
    }

    #[test]
    fn headers() {
        let mut v4 = vec![
            0x45, 0, 0, 24, 0, 7, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 1, 2, 3, 4, 99, 99,
        ];
        let ip = parse(&v4).unwrap();
        assert_eq!(
            (ip.protocol, ip.payload, ip.src),
            (6, &[1, 2, 3, 4][..], map_v4([10, 0, 0, 1]))
        );
        *v4.get_mut(6).unwrap() = 0x20;
        assert_eq!(
            parse(&v4).unwrap().fragment,
            Some(Fragment {
                id: 7,
                offset: 0,
                more: true
            })
        );
        let mut v6 = vec![0x60, 0, 0, 0, 0, 10, 0, 64];
        v6.extend([1; 16]);
        v6.extend([2; 16]);
        v6.extend([17, 0, 0, 0, 0, 0, 0, 0, 8, 9]);
        let ip = parse(&v6).unwrap();
        assert_eq!((ip.protocol, ip.payload), (17, &[8, 9][..]));
        for cut in 0..v6.len() {
            assert!(parse(v6.get(..cut).unwrap()).is_err() || cut >= 40);
        }
    }

    proptest! {
        #[test]
        fn any_order_duplication_and_overlap_gives_the_datagram(
            len in 16_usize..400, order in prop::collection::vec((0_usize..50, 1_usize..8), 1..60),
        ) {
            let whole: Vec<u8> = (0..len).map(|i| (i * 7) as u8).collect();
            let mut defrag = Defrag::new(1 << 20);
            let mut got = None;
            // random pieces first, then all of it in order, so that it becomes whole
            let pieces = order.iter().map(|(a, n)| (a * 8, n * 8)).chain((0..len.div_ceil(8)).map(|i| (i * 8, 8)));
            for (start, size) in pieces {
                if got.is_some() || start >= len { continue; }
                let end = (start + size).min(len);
                let ip = datagram(&whole[start..end]);
                got = defrag.push(0, &ip, Fragment { id: 1, offset: start, more: end < len });
            }
            prop_assert_eq!(got, Some(whole));
            prop_assert_eq!(defrag.bytes(), 0);
        }

        #[test]
        fn bytes_stay_bounded(pieces in prop::collection::vec((0_u32..20, 0_usize..100, any::<bool>()), 0..300)) {
            let mut defrag = Defrag::new(4096);
            let payload = [7_u8; 64];
            for (id, offset, more) in pieces {
                defrag.push(0, &datagram(&payload), Fragment { id, offset: offset * 8, more });
                prop_assert!(defrag.bytes() <= 4096);
            }
        }
    }

    #[test]
    fn old_datagrams_are_dropped_and_counted() {
        let mut defrag = Defrag::new(1 << 20);
        let payload = [1_u8; 8];
        assert!(
            defrag
                .push(
                    0,
                    &datagram(&payload),
                    Fragment {
                        id: 1,
                        offset: 0,
                        more: true
                    }
                )
                .is_none()
        );
        assert!(
            defrag
                .push(
                    Defrag::TIMEOUT_NS,
                    &datagram(&payload),
                    Fragment {
                        id: 1,
                        offset: 8,
                        more: false
                    }
                )
                .is_none()
        );
        assert_eq!(defrag.dropped, 1);
    }
}

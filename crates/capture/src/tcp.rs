//! One direction of a TCP connection: segments to a contiguous stream of bytes.
//!
//! In order segments pass without a copy. Others wait, bounded by bytes. A hole
//! is given up when its time is up, when the bound is reached, when the other
//! side has acknowledged what we never saw, or when the flow ends. Where
//! segments overlap, what came first stays (as Linux and most controllers do).
//! Sequence numbers wrap (RFC 9293, 3.4).

/// What to do with a segment.
#[derive(Debug, PartialEq, Eq)]
pub enum Offer<'a> {
    /// The next bytes of the stream; then ask [`Stream::ready`] for more.
    Deliver(&'a [u8]),
    /// Kept: there is a hole before it.
    Waits,
    /// Seen before, wholly.
    Old,
    /// No payload.
    Empty,
}

/// One direction. `T` goes with each waiting segment, to say where it came from.
#[derive(Debug, Default)]
pub struct Stream<T> {
    next: Option<u32>,
    syn: Option<u32>,
    /// Most streams never have a hole: kept apart, so that a flow stays small.
    holes: Option<Box<Holes<T>>>,
    /// Bytes seen again.
    pub retransmitted: u64,
    /// Segments that brought bytes seen before.
    pub retransmissions: u32,
    /// Holes given up.
    pub gaps: u32,
}

/// Segments behind a hole.
#[derive(Debug)]
struct Holes<T> {
    /// Sequence number, bytes and origin, in the order of the stream.
    waiting: Vec<(u32, Vec<u8>, T)>,
    bytes: usize,
    since: i64,
}

impl<T> Default for Holes<T> {
    fn default() -> Self {
        Self {
            waiting: Vec::new(),
            bytes: 0,
            since: 0,
        }
    }
}

fn distance(from: u32, to: u32) -> i32 {
    to.wrapping_sub(from).cast_signed()
}

impl<T> Stream<T> {
    /// Largest step that is believed; a segment further away starts the stream anew.
    const WINDOW: i32 = 1 << 26;

    /// A SYN with this sequence number.
    pub fn syn(&mut self, seq: u32) {
        self.syn.get_or_insert(seq);
        if self.next.is_none() {
            self.next = Some(seq.wrapping_add(1));
        }
    }

    /// Did the stream open with this sequence number?
    #[must_use]
    pub fn opened_with(&self, seq: u32) -> bool {
        self.syn == Some(seq)
    }

    /// Bytes that wait behind a hole.
    #[must_use]
    pub fn waiting_bytes(&self) -> usize {
        self.holes.as_ref().map_or(0, |holes| holes.bytes)
    }

    /// Takes a segment that arrived at `now` (nanoseconds of event time).
    pub fn offer<'a>(&mut self, seq: u32, payload: &'a [u8], now: i64, tag: T) -> Offer<'a> {
        if payload.is_empty() {
            return Offer::Empty;
        }
        let next = *self.next.get_or_insert(seq);
        let ahead = distance(next, seq);
        if ahead == 0 {
            self.next = Some(next.wrapping_add(u32::try_from(payload.len()).unwrap_or(0)));
            return Offer::Deliver(payload);
        }
        if !(-Self::WINDOW..Self::WINDOW).contains(&ahead) {
            // another connection behind the same ports, or a stream that we lost long ago
            self.clear();
            self.next = Some(seq.wrapping_add(u32::try_from(payload.len()).unwrap_or(0)));
            self.gaps += 1;
            return Offer::Deliver(payload);
        }
        if ahead < 0 {
            let known = usize::try_from(-i64::from(ahead)).unwrap_or(usize::MAX);
            self.retransmissions += 1;
            self.retransmitted += known.min(payload.len()) as u64;
            return match payload.get(known..) {
                // a keep-alive, or a copy
                None | Some([]) => Offer::Old,
                Some(new) => {
                    self.next = Some(next.wrapping_add(u32::try_from(new.len()).unwrap_or(0)));
                    Offer::Deliver(new)
                }
            };
        }
        let holes = self.holes.get_or_insert_default();
        if holes.waiting.is_empty() {
            holes.since = now;
        }
        let at = holes
            .waiting
            .partition_point(|(s, _, _)| distance(*s, seq) > 0);
        match holes.waiting.get(at) {
            Some((s, bytes, _)) if *s == seq && bytes.len() >= payload.len() => {
                self.retransmissions += 1;
                self.retransmitted += payload.len() as u64;
                return Offer::Old;
            }
            _ => {}
        }
        holes.bytes += payload.len();
        holes.waiting.insert(at, (seq, payload.to_vec(), tag));
        Offer::Waits
    }

    /// The next waiting bytes, if the hole before them is filled.
    pub fn ready(&mut self) -> Option<(Vec<u8>, T)> {
        let holes = self.holes.as_mut()?;
        loop {
            let next = self.next?;
            let (seq, _, _) = holes.waiting.first()?;
            let ahead = distance(next, *seq);
            if ahead > 0 {
                return None;
            }
            let (_, mut bytes, tag) = holes.waiting.remove(0);
            holes.bytes -= bytes.len();
            let known = usize::try_from(-i64::from(ahead))
                .unwrap_or(usize::MAX)
                .min(bytes.len());
            self.retransmitted += known as u64;
            bytes.drain(..known);
            if !bytes.is_empty() {
                self.next = Some(next.wrapping_add(u32::try_from(bytes.len()).unwrap_or(0)));
                return Some((bytes, tag));
            }
        }
    }

    /// Is it time to give up the oldest hole? `acknowledged` is the other side's
    /// acknowledgement number, if it sends one.
    #[must_use]
    pub fn hopeless(
        &self,
        now: i64,
        hole_ns: i64,
        limit: usize,
        acknowledged: Option<u32>,
    ) -> bool {
        let Some(holes) = &self.holes else {
            return false;
        };
        let Some((first, _, _)) = holes.waiting.first() else {
            return false;
        };
        let age = now.saturating_sub(holes.since);
        let known_lost = acknowledged.is_some_and(|ack| distance(*first, ack) > 0)
            && (age > hole_ns / 2000 || holes.waiting.len() >= 16);
        holes.bytes > limit || age > hole_ns || known_lost
    }

    /// Steps over the oldest hole; how many bytes were lost. Then ask [`Stream::ready`].
    pub fn give_up(&mut self, now: i64) -> Option<u64> {
        let holes = self.holes.as_mut()?;
        let (seq, _, _) = holes.waiting.first()?;
        let lost = self.next.map_or(0, |next| distance(next, *seq).max(0));
        self.next = Some(*seq);
        holes.since = now;
        self.gaps += 1;
        u64::try_from(lost).ok()
    }

    /// Forgets what waits.
    pub fn clear(&mut self) {
        self.holes = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run(segments: &[(u32, Vec<u8>)]) -> (Vec<u8>, Stream<()>) {
        let mut stream: Stream<()> = Stream::default();
        stream.syn(u32::MAX - 10);
        let mut got = Vec::new();
        for (seq, bytes) in segments {
            if let Offer::Deliver(new) = stream.offer(*seq, bytes, 0, ()) {
                got.extend_from_slice(new);
                while let Some((more, ())) = stream.ready() {
                    got.extend(more);
                }
            }
        }
        (got, stream)
    }

    proptest! {
        #[test]
        fn segmentation_order_copies_and_overlaps_give_one_stream(
            len in 1_usize..300,
            cuts in prop::collection::vec((0_usize..300, 1_usize..40), 0..60),
            seed in any::<u64>(),
        ) {
            let whole: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
            let base = (u32::MAX - 10).wrapping_add(1);
            // random pieces, then all of it in shuffled tens, so that every byte comes
            let mut pieces: Vec<(usize, usize)> = cuts.into_iter().filter(|(s, _)| *s < len).collect();
            let mut rest: Vec<(usize, usize)> = (0..len.div_ceil(10)).map(|i| (i * 10, 10)).collect();
            let mut state = seed | 1;
            for i in (1..rest.len()).rev() {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1);
                rest.swap(i, (state >> 33) as usize % (i + 1));
            }
            pieces.extend(rest);
            let segments: Vec<(u32, Vec<u8>)> = pieces.iter()
                .map(|(s, n)| (base.wrapping_add(*s as u32), whole[*s..(s + n).min(len)].to_vec()))
                .collect();
            let (got, stream) = run(&segments);
            prop_assert_eq!(got, whole);
            prop_assert_eq!(stream.waiting_bytes(), 0);
        }
    }

    #[test]
    fn a_hole_is_given_up_and_counted() {
        let mut stream: Stream<()> = Stream::default();
        assert_eq!(stream.offer(100, b"abc", 0, ()), Offer::Deliver(b"abc"));
        assert_eq!(stream.offer(110, b"xyz", 0, ()), Offer::Waits);
        assert!(!stream.hopeless(1, 1_000, 100, None));
        assert!(stream.hopeless(1_001, 1_000, 100, None), "its time is up");
        assert!(stream.hopeless(0, 1_000, 2, None), "too many bytes wait");
        assert!(
            stream.hopeless(200, 1_000, 100, Some(120)),
            "the receiver has it"
        );
        assert_eq!(stream.give_up(0), Some(7));
        assert_eq!(stream.ready(), Some((b"xyz".to_vec(), ())));
        assert_eq!((stream.ready(), stream.gaps), (None, 1));
    }

    #[test]
    fn joined_midstream_and_keep_alive() {
        let mut stream: Stream<()> = Stream::default();
        assert_eq!(stream.offer(500, b"ab", 0, ()), Offer::Deliver(b"ab"));
        assert_eq!(stream.offer(501, b"b", 0, ()), Offer::Old, "a keep-alive");
        assert_eq!(stream.offer(502, b"", 0, ()), Offer::Empty);
        assert_eq!(stream.offer(501, b"bcd", 0, ()), Offer::Deliver(b"cd"));
    }
}

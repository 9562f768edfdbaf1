#![no_main]
//! Segments of one known stream in any order, with copies and overlaps: what is
//! delivered is always the stream, as far as it goes.
use telltale_capture::tcp::{Offer, Stream};
libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let whole: Vec<u8> = (0..=255).collect();
    let mut stream: Stream<()> = Stream::default();
    stream.syn(u32::MAX - 100);
    let base = u32::MAX - 99;
    let mut got: Vec<u8> = Vec::new();
    for pair in data.chunks_exact(2) {
        let start = usize::from(pair[0]);
        let end = (start + usize::from(pair[1] % 40)).min(256);
        if let Offer::Deliver(bytes) = stream.offer(base.wrapping_add(start as u32), &whole[start..end], 0, ()) {
            got.extend_from_slice(bytes);
        }
        while let Some((bytes, ())) = stream.ready() {
            got.extend(bytes);
        }
    }
    assert_eq!(got, whole[..got.len()]);
});

//! What decoding takes is bounded by the record's length, whatever the record says.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod common;

use arrow_buffer::Buffer;
use common::{Random, frame};
use telltale_bus::{Encoder, Record};

/// Most bytes held at once while a record is read.
fn held(bytes: &[u8]) -> u64 {
    let buffer = Buffer::from(bytes);
    let info = allocation_counter::measure(|| {
        drop(std::hint::black_box(Record::decode(&buffer)));
    });
    info.bytes_max
}

/// A header of at most 64 KiB becomes at most this much.
const HEADER: u64 = 8 << 20;

#[test]
fn changed_frames_stay_small() {
    let mut random = Random(3);
    // schemas and fingerprints are made once
    for seed in 0..40 {
        let good = Encoder::new()
            .unwrap()
            .encode(&Record::Frame(frame(seed, 8)))
            .unwrap();
        held(&good);
        for _ in 0..60 {
            let mut bytes = good.clone();
            for _ in 0..3 {
                let at = random.below(bytes.len() as u64) as usize;
                bytes[at] = random.next() as u8;
            }
            let took = held(&bytes);
            assert!(
                took <= 16 * bytes.len() as u64 + (256 << 10),
                "{took} bytes for a record of {}",
                bytes.len()
            );
        }
    }
}

#[test]
fn a_header_full_of_empty_parts_stays_small() {
    let parts = [0x32, 0x00].repeat(32 << 10);
    let mut bytes = vec![1, 1, 0, 0];
    bytes.extend((parts.len() as u32).to_le_bytes());
    bytes.extend(parts);
    let took = held(&bytes);
    assert!(took <= HEADER, "{took}");
}

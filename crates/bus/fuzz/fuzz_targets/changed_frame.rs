#![no_main]
//! A whole frame with some words changed: refused, or read and every value looked at.
//! The input is a seed for the frame, then changes of eleven bytes: place, width, value.
#[path = "../../tests/common/mod.rs"]
mod common;
use arrow_buffer::Buffer;
use std::sync::LazyLock;
use telltale_bus::{Encoder, Record};
use telltale_schema::{TableId, value};

/// A small frame for each table, with few and with all columns filled.
static FRAMES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let mut encoder = Encoder::new().expect("an encoder");
    let mut random = common::Random(1);
    let kinds = TableId::ALL.iter().flat_map(|table| [(*table, 2), (*table, 8)]);
    kinds
        .map(|(table, filled)| {
            let rows: Vec<_> = (0..3).map(|_| common::row(table, filled, &mut random)).collect();
            let mut made = common::frame(0, 0);
            made.frame.batches = vec![value::batch(table, &rows).expect("made rows fit their table")];
            encoder.encode(&Record::Frame(made)).expect("a made frame can be written")
        })
        .collect()
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((seed, changes)) = data.split_first() else { return };
    let mut bytes = FRAMES[usize::from(*seed) % FRAMES.len()].clone();
    for change in changes.chunks_exact(11) {
        let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % bytes.len();
        let width = 1 + usize::from(change[2] % 8);
        for (byte, new) in bytes[at..].iter_mut().zip(&change[3..3 + width]) {
            *byte = *new;
        }
    }
    let Ok(Record::Frame(read)) = Record::decode(&Buffer::from(bytes)) else { return };
    for rows in &read.frame.batches {
        for row in 0..rows.batch.num_rows() {
            std::hint::black_box(value::row(rows, row));
        }
    }
    let bytes = Encoder::new().expect("an encoder").encode(&Record::Frame(read)).expect("what was read can be written");
    Record::decode(&Buffer::from(bytes)).expect("what was written can be read");
});

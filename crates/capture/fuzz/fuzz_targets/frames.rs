#![no_main]
//! Frames of any bytes on any link type: tags, tunnels, fragments, headers.
use telltale_capture::{Config, Packet, Pipeline};
libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut pipeline = Pipeline::new(Config::default());
    let mut rest = data;
    let mut number = 0;
    while let [link, len, tail @ ..] = rest {
        let (frame, more) = tail.split_at(usize::from(*len).min(tail.len()));
        rest = more;
        number += 1;
        let link_type = [1, 0, 101, 113, 276, 9, 50, 104, 107, 105, 127, 12][usize::from(*link) % 12];
        let packet = Packet { number, ts_ns: number as i64 * 1_000_000, link_type, interface: 0, data: frame, orig_len: frame.len() as u32 };
        pipeline.packet(&packet);
    }
    pipeline.finish().expect("rows make batches");
});

#![no_main]
//! A capture file of any bytes, through reader and pipeline.
use telltale_capture::{Config, Pipeline, Reader};
libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(mut reader) = Reader::new("fuzz", Box::new(std::io::Cursor::new(data.to_vec()))) else { return };
    let mut pipeline = Pipeline::new(Config::default());
    while let Ok(Some(packet)) = reader.next_packet() {
        pipeline.packet(&packet);
        pipeline.take_frame().expect("rows make batches");
    }
    pipeline.finish().expect("rows make batches");
});

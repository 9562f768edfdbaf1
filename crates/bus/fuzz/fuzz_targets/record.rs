#![no_main]
//! Any bytes as a record: refused, or read and written again.
use arrow_buffer::Buffer;
use telltale_bus::{Encoder, Record};
libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(record) = Record::decode(&Buffer::from(data)) {
        let bytes = Encoder::new().expect("an encoder").encode(&record).expect("what was read can be written");
        Record::decode(&Buffer::from(bytes.as_slice())).expect("what was written can be read");
    }
});

#![no_main]
//! A log whose files were changed or cut: it opens or says why not, each record that
//! is read is one that was written there, and it takes more.
#[path = "../../tests/common/mod.rs"]
mod common;
use common::Random;
use telltale_bus::log::{Log, LogConfig, LogError, SyncPolicy};

fn payload(offset: u64) -> Vec<u8> {
    let mut random = Random(offset);
    let length = random.below(300) as usize;
    random.bytes(length)
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let config = LogConfig { segment_bytes: 4096, retain_bytes: 1 << 20, retain_ns: None, sync: SyncPolicy::Asked };
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder");
    let mut log = Log::open(folder.path(), config.clone()).expect("a new log");
    for offset in 0..60 {
        log.append(offset, &payload(offset as u64)).expect("a record");
    }
    drop(log);
    let mut files: Vec<_> = std::fs::read_dir(folder.path()).expect("a folder").map(|e| e.expect("a file").path()).collect();
    files.sort();
    for change in data.chunks_exact(8) {
        let path = &files[usize::from(change[0]) % files.len()];
        let mut bytes = std::fs::read(path).expect("a file");
        let at = usize::from(u16::from_le_bytes([change[1], change[2]]));
        match change[3] % 8 {
            0 => bytes.truncate(at % 4097),
            1 => bytes.extend_from_slice(&change[4..]),
            2 => drop(bytes.splice(at.min(bytes.len())..at.min(bytes.len()), change[4..].iter().copied())),
            _ => bytes.iter_mut().skip(at).zip(&change[4..]).for_each(|(b, n)| *b = *n),
        }
        std::fs::write(path, bytes).expect("a file");
    }
    let Ok(mut log) = Log::open(folder.path(), config) else { return };
    let (first, next) = (log.first_offset(), log.next_offset());
    let mut due = first;
    for entry in log.read_from(first).expect("the log's own bounds") {
        match entry {
            Ok(entry) => {
                assert_eq!(entry.offset, due);
                assert_eq!(entry.payload, payload(entry.offset));
                due += 1;
            }
            Err(LogError::Damaged { from, to, .. }) => {
                assert_eq!(from, due);
                assert!(from < to);
                due = to;
            }
            Err(e) => panic!("{e}"),
        }
    }
    assert_eq!(due, next);
    let offset = log.append(0, b"more").expect("a record");
    let last = log.read_from(offset).expect("it is there").next().expect("one").expect("whole");
    assert_eq!(last.payload, b"more");
});

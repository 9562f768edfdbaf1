//! The log, case by case.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod common;

use common::Random;
use common::disk::{HEAD, files, room};
use std::path::Path;
use telltale_bus::log::{Log, LogConfig, LogError, SyncPolicy};

fn small() -> LogConfig {
    LogConfig {
        segment_bytes: 4096,
        retain_bytes: 1 << 20,
        retain_ns: None,
        sync: SyncPolicy::Each,
    }
}

fn filled(folder: &Path, records: u64) -> Log {
    let mut log = Log::open(folder, small()).unwrap();
    for n in 0..records {
        log.append(0, &Random(n).bytes(100)).unwrap();
    }
    log
}

#[test]
fn a_second_writer_is_kept_out() {
    let folder = tempfile::tempdir().unwrap();
    let log = filled(folder.path(), 1);
    let second = Log::open(folder.path(), small()).unwrap_err();
    assert_eq!(second.code(), "TT-LOG-002");
    drop(log);
    Log::open(folder.path(), small()).unwrap();
}

#[test]
fn a_torn_write_is_cut_and_told() {
    let folder = tempfile::tempdir().unwrap();
    drop(filled(folder.path(), 3));
    let (_, path) = files(folder.path()).pop().unwrap();
    let length = std::fs::metadata(&path).unwrap().len();
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.set_len(length - 9).unwrap();
    let log = Log::open(folder.path(), small()).unwrap();
    let torn = log.opened().torn.clone().unwrap();
    assert_eq!(torn.file, path);
    assert_eq!(torn.position, length - room(100));
    assert_eq!(torn.bytes, room(100) - 9);
    assert_eq!(log.next_offset(), 2);
}

#[test]
fn damage_names_file_and_place_and_is_passed() {
    let folder = tempfile::tempdir().unwrap();
    drop(filled(folder.path(), 5));
    let (_, path) = files(folder.path()).pop().unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    let at = HEAD + 2 * room(100);
    bytes[at as usize + 50] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let log = Log::open(folder.path(), small()).unwrap();
    assert_eq!(log.opened().lost, 1);
    let read: Vec<_> = log.read_from(1).unwrap().collect();
    assert_eq!(read.len(), 4);
    let error = read[1].as_ref().unwrap_err();
    assert!(
        matches!(error, LogError::Damaged { file, position, from: 2, to: 3 } if *file == path && *position == at),
        "{error}"
    );
    assert_eq!(read[3].as_ref().unwrap().offset, 4);
}

#[test]
fn what_a_sensor_wrote_cannot_pass_for_a_record() {
    // a whole segment of a log, inside a record of another one
    let source = tempfile::tempdir().unwrap();
    drop(filled(source.path(), 20));
    let forged = std::fs::read(&files(source.path())[0].1).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let config = LogConfig {
        segment_bytes: 1 << 20,
        retain_bytes: 2 << 20,
        ..small()
    };
    let mut log = Log::open(folder.path(), config.clone()).unwrap();
    for record in [b"a".as_slice(), &forged, b"c"] {
        log.append(0, record).unwrap();
    }
    drop(log);
    let (_, path) = files(folder.path()).pop().unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    // the head of the record that holds the forgery
    bytes[(HEAD + room(1)) as usize + 5] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let log = Log::open(folder.path(), config).unwrap();
    let read: Vec<_> = log.read_from(0).unwrap().flatten().collect();
    assert_eq!(read.len(), 2);
    assert_eq!(read[1].payload, b"c");
}

#[test]
fn a_file_without_its_head_is_mended() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = filled(folder.path(), 25);
    log.append(77, &[0; 4000]).unwrap();
    log.append(0, &[0; 4000]).unwrap();
    drop(log);
    let (base, path) = files(folder.path()).pop().unwrap();
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.set_len(HEAD - 1).unwrap();
    let mut log = Log::open(folder.path(), small()).unwrap();
    assert_eq!(log.opened().repaired_heads, 1);
    assert_eq!(log.next_offset(), base);
    // time still does not fall
    log.append(0, b"next").unwrap();
    let last = log.read_from(base).unwrap().next().unwrap().unwrap();
    assert_eq!(
        (last.time_ns, last.payload.as_slice()),
        (77, b"next".as_slice())
    );
}

#[test]
fn the_salt_has_copies() {
    let folder = tempfile::tempdir().unwrap();
    drop(filled(folder.path(), 50));
    let meta = folder.path().join("log.meta");
    std::fs::write(&meta, b"").unwrap();
    let log = Log::open(folder.path(), small()).unwrap();
    assert_eq!(log.opened().repaired_heads, 1);
    assert_eq!(log.read_from(0).unwrap().flatten().count(), 50);
    drop(log);
    std::fs::write(&meta, b"").unwrap();
    for (_, path) in files(folder.path()) {
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[1] ^= 1;
        std::fs::write(path, bytes).unwrap();
    }
    let error = Log::open(folder.path(), small()).unwrap_err();
    assert_eq!(error.code(), "TT-LOG-006");
}

#[test]
fn files_of_others_are_refused() {
    let one = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    drop(filled(one.path(), 100));
    drop(filled(other.path(), 100));
    let second = &files(one.path())[1].1;
    let name = second.file_name().unwrap();
    std::fs::copy(other.path().join(name), second).unwrap();
    let error = Log::open(one.path(), small()).unwrap_err();
    assert_eq!(error.code(), "TT-LOG-005");
}

#[test]
fn a_missing_file_is_a_counted_loss() {
    let folder = tempfile::tempdir().unwrap();
    drop(filled(folder.path(), 100));
    let files = files(folder.path());
    std::fs::remove_file(&files[1].1).unwrap();
    let log = Log::open(folder.path(), small()).unwrap();
    let mut reader = log.read_from(0).unwrap();
    let read = reader.by_ref().flatten().count() as u64;
    let lost = files[2].0 - files[1].0;
    assert_eq!((read, reader.lost()), (100 - lost, lost));
}

#[test]
fn bounds_are_kept_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let config = LogConfig {
        retain_bytes: 8192,
        ..small()
    };
    let mut log = Log::open(folder.path(), config.clone()).unwrap();
    let bound = config.max_record_bytes();
    log.append(0, &vec![0; bound]).unwrap();
    let error = log.append(0, &vec![0; bound + 1]).unwrap_err();
    assert_eq!(error.code(), "TT-LOG-010");
    for _ in 0..3 {
        let gone = log.excess(0, bound);
        log.append(0, &vec![0; bound]).unwrap();
        assert_eq!(
            gone.map_or(log.first_offset(), |g| g.end),
            log.first_offset()
        );
        assert!(log.bytes() <= 8192);
    }
    assert_eq!(log.counters().dropped_records, log.first_offset());
    assert_eq!(log.read_from(0).unwrap_err().code(), "TT-LOG-008");
    let next = log.next_offset();
    assert_eq!(log.read_from(next).unwrap().count(), 0);
    assert_eq!(log.read_from(next + 1).unwrap_err().code(), "TT-LOG-009");
    drop(log);
    let tight = LogConfig {
        retain_bytes: 8191,
        ..small()
    };
    assert_eq!(
        Log::open(folder.path(), tight).unwrap_err().code(),
        "TT-LOG-003"
    );
}

#[test]
fn a_reader_whose_file_goes_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = filled(folder.path(), 100);
    let mut reader = log.read_from(0).unwrap();
    assert_eq!(reader.next().unwrap().unwrap().offset, 0);
    log.truncate_before(80).unwrap();
    let rest: Vec<_> = reader.collect();
    let error = rest.last().unwrap().as_ref().unwrap_err();
    assert_eq!(error.code(), "TT-LOG-008");
    assert_eq!(log.counters().released_records, log.first_offset());
}

#[test]
fn only_what_is_too_old_goes() {
    let folder = tempfile::tempdir().unwrap();
    let config = LogConfig {
        retain_ns: Some(50),
        ..small()
    };
    let mut log = Log::open(folder.path(), config.clone()).unwrap();
    let bound = config.max_record_bytes();
    for time in [0, 40, 50] {
        // a segment each
        log.append(time, &vec![0; bound]).unwrap();
    }
    assert_eq!(log.excess(50, bound), None);
    assert_eq!(log.excess(51, bound), Some(0..1));
    assert_eq!(log.excess(90, bound), Some(0..1));
    assert_eq!(log.excess(91, bound), Some(0..2));
    // the segment that is written to stays
    assert_eq!(log.excess(1000, bound), Some(0..2));
    drop(log);
    let mut log = Log::open(folder.path(), config).unwrap();
    log.append(91, &[]).unwrap();
    assert_eq!((log.first_offset(), log.next_offset()), (2, 4));
}

#[test]
fn a_segment_that_cannot_be_begun_costs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = Log::open(folder.path(), small()).unwrap();
    log.append(0, &[1; 3000]).unwrap();
    // the name is taken
    let name = folder.path().join(format!("{:020}.log", 1));
    std::fs::create_dir(&name).unwrap();
    assert_eq!(log.append(0, &[2; 3000]).unwrap_err().code(), "TT-LOG-001");
    // it would fit the old segment, whose end has been settled
    assert_eq!(log.append(0, b"small").unwrap_err().code(), "TT-LOG-001");
    std::fs::remove_dir(&name).unwrap();
    assert_eq!(log.append(0, b"small").unwrap(), 1);
    drop(log);
    let log = Log::open(folder.path(), small()).unwrap();
    let read: Vec<_> = log
        .read_from(0)
        .unwrap()
        .map(|e| e.unwrap().payload)
        .collect();
    assert_eq!(read, [vec![1; 3000], b"small".to_vec()]);
}

#[test]
fn files_of_a_later_release_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    drop(filled(folder.path(), 3));
    let later = |path: &Path| {
        let good = std::fs::read(path).unwrap();
        let mut bytes = good.clone();
        bytes[8] = 2;
        let check = crc32c::crc32c(&bytes[..36]).to_le_bytes();
        bytes[36..40].copy_from_slice(&check);
        std::fs::write(path, bytes).unwrap();
        let error = Log::open(folder.path(), small()).unwrap_err();
        assert_eq!(error.code(), "TT-LOG-004", "{error}");
        std::fs::write(path, good).unwrap();
    };
    later(&folder.path().join("log.meta"));
    later(&files(folder.path())[0].1);
    Log::open(folder.path(), small()).unwrap();
}

/// Needs a disk that can be filled: `TELLTALE_SMALL_DISK` names an empty folder on
/// one of a few hundred KiB.
#[test]
fn a_full_disk_costs_nothing() {
    let Some(disk) = std::env::var_os("TELLTALE_SMALL_DISK") else {
        println!("skipped: TELLTALE_SMALL_DISK names no folder");
        return;
    };
    let folder = Path::new(&disk).join("log");
    let ballast = Path::new(&disk).join("ballast");
    std::fs::write(&ballast, [0; 40_000]).unwrap();
    let config = LogConfig {
        segment_bytes: 20_000,
        retain_bytes: 1 << 30,
        ..small()
    };
    let mut log = Log::open(&folder, config.clone()).unwrap();
    let record = |n: u64| Random(n).bytes(700 + n as usize % 3000);
    let mut refused = 0;
    while refused < 20 {
        let next = log.next_offset();
        match log.append(0, &record(next)) {
            Ok(offset) => assert_eq!(offset, next),
            Err(e) => {
                assert_eq!(e.code(), "TT-LOG-001", "{e}");
                assert_eq!(log.next_offset(), next);
                refused += 1;
            }
        }
    }
    let full = log.next_offset();
    std::fs::remove_file(ballast).unwrap();
    log.append(0, &record(full)).unwrap();
    for reopened in [false, true] {
        if reopened {
            drop(log);
            log = Log::open(&folder, config.clone()).unwrap();
            assert_eq!(log.opened().torn, None);
        }
        let read: Vec<_> = log.read_from(0).unwrap().map(Result::unwrap).collect();
        assert_eq!(read.len() as u64, full + 1);
        for entry in read {
            assert_eq!(entry.payload, record(entry.offset));
        }
    }
}

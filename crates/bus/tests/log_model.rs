//! The log against a plain list: appends, reopening, torn writes, flipped bytes,
//! retention, release.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod common;

use common::Random;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use telltale_bus::log::{Log, LogConfig, LogError, SyncPolicy};

const HEAD: u64 = 40;

fn room(length: usize) -> u64 {
    32 + (length as u64).next_multiple_of(8)
}

#[derive(Debug, Clone)]
enum Step {
    Append { count: u64, longest: u64, time: i64 },
    Sync,
    Reopen,
    Release { share: u64 },
    Read { share: u64 },
    Tear { bytes: u64 },
    Flip { file: u64, at: u64, bit: u8 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (1_u64..30, 0_u64..1200, -50_i64..100)
            .prop_map(|(count, longest, time)| Step::Append { count, longest, time }),
        1 => Just(Step::Sync),
        2 => Just(Step::Reopen),
        1 => (0_u64..1000).prop_map(|share| Step::Release { share }),
        2 => (0_u64..1000).prop_map(|share| Step::Read { share }),
        2 => (0_u64..3000).prop_map(|bytes| Step::Tear { bytes }),
        2 => (any::<u64>(), any::<u64>(), 0_u8..8)
            .prop_map(|(file, at, bit)| Step::Flip { file, at, bit }),
    ];
    proptest::collection::vec(step, 1..30)
}

/// What the log should hold.
#[derive(Default)]
struct Model {
    first: u64,
    /// By offset from 0 on; `None` is lost to damage.
    records: Vec<Option<(i64, Vec<u8>)>>,
    rooms: Vec<u64>,
    times: Vec<i64>,
    now: i64,
    last_time: i64,
}

impl Model {
    fn next(&self) -> u64 {
        self.records.len() as u64
    }

    /// Offsets of the segment at a place in the list of files.
    fn segment(&self, files: &[(u64, PathBuf)], at: usize) -> std::ops::Range<u64> {
        files[at].0..files.get(at + 1).map_or(self.next(), |f| f.0)
    }

    /// What opening cuts: lost records at the end of the last segment.
    fn cut(&mut self, base: u64) {
        while self.next() > base && self.records.last().is_some_and(Option::is_none) {
            self.records.pop();
            self.rooms.pop();
            self.times.pop();
        }
        self.last_time = self.times.last().copied().unwrap_or(i64::MIN);
    }

    fn check(&self, log: &Log, from: u64) {
        assert_eq!(
            (log.first_offset(), log.next_offset()),
            (self.first, self.next())
        );
        let mut lost = BTreeSet::new();
        let mut due = from;
        let mut reader = log.read_from(from).unwrap();
        for entry in reader.by_ref() {
            match entry {
                Ok(entry) => {
                    assert_eq!(entry.offset, due);
                    let (time, payload) = self.records[due as usize].as_ref().expect("not lost");
                    assert_eq!((*time, payload), (entry.time_ns, &entry.payload));
                    due += 1;
                }
                Err(LogError::Damaged { from, to, .. }) => {
                    assert_eq!(from, due);
                    lost.extend(from..to);
                    due = to;
                }
                Err(e) => panic!("{e}"),
            }
        }
        assert_eq!(due, self.next());
        let expected: BTreeSet<u64> = (from..self.next())
            .filter(|o| self.records[*o as usize].is_none())
            .collect();
        assert_eq!(lost, expected);
        assert_eq!(reader.lost(), expected.len() as u64);
    }
}

fn files(folder: &Path) -> Vec<(u64, PathBuf)> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "log"))
        .map(|p| (p.file_stem().unwrap().to_str().unwrap().parse().unwrap(), p))
        .collect();
    files.sort();
    files
}

fn append(log: &mut Log, model: &mut Model, config: &LogConfig, length: usize, seed: u64) {
    let payload = Random(seed).bytes(length);
    if let Some(gone) = log.excess(model.now, length) {
        assert_eq!(gone.start, model.first);
        model.first = gone.end;
    }
    let time = model.now.max(model.last_time);
    assert_eq!(log.append(model.now, &payload).unwrap(), model.next());
    model.last_time = time;
    model.records.push(Some((time, payload)));
    model.rooms.push(room(length));
    model.times.push(time);
    assert_eq!(log.first_offset(), model.first);
    assert!(log.bytes() <= config.retain_bytes);
}

fn flip(model: &mut Model, folder: &Path, file: u64, at: u64, bit: u8) {
    let files = files(folder);
    let which = file as usize % files.len();
    let path = &files[which].1;
    let mut bytes = std::fs::read(path).unwrap();
    let at = at % bytes.len() as u64;
    if at < HEAD && which + 1 == files.len() {
        // with the head goes the time of the record before, which nothing else keeps
        return;
    }
    let mut begin = HEAD;
    for offset in model.segment(&files, which) {
        let index = offset as usize;
        let end = begin + model.rooms[index];
        if (begin..end).contains(&at) {
            // a second flip could undo the first
            let Some((_, payload)) = &model.records[index] else {
                return;
            };
            if at < begin + 32 + payload.len() as u64 {
                model.records[index] = None;
            }
        }
        begin = end;
    }
    bytes[at as usize] ^= 1 << bit;
    std::fs::write(path, bytes).unwrap();
    if which + 1 == files.len() {
        model.cut(files[which].0);
    }
}

fn tear(model: &mut Model, folder: &Path, bytes: u64) {
    let files = files(folder);
    let (base, path) = files.last().unwrap();
    let file = std::fs::File::options().write(true).open(path).unwrap();
    let length = file.metadata().unwrap().len().saturating_sub(bytes);
    // a head is on disk before the first record comes
    let length = length.max(HEAD);
    file.set_len(length).unwrap();
    let mut begin = HEAD;
    for offset in *base..model.next() {
        begin += model.rooms[offset as usize];
        if begin > length {
            model.records[offset as usize] = None;
        }
    }
    model.cut(*base);
}

fn run(steps: Vec<Step>, config: &LogConfig) {
    let folder = tempfile::tempdir().unwrap();
    let mut model = Model {
        last_time: i64::MIN,
        ..Model::default()
    };
    let open = || Log::open(folder.path(), config.clone()).unwrap();
    let mut log = open();
    for (seed, step) in steps.into_iter().enumerate() {
        match step {
            Step::Append {
                count,
                longest,
                time,
            } => {
                let mut random = Random(seed as u64);
                for _ in 0..count {
                    model.now += time;
                    let length = random.below(longest + 1) as usize;
                    append(&mut log, &mut model, config, length, random.next());
                }
            }
            Step::Sync => {
                log.sync().unwrap();
                assert_eq!(log.synced_offset(), model.next());
            }
            Step::Reopen => {
                drop(log);
                log = open();
                assert_eq!(log.opened().torn, None);
            }
            Step::Release { share } => {
                let upto = model.first + (model.next() - model.first) * share / 1000;
                let files = files(folder.path());
                let kept = (0..files.len())
                    .find(|at| at + 1 == files.len() || model.segment(&files, *at).end > upto);
                model.first = files[kept.unwrap()].0;
                assert_eq!(log.truncate_before(upto).unwrap(), model.first);
            }
            Step::Read { share } => {
                let from = model.first + (model.next() - model.first) * share / 1000;
                model.check(&log, from);
            }
            Step::Tear { bytes } => {
                drop(log);
                tear(&mut model, folder.path(), bytes);
                log = open();
            }
            Step::Flip { file, at, bit } => {
                drop(log);
                flip(&mut model, folder.path(), file, at, bit);
                log = open();
            }
        }
        model.check(&log, model.first);
    }
    let dropped = log.counters().dropped_records + log.counters().released_records;
    assert!(dropped <= model.first);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn the_log_is_a_list(steps in steps(), retain in 2_u64..9, by_time in any::<bool>()) {
        let config = LogConfig {
            segment_bytes: 4096,
            retain_bytes: retain * 4096,
            retain_ns: by_time.then_some(2000),
            sync: SyncPolicy::Bytes(10_000),
        };
        run(steps, &config);
    }
}

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

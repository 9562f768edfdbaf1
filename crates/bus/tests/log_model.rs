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
use common::disk::{HEAD, files, room};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use telltale_bus::log::{Log, LogConfig, LogError, SyncPolicy};

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

/// The last of the segments that go has to go: for room, or for its age.
fn check_need(
    log: &Log,
    model: &Model,
    config: &LogConfig,
    (folder, gone): (&Path, &std::ops::Range<u64>),
    room: u64,
    now: i64,
) {
    let files = files(folder);
    let going = files.iter().filter(|f| f.0 < gone.end);
    let sizes: Vec<u64> = going.map(|f| f.1.metadata().unwrap().len()).collect();
    let others: u64 = sizes[..sizes.len() - 1].iter().sum();
    let full = log.bytes() - others + room + HEAD > config.retain_bytes;
    let newest = model.times[gone.end as usize - 1];
    let old = config.retain_ns.is_some_and(|ns| newest < now - ns as i64);
    assert!(full || old, "{gone:?} need not go");
}

fn append(
    log: &mut Log,
    model: &mut Model,
    (folder, config): (&Path, &LogConfig),
    length: usize,
    seed: u64,
) {
    let payload = Random(seed).bytes(length);
    let time = model.now.max(model.last_time);
    if let Some(gone) = log.excess(model.now, length) {
        assert_eq!(gone.start, model.first);
        check_need(log, model, config, (folder, &gone), room(length), time);
        model.first = gone.end;
    }
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
                    append(
                        &mut log,
                        &mut model,
                        (folder.path(), config),
                        length,
                        random.next(),
                    );
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
    #![proptest_config(ProptestConfig::with_cases(40))]

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

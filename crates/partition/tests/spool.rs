//! Over the spool: stopped after any record, or killed at any moment, a partition goes on
//! as if nothing had happened.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a test fails by panicking, and waits by the clock"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};
use std::sync::Arc;
use std::time::Duration;
use telltale_bus::log::{Log, LogConfig};
use telltale_bus::{
    Command, CommandKind, ContentHash, Control, Encoder, Loss, Record, SensorFrame,
};
use telltale_partition::{Config, Library, Manifest, Output, Partition, Snapshot};
use telltale_rules::{RuleSet, Site};
use telltale_schema::value::{RowDefaults, batch, row_from_json};
use telltale_schema::{Frame, TableId};

const SECOND: i64 = 1_000_000_000;
const START: i64 = 1_767_254_400 * SECOND;

fn rule(number: usize, body: &str) -> String {
    format!(
        "id: 00000000-0000-4000-8000-{number:012}\nname: rule {number}\ndescription: x\nseverity: high\nconfidence: low\nstatus: experimental\nscope: site\n{body}\nattack: [T0855]\nresponse: [x]\nsentence: \"{{client_ip}} and {{server_ip}}\"\ncorrelation_key: [server_ip]\nsuppression: {{key: [client_ip, server_ip], for: 30s}}\ntests: []\n"
    )
}

/// Rule sets: the second changes one rule, drops one and has a new one.
fn rule_sets() -> [RuleSet; 2] {
    let stays = rule(
        1,
        "sql: |\n  SELECT client_ip, server_ip, count(*) AS n FROM modbus WHERE direction = 'request'\n  GROUP BY client_ip, server_ip, hop(INTERVAL '20 seconds', INTERVAL '5 seconds') HAVING count(*) >= 4",
    );
    let steps = rule(
        2,
        "sequence:\n  from: modbus\n  by: [client_ip]\n  within: 20s\n  steps:\n    - {name: read, where: \"function = 'read_coils'\"}\n    - {name: wrote, where: \"function = 'write_single_coil'\"}",
    );
    let silent = rule(
        3,
        "sequence:\n  from: modbus\n  by: [server_ip]\n  within: 20s\n  steps:\n    - {name: read, where: \"function = 'read_coils'\"}\n    - {name: again, absent: true, within: 4s, where: \"function = 'read_coils'\"}",
    );
    let seen = rule(
        4,
        "sql: SELECT * FROM modbus WHERE direction = 'request' AND first_seen(client_ip, unit_id, learn => '30 s')",
    );
    let plain = |unit: u8| {
        rule(
            5,
            &format!("sql: SELECT * FROM modbus WHERE direction = 'request' AND unit_id = {unit}"),
        )
    };
    let set = |texts: Vec<String>| {
        let named: Vec<(String, String)> = texts
            .into_iter()
            .enumerate()
            .map(|(n, t)| (format!("{n}.yaml"), t))
            .collect();
        let (set, found) = RuleSet::from_texts(named.iter().map(|(n, t)| (n.as_str(), t.as_str())));
        assert!(found.is_empty(), "{found:?}");
        set
    };
    [
        set(vec![
            stays.clone(),
            steps,
            silent.clone(),
            seen.clone(),
            plain(1),
        ]),
        set(vec![stays, silent, seen, plain(2)]),
    ]
}

#[derive(Clone)]
struct Shelf(Arc<BTreeMap<ContentHash, Arc<RuleSet>>>);

const FIRST: ContentHash = ContentHash([1; 32]);
const SECOND_SET: ContentHash = ContentHash([2; 32]);
const SITE: ContentHash = ContentHash([3; 32]);

impl Library for Shelf {
    fn rules(&self, hash: &ContentHash) -> Option<Arc<RuleSet>> {
        self.0.get(hash).cloned()
    }
    fn site(&self, hash: &ContentHash) -> Option<Arc<Site>> {
        let mut site = Site::builtin_default();
        site.toml.name = "north".to_owned();
        (*hash == SITE).then(|| Arc::new(site))
    }
}

fn shelf() -> Shelf {
    let [first, second] = rule_sets();
    Shelf(Arc::new(BTreeMap::from([
        (FIRST, Arc::new(first)),
        (SECOND_SET, Arc::new(second)),
    ])))
}

/// The same numbers each time.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

/// A log of two sites: frames that repeat, are missing and come late, ticks, other rules,
/// commands, losses, nonsense.
fn story(records: usize) -> Vec<(i64, Record)> {
    let mut random = Random(11);
    let mut out: Vec<(i64, Record)> = vec![
        (START, Record::Control(Control::Rules(FIRST))),
        (START, Record::Control(Control::Context(SITE))),
    ];
    let mut sensors: BTreeMap<(&str, &str), (u64, u64)> = BTreeMap::new();
    let names = [("north", "a"), ("north", "b"), ("south", "c")];
    for n in 0..records {
        let now = START + n as i64 * SECOND / 2;
        let (site, sensor) = names[random.below(3) as usize];
        let (seq, row_no) = sensors.entry((site, sensor)).or_default();
        let control = |c| Record::Control(c);
        let record = match random.below(40) {
            0 | 1 => control(Control::Tick),
            2 => control(Control::Rules(if random.below(2) == 0 {
                FIRST
            } else {
                SECOND_SET
            })),
            3 => control(Control::Rules(ContentHash([9; 32]))),
            4 => control(Control::Command(Command {
                kind: [
                    CommandKind::ApproveFirstSeen,
                    CommandKind::QuarantineRule,
                    CommandKind::ReleaseRule,
                ][random.below(3) as usize],
                args: vec![
                    format!("00000000-0000-4000-8000-{:012}", 1 + random.below(5)),
                    "10.0.0.1".to_owned(),
                    "2".to_owned(),
                ],
            })),
            5 => {
                *seq += 3;
                Record::Loss(Loss {
                    site: site.into(),
                    sensor: sensor.into(),
                    epoch: 0,
                    from_seq: *seq - 3,
                    to_seq: *seq - 1,
                    rows: 5,
                })
            }
            kind => {
                if kind == 6 {
                    *seq += 1 + random.below(3);
                }
                let rows: Vec<_> = (0..random.below(6))
                    .map(|at| {
                        *row_no += 1;
                        let function =
                            ["read_coils", "write_single_coil", "read_holding_registers"]
                                [random.below(3) as usize];
                        let json = serde_json::json!({
                            "function": function,
                            "client_ip": format!("10.0.0.{}", random.below(4)),
                            "server_ip": format!("10.0.1.{}", random.below(2)),
                            "unit_id": random.below(4),
                            "site": site,
                            "sensor": sensor,
                        });
                        let late = if random.below(20) == 0 { 8 * SECOND } else { 0 };
                        let defaults = RowDefaults {
                            row_no: *row_no,
                            event_time: now - late + at as i64 * SECOND / 10,
                        };
                        row_from_json(TableId::Modbus, json.as_object().unwrap(), &defaults)
                            .unwrap()
                    })
                    .collect();
                let batches = if rows.is_empty() {
                    Vec::new()
                } else {
                    vec![batch(TableId::Modbus, &rows).unwrap()]
                };
                let frame = Frame {
                    site: site.into(),
                    sensor: sensor.into(),
                    seq: *seq,
                    watermark: now - 2 * SECOND,
                    batches,
                };
                if kind != 7 {
                    *seq += 1;
                }
                Record::Frame(SensorFrame { epoch: 0, frame })
            }
        };
        out.push((now, record));
    }
    out
}

fn shown(outputs: &[Output]) -> String {
    let one = |output: &Output| match output {
        // a schema's words have no order
        Output::Late(late) => format!("{} {:?}\n", output.identity(), late.rows.batch.columns()),
        other => format!("{other:?}\n"),
    };
    outputs.iter().map(one).collect()
}

/// Stopped after each record, taken out, put back: equal outputs, and equal state.
#[test]
fn cut_anywhere() {
    let records = story(160);
    let mut whole = Partition::new(shelf(), Config::default());
    let mut cut = Partition::new(shelf(), Config::default());
    let mut alerts = 0;
    for (offset, (time, record)) in records.iter().enumerate() {
        let (mut a, mut b) = (Vec::new(), Vec::new());
        whole.step(offset as u64, *time, record, &mut a);
        cut.step(offset as u64, *time, record, &mut b);
        assert_eq!(shown(&a), shown(&b), "record {offset}");
        alerts += a.iter().filter(|o| matches!(o, Output::Alert(_))).count();
        let snapshot = cut.snapshot().unwrap();
        cut = Partition::restore(shelf(), Config::default(), &snapshot).unwrap();
        assert_eq!(cut.snapshot().unwrap(), snapshot, "record {offset}");
        // a record that comes again does nothing
        let mut again = Vec::new();
        cut.step(offset as u64, *time, record, &mut again);
        assert!(again.is_empty());
    }
    let (mut a, mut b) = (Vec::new(), Vec::new());
    whole.finish(&mut a);
    cut.finish(&mut b);
    assert_eq!(shown(&a), shown(&b));
    let counters = whole.counters();
    assert_eq!(counters, cut.counters());
    assert!(alerts > 20, "{alerts} alerts");
    assert!(
        counters.repeated > 0 && counters.gaps > 0 && counters.lost > 0 && counters.refused > 0,
        "{counters:?}"
    );
}

/// A state that was frozen is what it was, whatever came after it.
#[test]
fn frozen_state_is_written_while_the_partition_goes_on() {
    let mut partition = Partition::new(shelf(), Config::default());
    let mut frozen = Vec::new();
    for (offset, (time, record)) in story(160).iter().enumerate() {
        partition.step(offset as u64, *time, record, &mut Vec::new());
        if offset % 10 == 0 {
            frozen.push((partition.freeze().unwrap(), partition.snapshot().unwrap()));
        }
    }
    let writer = std::thread::spawn(move || {
        for (frozen, then) in frozen {
            assert!(frozen.into_snapshot().unwrap() == then);
        }
    });
    writer.join().unwrap();
}

/// A damaged or foreign snapshot is refused with what to do.
#[test]
fn damaged_snapshots_are_refused() {
    let mut partition = Partition::new(shelf(), Config::default());
    for (offset, (time, record)) in story(60).iter().enumerate() {
        partition.step(offset as u64, *time, record, &mut Vec::new());
    }
    let snapshot = partition.snapshot().unwrap();
    let refused = |snapshot: &Snapshot| {
        Partition::restore(shelf(), Config::default(), snapshot)
            .err()
            .unwrap()
            .to_string()
    };
    let mut damaged = snapshot.clone();
    let first = damaged.parts.values_mut().next().unwrap();
    let middle = first.len() / 2;
    first[middle] ^= 1;
    assert!(refused(&damaged).contains("TT-SNAP-002"));
    let mut lacking = snapshot.clone();
    lacking.parts.pop_first();
    assert!(refused(&lacking).contains("missing"));
    let mut newer = snapshot.clone();
    newer.manifest.format = 99;
    assert!(refused(&newer).contains("TT-SNAP-001"));
    let empty = Shelf(Arc::default());
    let error = Partition::restore(empty, Config::default(), &snapshot)
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains("TT-SNAP-003"), "{error}");
}

// ------------------------------------------------------------------ kill -9

const WORKER: &str = "TELLTALE_TEST_WORKER";

fn config() -> LogConfig {
    LogConfig::default()
}

fn read_snapshot(dir: &Path) -> Option<Snapshot> {
    let manifest: Manifest =
        serde_json::from_slice(&std::fs::read(dir.join("manifest")).ok()?).unwrap();
    let mut parts = BTreeMap::new();
    for entry in std::fs::read_dir(dir.join("parts")).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if !name.ends_with(".new") {
            parts.insert(name, std::fs::read(entry.path()).unwrap());
        }
    }
    Some(Snapshot { manifest, parts })
}

/// Parts first, each once; then the manifest, in one step.
fn write_snapshot(dir: &Path, snapshot: &Snapshot) {
    let put = |path: PathBuf, bytes: &[u8]| {
        let new = path.with_extension("new");
        std::fs::write(&new, bytes).unwrap();
        std::fs::rename(&new, &path).unwrap();
    };
    for (hash, bytes) in &snapshot.parts {
        if !dir.join("parts").join(hash).exists() {
            put(dir.join("parts").join(hash), bytes);
        }
    }
    put(
        dir.join("manifest"),
        &serde_json::to_vec(&snapshot.manifest).unwrap(),
    );
}

/// One owner of the partition: restores the newest snapshot, replays in silence up to
/// what was sent, and goes on aloud. What it sends for a record is one record of the
/// outgoing log, which also says up to where the telemetry was read.
fn worker(dir: &Path) {
    let log = Log::open(&dir.join("spool"), config()).unwrap();
    let mut sent = Log::open(&dir.join("sent"), config()).unwrap();
    let committed = sent.next_offset();
    let mut partition = match read_snapshot(dir) {
        Some(snapshot) => Partition::restore(shelf(), Config::default(), &snapshot).unwrap(),
        None => Partition::new(shelf(), Config::default()),
    };
    let reader = log.read_from(partition.next_offset()).unwrap();
    for entry in reader {
        let entry = entry.unwrap();
        let record = Record::decode(&entry.payload.into()).unwrap();
        let mut out = Vec::new();
        partition.step(entry.offset, entry.time_ns, &record, &mut out);
        if entry.offset >= committed {
            sent.append(entry.time_ns, shown(&out).as_bytes()).unwrap();
        } else {
            // muted: what was sent is what would be sent
            let before = sent
                .read_from(entry.offset)
                .unwrap()
                .next()
                .unwrap()
                .unwrap();
            assert_eq!(
                String::from_utf8(before.payload).unwrap(),
                shown(&out),
                "replay_divergence at {}",
                entry.offset
            );
        }
        if entry.offset % 7 == 6 {
            sent.sync().unwrap();
            write_snapshot(dir, &partition.snapshot().unwrap());
        }
        // leaves time to be killed in
        std::thread::sleep(Duration::from_micros(300));
    }
}

/// Killed at random moments, as often as `TELLTALE_KILLS` says: nothing is lost, nothing
/// is sent twice, and a replay gives what was sent.
#[test]
fn killed_at_any_moment() {
    if let Ok(dir) = std::env::var(WORKER) {
        worker(Path::new(&dir));
        return;
    }
    let kills: u64 = std::env::var("TELLTALE_KILLS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(20);
    let records = story(250);
    let mut wanted = Vec::new();
    let mut whole = Partition::new(shelf(), Config::default());
    for (offset, (time, record)) in records.iter().enumerate() {
        let mut out = Vec::new();
        whole.step(offset as u64, *time, record, &mut out);
        wanted.push(shown(&out));
    }
    let mut random = Random(std::process::id().into());
    let (mut killed, mut rounds) = (0, 0);
    while killed < kills {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("parts")).unwrap();
        {
            let mut log = Log::open(&dir.path().join("spool"), config()).unwrap();
            let mut encoder = Encoder::new().unwrap();
            for (time, record) in &records {
                log.append(*time, &encoder.encode(record).unwrap()).unwrap();
            }
            log.sync().unwrap();
        }
        rounds += 1;
        loop {
            let mut child = Process::new(std::env::current_exe().unwrap())
                .args(["--exact", "killed_at_any_moment", "--nocapture"])
                .env(WORKER, dir.path())
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            std::thread::sleep(Duration::from_millis(15 + random.below(120)));
            if child.try_wait().unwrap().is_none() && killed < kills {
                child.kill().unwrap();
                child.wait().unwrap();
                killed += 1;
                continue;
            }
            let output = child.wait_with_output().unwrap();
            assert!(
                output.status.success(),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
            break;
        }
        let sent = Log::open(&dir.path().join("sent"), config()).unwrap();
        let all: Vec<String> = sent
            .read_from(0)
            .unwrap()
            .map(|e| String::from_utf8(e.unwrap().payload).unwrap())
            .collect();
        assert_eq!(all.len(), wanted.len());
        for (offset, (a, b)) in all.iter().zip(&wanted).enumerate() {
            assert_eq!(a, b, "record {offset}");
        }
    }
    println!(
        "{killed} kills in {rounds} rounds of {} records",
        records.len()
    );
}

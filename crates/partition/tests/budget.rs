//! What has no room: a rule over its budget, and rows that come too late.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::sync::Arc;
use telltale_bus::{Command, CommandKind, ContentHash, Control, Record, SensorFrame};
use telltale_partition::{Config, Library, Output, Partition};
use telltale_rules::{RuleSet, Site};
use telltale_schema::value::{RowDefaults, batch, row_from_json};
use telltale_schema::{Frame, TableId};

const SECOND: i64 = 1_000_000_000;
const START: i64 = 1_767_254_400 * SECOND;
const COUNTS: &str = "00000000-0000-4000-8000-000000000001";

#[derive(Clone)]
struct Shelf(Arc<RuleSet>);

impl Library for Shelf {
    fn rules(&self, _: &ContentHash) -> Option<Arc<RuleSet>> {
        Some(self.0.clone())
    }
    fn site(&self, _: &ContentHash) -> Option<Arc<Site>> {
        None
    }
}

fn rule(number: u32, body: &str) -> String {
    format!(
        "id: 00000000-0000-4000-8000-{number:012}\nname: rule {number}\ndescription: x\nseverity: high\nconfidence: low\nstatus: experimental\nscope: site\n{body}\nattack: [T0855]\nresponse: [x]\nsentence: \"{{client_ip}}\"\ncorrelation_key: [client_ip]\nsuppression: {{key: [client_ip], for: 1s}}\ntests: []\n"
    )
}

fn shelf(bodies: &[&str]) -> Shelf {
    let texts: Vec<(String, String)> = (1..)
        .zip(bodies)
        .map(|(n, body)| (format!("{n}.yaml"), rule(n, body)))
        .collect();
    let (set, found) = RuleSet::from_texts(texts.iter().map(|(n, t)| (n.as_str(), t.as_str())));
    assert!(found.is_empty(), "{found:?}");
    Shelf(Arc::new(set))
}

/// A rule that counts by client, and one of single rows.
fn partition(groups: usize) -> Partition<Shelf> {
    let shelf = shelf(&[
        "sql: SELECT client_ip, count(*) AS n FROM modbus WHERE direction = 'request' GROUP BY client_ip, tumble(INTERVAL '1 hour') HAVING count(*) >= 2",
        "sql: SELECT * FROM modbus WHERE unit_id = 7",
    ]);
    let mut config = Config::default();
    config.detector.limits.groups = groups;
    let mut partition = Partition::new(shelf, config);
    let mut out = Vec::new();
    let rules = Record::Control(Control::Rules(ContentHash([1; 32])));
    partition.step(0, START, &rules, &mut out);
    assert!(out.is_empty(), "{out:?}");
    partition
}

/// Frame `seq`: one request of unit 7 by each client, at a second of the story.
fn frame(seq: u64, second: i64, clients: std::ops::Range<u8>) -> Record {
    let rows: Vec<_> = clients
        .map(|client| {
            let json = serde_json::json!({
                "client_ip": format!("10.0.0.{client}"),
                "unit_id": 7,
                "site": "north",
                "sensor": "a",
            });
            let defaults = RowDefaults {
                row_no: seq * 100 + u64::from(client),
                event_time: START + second * SECOND,
            };
            row_from_json(TableId::Modbus, json.as_object().unwrap(), &defaults).unwrap()
        })
        .collect();
    let frame = Frame {
        site: "north".into(),
        sensor: "a".into(),
        seq,
        watermark: START + seq as i64 * SECOND,
        batches: vec![batch(TableId::Modbus, &rows).unwrap()],
    };
    Record::Frame(SensorFrame { epoch: 0, frame })
}

fn alerts(out: &[Output]) -> usize {
    let created = |o: &&Output| matches!(o, Output::Alert(a) if a.rule.as_ref().is_some_and(|r| r.name.starts_with("rule")));
    out.iter().filter(created).count()
}

/// A rule that asks for more groups than it may is said once; the owner's command stops
/// it and nothing else, and it comes back when it is released.
#[test]
fn a_rule_over_its_budget_is_quarantined_alone() {
    let mut partition = partition(4);
    let mut out = Vec::new();
    partition.step(1, START, &frame(0, 0, 0..9), &mut out);
    partition.step(2, START, &frame(1, 1, 0..9), &mut out);
    partition.step(3, START, &frame(2, 2, 0..9), &mut out);
    let over: Vec<&str> = out
        .iter()
        .filter_map(|o| match o {
            Output::Quarantine { rule, .. } => Some(rule.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(over, [COUNTS]);
    let command = |kind| {
        Record::Control(Control::Command(Command {
            kind,
            args: vec![COUNTS.to_owned(), "over its budget".to_owned()],
        }))
    };
    out.clear();
    partition.step(4, START, &command(CommandKind::QuarantineRule), &mut out);
    let [Output::Health(health)] = out.as_slice() else {
        panic!("{out:?}");
    };
    assert_eq!(health.code, "TT-RUN-004");
    assert!(health.sentence.contains("over its budget"));
    out.clear();
    partition.step(5, START, &frame(3, 3, 0..1), &mut out);
    partition.step(6, START, &frame(4, 4, 0..1), &mut out);
    let counts = |out: &[Output]| {
        let of = |o: &&Output| matches!(o, Output::Alert(a) if a.rule.as_ref().is_some_and(|r| r.id == COUNTS));
        out.iter().filter(of).count()
    };
    assert_eq!(counts(&out), 0);
    assert!(alerts(&out) > 0, "the rule of single rows goes on");
    out.clear();
    partition.step(7, START, &command(CommandKind::ReleaseRule), &mut out);
    for seq in 5..9 {
        partition.step(seq + 3, START, &frame(seq, seq as i64, 0..1), &mut out);
    }
    assert!(counts(&out) > 0, "released, it counts again: {out:?}");
}

/// Rows older than their sensor's watermark go out by themselves, whole.
#[test]
fn late_rows_go_to_their_own_place() {
    let mut partition = partition(100);
    let mut out = Vec::new();
    partition.step(1, START, &frame(50, 50, 0..2), &mut out);
    assert!(!out.iter().any(|o| matches!(o, Output::Late(_))));
    out.clear();
    partition.step(2, START, &frame(51, 10, 3..6), &mut out);
    let late: Vec<_> = out
        .iter()
        .filter_map(|o| match o {
            Output::Late(late) => Some(late),
            _ => None,
        })
        .collect();
    let [late] = late.as_slice() else {
        panic!("{out:?}");
    };
    assert_eq!((&*late.site, &*late.sensor), ("north", "a"));
    assert_eq!(late.frame, (0, 51));
    assert_eq!(late.rows.table, TableId::Modbus);
    assert_eq!(late.rows.batch.num_rows(), 3);
    assert_eq!(partition.counters().late, 3);
    assert!(alerts(&out) > 0, "rules of single rows see late rows");
    out.clear();
    partition.step(3, START, &frame(52, 52, 0..1), &mut out);
    assert!(!out.iter().any(|o| matches!(o, Output::Late(_))));
}

/// The state is held within its bytes by forgetting what is oldest; it is said once, and
/// a partition that was put back in between forgets the same.
#[test]
fn a_state_over_its_bytes_forgets_the_oldest() {
    let shelf = shelf(&[
        "sql: SELECT client_ip, count(*) AS n FROM modbus WHERE direction = 'request' GROUP BY client_ip, tumble(INTERVAL '1 hour') HAVING count(*) >= 2",
        "sql: SELECT * FROM modbus WHERE direction = 'request' AND first_seen(client_ip, learn => '7 days')",
        "sequence:\n  from: modbus\n  by: [client_ip]\n  within: 1h\n  steps:\n    - {name: a, where: \"direction = 'request'\"}\n    - {name: b, where: \"unit_id = 7\"}\n    - {name: c, where: \"unit_id = 8\"}",
    ]);
    let config = Config {
        state_bytes: 100_000,
        ..Config::default()
    };
    let mut records = vec![Record::Control(Control::Rules(ContentHash([1; 32])))];
    // a thousand clients, and the first few of them again and again
    records.extend((0..200).map(|seq: u64| {
        let rows: Vec<_> = (0..12_u64)
            .map(|n| {
                let client = if n < 7 { 10 + seq * 7 + n } else { n - 7 };
                let json = serde_json::json!({
                    "client_ip": format!("10.0.{}.{}", client / 250, client % 250 + 1),
                    "unit_id": 7,
                    "site": "north",
                    "sensor": "a",
                });
                let defaults = RowDefaults {
                    row_no: seq * 100 + n,
                    event_time: START + seq as i64 * SECOND,
                };
                row_from_json(TableId::Modbus, json.as_object().unwrap(), &defaults).unwrap()
            })
            .collect();
        let frame = Frame {
            site: "north".into(),
            sensor: "a".into(),
            seq,
            watermark: START + seq as i64 * SECOND,
            batches: vec![batch(TableId::Modbus, &rows).unwrap()],
        };
        Record::Frame(SensorFrame { epoch: 0, frame })
    }));
    let run = |cut: bool| {
        let mut partition = Partition::new(shelf.clone(), config);
        let mut out = Vec::new();
        let mut most = 0;
        for (offset, record) in records.iter().enumerate() {
            partition.step(offset as u64, START, record, &mut out);
            if partition.counters().frames.is_multiple_of(16) {
                most = most.max(partition.state_weight());
            }
            if cut {
                let snapshot = partition.snapshot().unwrap();
                partition = Partition::restore(shelf.clone(), config, &snapshot).unwrap();
            }
        }
        let forgotten = partition.counters().forgotten;
        partition.finish(&mut out);
        let out: Vec<String> = out.iter().map(|o| format!("{o:?}")).collect();
        (out, forgotten, most)
    };
    let (out, forgotten, most) = run(false);
    assert!(most <= config.state_bytes, "{most} bytes");
    assert!(most > config.state_bytes / 4, "{most} bytes");
    let said: Vec<&String> = out.iter().filter(|o| o.contains("TT-RUN-007")).collect();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(forgotten > 500, "{forgotten} entries");
    // clients that come again and again are not forgotten
    let of_first = |rule: &str| {
        let of = |o: &&String| o.contains("10.0.0.1\"") && o.contains(rule);
        let all: Vec<&String> = out.iter().filter(of).collect();
        all.iter().filter(|o| o.contains("record: Created")).count()
    };
    assert_eq!(
        of_first("rule 2"),
        0,
        "a first-seen key is known to the end"
    );
    let (cut, also, _) = run(true);
    assert_eq!(also, forgotten);
    assert!(cut == out, "other outputs after a restart");
}

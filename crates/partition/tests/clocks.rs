//! A sensor with a wrong clock: its rows are moved back, nothing else changes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::sync::Arc;
use telltale_alert::Alert;
use telltale_bus::{ContentHash, Control, Record, SensorFrame};
use telltale_partition::{AHEAD_NS, Config, Library, Output, Partition};
use telltale_rules::{RuleSet, Site};
use telltale_schema::value::{RowDefaults, batch, row_from_json};
use telltale_schema::{Frame, TableId};

const SECOND: i64 = 1_000_000_000;
const HOUR: i64 = 3600 * SECOND;
const START: i64 = 1_767_254_400 * SECOND;

struct Shelf(Arc<RuleSet>);

impl Library for Shelf {
    fn rules(&self, _: &ContentHash) -> Option<Arc<RuleSet>> {
        Some(self.0.clone())
    }
    fn site(&self, _: &ContentHash) -> Option<Arc<Site>> {
        None
    }
}

fn shelf() -> Shelf {
    let rule = |number: u32, body: &str| {
        format!(
            "id: 00000000-0000-4000-8000-{number:012}\nname: rule {number}\ndescription: x\nseverity: high\nconfidence: low\nstatus: experimental\nscope: site\n{body}\nattack: [T0855]\nresponse: [x]\nsentence: \"{{client_ip}}\"\ncorrelation_key: [client_ip]\nsuppression: {{key: [client_ip], for: 5s}}\ntests: []\n"
        )
    };
    let texts = [
        rule(
            1,
            "sql: |\n  SELECT client_ip, count(*) AS n FROM modbus WHERE direction = 'request'\n  GROUP BY client_ip, tumble(INTERVAL '10 seconds') HAVING count(*) >= 14",
        ),
        rule(
            2,
            "sequence:\n  from: modbus\n  by: [client_ip]\n  within: 20s\n  steps:\n    - {name: read, where: \"function = 'read_coils'\"}\n    - {name: wrote, where: \"function = 'write_single_coil'\"}",
        ),
        rule(3, "sql: SELECT * FROM modbus WHERE unit_id = 7"),
    ];
    let named: Vec<(String, &str)> = texts
        .iter()
        .enumerate()
        .map(|(n, t)| (format!("{n}.yaml"), t.as_str()))
        .collect();
    let (set, found) = RuleSet::from_texts(named.iter().map(|(n, t)| (n.as_str(), *t)));
    assert!(found.is_empty(), "{found:?}");
    Shelf(Arc::new(set))
}

/// Two sensors each second; what the second's clock says is told by `ahead`.
fn log(ahead: impl Fn(i64) -> i64) -> Vec<(i64, Record)> {
    let rules = Record::Control(Control::Rules(ContentHash([1; 32])));
    let mut out = vec![(START, rules)];
    for second in 0..90 {
        let now = START + second * SECOND;
        for (sensor, off) in [("a", 0), ("b", ahead(second))] {
            let function = if second % 7 == 3 {
                "write_single_coil"
            } else {
                "read_coils"
            };
            let json = serde_json::json!({
                "function": function,
                "client_ip": "10.0.0.1",
                "unit_id": if second % 11 == 0 && sensor == "b" { 7 } else { 1 },
                "site": "north",
                "sensor": sensor,
            });
            let defaults = RowDefaults {
                row_no: second as u64,
                event_time: now + off,
            };
            let row = row_from_json(TableId::Modbus, json.as_object().unwrap(), &defaults);
            let frame = Frame {
                site: "north".into(),
                sensor: sensor.into(),
                seq: second as u64,
                watermark: now - SECOND + off,
                batches: vec![batch(TableId::Modbus, &[row.unwrap()]).unwrap()],
            };
            out.push((now, Record::Frame(SensorFrame { epoch: 0, frame })));
        }
    }
    out
}

struct Ran {
    alerts: Vec<Alert>,
    health: Vec<&'static str>,
    retimed: u64,
}

fn run(records: &[(i64, Record)], ahead_ns: Option<i64>, cut: bool) -> Ran {
    let config = Config {
        ahead_ns,
        ..Config::default()
    };
    let mut partition = Partition::new(shelf(), config);
    let mut out = Vec::new();
    for (offset, (time, record)) in records.iter().enumerate() {
        partition.step(offset as u64, *time, record, &mut out);
        if cut {
            let snapshot = partition.snapshot().unwrap();
            partition = Partition::restore(shelf(), config, &snapshot).unwrap();
        }
    }
    partition.finish(&mut out);
    let mut ran = Ran {
        alerts: Vec::new(),
        health: Vec::new(),
        retimed: partition.counters().retimed,
    };
    for output in out {
        match output {
            Output::Alert(alert) => ran.alerts.push(*alert),
            Output::Health(health) => {
                assert_ne!(health.code, "TT-RUN-003", "{}", health.sentence);
                ran.health.push(health.code);
            }
            Output::Late(_) => {}
            Output::Quarantine { .. } => panic!("no rule is over its budget"),
        }
    }
    ran
}

fn without_mark(alerts: &[Alert]) -> Vec<Alert> {
    let mut alerts = alerts.to_vec();
    for alert in &mut alerts {
        alert.retimed_by_ns = 0;
    }
    alerts
}

#[test]
fn a_clock_that_is_ahead_changes_no_alert() {
    let right = run(&log(|_| 0), Some(AHEAD_NS), false);
    assert!(right.alerts.len() > 20, "{}", right.alerts.len());
    assert_eq!((right.retimed, right.health.len()), (0, 0));
    let wrong = log(|second| if (20..50).contains(&second) { HOUR } else { 0 });
    for cut in [false, true] {
        let ran = run(&wrong, Some(AHEAD_NS), cut);
        assert_eq!(without_mark(&ran.alerts), right.alerts);
        assert_eq!(ran.health, ["TT-RUN-005", "TT-RUN-006"]);
        assert_eq!(ran.retimed, 30);
        let marked = ran.alerts.iter().filter(|a| a.retimed_by_ns == HOUR);
        assert!(marked.count() > 3);
        assert!(ran.alerts.iter().any(|a| a.retimed_by_ns == 0));
    }
    // without the log's clock the windows of both sensors come apart
    let blind = run(&wrong, None, false);
    assert_ne!(without_mark(&blind.alerts), right.alerts);
}

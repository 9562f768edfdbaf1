//! A partition with rules of every kind, and some frames for it.
#![allow(dead_code, reason = "each target uses a part")]

use serde_json::json;
use std::sync::Arc;
use telltale_bus::{ContentHash, Control, Record, SensorFrame};
use telltale_partition::{Config, Library, Output, Partition};
use telltale_rules::{RuleSet, Site};
use telltale_schema::value::{RowDefaults, batch, row_from_json};
use telltale_schema::{Frame, TableBatch, TableId};

const START: i64 = 1_767_254_400_000_000_000;

/// One rule set, whatever is asked for.
#[derive(Clone)]
pub struct Shelf(pub Arc<RuleSet>);

impl Library for Shelf {
    fn rules(&self, _: &ContentHash) -> Option<Arc<RuleSet>> {
        Some(self.0.clone())
    }
    fn site(&self, _: &ContentHash) -> Option<Arc<Site>> {
        None
    }
}

/// A rule file around its SQL or sequence.
pub fn rule(number: usize, body: &str) -> String {
    format!(
        "id: 00000000-0000-4000-8000-{number:012}\nname: rule {number}\ndescription: x\nseverity: high\nconfidence: low\nstatus: experimental\nscope: site\n{body}\nattack: []\nresponse: [x]\nsentence: x\ncorrelation_key: [client_ip]\nsuppression: {{key: [client_ip], for: 5s}}\ntests: []\n"
    )
}

/// Some rows of three tables.
pub fn rows(sensor: &str, from: u64) -> Vec<TableBatch> {
    let of = |table: TableId, functions: &[&str]| {
        let rows: Vec<_> = (0..12_u64)
            .map(|n| {
                let row = json!({
                    "function": functions[(n % functions.len() as u64) as usize],
                    "client_ip": format!("10.0.0.{}", n % 5),
                    "server_ip": format!("10.0.1.{}", n % 3),
                    "direction": if n % 4 == 3 { "response" } else { "request" },
                    "site": "north",
                    "sensor": sensor,
                });
                let defaults = RowDefaults {
                    row_no: from * 100 + n,
                    event_time: START + (from * 4 + n) as i64 * 500_000_000,
                };
                row_from_json(table, row.as_object().unwrap(), &defaults).unwrap()
            })
            .collect();
        batch(table, &rows).unwrap()
    };
    vec![
        of(
            TableId::Modbus,
            &["read_coils", "write_single_register", "read_device_identification"],
        ),
        of(TableId::Dnp3, &["read", "direct_operate", "cold_restart"]),
    ]
}

pub fn frame(sensor: &str, seq: u64) -> Record {
    let frame = Frame {
        site: "north".into(),
        sensor: sensor.into(),
        seq,
        watermark: START + (seq * 4) as i64 * 500_000_000,
        batches: rows(sensor, seq),
    };
    Record::Frame(SensorFrame { epoch: 0, frame })
}

/// Frames of two sensors, `from` to `to`.
pub fn go_on(partition: &mut Partition<Shelf>, frames: std::ops::Range<u64>, out: &mut Vec<Output>) {
    for seq in frames {
        for sensor in ["a", "b"] {
            let offset = partition.next_offset();
            partition.step(offset, START + seq as i64 * 1_000_000_000, &frame(sensor, seq), out);
        }
    }
}

pub fn begin(set: RuleSet) -> Partition<Shelf> {
    let mut partition = Partition::new(Shelf(Arc::new(set)), Config::default());
    let rules = Record::Control(Control::Rules(ContentHash([1; 32])));
    partition.step(0, START, &rules, &mut Vec::new());
    partition
}

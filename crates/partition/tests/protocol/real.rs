//! The partition itself as the state of the protocol.

use super::Kind;
use std::sync::Arc;
use telltale_bus::{ContentHash, Control, Record, SensorFrame};
use telltale_partition::{Config, Library, Partition, Snapshot};
use telltale_rules::{RuleSet, Site};
use telltale_schema::value::{RowDefaults, batch, row_from_json};
use telltale_schema::{Frame, TableId};

#[derive(Clone)]
pub struct One(Arc<RuleSet>);

impl Library for One {
    fn rules(&self, _: &ContentHash) -> Option<Arc<RuleSet>> {
        Some(self.0.clone())
    }
    fn site(&self, _: &ContentHash) -> Option<Arc<Site>> {
        None
    }
}

pub struct Real {
    rules: One,
    records: Vec<Record>,
}

const RULES: [&str; 2] = [
    "sql: |\n  SELECT client_ip, count(*) AS n FROM modbus WHERE direction = 'request'\n  GROUP BY client_ip, tumble(INTERVAL '10 seconds') HAVING count(*) >= 3",
    "sequence:\n  from: modbus\n  by: [client_ip]\n  within: 20s\n  steps:\n    - {name: read, where: \"function = 'read_coils'\"}\n    - {name: wrote, where: \"function = 'write_single_coil'\"}",
];

impl Real {
    pub fn new() -> Self {
        let texts: Vec<(String, String)> = RULES
            .iter()
            .enumerate()
            .map(|(n, body)| {
                let text = format!(
                    "id: 00000000-0000-4000-8000-{n:012}\nname: rule {n}\ndescription: x\nseverity: high\nconfidence: low\nstatus: experimental\nscope: site\n{body}\nattack: []\nresponse: [x]\nsentence: \"{{client_ip}}\"\ncorrelation_key: []\nsuppression: {{key: [client_ip], for: 5s}}\ntests: []\n"
                );
                (format!("{n}.yaml"), text)
            })
            .collect();
        let (set, found) = RuleSet::from_texts(texts.iter().map(|(n, t)| (n.as_str(), t.as_str())));
        assert!(found.is_empty(), "{found:?}");
        let mut records = vec![Record::Control(Control::Rules(ContentHash([0; 32])))];
        for n in 0..20_u64 {
            let time = 1_767_254_400_000_000_000 + n as i64 * 1_500_000_000;
            let rows: Vec<_> = (0..2)
                .map(|k| {
                    let json = serde_json::json!({
                        "function": if (n + k) % 3 == 0 { "write_single_coil" } else { "read_coils" },
                        "client_ip": format!("10.0.0.{}", (n + k) % 2),
                    });
                    let defaults = RowDefaults { row_no: n * 2 + k, event_time: time + k as i64 };
                    row_from_json(TableId::Modbus, json.as_object().unwrap(), &defaults).unwrap()
                })
                .collect();
            let frame = Frame {
                site: "north".into(),
                sensor: "a".into(),
                seq: n,
                watermark: time - 1_000_000_000,
                batches: vec![batch(TableId::Modbus, &rows).unwrap()],
            };
            records.push(Record::Frame(SensorFrame { epoch: 0, frame }));
        }
        Self {
            rules: One(Arc::new(set)),
            records,
        }
    }
}

impl Kind for Real {
    type State = Partition<One>;
    type Snapshot = Snapshot;
    fn records(&self) -> &[Record] {
        &self.records
    }
    fn fresh(&self) -> Self::State {
        Partition::new(self.rules.clone(), Config::default())
    }
    fn take(&self, state: &Self::State) -> Snapshot {
        state.snapshot().unwrap()
    }
    fn put(&self, snapshot: &Snapshot) -> Self::State {
        Partition::restore(self.rules.clone(), Config::default(), snapshot).unwrap()
    }
}

//! Rules, a site and findings for tests of the stage.
#![allow(dead_code, reason = "not every test root needs all of it")]

use serde_json::json;
use std::sync::{Arc, LazyLock};
use telltale_alert::{Alert, Counters, Limits, Stage};
use telltale_rules::{EvidenceRow, Finding, Identity, RuleSet, Says, Site};
use telltale_schema::TableId;
use telltale_schema::value::{RowDefaults, RowValues, Value, row_from_json};

/// 2026-01-01T08:00:00Z
pub const START: i64 = 1_767_254_400_000_000_000;
/// A second.
pub const S: i64 = 1_000_000_000;

const WINDOW: &str = "\
sql: |
  SELECT client_ip, count(DISTINCT unit_id) AS units, avg(object_count) AS mean
  FROM modbus
  WHERE operation = 'read'
  GROUP BY client_ip, tumble(INTERVAL '10 minutes')
  HAVING count(DISTINCT unit_id) >= 5
";
const ASKED: &str =
    "{client} asked {units} units with {function}, {mean} registers each, from {window_start}";
const STEPS: &str = "\
sequence:
  from: modbus
  by: [client_ip, server_ip]
  within: 10m
  steps:
    - {name: looked, where: operation = 'read'}
    - {name: wrote, where: operation = 'write'}
    - {name: answered, where: direction = 'response', absent: true, within: 1m}
";
const PLAIN: &str = "sql: SELECT * FROM modbus WHERE operation = 'write'\n";

fn rule(n: usize, severity: &str, what: &str, sentence: &str, more: &str) -> String {
    let technique = ["T0801", "T0846", "T0888", "T0836", "T0843"][n % 5];
    format!(
        "id: 00000000-0000-4000-8000-00000000000{n}\nname: Rule {n}\ndescription: A test.\n\
         severity: {severity}\nconfidence: medium\nstatus: experimental\nscope: site\n{what}\
         attack: [{technique}]\niec62443: [SR 2.1]\nresponse: [Ask who did it.]\n\
         sentence: \"{sentence}\"\ncorrelation_key: [client_ip]\n{more}tests: []\n"
    )
}

/// 0 and 1: windows, with and without suppression; 2: a sequence; 3: lowered in
/// maintenance; 5 to 8: rows.
pub fn rules() -> RuleSet {
    static RULES: LazyLock<RuleSet> = LazyLock::new(read_rules);
    RULES.clone()
}

fn read_rules() -> RuleSet {
    let quiet = "suppression: {key: [client_ip], for: 20m}\n";
    let wrote = "{client} wrote {object} with {function}";
    let texts = [
        rule(0, "high", WINDOW, ASKED, quiet),
        rule(1, "medium", WINDOW, ASKED, ""),
        rule(
            2,
            "critical",
            STEPS,
            "{client} looked with {looked.function} at {looked.object}, then wrote {object}",
            "",
        ),
        rule(
            3,
            "high",
            PLAIN,
            wrote,
            &format!("{quiet}lower: {{calendar: maintenance, to: info}}\n"),
        ),
        rule(5, "low", PLAIN, wrote, quiet),
        rule(6, "medium", PLAIN, wrote, "risk: 40\n"),
        rule(7, "info", PLAIN, wrote, ""),
        rule(
            8,
            "high",
            PLAIN,
            wrote,
            "suppression: {key: [server_ip], for: 1h}\n",
        ),
    ];
    let named: Vec<(String, &String)> = texts
        .iter()
        .enumerate()
        .map(|(n, t)| (format!("{n}.yaml"), t))
        .collect();
    let (set, found) = RuleSet::from_texts(named.iter().map(|(n, t)| (n.as_str(), t.as_str())));
    let found: Vec<_> = found
        .iter()
        .filter(|d| d.level == telltale_rules::Level::Error)
        .collect();
    assert!(found.is_empty(), "{found:#?}");
    assert_eq!(set.rules.len(), 8);
    set
}

/// A site that excepts 10.0.0.4 and plans work from 09:00 to 10:00.
pub fn site(risk: &str) -> Site {
    let dir = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    put("site.toml", &format!("name = \"test\"\n[risk]\n{risk}\n"));
    put(
        "exceptions.yaml",
        "- {rule: \"*\", match: {client_ip: 10.0.0.4}, reason: a bench, owner: me, expires: 2027-01-01}\n",
    );
    put(
        "calendars/maintenance.yaml",
        "- {from: \"2026-01-01T09:00:00\", until: \"2026-01-01T10:00:00\"}\n",
    );
    put("assets.csv", "ip,name,role\n10.0.0.1,Laptop,engineering\n");
    let (site, found) = Site::load(dir.path()).unwrap();
    assert!(found.is_empty(), "{found:?}");
    site.unwrap()
}

/// A row at seconds after the start.
pub fn row(at: i64, client: &str, given: serde_json::Value) -> RowValues {
    let mut given = given.as_object().unwrap().clone();
    given.insert("client_ip".to_owned(), json!(client));
    given.insert("site".to_owned(), json!("test"));
    let defaults = RowDefaults {
        row_no: u64::try_from(at).unwrap(),
        event_time: START + at * S,
    };
    row_from_json(TableId::Modbus, &given, &defaults).unwrap()
}

/// A finding of a rule on one row.
pub fn plain(rule: usize, at: i64, client: &str) -> Finding {
    let row = row(
        at,
        client,
        json!({"function": "write_single_register", "object": "holding_register:7"}),
    );
    Finding::of_row(
        rule,
        TableId::Modbus,
        u64::try_from(at).unwrap(),
        START + at * S,
        row,
    )
}

/// The finding of a window that began at `start`.
pub fn window(rule: usize, at: i64, client: &str, start: i64, units: u64) -> Finding {
    let given = json!({"function": "read_coils", "object": "coil:0..9"});
    let mut row = row(at, client, given);
    describe(&mut row, start, units);
    let mut finding = Finding::of_row(
        rule,
        TableId::Modbus,
        u64::try_from(at).unwrap(),
        START + at * S,
        row,
    );
    finding.identity = Identity::Group(format!("client_ip={client}|{start}"));
    finding
}

fn describe(row: &mut RowValues, start: i64, units: u64) {
    row.add(Arc::from("units"), Value::U64(units));
    row.add(Arc::from("mean"), Value::F64(10.0 / units as f64));
    row.add(Arc::from("window_start"), Value::Time(START + start * S));
    row.add(
        Arc::from("window_end"),
        Value::Time(START + (start + 600) * S),
    );
}

/// What its window says when it closes.
pub fn totals(of: &Finding, units: u64) -> Finding {
    let start = (of.row.get("window_start").as_i64().unwrap() - START) / S;
    let mut row = RowValues::new(TableId::Modbus);
    row.set("client_ip", of.row.get("client_ip").clone());
    row.set("site", of.row.get("site").clone());
    describe(&mut row, start, units);
    let mut finding = Finding::of_row(of.rule, of.table, 0, START + (start + 600) * S, row);
    finding.identity = of.identity.clone();
    finding.says = Says::Totals;
    finding
}

/// A sequence that ends in silence.
pub fn silence(at: i64, client: &str) -> Finding {
    let step = |step: &str, at: i64, given| EvidenceRow {
        step: step.to_owned(),
        table: TableId::Modbus,
        row_no: u64::try_from(at).unwrap(),
        row: row(at, client, given),
    };
    let looked = step(
        "looked",
        at,
        json!({"function": "read_coils", "object": "coil:3"}),
    );
    let wrote = step(
        "wrote",
        at,
        json!({"function": "write_single_coil", "object": "coil:3"}),
    );
    let mut finding = Finding::of_row(
        2,
        TableId::Modbus,
        wrote.row_no,
        START + at * S,
        wrote.row.clone(),
    );
    finding.identity = Identity::Group(format!("{client}|{at}"));
    finding.evidence = vec![looked, wrote];
    finding.provisional = true;
    finding
}

/// It was wrong.
pub fn back(of: &Finding, at: i64) -> Finding {
    Finding {
        says: Says::TakenBack,
        event_time: START + at * S,
        ..of.clone()
    }
}

/// All records of findings, and what was counted.
pub fn run(site: &Site, findings: &[Finding], limits: Limits) -> (Vec<Alert>, Counters) {
    let rules = rules();
    let mut stage = Stage::new(&rules, site, limits);
    let mut out = Vec::new();
    findings.iter().for_each(|f| stage.push(f, &mut out));
    stage.finish(&mut out);
    (out, stage.counters().clone())
}

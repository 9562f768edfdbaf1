//! Every function of docs/sql.md with an example, and every refusal with its place.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use serde_json::{Map, Value, json};
use telltale_engine::Engine;
use telltale_rules::site::assets::Assets;
use telltale_rules::site::list::List;
use telltale_rules::{Level, RuleSet, Site};
use telltale_schema::value::{RowDefaults, batch, row_from_json};
use telltale_schema::{TableBatch, TableId};

fn rule(sql: &str) -> String {
    let sql = sql.replace('\n', "\n  ");
    format!(
        "id: 89e63681-421f-530b-8a2a-1e36d390fced\nname: test\ndescription: test\nseverity: low\nconfidence: low\nstatus: experimental\nscope: site\n\
         sql: |\n  {sql}\nparameters: {{limit: 85, who: 10.0.0.1}}\nrequires: {{lists: [masters], calendars: [maintenance]}}\nattack: []\nresponse: [look]\n\
         sentence: test\ncorrelation_key: []\ntests: []\n"
    )
}

fn rows() -> TableBatch {
    let given = [
        json!({"function": "write_single_register", "object_type": "holding_register", "object_first": 100, "object_count": 1, "data": [90], "transaction_id": 5}),
        json!({"function": "read_coils", "object_type": "coil", "object_first": 0, "object_count": 8, "client_ip": "10.9.0.7"}),
        json!({"function": "read_coils", "direction": "response", "data": [0, 1], "client_ip": "10.9.0.7"}),
    ];
    let rows: Vec<_> = given
        .iter()
        .enumerate()
        .map(|(n, row)| {
            let row: &Map<String, Value> = row.as_object().unwrap();
            // 2026-01-01T08:00:00Z, a Thursday
            let defaults = RowDefaults {
                row_no: n as u64,
                event_time: 1_767_254_400_000_000_000,
            };
            row_from_json(TableId::Modbus, row, &defaults).unwrap()
        })
        .collect();
    batch(TableId::Modbus, &rows).unwrap()
}

fn site() -> Site {
    let mut site = Site::builtin_default();
    site.zone = chrono_tz::Europe::Vienna;
    let list = json!([{"client": "10.0.0.0/24", "server": "*"}]);
    let list: Vec<Map<String, Value>> = serde_json::from_value(list).unwrap();
    site.lists
        .insert("masters".to_owned(), List::from_json(&list));
    let assets: Vec<Map<String, Value>> = serde_json::from_value(
        json!([{"ip": "10.0.0.2", "name": "PLC-1", "role": "plc", "zone": "process", "level": 1}]),
    )
    .unwrap();
    site.assets = Assets::from_json(&assets);
    site
}

fn matching(condition: &str) -> Vec<usize> {
    let text = rule(&format!("SELECT * FROM modbus WHERE {condition}"));
    let (set, found) = RuleSet::from_texts([("rule.yaml", text.as_str())]);
    assert!(found.iter().all(|d| d.level == Level::Warning), "{found:?}");
    let (mut engine, found) = Engine::compile(&set, &site());
    assert!(found.is_empty(), "{condition}: {found:?}");
    let mut hits = Vec::new();
    engine.matches(&rows(), |_, row| hits.push(row));
    hits
}

#[test]
fn functions_and_literals() {
    for (condition, want) in [
        ("function = 'write_single_register'", vec![0]),
        ("function <> 'write_single_register'", vec![1, 2]),
        // NOT is fine where NULL is spoken of
        (
            "unit_id = 1 AND (vlan IS NULL OR NOT (vlan = 5))",
            vec![0, 1, 2],
        ),
        (
            "object_first IS NOT NULL AND object_first NOT IN (0, 7)",
            vec![0],
        ),
        (
            "(object_first > 5 AND NOT (object_first = 6)) OR quantity = 3",
            vec![0],
        ),
        ("function LIKE 'read%' AND direction = 'request'", vec![1]),
        ("upper(function) = 'READ_COILS'", vec![1, 2]),
        (
            "operation IN ('write', 'control') AND direction = 'request'",
            vec![0],
        ),
        (
            "operation NOT IN ('read') AND direction = 'request'",
            vec![0],
        ),
        ("client_ip = '10.0.0.1'", vec![0]),
        ("client_ip <> '10.0.0.1'", vec![1, 2]),
        ("client_ip = $who", vec![0]),
        ("data_max > $limit", vec![0]),
        ("transaction_id = 5", vec![0]),
        ("transaction_id IS NULL", vec![1, 2]),
        ("object_first BETWEEN 50 AND 150", vec![0]),
        ("object_first < 1 OR data_max >= 90", vec![0, 1]),
        ("in_list('masters', client_ip, server_ip)", vec![0]),
        ("NOT in_list('masters', client_ip)", vec![1, 2]),
        ("in_calendar('maintenance', server_ip, event_time)", vec![]),
        ("cidr_match(client_ip, '10.9.0.0/16')", vec![1, 2]),
        ("overlaps(5, 20)", vec![1]),
        ("value_at(1) = 1", vec![2]),
        ("local_hour(event_time) = 9", vec![0, 1, 2]),
        ("local_dow(event_time) = 4", vec![0, 1, 2]),
        (
            "asset_role(server_ip) = 'plc' AND asset_role(client_ip) = 'unknown'",
            vec![0, 1, 2],
        ),
        ("asset_zone(server_ip) <> 'process'", vec![]),
        (
            "asset_level(server_ip) = '1' AND asset_name(server_ip) = 'PLC-1'",
            vec![0, 1, 2],
        ),
        ("regexp_like(object_type, '^hold')", vec![0]),
    ] {
        assert_eq!(matching(condition), want, "{condition}");
    }
}

#[test]
fn refusals_name_code_and_place() {
    for (sql, code, line, help) in [
        ("SELEC * FROM modbus", "TT-SQL-001", 9, ""),
        (
            "SELECT * FROM modbus WHERE unit_id = 1 ORDER BY unit_id",
            "TT-SQL-003",
            9,
            "suppression",
        ),
        (
            "SELECT count(*) FROM modbus WHERE unit_id = 1 GROUP BY unit_id",
            "TT-SQL-030",
            9,
            "tumble(",
        ),
        (
            "SELECT * FROM modbus JOIN flow ON true WHERE unit_id = 1",
            "TT-SQL-004",
            9,
            "in_list",
        ),
        (
            "SELECT * FROM modbus WHERE unit_id IN (SELECT 1)",
            "TT-SQL-004",
            9,
            "in_list",
        ),
        (
            "SELECT * FROM modbuss WHERE unit_id = 1",
            "TT-SQL-005",
            9,
            "`modbus`",
        ),
        ("SELECT * FROM modbus", "TT-SQL-006", 9, ""),
        (
            "SELECT unit_id FROM modbus WHERE unit_id = 1",
            "TT-SQL-007",
            9,
            "SELECT *",
        ),
        (
            "SELECT * FROM modbus\nWHERE unitid = 1",
            "TT-SQL-008",
            10,
            "`unit_id`",
        ),
        (
            "SELECT * FROM modbus WHERE in_lst('masters', client_ip)",
            "TT-SQL-010",
            9,
            "`in_list`",
        ),
        (
            "SELECT * FROM modbus WHERE event_time > now()",
            "TT-SQL-011",
            9,
            "event_time",
        ),
        (
            "SELECT * FROM modbus WHERE random() > 0.5",
            "TT-SQL-011",
            9,
            "event_time",
        ),
        (
            "SELECT * FROM modbus WHERE operation = 'write'",
            "TT-SQL-012",
            9,
            "direction",
        ),
        (
            "SELECT * FROM modbus WHERE unit_id = 1\nAND NOT (vlan = 5)",
            "TT-SQL-013",
            10,
            "vlan IS NOT NULL",
        ),
        (
            "SELECT * FROM modbus WHERE object_first NOT BETWEEN 3 AND 7",
            "TT-SQL-013",
            9,
            "IS DISTINCT FROM",
        ),
        (
            "SELECT * FROM arp WHERE operation = 'stop' AND gratuitous",
            "TT-SQL-014",
            9,
            "identify, report",
        ),
        (
            "SELECT * FROM modbus WHERE function = 'read_coils' AND operation = 'write' AND direction = 'request'",
            "TT-SQL-014",
            9,
            "telltale schema modbus",
        ),
        (
            "SELECT * FROM modbus WHERE unit_id = 3 AND unit_id IN (4, 5)",
            "TT-SQL-024",
            9,
            "one value in a column",
        ),
        (
            "SELECT * FROM modbus WHERE object_first > 5 AND object_first < 4",
            "TT-SQL-024",
            9,
            "exclude each other",
        ),
        (
            "SELECT * FROM modbus WHERE function = 'read_coil'",
            "TT-SQL-022",
            9,
            "",
        ),
        (
            "SELECT * FROM modbus WHERE client_ip = 'plc'",
            "TT-SQL-022",
            9,
            "",
        ),
        (
            "SELECT * FROM modbus WHERE in_list('other', client_ip)",
            "TT-SQL-022",
            9,
            "",
        ),
        (
            "SELECT * FROM modbus WHERE unit_id = unit_id",
            "TT-SQL-024",
            9,
            "",
        ),
        (
            "SELECT * FROM modbus WHERE 1 = 2 AND unit_id = 1",
            "TT-SQL-024",
            9,
            "",
        ),
        (
            "SELECT DISTINCT * FROM modbus WHERE unit_id = 1",
            "TT-SQL-003",
            9,
            "window",
        ),
        (
            "SELECT * FROM modbus WHERE unit_id = 1 HAVING count(*) > 3",
            "TT-SQL-003",
            9,
            "GROUP BY",
        ),
        (
            "SELECT unit_id, count(*) AS n FROM modbus WHERE unit_id < 9 GROUP BY unit_id, unit_id + 1, tumble(INTERVAL '1 minute') HAVING count(*) > 3",
            "TT-SQL-030",
            9,
            "tumble",
        ),
        (
            "SELECT unit_id, count(*) AS n FROM modbus WHERE unit_id < 9 GROUP BY unit_id, tumble(INTERVAL '1 minute'), session(INTERVAL '1 minute') HAVING count(*) > 3",
            "TT-SQL-030",
            9,
            "one window",
        ),
        (
            "SELECT unit_id, count(*) AS n FROM modbus WHERE unit_id < 9 GROUP BY unit_id, tumble(INTERVAL '1 fortnight') HAVING count(*) > 3",
            "TT-SQL-032",
            9,
            "INTERVAL '1 minute'",
        ),
        (
            "SELECT unit_id, count(*) AS n FROM modbus WHERE unit_id < 9 GROUP BY unit_id, hop(INTERVAL '10 minutes', INTERVAL '3 minutes') HAVING count(*) > 3",
            "TT-SQL-032",
            9,
            "multiple",
        ),
        (
            "SELECT unit_id, count(*) AS n FROM modbus WHERE unit_id < 9 GROUP BY unit_id, hop(INTERVAL '1 day', INTERVAL '1 minute') HAVING count(*) > 3",
            "TT-SQL-032",
            9,
            "64 slides",
        ),
        (
            "SELECT object, count(*) AS n FROM modbus WHERE unit_id < 9 GROUP BY unit_id, tumble(INTERVAL '1 minute') HAVING count(*) > 3",
            "TT-SQL-033",
            9,
            "GROUP BY",
        ),
        (
            "SELECT unit_id, count(*) FROM modbus WHERE unit_id < 9 GROUP BY unit_id, tumble(INTERVAL '1 minute') HAVING count(*) > 3",
            "TT-SQL-033",
            9,
            "AS requests",
        ),
        (
            "SELECT unit_id, count(*) AS quantity FROM modbus WHERE unit_id < 9 GROUP BY unit_id, tumble(INTERVAL '1 minute') HAVING count(*) > 3",
            "TT-SQL-033",
            9,
            "taken",
        ),
        (
            "SELECT unit_id, stddev(quantity) AS n FROM modbus WHERE unit_id < 9 GROUP BY unit_id, tumble(INTERVAL '1 minute') HAVING n > 3",
            "TT-SQL-034",
            9,
            "avg",
        ),
        (
            "SELECT unit_id, sum(object) AS n FROM modbus WHERE unit_id < 9 GROUP BY unit_id, tumble(INTERVAL '1 minute') HAVING n > 3",
            "TT-SQL-034",
            9,
            "take numbers",
        ),
        (
            "SELECT unit_id, count(*) AS n FROM modbus WHERE unit_id < 9 GROUP BY unit_id, tumble(INTERVAL '1 minute')",
            "TT-SQL-035",
            9,
            "HAVING count",
        ),
        (
            "SELECT unit_id, count(*) AS n FROM modbus WHERE unit_id < 9 GROUP BY unit_id, tumble(INTERVAL '1 minute') HAVING unit_id > 3",
            "TT-SQL-035",
            9,
            "parameters",
        ),
        (
            "SELECT unit_id, count(*) AS n FROM modbus WHERE unit_id < 9 GROUP BY unit_id, tumble(INTERVAL '1 minute') HAVING count(*) > $many",
            "TT-SQL-035",
            9,
            "parameters",
        ),
        (
            "SELECT pdu_id, count(*) AS n FROM modbus WHERE pdu_id < 9 GROUP BY pdu_id, tumble(INTERVAL '1 minute') HAVING count(*) > 3",
            "TT-SQL-036",
            9,
            "come again",
        ),
        (
            "SELECT * FROM modbus WHERE unit_id = 1 AND NOT first_seen(client_ip)",
            "TT-SQL-031",
            9,
            "AND",
        ),
        (
            "SELECT * FROM modbus WHERE unit_id = 1 AND first_seen()",
            "TT-SQL-031",
            9,
            "server_ip",
        ),
        (
            "SELECT * FROM modbus WHERE unit_id = 1 AND first_seen(client_ip, ttl => 'long')",
            "TT-SQL-031",
            9,
            "30 days",
        ),
        (
            "SELECT * FROM modbus WHERE unit_id = 1 AND first_seen(event_time)",
            "TT-SQL-036",
            9,
            "come again",
        ),
        (
            "SELECT * FROM modbus WHERE first_seen(client_ip)",
            "TT-SQL-006",
            9,
            "direction",
        ),
    ] {
        let text = rule(sql);
        let (set, found) = RuleSet::from_texts([("rule.yaml", text.as_str())]);
        assert!(found.iter().all(|d| d.level == Level::Warning), "{found:?}");
        let (_, found) = Engine::compile(&set, &site());
        let first = found.first().unwrap_or_else(|| panic!("{sql} is accepted"));
        assert_eq!((first.code, first.line), (code, line), "{sql}: {first}");
        assert!(first.to_string().contains(help), "{sql}: {first}");
    }
}

/// A rule of two steps.
fn steps(first: &str, second: &str) -> String {
    rule("SELECT * FROM modbus WHERE unit_id = 1").replace(
        "sql: |\n  SELECT * FROM modbus WHERE unit_id = 1\n",
        &format!("sequence:\n  from: modbus\n  by: [client_ip]\n  within: 1m\n  steps:\n    - {{name: one, {first}}}\n    - {{name: two, {second}}}\n"),
    )
}

#[test]
fn refusals_of_steps_name_code_and_place() {
    let fine = "where: \"unit_id = 1\"";
    for (second, code, help) in [
        (
            "where: \"unit_id = 1 AND objects = 'x'\"",
            "TT-SQL-008",
            "`object`",
        ),
        (
            "where: \"unit_id = 1 AND object = zero.object\"",
            "TT-SQL-037",
            "those before it",
        ),
        (
            "where: \"unit_id = 1 AND object = two.object\"",
            "TT-SQL-037",
            "no earlier step",
        ),
        (
            "where: \"unit_id = 1 AND object = one.unit_id\"",
            "TT-SQL-037",
            "different types",
        ),
        (
            "where: \"unit_id = 1 AND unit_id + 1 = one.unit_id\"",
            "TT-SQL-037",
            "=",
        ),
        ("where: \"object = one.object\"", "TT-SQL-006", "direction"),
        (
            "by: [unit_id], where: \"unit_id = 1\"",
            "TT-SQL-038",
            "one type",
        ),
        (
            "from: flow, by: [unit_id], where: \"kind = 'end'\"",
            "TT-SQL-038",
            "no column",
        ),
    ] {
        let text = steps(fine, second);
        let (set, found) = RuleSet::from_texts([("rule.yaml", text.as_str())]);
        assert!(found.iter().all(|d| d.level == Level::Warning), "{found:?}");
        let (_, found) = Engine::compile(&set, &site());
        let first = found
            .first()
            .unwrap_or_else(|| panic!("{second} is accepted"));
        let shown = first.to_string();
        assert_eq!(first.code, code, "{second}: {shown}");
        assert!(shown.contains(help), "{second}: {shown}");
        let line = text.lines().position(|l| l.contains("name: two")).unwrap() + 1;
        assert_eq!(first.line as usize, line, "{second}: {shown}");
    }
    let text = steps(fine, "where: \"unit_id = 2 AND object = one.object\"");
    let (set, found) = RuleSet::from_texts([("rule.yaml", text.as_str())]);
    assert!(found.iter().all(|d| d.level == Level::Warning), "{found:?}");
    let (_, found) = Engine::compile(&set, &site());
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn a_rule_that_lacks_content_is_not_applicable() {
    let text = rule("SELECT * FROM modbus WHERE in_list('masters', client_ip)");
    let (set, _) = RuleSet::from_texts([("rule.yaml", text.as_str())]);
    let (engine, found) = Engine::compile(&set, &Site::builtin_default());
    assert!(found.is_empty(), "{found:?}");
    assert_eq!(engine.not_applicable()[0].missing, ["list `masters`"]);
}

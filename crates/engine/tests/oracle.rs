//! Random rules over random rows, cut into random batches, match exactly the rows
//! that the same condition matches as a plain DataFusion query over a table of
//! names and addresses as text.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking; the reference is what rules never do, a query"
)]

use datafusion::arrow::array::{ArrayRef, RecordBatch, StringArray, UInt64Array};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::datasource::MemTable;
use datafusion::prelude::SessionContext;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use telltale_engine::detector::Config;
use telltale_engine::{Detector, Engine};
use telltale_rules::site::assets::Assets;
use telltale_rules::site::list::List;
use telltale_rules::{Finding, Level, RuleSet, Site};
use telltale_schema::value::{RowDefaults, RowValues, batch, cell, row_from_json};
use telltale_schema::{ColumnKind, Frame, TableBatch, TableId};

const FUNCTIONS: [&str; 6] = [
    "read_coils",
    "read_holding_registers",
    "write_single_register",
    "write_multiple_coils",
    "diag_force_listen_only",
    "diag_clear_counters",
];
const ADDRESSES: [&str; 6] = [
    "10.0.0.1",
    "10.0.0.2",
    "10.9.0.7",
    "10.9.1.7",
    "192.168.1.1",
    "fd00::7",
];
const TYPES: [&str; 4] = [
    "coil",
    "holding_register",
    "input_register_of_a_long_name",
    "",
];

/// A condition as a rule says it, and as the reference says it.
#[derive(Debug, Clone)]
struct Both {
    rule: String,
    reference: String,
}

fn same(text: String) -> Both {
    Both {
        rule: text.clone(),
        reference: text,
    }
}

fn comparison() -> impl Strategy<Value = &'static str> {
    select(vec!["=", "<>", "<", "<=", ">", ">="])
}

fn number() -> impl Strategy<Value = Both> {
    let column = select(vec![
        "unit_id",
        "object_first",
        "object_count",
        "transaction_id",
        "quantity",
        "vlan",
        "server_port",
        "latency_us",
    ]);
    prop_oneof![
        (column.clone(), comparison(), 0..12_u32)
            .prop_map(|(c, op, n)| same(format!("{c} {op} {n}"))),
        (column.clone(), 0..8_u32, 0..8_u32)
            .prop_map(|(c, a, b)| same(format!("{c} BETWEEN {a} AND {}", a + b))),
        (
            column.clone(),
            prop::collection::vec(0..12_u32, 1..6),
            any::<bool>()
        )
            .prop_map(|(c, v, not)| {
                let list: Vec<String> = v.iter().map(u32::to_string).collect();
                let not = if not && c == "unit_id" { "NOT " } else { "" };
                same(format!("{c} {not}IN ({})", list.join(", ")))
            }),
        (column.clone(), any::<bool>())
            .prop_map(|(c, not)| same(format!("{c} IS {}NULL", if not { "NOT " } else { "" }))),
        (column.clone(), 0..12_u32, any::<bool>()).prop_map(|(c, n, not)| same(format!(
            "{c} IS {}DISTINCT FROM {n}",
            if not { "NOT " } else { "" }
        ))),
        (column, 1..5_u32, 0..5_u32).prop_map(|(c, m, n)| same(format!("{c} % {m} = {n}"))),
    ]
}

fn float() -> impl Strategy<Value = Both> {
    let value = select(vec!["-1.5", "0", "-0.0", "2", "85.25", "1e300"]);
    prop_oneof![
        (
            select(vec!["data_max", "data_min"]),
            comparison(),
            value.clone()
        )
            .prop_map(|(c, op, v)| same(format!("{c} {op} {v}"))),
        (value.clone(), comparison()).prop_map(|(v, op)| same(format!("{v} {op} data_max"))),
        Just(same("data_max = data_min".to_owned())),
        value.prop_map(|v| same(format!("data_max - data_min > {v}"))),
    ]
}

fn name() -> impl Strategy<Value = Both> {
    let pattern = select(vec!["read%", "%coils", "%_single_%", "diag%", "READ%", "%"]);
    prop_oneof![
        (select(&FUNCTIONS[..]), any::<bool>())
            .prop_map(|(f, not)| same(format!("function {} '{f}'", if not { "<>" } else { "=" }))),
        (
            prop::collection::vec(select(&FUNCTIONS[..]), 1..5),
            any::<bool>()
        )
            .prop_map(|(f, not)| same(format!(
                "function {}IN ('{}')",
                if not { "NOT " } else { "" },
                f.join("', '")
            ))),
        (pattern, any::<bool>(), any::<bool>()).prop_map(|(p, not, i)| same(format!(
            "function {}{} '{p}'",
            if not { "NOT " } else { "" },
            if i { "ILIKE" } else { "LIKE" }
        ))),
        Just(same("upper(function) = 'READ_COILS'".to_owned())),
        Just(same(
            "regexp_like(function, '^(read|diag)_.*s$')".to_owned()
        )),
        Just(same("length(function) > 16".to_owned())),
        Just(same("operation = 'write'".to_owned())),
        Just(same("operation IN ('write', 'diagnostic')".to_owned())),
        Just(same("outcome = 'ok'".to_owned())),
        Just(same("outcome IS DISTINCT FROM 'ok'".to_owned())),
        Just(same("outcome IS NULL OR outcome <> 'ok'".to_owned())),
        Just(same("phase IS NULL".to_owned())),
    ]
}

fn address() -> impl Strategy<Value = Both> {
    let column = select(vec!["client_ip", "server_ip"]);
    prop_oneof![
        (column.clone(), select(&ADDRESSES[..]), any::<bool>()).prop_map(|(c, a, not)| same(
            format!("{c} {} '{a}'", if not { "<>" } else { "=" })
        )),
        (column.clone(), prop::collection::vec(select(&ADDRESSES[..]), 1..5))
            .prop_map(|(c, a)| same(format!("{c} IN ('{}')", a.join("', '")))),
        (column.clone(), any::<bool>()).prop_map(|(c, not)| {
            let not = if not { "NOT " } else { "" };
            Both {
                rule: format!("{not}cidr_match({c}, '10.9.0.0/16')"),
                reference: format!("{not}coalesce({c} LIKE '10.9.%', false)"),
            }
        }),
        (column.clone(), any::<bool>()).prop_map(|(c, not)| {
            let not = if not { "NOT " } else { "" };
            Both {
                rule: format!("{not}in_list('known', {c})"),
                reference: format!(
                    "{not}coalesce({c} = '10.0.0.2' OR {c} LIKE '10.9.1.%' OR {c} = 'fd00::7', false)"
                ),
            }
        }),
        any::<bool>().prop_map(|not| {
            let not = if not { "NOT " } else { "" };
            Both {
                rule: format!("{not}in_list('pairs', client_ip, server_ip)"),
                reference: format!(
                    "{not}coalesce((client_ip = '10.0.0.1' AND server_ip IS NOT NULL) \
                     OR (client_ip LIKE '10.9.%' AND server_ip = '10.0.0.2'), false)"
                ),
            }
        }),
        (column, select(vec!["plc", "unknown"]), any::<bool>()).prop_map(|(c, role, not)| {
            let op = if not { "<>" } else { "=" };
            Both {
                rule: format!("asset_role({c}) {op} '{role}'"),
                reference: format!(
                    "CASE WHEN {c} = '10.0.0.2' THEN 'plc' ELSE 'unknown' END {op} '{role}'"
                ),
            }
        }),
        Just(same("client_ip = server_ip".to_owned())),
    ]
}

fn text() -> impl Strategy<Value = Both> {
    prop_oneof![
        (select(&TYPES[..]), any::<bool>()).prop_map(|(t, not)| same(format!(
            "object_type {} '{t}'",
            if not { "<>" } else { "=" }
        ))),
        prop::collection::vec(select(&TYPES[..]), 1..5)
            .prop_map(|t| same(format!("object_type IN ('{}')", t.join("', '")))),
        (
            select(vec!["%coil%", "hold%", "", "%name", "%", "h%_er", "_oil", "%_", "%l%n_", "coil", "ho%_%e%g%", "%_long\\_n%"]),
            any::<bool>(),
            any::<bool>()
        )
            .prop_map(|(p, not, i)| same(format!(
                "object_type IS NOT NULL AND object_type {}{} '{p}'",
                if not { "NOT " } else { "" },
                if i { "ILIKE" } else { "LIKE" }
            ))),
        Just(same("coalesce(object_type, 'none') = 'none'".to_owned())),
        (0..8_u64, 0..8_u64).prop_map(|(a, b)| {
            let (first, last) = (a, a + b);
            Both {
                rule: format!("overlaps({first}, {last})"),
                reference: format!(
                    "coalesce(object_first <= {last} AND object_first \
                     + CASE WHEN object_count > 1 THEN object_count - 1 ELSE 0 END >= {first}, false)"
                ),
            }
        }),
    ]
}

fn leaf() -> impl Strategy<Value = Both> {
    prop_oneof![number(), float(), name(), address(), text()]
}

fn joined(op: &str, parts: &[Both]) -> Both {
    let join = |pick: fn(&Both) -> &String| {
        let parts: Vec<String> = parts.iter().map(|b| format!("({})", pick(b))).collect();
        parts.join(&format!(" {op} "))
    };
    Both {
        rule: join(|b| &b.rule),
        reference: join(|b| &b.reference),
    }
}

fn condition() -> impl Strategy<Value = Both> {
    let direction = prop_oneof![
        Just(same("direction = 'request'".to_owned())),
        Just(same("direction <> 'request'".to_owned())),
        Just(same(
            "direction IN ('response', 'unsolicited', 'request')".to_owned()
        )),
    ];
    let part = prop_oneof![
        4 => leaf(),
        1 => prop::collection::vec(leaf(), 2..4).prop_map(|v| joined("OR", &v)),
        1 => (leaf(), prop::collection::vec(leaf(), 2..3))
            .prop_map(|(a, v)| joined("OR", &[a, joined("AND", &v)])),
    ];
    (direction, prop::collection::vec(part, 1..4)).prop_map(|(d, mut v)| {
        v.push(d);
        joined("AND", &v)
    })
}

fn maybe<T: Into<Json> + Clone + std::fmt::Debug + 'static>(
    values: Vec<T>,
) -> impl Strategy<Value = Json> {
    prop_oneof![1 => Just(Json::Null), 5 => select(values).prop_map(Into::into)]
}

fn row() -> impl Strategy<Value = Json> {
    let small = || maybe((0..12_u32).collect::<Vec<_>>());
    let numbers = (
        0..12_u8,
        small(),
        small(),
        small(),
        small(),
        small(),
        small(),
        small(),
    );
    let floats = || maybe(vec![-1.5, -0.0, 0.0, 2.0, 85.25, 90.0, 1e300]);
    let rest = (
        select(&FUNCTIONS[..]),
        select(vec!["request", "response"]),
        maybe(vec!["ok", "error", "no_response"]),
        maybe(ADDRESSES.to_vec()),
        maybe(ADDRESSES.to_vec()),
        maybe(TYPES.to_vec()),
        floats(),
        floats(),
    );
    (numbers, rest).prop_map(|(n, r)| {
        json!({
            "unit_id": n.0, "object_first": n.1, "object_count": n.2, "transaction_id": n.3,
            "quantity": n.4, "vlan": n.5, "server_port": n.6, "latency_us": n.7,
            "function": r.0, "direction": r.1, "outcome": r.2, "client_ip": r.3, "server_ip": r.4,
            "object_type": r.5, "data_min": r.6, "data_max": r.7,
        })
    })
}

fn site() -> Site {
    let list = |rows: Json| {
        let rows: Vec<Map<String, Json>> = serde_json::from_value(rows).unwrap();
        List::from_json(&rows)
    };
    let mut site = Site::builtin_default();
    site.lists.insert(
        "known".to_owned(),
        list(json!([{"ip": "10.0.0.2"}, {"ip": "10.9.1.0-10.9.1.255"}, {"ip": "fd00::/64"}])),
    );
    site.lists.insert(
        "pairs".to_owned(),
        list(
            json!([{"a": "10.0.0.1", "b": "0.0.0.0/0"}, {"a": "10.0.0.1", "b": "::/0"},
                    {"a": "10.9.0.0/16", "b": "10.0.0.2"}]),
        ),
    );
    let assets: Vec<Map<String, Json>> =
        serde_json::from_value(json!([{"ip": "10.0.0.2", "name": "PLC-1", "role": "plc"}]))
            .unwrap();
    site.assets = Assets::from_json(&assets);
    site
}

fn rule_file(n: usize, condition: &str) -> String {
    format!(
        "id: 89e63681-421f-530b-8a2a-{n:012}\nname: rule {n}\ndescription: test\nseverity: low\nconfidence: low\n\
         status: experimental\nscope: site\nsql: |\n  SELECT * FROM modbus WHERE {condition}\n\
         requires: {{lists: [known, pairs]}}\nattack: []\nresponse: [look]\nsentence: test\ncorrelation_key: []\ntests: []\n"
    )
}

/// The table as people see it: names and addresses are text.
fn reference_table(rows: &TableBatch) -> RecordBatch {
    let mut fields = Vec::new();
    let mut arrays: Vec<ArrayRef> = Vec::new();
    for (at, def) in TableId::Modbus.def().columns.iter().enumerate() {
        match def.kind {
            ColumnKind::Enum(_) | ColumnKind::Ip | ColumnKind::Mac => {
                let texts = (0..rows.batch.num_rows()).map(|row| {
                    let value = cell(&rows.batch, at, def, row);
                    (!value.is_null()).then(|| value.to_string())
                });
                arrays.push(Arc::new(texts.collect::<StringArray>()));
                fields.push(Field::new(def.name, DataType::Utf8, true));
            }
            _ => {
                arrays.push(rows.batch.column(at).clone());
                fields.push(def.field().with_nullable(true));
            }
        }
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap()
}

async fn reference(context: &SessionContext, condition: &str) -> BTreeSet<u64> {
    let sql = format!("SELECT row_no FROM modbus WHERE {condition}");
    let answer = context.sql(&sql).await.unwrap().collect().await.unwrap();
    answer
        .iter()
        .flat_map(|b| {
            let column = b.column(0).as_any().downcast_ref::<UInt64Array>().unwrap();
            column.values().to_vec()
        })
        .collect()
}

fn frame(batches: Vec<TableBatch>) -> Frame {
    Frame {
        site: "test".into(),
        sensor: "test".into(),
        seq: 0,
        watermark: 0,
        batches,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 400, ..ProptestConfig::default() })]

    #[test]
    fn rules_match_what_a_query_matches(
        conditions in prop::collection::vec(condition(), 1..24),
        given in prop::collection::vec(row(), 1..200),
        cuts in prop::collection::vec(1..90_usize, 1..8),
    ) {
        let rows: Vec<RowValues> = given
            .iter()
            .enumerate()
            .map(|(n, row)| {
                let defaults = RowDefaults { row_no: n as u64, event_time: 1_767_254_400_000_000_000 };
                row_from_json(TableId::Modbus, row.as_object().unwrap(), &defaults).unwrap()
            })
            .collect();
        let whole = batch(TableId::Modbus, &rows).unwrap();
        let texts: Vec<(String, String)> = conditions
            .iter()
            .enumerate()
            .map(|(n, c)| (format!("{n:04}.yaml"), rule_file(n, &c.rule)))
            .collect();
        let (set, found) = RuleSet::from_texts(texts.iter().map(|(n, t)| (n.as_str(), t.as_str())));
        prop_assert!(found.iter().all(|d| d.level == Level::Warning), "{found:?}");
        let (engine, found) = Engine::compile(&set, &site());
        // refused rules are those that can never or must always match
        let mut refused = BTreeSet::new();
        for diagnostic in &found {
            prop_assert!(["TT-SQL-014", "TT-SQL-024"].contains(&diagnostic.code), "{}", diagnostic);
            refused.insert(diagnostic.file.clone());
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let context = SessionContext::new();
        let table = reference_table(&whole);
        let table = MemTable::try_new(table.schema(), vec![vec![table]]).unwrap();
        context.register_table("modbus", Arc::new(table)).unwrap();
        let number = |file: &str| file[..4].parse::<usize>().unwrap();
        let mut expected: BTreeSet<(u64, usize)> = BTreeSet::new();
        for (index, rule) in set.rules.iter().enumerate() {
            let condition = &conditions[number(&rule.file)].reference;
            let matching = runtime.block_on(reference(&context, condition));
            if refused.contains(&rule.file) {
                prop_assert!(matching.is_empty() || matching.len() == rows.len(), "{}", condition);
                continue;
            }
            expected.extend(matching.iter().map(|row| (*row, index)));
        }
        let name = |found: &BTreeSet<(u64, usize)>, other: &BTreeSet<(u64, usize)>| {
            found
                .difference(other)
                .next()
                .map(|(row, rule)| format!("row {row}: {}", conditions[number(&set.rules[*rule].file)].rule))
        };
        let answer = evaluate(&set, &frame(vec![whole.clone()])).0;
        let keys: Vec<(u64, usize)> = answer.iter().map(|f| (f.row_no, f.rule)).collect();
        prop_assert!(
            answer.iter().map(|f| (f.event_time, f.row_no, f.rule)).is_sorted(),
            "findings come by time, row, then rule"
        );
        let answer: BTreeSet<(u64, usize)> = keys.iter().copied().collect();
        prop_assert_eq!(answer.len(), keys.len(), "each finding comes once");
        prop_assert!(
            answer == expected,
            "too many: {:?}, too few: {:?}", name(&answer, &expected), name(&expected, &answer)
        );
        // the same rows in other batches
        let mut batches = Vec::new();
        let (mut at, mut sizes) = (0, cuts.iter().cycle());
        while at < rows.len() {
            let size = (*sizes.next().unwrap()).min(rows.len() - at);
            batches.push(TableBatch { table: TableId::Modbus, batch: whole.batch.slice(at, size) });
            at += size;
        }
        let cut: Vec<(u64, usize)> =
            evaluate(&set, &frame(batches)).0.iter().map(|f| (f.row_no, f.rule)).collect();
        prop_assert_eq!(cut, keys);
        // and so does what `explain` says
        for (index, rule) in set.rules.iter().enumerate() {
            if refused.contains(&rule.file) {
                continue;
            }
            for (row, says) in engine.explain_rows(index, 0, &whole).iter().enumerate() {
                prop_assert_eq!(says.fires(), expected.contains(&(row as u64, index)), "explain: {}", rule.sql);
            }
        }
    }
}

/// What the rules find in a frame, and how often a condition failed.
fn evaluate(set: &RuleSet, frame: &Frame) -> (Vec<Finding>, u64) {
    let (mut detector, _) = Detector::compile(set, &site(), Config::default());
    let mut out = Vec::new();
    detector.frame(frame, 0, &mut out);
    detector.finish(&mut out);
    (out, detector.engine().failed())
}

fn cases() -> u32 {
    std::env::var("TELLTALE_ORACLE_CASES")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(48)
}

/// A row on which a condition fails takes no other row of its batch with it.
#[test]
fn a_failing_row_fails_alone() {
    let given = [0, 2, 0, 5].map(|count| json!({"function": "read_coils", "object_count": count}));
    let rows: Vec<RowValues> = given
        .iter()
        .enumerate()
        .map(|(n, row)| {
            let defaults = RowDefaults {
                row_no: n as u64,
                event_time: 0,
            };
            row_from_json(TableId::Modbus, row.as_object().unwrap(), &defaults).unwrap()
        })
        .collect();
    let whole = batch(TableId::Modbus, &rows).unwrap();
    let text = rule_file(0, "direction = 'request' AND 10 / object_count >= 2");
    let (set, _) = RuleSet::from_texts([("rule.yaml", text.as_str())]);
    let (findings, failed) = evaluate(&set, &frame(vec![whole]));
    let rows: Vec<u64> = findings.iter().map(|f| f.row_no).collect();
    assert_eq!(rows, [1, 3]);
    assert_eq!(failed, 2);
}

//! What 300 rules cost, on one core: `cargo bench -p telltale-engine`.
//!
//! (a) a realistic mix over realistic rows, beside `ctx.sql()` per rule and batch;
//! (b) 300 selective rules over uniform rows; (c) 200 partitions of 100 rows a
//! second each; (d) the start. Every figure of `ctx.sql()` is checked to have found
//! the same rows.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a bench times itself, compares with a query, and fails by panicking"
)]

use datafusion::datasource::MemTable;
use datafusion::prelude::SessionContext;
use serde_json::{Map, Value as Json, json};
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use telltale_engine::detector::Config;
use telltale_engine::{Detector, Engine};
use telltale_rules::site::list::List;
use telltale_rules::{Level, RuleSet, Site};
use telltale_schema::{
    Builders, Common, Direction, EnumId, Frame, Function, Operation, Outcome, Protocol, TableBatch,
    TableId, Transport, modbus,
};

const ROWS: usize = 8192;
const BATCHES: usize = 32;
const RULES: usize = 300;

/// SplitMix64: the same rows each time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

fn v4(a: u64, b: u64) -> [u8; 16] {
    let mut ip = [0; 16];
    ip[10..].copy_from_slice(&[0xff, 0xff, 10, 0, (a & 255) as u8, (b & 255) as u8]);
    ip
}

fn sql_ip(ip: [u8; 16]) -> String {
    let hex: String = ip.iter().map(|b| format!("{b:02x}")).collect();
    format!("arrow_cast(X'{hex}', 'FixedSizeBinary(16)')")
}

fn number(id: EnumId, name: &str) -> u16 {
    id.def().id_of(name).unwrap()
}

/// A rule's condition, and the same as DataFusion takes it over our rows.
struct Both {
    table: &'static str,
    rule: String,
    query: String,
}

/// Names as numbers: `query` gets what `rule` says of enumerations.
fn both(table: &'static str, enums: &[(&str, EnumId, &str)], rest: &[(String, String)]) -> Both {
    let mut rule: Vec<String> = enums
        .iter()
        .map(|(c, _, n)| format!("{c} = '{n}'"))
        .collect();
    let mut query: Vec<String> = enums
        .iter()
        .map(|(c, id, n)| format!("{c} = {}", number(*id, n)))
        .collect();
    for (r, q) in rest {
        rule.push(r.clone());
        query.push(q.clone());
    }
    Both {
        table,
        rule: rule.join(" AND "),
        query: query.join(" AND "),
    }
}

fn same(text: String) -> (String, String) {
    (text.clone(), text)
}

/// 300 rules as people write them: writes by strangers, limits of single points,
/// odd sizes, names of objects, errors, slow answers, networks.
fn realistic() -> Vec<Both> {
    let request = ("direction", EnumId::Direction, "request");
    let response = ("direction", EnumId::Direction, "response");
    let function = |name| ("function", EnumId::Function, name);
    let ip = |column: &str, op: &str, a: u64, b: u64| {
        (
            format!("{column} {op} '10.0.{a}.{b}'"),
            format!("{column} {op} {}", sql_ip(v4(a, b))),
        )
    };
    let masters: Vec<String> = (1..=4).map(|n| sql_ip(v4(0, n))).collect();
    let stranger = (
        "NOT in_list('masters', client_ip)".to_owned(),
        format!("client_ip NOT IN ({})", masters.join(", ")),
    );
    let reads = [
        "read_holding_registers",
        "read_input_registers",
        "read_coils",
    ];
    (0..RULES as u64)
        .map(|n| {
            let k = n / 10;
            match n % 10 {
                // writes by a station that is no master, by unit
                0 => both(
                    "modbus",
                    &[("operation", EnumId::Operation, "write"), request],
                    &[same(format!("unit_id = {}", k % 20)), stranger.clone()],
                ),
                // a limit of one point of one device
                1 | 2 => both(
                    "modbus",
                    &[function("read_holding_registers"), response],
                    &[
                        ip("server_ip", "=", 1, k * 2 + n % 10),
                        same(format!(
                            "object_first BETWEEN {} AND {}",
                            k * 10,
                            k * 10 + 200
                        )),
                        same(format!("data_max > {}", 900 + k)),
                    ],
                ),
                // sizes that no master here asks for
                3 => both(
                    "modbus",
                    &[function(reads[(k % 3) as usize]), request],
                    &[
                        same(format!("quantity > {}", 100 + k)),
                        same(format!("unit_id = {}", k % 20)),
                    ],
                ),
                // an object by its name
                4 => both(
                    "modbus",
                    &[request],
                    &[
                        same("object_type = 'holding_register'".to_owned()),
                        same(format!("object LIKE 'holding_register:{}%7'", 10 + k)),
                        same(format!("unit_id = {}", k % 20)),
                    ],
                ),
                // answers that say no
                5 => both(
                    "modbus",
                    &[("outcome", EnumId::Outcome, "error"), response],
                    &[
                        same(format!("exception_code = {}", 1 + k % 8)),
                        ip("server_ip", "=", 1, k),
                    ],
                ),
                // answers that come late
                6 => both(
                    "modbus",
                    &[response],
                    &[
                        same(format!("latency_us > {}", 90_000 + 100 * k)),
                        ip("server_ip", "=", 1, 2 * k),
                    ],
                ),
                // any write into a range, from another network
                7 => both(
                    "modbus",
                    &[("operation", EnumId::Operation, "write"), request],
                    &[
                        (
                            "NOT cidr_match(client_ip, '10.0.0.0/24')".to_owned(),
                            format!(
                                "client_ip NOT BETWEEN {} AND {}",
                                sql_ip(v4(0, 0)),
                                sql_ip(v4(0, 255))
                            ),
                        ),
                        same(format!("object_first >= {}", k * 30)),
                        same(format!("object_first + object_count < {}", k * 30 + 60)),
                    ],
                ),
                // functions by a part of their name
                8 => both(
                    "modbus",
                    &[request],
                    &[
                        ("function LIKE '%diag%'".to_owned(), {
                            let ids: Vec<String> = EnumId::Function
                                .def()
                                .values
                                .iter()
                                .filter(|v| v.1.contains("diag"))
                                .map(|v| v.0.to_string())
                                .collect();
                            format!("function IN ({})", ids.join(", "))
                        }),
                        same(format!("unit_id = {}", k % 20)),
                        ip("client_ip", "<>", 0, 1),
                    ],
                ),
                // every protocol at once
                _ => both(
                    "events",
                    &[
                        (
                            "operation",
                            EnumId::Operation,
                            ["stop", "restart", "program_download", "write"][(k % 4) as usize],
                        ),
                        request,
                    ],
                    &[ip("client_ip", "=", 2, k), stranger.clone()],
                ),
            }
        })
        .collect()
}

/// Polling by a few masters with some writes, errors and strangers.
fn realistic_rows(random: &mut Random, rows: usize, first: u64) -> TableBatch {
    let mut builders = Builders::with_capacity(rows);
    for n in 0..rows {
        let stranger = random.below(200) == 0;
        let client = if stranger {
            v4(2, random.below(40))
        } else {
            v4(0, 1 + random.below(4))
        };
        let server = v4(1, random.below(64));
        let response = random.below(2) == 1;
        let kind = random.below(1000);
        let (function, operation, code, kind) = match kind {
            0..500 => (
                modbus::function::READ_HOLDING_REGISTERS,
                Operation::Read,
                3,
                "holding_register",
            ),
            500..750 => (
                modbus::function::READ_INPUT_REGISTERS,
                Operation::Read,
                4,
                "input_register",
            ),
            750..970 => (modbus::function::READ_COILS, Operation::Read, 1, "coil"),
            970..999 => (
                modbus::function::WRITE_SINGLE_REGISTER,
                Operation::Write,
                6,
                "holding_register",
            ),
            _ => (
                modbus::function::DIAG_CLEAR_COUNTERS,
                Operation::Diagnostic,
                8,
                "",
            ),
        };
        let first_object = random.below(60) * 10;
        let count = 1 + random.below(120);
        let object = format!("{kind}:{first_object}..{}", first_object + count - 1);
        let error = response && random.below(500) == 0;
        let value = random.below(1000) as f64;
        let (src, dst) = if response {
            (server, client)
        } else {
            (client, server)
        };
        let common = Common {
            row_no: first + n as u64,
            event_time: 1_767_254_400_000_000_000 + n as i64 * 1_000_000,
            site: "bench",
            sensor: "bench",
            segment: "default",
            packet: n as u64 + 1,
            protocol: Protocol::Modbus,
            operation,
            function,
            function_code: Some(code),
            direction: if response {
                Direction::Response
            } else {
                Direction::Request
            },
            outcome: response.then_some(if error { Outcome::Error } else { Outcome::Ok }),
            transport: Transport::Tcp,
            item_count: 1,
            src_ip: Some(src),
            dst_ip: Some(dst),
            client_ip: Some(client),
            server_ip: Some(server),
            server_port: Some(502),
            client_port: Some(40_000 + (random.below(2000) as u16)),
            latency_us: response.then(|| random.below(100_000)),
            object: Some(&object),
            object_type: Some(kind),
            object_first: Some(first_object),
            object_count: Some(count as u32),
            data_max: response.then_some(value),
            data_min: response.then_some(value / 2.0),
            ..Default::default()
        };
        let row = modbus::Row {
            unit_id: random.below(20) as u8,
            transaction_id: Some(n as u16),
            quantity: (!response).then_some(count as u16),
            exception_code: error.then_some(1 + random.below(8) as u8),
            ..Default::default()
        };
        builders.modbus.append(&common, &row);
    }
    builders.finish().unwrap().remove(0)
}

const OPERATIONS: [Operation; 10] = [
    Operation::Read,
    Operation::Write,
    Operation::Control,
    Operation::Start,
    Operation::Stop,
    Operation::Restart,
    Operation::Identify,
    Operation::Diagnostic,
    Operation::ProgramDownload,
    Operation::File,
];
const CODES: u64 = 20;

/// `op = a AND fc = b AND dst BETWEEN c AND d AND bytes > e`, each hit by 0.02 % of
/// uniform rows: 1/10 × 1/20 × 1/5 × 1/5.
fn uniform(random: &mut Random) -> Vec<Both> {
    (0..RULES)
        .map(|_| {
            let op = OPERATIONS[random.below(10) as usize].as_str();
            let code = random.below(CODES);
            let from = random.below(52_000);
            let to = from + 13_107;
            let (low, high) = (v4(from >> 8, from), v4(to >> 8, to));
            let text = |ip: [u8; 16]| format!("10.0.{}.{}", ip[14], ip[15]);
            both(
                "modbus",
                &[
                    ("operation", EnumId::Operation, op),
                    ("direction", EnumId::Direction, "request"),
                ],
                &[
                    same(format!("function_code = {code}")),
                    (
                        format!("dst_ip BETWEEN '{}' AND '{}'", text(low), text(high)),
                        format!("dst_ip BETWEEN {} AND {}", sql_ip(low), sql_ip(high)),
                    ),
                    same("latency_us > 800000".to_owned()),
                ],
            )
        })
        .collect()
}

fn uniform_rows(random: &mut Random, rows: usize, first: u64) -> TableBatch {
    let mut builders = Builders::with_capacity(rows);
    for n in 0..rows {
        let dst = random.below(65_536);
        let common = Common {
            row_no: first + n as u64,
            protocol: Protocol::Modbus,
            direction: Direction::Request,
            latency_us: Some(random.below(1_000_000)),
            operation: OPERATIONS[random.below(10) as usize],
            function: Function(0),
            function_code: Some(random.below(CODES) as u16),
            dst_ip: Some(v4(dst >> 8, dst)),
            ..Default::default()
        };
        builders.modbus.append(&common, &modbus::Row::default());
    }
    builders.finish().unwrap().remove(0)
}

fn site() -> Site {
    let mut site = Site::builtin_default();
    let rows: Vec<Map<String, Json>> = (1..=4)
        .map(|n| {
            json!({ "ip": format!("10.0.0.{n}") })
                .as_object()
                .unwrap()
                .clone()
        })
        .collect();
    site.lists
        .insert("masters".to_owned(), List::from_json(&rows));
    site
}

fn engine(rules: &[Both]) -> (RuleSet, Engine, Duration) {
    let texts: Vec<(String, String)> = rules
        .iter()
        .enumerate()
        .map(|(n, rule)| {
            let text = format!(
                "id: 89e63681-421f-530b-8a2a-{n:012}\nname: rule {n}\ndescription: bench\nseverity: low\nconfidence: low\n\
                 status: experimental\nscope: site\nsql: |\n  SELECT * FROM {} WHERE {}\nrequires: {{lists: [masters]}}\n\
                 attack: []\nresponse: [look]\nsentence: bench\ncorrelation_key: []\ntests: []\n",
                rule.table, rule.rule
            );
            (format!("{n:04}.yaml"), text)
        })
        .collect();
    let site = site();
    let start = Instant::now();
    let (set, found) = RuleSet::from_texts(texts.iter().map(|(n, t)| (n.as_str(), t.as_str())));
    assert!(found.iter().all(|d| d.level == Level::Warning), "{found:?}");
    let (engine, found) = Engine::compile(&set, &site);
    let took = start.elapsed();
    assert!(found.is_empty(), "{:?}", found.first());
    assert_eq!(set.rules.len(), rules.len());
    (set, engine, took)
}

/// Rows a second and hits of one pass, over at least a second, best of three.
fn rate(engine: &mut Engine, batches: &[TableBatch]) -> (f64, u64) {
    let rows: usize = batches.iter().map(|b| b.batch.num_rows()).sum();
    let mut best = 0.0_f64;
    let mut hits = 0;
    for _ in 0..3 {
        let start = Instant::now();
        let mut passes = 0;
        while start.elapsed() < Duration::from_secs(1) {
            hits = 0;
            for batch in batches {
                engine.matches(batch, |rule, row| {
                    black_box((rule, row));
                    hits += 1;
                });
            }
            passes += 1;
        }
        best = best.max((rows * passes) as f64 / start.elapsed().as_secs_f64());
    }
    (best, hits)
}

/// Rows a second and hits of `ctx.sql()` for each rule and batch, in one thread, with
/// a context that is used again.
fn sql_rate(rules: &[Both], set: &RuleSet, engine: &mut Engine, batches: &[TableBatch]) -> f64 {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let config = datafusion::prelude::SessionConfig::new().with_target_partitions(1);
    let context = SessionContext::new_with_config(config);
    let mut spent = Duration::ZERO;
    for batch in batches {
        let mut ours = vec![0_u64; rules.len()];
        engine.matches(batch, |rule, _| ours[rule] += 1);
        let start = Instant::now();
        let table =
            MemTable::try_new(batch.batch.schema(), vec![vec![batch.batch.clone()]]).unwrap();
        context.register_table("t", Arc::new(table)).unwrap();
        let mut theirs = vec![0_u64; rules.len()];
        for (rule, count) in rules.iter().zip(&mut theirs) {
            let sql = format!("SELECT row_no FROM t WHERE {}", rule.query);
            let answer = runtime
                .block_on(async { context.sql(&sql).await.unwrap().collect().await.unwrap() });
            *count = answer.iter().map(|b| b.num_rows() as u64).sum();
        }
        spent += start.elapsed();
        context.deregister_table("t").unwrap();
        for (n, rule) in set.rules.iter().enumerate() {
            let given: usize = rule.file[..4].parse().unwrap();
            assert_eq!(ours[n], theirs[given], "{}", rules[given].rule);
        }
    }
    (batches.len() * ROWS) as f64 / spent.as_secs_f64()
}

fn main() {
    let mut random = Random(7);
    println!("{RULES} rules, batches of {ROWS} rows, one thread");

    let rules = realistic();
    let (set, mut engine_a, start) = engine(&rules);
    let batches: Vec<TableBatch> = (0..BATCHES)
        .map(|n| realistic_rows(&mut random, ROWS, (n * ROWS) as u64))
        .collect();
    let (mix, hits) = rate(&mut engine_a, &batches);
    let query = sql_rate(&rules, &set, &mut engine_a, &batches[..2]);
    println!(
        "(a) realistic mix            {:>8.2} million rows/s  ({hits} hits in {} rows; {} distinct conjuncts)",
        mix / 1e6,
        BATCHES * ROWS,
        engine_a.atoms()
    );
    println!(
        "    ctx.sql() per rule+batch {:>8.4} million rows/s  ratio {:.0} x",
        query / 1e6,
        mix / query
    );
    let mut forms = std::collections::BTreeMap::<&str, usize>::new();
    for rule in 0..RULES {
        for (form, _) in engine_a.forms(rule, 0, TableId::Modbus) {
            *forms.entry(form).or_default() += 1;
        }
    }
    println!("    conditions by form: {forms:?}");
    let frames: Vec<Frame> = batches
        .iter()
        .map(|b| Frame {
            site: "bench".into(),
            sensor: "bench".into(),
            seq: 0,
            watermark: i64::MIN,
            batches: vec![b.clone()],
        })
        .collect();
    let (mut detector, _) = Detector::compile(&set, &site(), Config::default());
    let begin = Instant::now();
    let mut found = Vec::new();
    for frame in &frames {
        detector.frame(frame, 0, &mut found);
        detector.finish(&mut found);
    }
    let findings = black_box(found).len();
    println!(
        "    with the rows of {findings} findings written out: {:.2} million rows/s",
        (BATCHES * ROWS) as f64 / begin.elapsed().as_secs_f64() / 1e6
    );

    let rules = uniform(&mut random);
    let (set, mut engine_b, start_b) = engine(&rules);
    let uniform: Vec<TableBatch> = (0..BATCHES)
        .map(|n| uniform_rows(&mut random, ROWS, (n * ROWS) as u64))
        .collect();
    let (selective, hits) = rate(&mut engine_b, &uniform);
    assert!(hits > 0, "the rules hit nothing");
    let query = sql_rate(&rules, &set, &mut engine_b, &uniform[..1]);
    println!(
        "(b) selective rules          {:>8.2} million rows/s  ({:.4} % of rows a rule, {hits} hits)",
        selective / 1e6,
        100.0 * hits as f64 / (BATCHES * ROWS * RULES) as f64
    );
    println!(
        "    ctx.sql() per rule+batch {:>8.4} million rows/s  ratio {:.0} x",
        query / 1e6,
        selective / query
    );

    // each partition gives a frame of 100 rows a second
    let partitions: Vec<TableBatch> = (0..200)
        .map(|n| realistic_rows(&mut random, 100, n * 100))
        .collect();
    let (small, _) = rate(&mut engine_a, &partitions);
    println!(
        "(c) 200 partitions x 100 rows/s in frames of 100 rows: {:.2} % of a core ({:.2} million rows/s)",
        100.0 * 20_000.0 / small,
        small / 1e6
    );

    println!(
        "(d) start: {:.0} ms for (a), {:.0} ms for (b)",
        start.as_secs_f64() * 1e3,
        start_b.as_secs_f64() * 1e3
    );
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules");
    let begin = Instant::now();
    let (shipped, _) = RuleSet::load(&[dir]).unwrap();
    let (engine_s, found) = Engine::compile(&shipped, &Site::builtin_default());
    println!(
        "    {} shipped rules: {:.0} ms, {} refused",
        shipped.rules.len(),
        begin.elapsed().as_secs_f64() * 1e3,
        found.len()
    );
    let size = |engine: &Engine, table: TableId| {
        engine
            .indexes()
            .into_iter()
            .find(|i| i.0 == table)
            .map_or((0, 0), |i| (i.1, i.2))
    };
    println!(
        "index (states, columns): (a) {:?}, (b) {:?}, shipped over modbus {:?}",
        size(&engine_a, TableId::Modbus),
        size(&engine_b, TableId::Modbus),
        size(&engine_s, TableId::Modbus)
    );
}

//! Rules that remember: windows, sequences and first-seen over 60,000 hosts, on one core.
//!
//! Prints rows per second, the longest stall of one frame, memory per group, begun
//! sequence and key, and snapshots; and the ratio to DataFusion's own `GROUP BY` over the
//! same rows at once (which has no watermark, fires at no row, and keeps no state).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a bench measures time and prints"
)]

use datafusion::datasource::MemTable;
use datafusion::prelude::{SessionConfig, SessionContext};
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};
use telltale_engine::Detector;
use telltale_engine::detector::Config;
use telltale_rules::{Level, RuleSet, Site};
use telltale_schema::{
    Builders, Common, Direction, Frame, Function, Operation, Protocol, TableBatch, modbus,
};

const ROWS: usize = 8192;
const FRAMES: usize = 128;
const HOSTS: u64 = 60_000;
/// Event time of one frame.
const FRAME_NS: i64 = 4_000_000_000;
const START: i64 = 1_767_254_400_000_000_000;

/// SplitMix64: the same rows each time.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }
}

fn host(n: u64) -> [u8; 16] {
    let mut ip = [0; 16];
    ip[10..12].copy_from_slice(&[0xff, 0xff]);
    ip[12..].copy_from_slice(&(0x0a00_0000 + n as u32).to_be_bytes());
    ip
}

/// Uniform rows: `object_first` is below 1000, so that a range of 50 is 5 %.
fn rows(random: &mut Random, count: usize, at: usize, hosts: u64) -> TableBatch {
    let mut builders = Builders::with_capacity(count);
    for n in 0..count {
        let common = Common {
            row_no: (at * count + n) as u64,
            event_time: START + at as i64 * FRAME_NS + n as i64 * FRAME_NS / count as i64,
            protocol: Protocol::Modbus,
            direction: Direction::Request,
            operation: Operation::Read,
            function: Function(random.below(8) as u16 + 101),
            function_code: Some(random.below(100) as u16),
            client_ip: Some(host(random.below(hosts))),
            server_ip: Some(host(random.below(1000))),
            object_first: Some(random.below(1000)),
            object_count: Some(random.below(50) as u32),
            ..Default::default()
        };
        let row = modbus::Row {
            unit_id: random.below(32) as u8,
            quantity: Some(random.below(125) as u16),
            ..Default::default()
        };
        builders.modbus.append(&common, &row);
    }
    builders.finish().unwrap().remove(0)
}

fn frames(batches: &[TableBatch]) -> Vec<Frame> {
    batches
        .iter()
        .enumerate()
        .map(|(n, batch)| Frame {
            site: "default".into(),
            sensor: "bench".into(),
            seq: n as u64,
            watermark: START + (n as i64 + 1) * FRAME_NS,
            batches: vec![batch.clone()],
        })
        .collect()
}

fn rule(number: usize, body: &str) -> String {
    format!(
        "id: 00000000-0000-4000-8000-{number:012}\nname: rule {number}\ndescription: x\nseverity: low\nconfidence: low\nstatus: experimental\nscope: site\n{body}\nattack: []\nresponse: [x]\nsentence: x\ncorrelation_key: []\ntests: []\n"
    )
}

fn compile(bodies: &[String]) -> Detector {
    let texts: Vec<(String, String)> = bodies
        .iter()
        .enumerate()
        .map(|(n, body)| (format!("{n}.yaml"), rule(n, body)))
        .collect();
    let (set, found) = RuleSet::from_texts(texts.iter().map(|(n, t)| (n.as_str(), t.as_str())));
    assert!(found.iter().all(|d| d.level == Level::Warning), "{found:?}");
    let (detector, found) = Detector::compile(&set, &Site::builtin_default(), Config::default());
    assert!(found.is_empty(), "{}", found[0]);
    detector
}

const KEYS: [&str; 10] = [
    "client_ip",
    "server_ip",
    "client_ip, server_ip",
    "client_ip, unit_id",
    "server_ip, unit_id",
    "client_ip, function",
    "server_ip, function",
    "client_ip, server_ip, unit_id",
    "unit_id, function",
    "client_ip, quantity",
];

const HAVINGS: [&str; 5] = [
    "count(*) >= 12000",
    "count(DISTINCT unit_id) >= 33",
    "sum(object_count) > 600000",
    "max(quantity) >= 126",
    "count(*) >= 13000 AND min(unit_id) >= 0",
];

/// Five windows over each of ten key sets; `share` of 1000 rows pass each.
fn windows(share: usize, early: bool) -> Vec<(String, String)> {
    (0..50)
        .map(|n| {
            let keys = KEYS[n / 5];
            let from = n * 17 % (1001 - share);
            let condition = format!(
                "direction = 'request' AND object_first >= {from} AND object_first < {}",
                from + share
            );
            let having = if early {
                HAVINGS[n % 5].to_owned()
            } else {
                format!("avg(object_count) > 60 OR {}", HAVINGS[n % 5])
            };
            let body = format!(
                "sql: |\n  SELECT {keys}, count(*) AS n FROM modbus WHERE {condition}\n  GROUP BY {keys}, tumble(INTERVAL '1 minute') HAVING {having}"
            );
            let plain = format!(
                "SELECT {keys}, count(*) FROM modbus WHERE object_first >= {from} AND object_first < {} GROUP BY {keys}, date_bin(INTERVAL '1 minute', event_time) HAVING {}",
                from + share,
                having
            );
            (body, plain)
        })
        .collect()
}

/// Five steps each; together they meet about 1 % of rows.
fn sequences() -> Vec<String> {
    (0..50)
        .map(|n| {
            let step = |k: usize| {
                format!(
                    "    - {{name: s{k}, where: \"direction = 'request' AND object_first = {} AND function_code = {}\"}}\n",
                    (n * 5 + k) % 100,
                    (n * 7 + k * 3) % 100
                )
            };
            let steps: String = (0..5).map(step).collect();
            format!(
                "sequence:\n  from: modbus\n  by: [client_ip]\n  within: 1h\n  steps:\n{}",
                if n % 2 == 0 { steps } else { steps.replace("function_code = ", "function_code >= 9 AND function_code < 1") }
            )
        })
        .collect()
}

fn stateless() -> Vec<String> {
    (0..300)
        .map(|n| {
            format!(
                "sql: SELECT * FROM modbus WHERE direction = 'request' AND unit_id = {} AND function_code = {} AND object_first BETWEEN {} AND {} AND quantity > {}",
                n % 32,
                n % 100,
                n * 3,
                n * 3 + 40,
                100 + n % 20
            )
        })
        .collect()
}

fn first_seen() -> Vec<String> {
    (0..20)
        .map(|n| {
            format!(
                "sql: SELECT * FROM modbus WHERE direction = 'request' AND object_first >= {} AND object_first < {} AND first_seen(client_ip, {}, learn => '7 days')",
                n * 40,
                n * 40 + 50,
                ["server_ip", "function", "unit_id", "quantity"][n % 4]
            )
        })
        .collect()
}

struct Ran {
    rate: f64,
    stall: Duration,
    findings: usize,
    bytes: usize,
}

fn run(detector: &mut Detector, frames: &[Frame]) -> Ran {
    let mut out = Vec::new();
    let (mut stall, mut findings) = (Duration::ZERO, 0);
    let begin = Instant::now();
    for frame in frames {
        let one = Instant::now();
        detector.frame(frame, 0, &mut out);
        stall = stall.max(one.elapsed());
        findings += out.len();
        out.clear();
    }
    let rows: usize = frames.iter().map(Frame::rows).sum();
    Ran {
        rate: rows as f64 / begin.elapsed().as_secs_f64(),
        stall,
        findings,
        bytes: detector.bytes(),
    }
}

fn show(name: &str, ran: &Ran) {
    println!(
        "{name:<52} {:>6.2} million rows/s, longest frame {:>5.1} ms, {} findings, {:.0} MiB",
        ran.rate / 1e6,
        ran.stall.as_secs_f64() * 1e3,
        ran.findings,
        ran.bytes as f64 / f64::from(1 << 20)
    );
}

/// The same windows as queries of DataFusion over all rows, on one core.
fn plain_queries(batches: &[TableBatch], queries: &[String]) -> f64 {
    let context = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(1));
    let all: Vec<_> = batches.iter().map(|b| b.batch.clone()).collect();
    let table = MemTable::try_new(all[0].schema(), vec![all]).unwrap();
    context.register_table("modbus", Arc::new(table)).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let begin = Instant::now();
    for query in queries {
        let found = runtime.block_on(async {
            let frame = context.sql(query).await.unwrap();
            frame.collect().await.unwrap()
        });
        black_box(found);
    }
    let rows: usize = batches.iter().map(|b| b.batch.num_rows()).sum();
    rows as f64 / begin.elapsed().as_secs_f64()
}

fn snapshots() {
    let mut random = Random(7);
    let body = "sql: SELECT * FROM modbus WHERE direction = 'request' AND first_seen(client_ip, learn => '7 days')";
    let window = "sql: SELECT client_ip, count(*) AS n FROM modbus WHERE direction = 'request' GROUP BY client_ip, tumble(INTERVAL '30 days') HAVING count(*) > 100000";
    let steps = "sequence:\n  from: modbus\n  by: [client_ip]\n  within: 30d\n  steps:\n    - {name: a, where: \"direction = 'request'\"}\n    - {name: b, where: \"direction = 'response'\"}\n";
    for (name, body) in [
        ("first-seen keys", body),
        ("groups", window),
        ("begun sequences", steps),
    ] {
        let mut detector = compile(&[body.to_owned()]);
        let mut out = Vec::new();
        let mut keys = 0_u64;
        let before = detector.bytes();
        for at in 0..128 {
            let mut builders = Builders::with_capacity(ROWS);
            for n in 0..ROWS {
                let common = Common {
                    row_no: keys,
                    event_time: START + at * FRAME_NS + n as i64,
                    direction: Direction::Request,
                    client_ip: Some(host(keys)),
                    function: Function(101),
                    ..Default::default()
                };
                keys += u64::from(keys < 999_999);
                builders.modbus.append(
                    &common,
                    &modbus::Row {
                        unit_id: random.below(9) as u8,
                        ..Default::default()
                    },
                );
            }
            let batch = builders.finish().unwrap().remove(0);
            let frame = Frame {
                site: "default".into(),
                sensor: "bench".into(),
                seq: 0,
                watermark: START + (at + 1) * FRAME_NS,
                batches: vec![batch],
            };
            detector.frame(&frame, 0, &mut out);
        }
        let bytes = detector.bytes() - before;
        let begin = Instant::now();
        let frozen = detector.freeze();
        let paused = begin.elapsed();
        let begin = Instant::now();
        let parts = frozen.into_parts();
        let written = begin.elapsed();
        let size: usize = parts.iter().map(|p| p.rows.get_array_memory_size()).sum();
        let mut fresh = compile(&[body.to_owned()]);
        let begin = Instant::now();
        fresh.restore(&parts).unwrap();
        println!(
            "{:>9} {name:<18} {:>4} bytes each in memory; frozen in {:>4.0} ms, made into parts in {:>4.0} ms, {:>4.0} MiB, put back in {:>4.0} ms",
            keys + 1,
            bytes as u64 / (keys + 1),
            paused.as_secs_f64() * 1e3,
            written.as_secs_f64() * 1e3,
            size as f64 / f64::from(1 << 20),
            begin.elapsed().as_secs_f64() * 1e3
        );
    }
}

fn main() {
    let mut random = Random(1);
    let batches: Vec<TableBatch> = (0..FRAMES)
        .map(|n| rows(&mut random, ROWS, n, HOSTS))
        .collect();
    let all = frames(&batches);
    println!(
        "{} rows, {HOSTS} hosts, {} s of event time, one core",
        ROWS * FRAMES,
        FRAMES * 4
    );

    let (bodies, plain): (Vec<String>, Vec<String>) = windows(50, true).into_iter().unzip();
    let ran = run(&mut compile(&bodies), &all);
    show("50 windows over 10 key sets, 5 % of rows each", &ran);
    if std::env::args().any(|a| a == "windows") {
        return;
    }
    if std::env::args().any(|a| a == "snapshots") {
        return snapshots();
    }
    let few = 32;
    let query = plain_queries(&batches[..few], &plain);
    println!(
        "    DataFusion's GROUP BY, all rows at once {:>6.2} million rows/s, ratio {:.1} x",
        query / 1e6,
        ran.rate / query
    );
    let (bodies, _): (Vec<String>, Vec<String>) = windows(50, false).into_iter().unzip();
    show(
        "    the same, firing at the close",
        &run(&mut compile(&bodies), &all),
    );
    let (bodies, _): (Vec<String>, Vec<String>) = windows(1000, true).into_iter().unzip();
    show(
        "    the same, all rows pass each",
        &run(&mut compile(&bodies), &all[..32]),
    );

    show(
        "50 sequences of 5 steps, 60,000 keys",
        &run(&mut compile(&sequences()), &all),
    );

    let mut mix = stateless();
    mix.extend(windows(50, true).into_iter().map(|w| w.0));
    mix.extend(sequences());
    mix.extend(first_seen());
    show(
        "300 stateless, 50 windows, 50 sequences, 20 first-seen",
        &run(&mut compile(&mix), &all),
    );

    snapshots();

    let mut small: Vec<Detector> = (0..200).map(|_| compile(&mix)).collect();
    let batch = |random: &mut Random, at| rows(random, 100, at, 300);
    let seconds = 20;
    let mut spent = Duration::ZERO;
    let mut out = Vec::new();
    for at in 0..seconds {
        for detector in &mut small {
            let batch = batch(&mut random, at);
            let frame = &frames(&[batch])[0];
            let frame = Frame {
                watermark: START + (at as i64 + 1) * FRAME_NS,
                ..frame.clone()
            };
            let begin = Instant::now();
            detector.frame(&frame, 0, &mut out);
            spent += begin.elapsed();
            out.clear();
        }
    }
    println!(
        "200 partitions, 100 rows/s each: {:.1} % of a core",
        spent.as_secs_f64() / seconds as f64 * 100.0
    );
}

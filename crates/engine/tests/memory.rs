//! Windows, sequences and first-seen rules against plain descriptions of what they mean,
//! worked out over all rows at once; and: however rows are shuffled within what the
//! watermarks allow, cut into frames, and state is taken out and put back, the findings
//! are the same, in the same order.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "memory/naive.rs"]
mod naive;

use proptest::prelude::*;
use serde_json::json;
use telltale_engine::Detector;
use telltale_engine::detector::Config;
use telltale_rules::{Finding, RuleSet, Site};
use telltale_schema::value::{RowDefaults, RowValues, batch, row_from_json};
use telltale_schema::{Frame, TableId};

const SECOND: i64 = 1_000_000_000;
const FUNCTIONS: [&str; 4] = [
    "read_coils",
    "write_single_coil",
    "write_single_register",
    "read_device_identification",
];

/// A row, before it is one.
#[derive(Debug, Clone)]
pub struct Given {
    pub sensor: u8,
    /// Quarters of a second.
    pub at: u16,
    pub client: u8,
    pub server: u8,
    pub unit: u8,
    pub object: u16,
    pub function: usize,
}

impl Given {
    pub fn time(&self) -> i64 {
        1_767_254_400 * SECOND + i64::from(self.at) * SECOND / 4
    }
    pub fn function(&self) -> &'static str {
        FUNCTIONS[self.function]
    }
}

pub fn given() -> impl Strategy<Value = Given> {
    (
        0..2_u8,
        0..200_u16,
        0..3_u8,
        0..2_u8,
        0..6_u8,
        0..3_u16,
        0..FUNCTIONS.len(),
    )
        .prop_map(
            |(sensor, at, client, server, unit, object, function)| Given {
                sensor,
                at,
                client,
                server,
                unit,
                object,
                function,
            },
        )
}

fn row(given: &Given, row_no: u64) -> RowValues {
    let json = json!({
        "function": given.function(),
        "client_ip": format!("10.0.0.{}", given.client),
        "server_ip": format!("10.0.1.{}", given.server),
        "unit_id": given.unit,
        "object_first": given.object,
        "sensor": format!("s{}", given.sensor),
    });
    let defaults = RowDefaults {
        row_no,
        event_time: given.time(),
    };
    row_from_json(TableId::Modbus, json.as_object().unwrap(), &defaults).unwrap()
}

fn rule_file(number: usize, body: &str) -> String {
    format!(
        "id: 00000000-0000-4000-8000-{number:012}\nname: rule {number}\ndescription: x\nseverity: low\nconfidence: low\nstatus: experimental\nscope: site\n{body}\nattack: []\nresponse: [x]\nsentence: x\ncorrelation_key: [server_ip]\ntests: []\n"
    )
}

pub fn rules(bodies: &[String]) -> RuleSet {
    let texts: Vec<(String, String)> = bodies
        .iter()
        .enumerate()
        .map(|(n, body)| (format!("rule{n}.yaml"), rule_file(n, body)))
        .collect();
    let (set, found) = RuleSet::from_texts(texts.iter().map(|(n, t)| (n.as_str(), t.as_str())));
    assert!(found.is_empty(), "{found:?}");
    set
}

pub fn detector(set: &RuleSet) -> Detector {
    let (detector, found) = Detector::compile(set, &Site::builtin_default(), Config::default());
    let text: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert!(found.is_empty(), "{}", text.join("\n"));
    detector
}

/// Rows of one sensor, numbered in the order of their times.
fn by_sensor(all: &[Given]) -> Vec<(String, Vec<(Given, u64)>)> {
    (0..2_u8)
        .map(|sensor| {
            let mut rows: Vec<Given> = all.iter().filter(|g| g.sensor == sensor).cloned().collect();
            rows.sort_by_key(Given::time);
            let rows = rows.into_iter().zip(0..).collect();
            (format!("s{sensor}"), rows)
        })
        .collect()
}

fn frame(sensor: &str, rows: &[(Given, u64)], watermark: i64) -> Frame {
    let values: Vec<RowValues> = rows.iter().map(|(g, n)| row(g, *n)).collect();
    let batches = if values.is_empty() {
        Vec::new()
    } else {
        vec![batch(TableId::Modbus, &values).unwrap()]
    };
    Frame {
        site: "default".into(),
        sensor: sensor.into(),
        seq: 0,
        watermark,
        batches,
    }
}

/// All rows of each sensor in one frame.
pub fn whole(all: &[Given]) -> Vec<Frame> {
    let mut frames: Vec<Frame> = by_sensor(all)
        .iter()
        .map(|(sensor, rows)| frame(sensor, rows, i64::MIN))
        .collect();
    frames.extend(
        by_sensor(all)
            .iter()
            .map(|(sensor, _)| frame(sensor, &[], i64::MAX)),
    );
    frames
}

/// The same rows in an order that watermarks allow, cut into small frames that take turns.
fn scattered(all: &[Given], jitter: &[u16], sizes: &[usize], turns: &[bool]) -> Vec<Frame> {
    let mut of_sensors: Vec<Vec<Frame>> = Vec::new();
    for (sensor, mut rows) in by_sensor(all) {
        let mut late = jitter.iter().cycle();
        rows.sort_by_cached_key(|(g, _)| g.at + late.next().unwrap());
        let mut frames = vec![frame(&sensor, &[], i64::MIN)];
        let mut sizes = sizes.iter().cycle();
        let mut left = rows.as_slice();
        while !left.is_empty() {
            let (now, rest) = left.split_at((*sizes.next().unwrap()).min(left.len()));
            let oldest = rest.iter().map(|(g, _)| g.time()).min().unwrap_or(i64::MAX);
            frames.push(frame(&sensor, now, oldest));
            left = rest;
        }
        frames.push(frame(&sensor, &[], i64::MAX));
        frames.reverse();
        of_sensors.push(frames);
    }
    // both sensors are there before either moves
    let mut out: Vec<Frame> = of_sensors.iter_mut().filter_map(Vec::pop).collect();
    let mut turns = turns.iter().cycle();
    while of_sensors.iter().any(|f| !f.is_empty()) {
        let first = usize::from(*turns.next().unwrap());
        let next = of_sensors[first]
            .pop()
            .or_else(|| of_sensors[1 - first].pop());
        out.extend(next);
    }
    out
}

/// What is compared of a finding.
pub fn shown(set: &RuleSet, f: &Finding) -> String {
    let extra: Vec<String> = [
        "n",
        "units",
        "least",
        "most",
        "total",
        "mean",
        "window_start",
        "window_end",
    ]
    .iter()
    .map(|name| format!("{name}={}", f.row.get(name)))
    .collect();
    let steps: Vec<String> = f
        .evidence
        .iter()
        .map(|e| format!("{}#{}", e.step, e.row_no))
        .collect();
    format!(
        "{} {} {:?} {:?} row {} client {} server {} {} steps {}",
        f.event_time,
        set.rules[f.rule].file,
        f.says,
        f.identity,
        f.row_no,
        f.row.get("client_ip"),
        f.row.get("server_ip"),
        extra.join(" "),
        steps.join(" ")
    )
}

pub fn run(set: &RuleSet, frames: &[Frame], cuts: &[bool]) -> Vec<String> {
    let mut detector = detector(set);
    let mut out = Vec::new();
    let mut cuts = cuts.iter().cycle();
    for frame in frames {
        detector.frame(frame, 0, &mut out);
        if *cuts.next().unwrap_or(&false) {
            let parts = detector.parts();
            detector = self::detector(set);
            let restored = detector.restore(&parts).unwrap();
            assert!(restored.left.is_empty(), "{:?}", restored.left);
            assert_eq!(detector.parts(), parts, "state put back is the same state");
        }
    }
    detector.finish(&mut out);
    assert_eq!(detector.counters().late, 0);
    assert_eq!(detector.counters().caught_up, 0);
    out.iter().map(|f| shown(set, f)).collect()
}

fn window_body(which: usize, size: i64, slide: i64, least: u32) -> String {
    let span = match which % 3 {
        0 => format!("tumble(INTERVAL '{size} seconds')"),
        1 => format!(
            "hop(INTERVAL '{} seconds', INTERVAL '{slide} seconds')",
            slide * 4
        ),
        _ => format!("session(INTERVAL '{size} seconds')"),
    };
    let having = [
        format!("count(*) >= {least}"),
        format!("count(DISTINCT unit_id) >= {least}"),
        format!("count(*) >= {least} AND max(object_first) > 1"),
        format!("count(*) = {least}"),
        format!("avg(unit_id) > {least} OR n < 2"),
        format!(
            "sum(unit_id) > {} AND count(DISTINCT object_first) >= 2",
            least * 3
        ),
        format!("NOT (count(*) < {least}) AND min(unit_id) <= 1"),
        format!("sum(unit_id) / count(*) >= {least}"),
    ];
    let keys = ["client_ip, server_ip", "client_ip", "server_ip, function"][which / 3 % 3];
    format!(
        "sql: |\n  SELECT {keys}, count(*) AS n, count(DISTINCT unit_id) AS units, min(unit_id) AS least, max(unit_id) AS most, sum(unit_id) AS total, avg(unit_id) AS mean\n  FROM modbus WHERE direction = 'request' AND object_first < 2\n  GROUP BY {keys}, {span}\n  HAVING {}",
        having[which / 9 % having.len()]
    )
}

fn window() -> impl Strategy<Value = String> {
    (0..72_usize, 1..9_i64, 1..4_i64, 1..5_u32)
        .prop_map(|(which, size, slide, least)| window_body(which, size, slide, least))
}

fn cases() -> u32 {
    std::env::var("TELLTALE_ORACLE_CASES")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(48)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    /// Shuffled, cut, interleaved, taken out and put back: equal findings.
    #[test]
    fn rows_may_come_in_any_way(
        all in prop::collection::vec(given(), 1..120),
        windows in prop::collection::vec(window(), 1..4),
        sequences in prop::collection::vec(naive::sequence(), 1..4),
        jitter in prop::collection::vec(0..12_u16, 1..9),
        sizes in prop::collection::vec(1..12_usize, 1..9),
        turns in prop::collection::vec(any::<bool>(), 1..9),
        cuts in prop::collection::vec(any::<bool>(), 1..9),
    ) {
        let mut bodies = windows;
        bodies.extend(sequences.iter().map(naive::Form::body));
        bodies.push("sql: |\n  SELECT * FROM modbus WHERE direction = 'request' AND operation = 'write' AND first_seen(client_ip, unit_id, ttl => '20 s', learn => '15 s')".to_owned());
        let set = rules(&bodies);
        let reference = run(&set, &whole(&all), &[]);
        let scattered = scattered(&all, &jitter, &sizes, &turns);
        prop_assert_eq!(&run(&set, &scattered, &[]), &reference);
        prop_assert_eq!(&run(&set, &scattered, &cuts), &reference);
    }

    /// Windows find what a plain description of them finds.
    #[test]
    fn windows_mean_what_they_say(
        all in prop::collection::vec(given(), 1..100),
        which in 0..72_usize, size in 1..9_i64, slide in 1..4_i64, least in 1..5_u32,
    ) {
        let body = window_body(which, size, slide, least);
        let set = rules(std::slice::from_ref(&body));
        let found = naive::brief(&set, &all);
        let wanted = naive::windows(&all, which, size, slide, least);
        prop_assert_eq!(found, wanted, "{}", body);
    }

    /// So do sequences.
    #[test]
    fn sequences_mean_what_they_say(
        all in prop::collection::vec(given(), 1..60),
        form in naive::sequence(),
    ) {
        let set = rules(&[form.body()]);
        let found = naive::matches(&set, &all);
        let wanted = naive::sequences(&all, &form);
        prop_assert_eq!(found, wanted, "{}", form.body());
    }
}

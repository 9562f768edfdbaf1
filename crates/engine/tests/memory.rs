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
#[path = "memory/recognize.rs"]
mod recognize;

use proptest::prelude::*;
use serde_json::json;
use telltale_engine::Detector;
use telltale_engine::detector::{Config, Counters};
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
    let (found, counters) = run_with(Config::default(), set, frames, cuts);
    assert_eq!((counters.late, counters.caught_up), (0, 0));
    found
}

/// The same with other bounds; and what was counted.
fn run_with(
    config: Config,
    set: &RuleSet,
    frames: &[Frame],
    cuts: &[bool],
) -> (Vec<String>, Counters) {
    let begin = || {
        let (detector, found) = Detector::compile(set, &Site::builtin_default(), config);
        assert!(found.is_empty(), "{}", found[0]);
        detector
    };
    let mut detector = begin();
    let mut out = Vec::new();
    let mut cuts = cuts.iter().cycle();
    for frame in frames {
        detector.frame(frame, 0, &mut out);
        if *cuts.next().unwrap_or(&false) {
            let parts = detector.parts();
            detector = begin();
            let restored = detector.restore(&parts).unwrap();
            assert!(restored.left.is_empty(), "{:?}", restored.left);
            let again = detector.parts();
            let names = |all: &[telltale_engine::detector::Part]| {
                all.iter().map(|p| p.name.clone()).collect::<Vec<_>>()
            };
            assert_eq!(names(&again), names(&parts));
            for (again, part) in again.iter().zip(&parts) {
                assert_eq!(again, part, "state put back is the same state");
            }
        }
    }
    detector.finish(&mut out);
    let counters = detector.counters();
    (out.iter().map(|f| shown(set, f)).collect(), counters)
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

    /// What finds no room depends on the rows alone, not on when state was put back.
    #[test]
    fn bounds_are_the_same_after_a_restart(
        all in prop::collection::vec(given(), 1..120),
        windows in prop::collection::vec(window(), 1..3),
        sequences in prop::collection::vec(naive::sequence(), 1..3),
        sizes in prop::collection::vec(1..12_usize, 1..9),
        turns in prop::collection::vec(any::<bool>(), 1..9),
        cuts in prop::collection::vec(any::<bool>(), 1..9),
        groups in 1..12_usize, keys in 1..5_usize, partials in 1..4_usize,
    ) {
        let mut bodies = windows;
        bodies.extend(sequences.iter().map(naive::Form::body));
        bodies.push("sql: |\n  SELECT * FROM modbus WHERE direction = 'request' AND first_seen(client_ip, unit_id, ttl => '9 s', learn => '15 s')".to_owned());
        let set = rules(&bodies);
        let limits = telltale_engine::Limits { groups, first_seen: keys, sequences: keys, partials };
        let config = Config { limits, ..Config::default() };
        let frames = scattered(&all, &[0], &sizes, &turns);
        let (reference, counted) = run_with(config, &set, &frames, &[]);
        let (found, again) = run_with(config, &set, &frames, &cuts);
        prop_assert_eq!(found, reference);
        prop_assert_eq!(again, counted);
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

/// Rules that stay keep what they remember when others come and go.
#[test]
fn other_rules_change_in_the_middle() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let strategy = (
        prop::collection::vec(given(), 40..120),
        window(),
        naive::sequence(),
        window(),
        0..40_usize,
    );
    runner
        .run(&strategy, |(all, stays, steps, goes, at)| {
            let before = rules(&[stays.clone(), steps.body(), goes]);
            let after = rules(&[stays, steps.body()]);
            let frames = scattered(&all, &[0], &[3], &[true, false]);
            let only = |found: Vec<String>| -> Vec<String> {
                found
                    .into_iter()
                    .filter(|f| !f.contains("rule2.yaml"))
                    .collect()
            };
            let wanted = only(run(&before, &frames, &[]));
            let mut detector = detector(&before);
            let mut out = Vec::new();
            let mut shown_so_far = Vec::new();
            for (n, frame) in frames.iter().enumerate() {
                if n == at {
                    shown_so_far.extend(out.drain(..).map(|f| shown(&before, &f)));
                    detector.reload(&after, &Site::builtin_default()).unwrap();
                }
                detector.frame(frame, 0, &mut out);
            }
            detector.finish(&mut out);
            let set = if at < frames.len() { &after } else { &before };
            shown_so_far.extend(out.iter().map(|f| shown(set, f)));
            prop_assert_eq!(only(shown_so_far), wanted);
            Ok(())
        })
        .unwrap();
}

/// A rule that is new, or means something else, says until when it may see too little;
/// a set that cannot run changes nothing.
#[test]
fn a_changed_rule_warms_up() {
    let body = |least: u32| {
        format!(
            "sql: |\n  SELECT client_ip, count(*) AS n FROM modbus WHERE direction = 'request'\n  GROUP BY client_ip, tumble(INTERVAL '20 seconds') HAVING count(*) >= {least}"
        )
    };
    let rows = |from: u16| -> Vec<Given> {
        (0..8)
            .map(|n| Given {
                sensor: 0,
                at: from + n,
                client: 0,
                server: 0,
                unit: 1,
                object: 0,
                function: 0,
            })
            .collect()
    };
    let numbered = |rows: Vec<Given>| rows.into_iter().zip(0..).collect::<Vec<_>>();
    let first = rules(&[body(100)]);
    let mut detector = detector(&first);
    let mut out = Vec::new();
    let until = |at: u16| {
        Given {
            at,
            ..rows(0)[0].clone()
        }
        .time()
    };
    detector.frame(&frame("s0", &numbered(rows(0)), until(8)), 0, &mut out);
    let broken = RuleSet::from_texts([(
        "x.yaml",
        rule_file(0, "sql: SELECT * FROM modbus WHERE nothing = 1").as_str(),
    )])
    .0;
    assert!(detector.reload(&broken, &Site::builtin_default()).is_err());
    let changed = rules(&[body(4)]);
    let restored = detector.reload(&changed, &Site::builtin_default()).unwrap();
    assert_eq!(
        restored.left.len(),
        3,
        "groups, values and open windows of the rule that changed"
    );
    detector.frame(&frame("s0", &numbered(rows(8)), until(200)), 0, &mut out);
    let fired: Vec<(u64, Option<i64>)> = out
        .iter()
        .map(|f| (f.row.get("n").as_u64().unwrap(), f.warming_until))
        .collect();
    let warm = Some(until(8) + 20 * SECOND);
    assert_eq!(
        fired,
        [(4, warm), (8, warm)],
        "it counts from its change on"
    );
}

/// A sensor that was away runs in a lane of its own; an absence that a clock found is
/// taken back when the row comes after all; rows older than their own sensor's
/// watermark are late.
#[test]
fn a_sensor_comes_back() {
    let silent = "sequence:\n  from: modbus\n  by: [client_ip, server_ip]\n  within: 10s\n  steps:\n    - {name: asked, where: \"function = 'read_coils'\"}\n    - {name: answered, absent: true, within: 5s, where: \"function = 'write_single_coil'\"}";
    let counted = "sql: |\n  SELECT client_ip, count(*) AS n FROM modbus WHERE direction = 'request'\n  GROUP BY client_ip, tumble(INTERVAL '10 seconds') HAVING count(*) >= 2";
    let set = rules(&[silent.to_owned(), counted.to_owned()]);
    let mut detector = detector(&set);
    let mut out = Vec::new();
    let one = |sensor, at, function| {
        let g = Given {
            sensor,
            at,
            client: 0,
            server: 0,
            unit: 1,
            object: 0,
            function,
        };
        (g.clone(), u64::from(g.at))
    };
    let time = |at: u16| one(0, at, 0).0.time();
    detector.frame(&frame("s0", &[one(0, 0, 0)], time(1)), 0, &mut out);
    detector.frame(&frame("s1", &[], time(1)), 0, &mut out);
    assert!(out.is_empty());
    // nobody says anything for two minutes of the log's clock
    detector.tick(120 * SECOND, &mut out);
    assert_eq!(out.len(), 1);
    assert!(out[0].provisional);
    let identity = out[0].identity.clone();
    out.clear();
    // s0 comes back: it had seen the answer, and more
    let back = [one(0, 4, 1), one(0, 5, 2), one(0, 6, 2)];
    detector.frame(&frame("s0", &back, time(40)), 121 * SECOND, &mut out);
    let says: Vec<_> = out.iter().map(|f| (f.says, f.delayed_by > 0)).collect();
    use telltale_rules::Says::{Fired, TakenBack};
    assert_eq!(says[..2], [(Fired, true), (TakenBack, true)], "{out:#?}");
    assert_eq!(out[1].identity, identity);
    let counters = detector.counters();
    assert_eq!((counters.caught_up, counters.late), (3, 0));
    detector.frame(
        &frame("s0", &[one(0, 7, 1)], time(41)),
        122 * SECOND,
        &mut out,
    );
    assert_eq!(detector.counters().late, 1);
}

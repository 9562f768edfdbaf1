use super::*;
use serde_json::json;
use telltale_schema::TableId;
use telltale_schema::value::{RowDefaults, row_from_json};

const RULE: &str = include_str!("../../../../rules/events/plc-stop.yaml");

pub(crate) fn finding(at_s: i64, client: &str, row_no: u64) -> Finding {
    let given = json!({"function": "plc_stop", "client_ip": client});
    let event_time = 1_767_254_400_000_000_000 + at_s * 1_000_000_000;
    let row = row_from_json(
        TableId::S7comm,
        given.as_object().unwrap(),
        &RowDefaults { row_no, event_time },
    )
    .unwrap();
    Finding::of_row(0, TableId::S7comm, row_no, event_time, row)
}

pub(crate) fn rules() -> RuleSet {
    RuleSet::from_texts([("plc-stop.yaml", RULE)]).0
}

fn run(findings: &[Finding], limits: Limits, site: &Site) -> (Vec<Alert>, Counters) {
    let rules = rules();
    let mut stage = Stage::new(&rules, site, limits);
    let mut out = Vec::new();
    for f in findings {
        stage.push(f, &mut out);
    }
    stage.finish(&mut out);
    (out, stage.counters().clone())
}

#[test]
fn repeated_findings_are_one_alert_with_an_update() {
    let findings: Vec<_> = (0..5)
        .map(|n| finding(n * 60, "10.0.0.9", n as u64))
        .chain([finding(4000, "10.0.0.9", 9)])
        .collect();
    let (alerts, counters) = run(&findings, Limits::default(), &Site::builtin_default());
    let records: Vec<_> = alerts.iter().map(|a| (a.record(), a.count)).collect();
    assert_eq!(
        records,
        [
            (RecordKind::Created, 1),
            (RecordKind::Updated, 5),
            (RecordKind::Created, 1)
        ]
    );
    assert_eq!(alerts[0].id, alerts[1].id);
    assert_ne!(alerts[0].id, alerts[2].id);
    assert_eq!(alerts[0].correlation_key, alerts[2].correlation_key);
    assert_eq!(
        (counters.findings, counters.suppressed, counters.created),
        (6, 4, 2)
    );
}

#[test]
fn ids_do_not_depend_on_the_run() {
    let site = Site::builtin_default();
    let (a, _) = run(&[finding(1, "10.0.0.9", 7)], Limits::default(), &site);
    let (b, _) = run(
        &[finding(0, "10.0.0.8", 1), finding(1, "10.0.0.9", 7)],
        Limits::default(),
        &site,
    );
    assert_eq!(a[0].id, b[1].id);
    assert_eq!(a[0].id.len(), 36);
}

#[test]
fn a_flood_is_capped_and_summed_up() {
    let findings: Vec<_> = (0..250)
        .map(|n| finding(n, &format!("10.0.{}.{}", n / 200, n % 200), n as u64))
        .collect();
    let limits = Limits {
        cap: 10,
        ..Limits::default()
    };
    let (alerts, counters) = run(&findings, limits, &Site::builtin_default());
    assert_eq!(alerts.len(), 11);
    assert_eq!(alerts[10].summarises, 240);
    assert_eq!(
        counters.created + counters.capped,
        250,
        "nothing is lost uncounted"
    );
    let limits = Limits {
        max_suppressions: 5,
        ..Limits::default()
    };
    let (_, counters) = run(&findings, limits, &Site::builtin_default());
    assert_eq!(counters.closed_early, 245);
}

#[test]
fn exceptions_cover_until_they_expire() {
    let dir = std::env::temp_dir().join(format!("telltale-stage-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("site.toml"), "name = \"x\"\n").unwrap();
    std::fs::write(dir.join("exceptions.yaml"), "- {rule: \"*\", match: {client_ip: 10.0.0.0/24}, reason: test bench, owner: me, expires: 2026-01-02}\n").unwrap();
    let (site, found) = Site::load(&dir).unwrap();
    assert!(found.is_empty(), "{found:?}");
    let findings = [
        finding(0, "10.0.0.9", 0),
        finding(0, "10.9.0.9", 1),
        finding(200_000, "10.0.0.9", 2),
    ];
    let (alerts, counters) = run(&findings, Limits::default(), &site.unwrap());
    assert_eq!((alerts.len(), counters.excepted), (2, 1));
    std::fs::remove_dir_all(&dir).unwrap();
}

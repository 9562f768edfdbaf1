//! What becomes of alerts: totals, withdrawals, planned work, risk, other rules.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test"
)]

mod common;

use common::{S, START, back, plain, rules, run, silence, site, totals, window};
use std::sync::Arc;
use telltale_alert::v1::RecordKind::{Closed, Created, Updated};
use telltale_alert::{Alert, Limits, Stage};
use telltale_rules::{Finding, RuleSet};

const NO_RISK: &str = "threshold = 0";

fn records(findings: &[Finding]) -> Vec<Alert> {
    run(&site(NO_RISK), findings, Limits::default()).0
}

fn kinds(alerts: &[Alert]) -> Vec<(telltale_alert::v1::RecordKind, u64)> {
    alerts.iter().map(|a| (a.record(), a.count)).collect()
}

#[test]
fn totals_renew_values_sentence_and_last_time() {
    for rule in [0, 1] {
        let fired = window(rule, 100, "10.0.0.1", 0, 5);
        let alerts = records(&[fired.clone(), totals(&fired, 9)]);
        assert_eq!(kinds(&alerts), [(Created, 1), (Updated, 1)]);
        assert_eq!(alerts[0].id, alerts[1].id);
        assert_eq!(
            alerts[0].sentence,
            "Laptop (10.0.0.1) asked 5 units with read_coils, 2 registers each, from 2026-01-01 08:00:00 UTC"
        );
        assert_eq!(
            alerts[1].sentence,
            "Laptop (10.0.0.1) asked 9 units with read_coils, 1.111 registers each, from 2026-01-01 08:00:00 UTC"
        );
        assert_eq!(alerts[1].last_ns, START + 600 * S);
        let fields = &alerts[1].evidence[0].fields;
        let value = |name: &str| &fields.iter().find(|f| f.name == name).unwrap().value;
        assert_eq!(
            (value("units").as_str(), value("object").as_str()),
            ("9", "coil:0..9")
        );
        // the same values are nothing new
        let alerts = records(&[fired.clone(), totals(&fired, 5)]);
        assert_eq!(kinds(&alerts), [(Created, 1)]);
    }
}

#[test]
fn totals_after_the_suppression_still_renew() {
    let fired = window(0, 100, "10.0.0.1", 0, 5);
    let mut late = totals(&fired, 9);
    late.event_time = START + 5000 * S;
    let more = plain(4, 2000, "10.0.0.2");
    let again = window(0, 200, "10.0.0.1", 1, 5);
    let alerts = records(&[fired, again, more, late.clone(), late]);
    let mine: Vec<Alert> = alerts
        .into_iter()
        .filter(|a| a.sentence.contains("asked"))
        .collect();
    assert_eq!(kinds(&mine), [(Created, 1), (Updated, 2), (Updated, 2)]);
    assert!(mine[2].sentence.contains("9 units"), "{}", mine[2].sentence);
}

#[test]
fn what_totals_have_said_is_not_said_again() {
    let (a, b) = (
        window(0, 1, "10.0.0.1", 0, 5),
        window(0, 2, "10.0.0.1", 1, 5),
    );
    let alerts = records(&[a.clone(), b, totals(&a, 9)]);
    assert_eq!(kinds(&alerts), [(Created, 1), (Updated, 2)]);
}

#[test]
fn totals_of_a_joined_window_are_merged_and_of_a_silent_one_not_said() {
    let (a, b) = (
        window(0, 500, "10.0.0.1", 0, 5),
        window(0, 700, "10.0.0.1", 600, 5),
    );
    let alerts = records(&[a, b.clone(), totals(&b, 9)]);
    assert_eq!(kinds(&alerts), [(Created, 1), (Updated, 2)]);
    assert_eq!(alerts[1].last_ns, START + 1200 * S);
    assert!(alerts[1].sentence.contains("asked 5 units"));
    let bench = window(0, 100, "10.0.0.4", 0, 5);
    let (alerts, counters) = run(
        &site(NO_RISK),
        &[bench.clone(), totals(&bench, 9)],
        Limits::default(),
    );
    assert_eq!(
        (alerts.len(), counters.excepted, counters.unsaid),
        (0, 1, 1)
    );
    let all = [
        window(0, 1, "10.0.0.1", 0, 5),
        window(0, 2, "10.0.0.2", 0, 5),
    ];
    let limits = Limits {
        cap: 1,
        ..Limits::default()
    };
    let joined = window(0, 3, "10.0.0.2", 1, 5);
    let findings = [all[0].clone(), all[1].clone(), joined, totals(&all[1], 9)];
    let (alerts, counters) = run(&site(NO_RISK), &findings, limits);
    assert_eq!(
        kinds(&alerts),
        [(Created, 1), (Created, 1)],
        "nothing of the one beyond the cap"
    );
    assert_eq!(
        (alerts[1].summarises, counters.capped, counters.unsaid),
        (1, 1, 1)
    );
    let (_, counters) = run(&site(NO_RISK), &[totals(&all[0], 9)], Limits::default());
    assert_eq!((counters.unmatched, counters.findings), (1, 0));
}

#[test]
fn what_was_wrong_is_closed() {
    let silent = silence(10, "10.0.0.1");
    let (alerts, counters) = run(
        &site(NO_RISK),
        &[silent.clone(), back(&silent, 50)],
        Limits::default(),
    );
    assert_eq!(kinds(&alerts), [(Created, 1), (Closed, 0)]);
    assert_eq!(alerts[0].id, alerts[1].id);
    assert!(alerts[0].provisional && alerts[1].sentence.starts_with("Taken back"));
    assert_eq!((counters.taken_back, counters.closed), (1, 1));
    assert_eq!(
        alerts[0].sentence,
        "Laptop (10.0.0.1) looked with read_coils at coil:3, then wrote coil:3"
    );
    // the own row is the last step's row: it is there once
    let steps: Vec<_> = alerts[0].evidence.iter().map(|e| e.step.as_str()).collect();
    assert_eq!(steps, ["looked", "wrote"]);
}

#[test]
fn one_of_several_that_was_wrong_is_one_less() {
    let provisional = |at: i64, start| {
        let mut f = window(0, at, "10.0.0.1", start, 5);
        f.provisional = true;
        f
    };
    let (a, b) = (provisional(1, 0), provisional(2, 1));
    let alerts = records(&[a.clone(), b.clone(), back(&a, 3)]);
    assert_eq!(kinds(&alerts), [(Created, 1), (Updated, 1)]);
    assert!(
        alerts[1]
            .sentence
            .starts_with("The first was taken back, 1 of the kind remain")
    );
    let alerts = records(&[a.clone(), b.clone(), back(&b, 3)]);
    assert_eq!(kinds(&alerts), [(Created, 1)], "one is what was said");
    let alerts = records(&[a.clone(), b.clone(), back(&a, 3), back(&b, 4)]);
    assert_eq!(kinds(&alerts), [(Created, 1), (Updated, 1), (Closed, 0)]);
    // the same group fires again, from a sensor that came back; with and without suppression
    let twice = window(1, 1, "10.0.0.1", 0, 5);
    let alerts = records(&[twice.clone(), twice.clone()]);
    assert_eq!(kinds(&alerts), [(Created, 1), (Updated, 2)]);
    let alerts = records(&[twice.clone(), twice.clone(), totals(&twice, 5)]);
    assert_eq!(kinds(&alerts), [(Created, 1), (Updated, 2)]);
    let alerts = records(&[a.clone(), a]);
    assert_eq!(kinds(&alerts), [(Created, 1), (Updated, 2)]);
}

#[test]
fn planned_work_lowers_and_hides_nothing() {
    let findings = [7100, 7150, 7300].map(|at| plain(3, at, "10.0.0.1"));
    let (alerts, counters) = run(&site(NO_RISK), &findings, Limits::default());
    let said: Vec<_> = alerts
        .iter()
        .map(|a| {
            (
                a.record(),
                a.severity_name.as_str(),
                a.lowered_by.as_str(),
                a.risk,
            )
        })
        .collect();
    assert_eq!(
        said,
        [
            (Created, "info", "maintenance", 5),
            (Created, "high", "", 50),
            (Updated, "info", "maintenance", 5),
        ]
    );
    assert_eq!(counters.lowered, 1);
}

#[test]
fn a_devices_alerts_add_up_to_one() {
    let silent = silence(60, "10.0.0.1");
    let findings = [
        plain(4, 0, "10.0.0.1"),
        plain(4, 1300, "10.0.0.1"),
        plain(5, 1310, "10.0.0.1"),
        plain(5, 1320, "10.0.0.2"),
        plain(6, 1330, "10.0.0.1"),
        plain(7, 1540, "10.0.0.1"),
        plain(3, 1541, "10.0.0.1"),
        plain(3, 90_000, "10.0.0.1"),
    ];
    let (alerts, counters) = run(&site("threshold = 100"), &findings, Limits::default());
    let risk: Vec<&Alert> = alerts
        .iter()
        .filter(|a| a.rule.as_ref().unwrap().id == "risk")
        .collect();
    let said: Vec<_> = risk.iter().map(|a| (a.record(), a.count, a.risk)).collect();
    // 10 + 40 + 5 + 50, then 50 more
    assert_eq!(said, [(Created, 4, 105), (Updated, 5, 155)]);
    assert_eq!(risk[0].id, risk[1].id);
    assert_eq!((risk[1].attack.len(), counters.risks), (4, 1));
    assert_eq!(
        risk[0].sentence,
        "Laptop (10.0.0.1) did 4 things in 25 minutes that together weigh 105 points (an alert from 100): \
         first wrote holding_register:7 with write_single_register; \
         then wrote holding_register:7 with write_single_register; \
         then wrote holding_register:7 with write_single_register; \
         last wrote holding_register:7 with write_single_register"
    );
    // what was taken back weighs nothing; what is in a shadow neither
    let findings = [
        silent.clone(),
        back(&silent, 100),
        plain(5, 200, "10.0.0.1"),
    ];
    let (_, counters) = run(&site("threshold = 100"), &findings, Limits::default());
    assert_eq!(counters.risks, 0);
    let findings: Vec<Finding> = (0..30)
        .map(|n| plain(5, n, &format!("10.0.1.{n}")))
        .collect();
    let (_, counters) = run(&site("max_entities = 7"), &findings, Limits::default());
    assert_eq!(counters.risk_evicted, 23);
    let (alerts, _) = run(
        &site("threshold = 40"),
        &findings,
        Limits {
            cap: 10,
            ..Limits::default()
        },
    );
    let risks = alerts
        .iter()
        .filter(|a| a.rule.as_ref().unwrap().id == "risk");
    assert_eq!(
        risks.count(),
        10,
        "beyond the cap of rule 6 nothing is told, and adds nothing"
    );
}

#[test]
fn a_flood_that_comes_late_is_capped_too() {
    let (rules, site) = (rules(), site(NO_RISK));
    let limits = Limits {
        cap: 2,
        ..Limits::default()
    };
    let mut stage = Stage::new(&rules, &site, limits);
    let mut out = Vec::new();
    for n in 0..9 {
        // the site has gone on, and the sensor brings rows of six hours ago
        stage.advance(START + (21_600 + n) * S, &mut out);
        stage.push(&plain(5, n, "10.0.0.1"), &mut out);
    }
    assert_eq!(out.len(), 2);
    stage.finish(&mut out);
    assert_eq!((out.len(), out[2].summarises), (3, 7));
}

#[test]
fn other_rules_leave_what_they_do_not_change() {
    let (rules, site) = (rules(), site(NO_RISK));
    let mut out = Vec::new();
    let mut stage = Stage::new(&rules, &site, Limits::default());
    for finding in [
        plain(3, 0, "10.0.0.1"),
        plain(4, 1, "10.0.0.1"),
        plain(3, 2, "10.0.0.1"),
        plain(4, 3, "10.0.0.1"),
        window(1, 4, "10.0.0.4", 0, 5),
    ] {
        stage.push(&finding, &mut out);
    }
    assert_eq!(kinds(&out), [(Created, 1), (Created, 1)]);
    // rule 3 is another version, rules 0 to 2 are gone: indexes change
    let mut other = RuleSet {
        rules: rules.rules.iter().skip(3).cloned().collect(),
    };
    other.rules[0].version = "2.0.0".to_owned();
    let state = stage.take_state().unwrap();
    let mut restored = Stage::new(&other, &site, Limits::default());
    let mut from_state = Vec::new();
    let taken = restored.put_state(&state, &mut from_state).unwrap();
    // suppression and cap of rule 3, the excepted window of rule 1
    assert_eq!((taken.taken, taken.dropped), (2, 3));
    out.clear();
    let mut stage = stage.reload(Arc::new(other.clone()), Arc::new(site.clone()), &mut out);
    assert_eq!(kinds(&out), [(Updated, 2)], "what was joined is said");
    assert_eq!(out, from_state);
    assert_eq!(
        (stage.counters(), stage.exception_hits()),
        (restored.counters(), &[1][..])
    );
    stage.push(&plain(1, 5, "10.0.0.1"), &mut out);
    stage.finish(&mut out);
    assert_eq!(kinds(&out), [(Updated, 2), (Updated, 3)]);
}

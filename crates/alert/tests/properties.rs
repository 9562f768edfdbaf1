//! Cut, taken out and put back, watched by a clock: always the same records.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test"
)]

mod common;

use common::{START, back, plain, rules, run, silence, site, totals, window};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use telltale_alert::v1::RecordKind;
use telltale_alert::{Alert, Limits, Stage};
use telltale_rules::{Finding, Says};

/// Findings with rising times; of those that may be spoken of again, some are.
fn findings(again: bool) -> impl Strategy<Value = Vec<Finding>> {
    let op = (
        // no row is found twice
        1..400_i64,
        prop::sample::select(vec![0_usize, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 8, 8, 10, 10]),
        prop::sample::select(vec![1_u8, 1, 1, 2, 4]),
        5..9_u64,
        any::<prop::sample::Index>(),
    );
    prop::collection::vec(op, 1..60).prop_map(move |ops| {
        let (mut at, mut out, mut groups) = (0, Vec::<Finding>::new(), Vec::<Finding>::new());
        for (dt, what, client, units, nth) in ops {
            at += dt;
            let client = format!("10.0.0.{client}");
            let of = (!groups.is_empty() && again).then(|| groups[nth.index(groups.len())].clone());
            let finding = match (what, of) {
                (0 | 1, _) => window(what, at, &client, at / 600 * 600, units),
                (2, _) => silence(at, &client),
                (3..8, _) => plain(what, at, &client),
                (8 | 9, Some(of)) if of.rule != 2 => {
                    let mut totals = totals(&of, units);
                    totals.event_time = totals.event_time.max(START + at * common::S);
                    at = (totals.event_time - START) / common::S;
                    totals
                }
                (10, Some(of)) => back(&of, at),
                _ => plain(4, at, &client),
            };
            if what < 3 {
                groups.push(finding.clone());
            }
            out.push(finding);
        }
        out
    })
}

fn small() -> Limits {
    Limits {
        cap: 3,
        cap_window_ns: 3_000_000_000_000,
        max_suppressions: 4,
    }
}

const RISK: &str = "threshold = 60\nwindow = \"1h\"\nmax_entities = 3";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn state_taken_out_and_put_back_changes_nothing(findings in findings(true), cuts in any::<u64>()) {
        let (rules, site) = (rules(), site(RISK));
        let mut whole = Stage::new(&rules, &site, small());
        let mut cut = Stage::new(&rules, &site, small());
        let (mut one, mut other) = (Vec::new(), Vec::new());
        for (n, finding) in findings.iter().enumerate() {
            whole.push(finding, &mut one);
            cut.push(finding, &mut other);
            if cuts >> (n % 64) & 1 == 1 {
                let state = cut.take_state().unwrap();
                cut = Stage::new(&rules, &site, small());
                let restored = cut.put_state(&state, &mut other).unwrap();
                prop_assert_eq!(restored.dropped, 0);
                prop_assert_eq!(&cut.take_state().unwrap(), &state);
            }
            prop_assert_eq!(&one, &other, "after {}", n);
        }
        // a reload with the same content is no change either
        let mut cut = cut.reload(Arc::new(rules.clone()), Arc::new(site.clone()), &mut other);
        prop_assert_eq!(whole.take_state().unwrap(), cut.take_state().unwrap());
        whole.finish(&mut one);
        cut.finish(&mut other);
        prop_assert_eq!(one, other);
        prop_assert_eq!(whole.counters(), cut.counters());
        prop_assert_eq!(whole.exception_hits(), cut.exception_hits());
        let c = whole.counters();
        prop_assert_eq!(c.created + c.suppressed + c.excepted + c.capped, c.findings);
    }

    #[test]
    fn a_watermark_between_findings_changes_nothing(
        findings in findings(true),
        marks in prop::collection::vec(0..=4_i64, 60),
    ) {
        let (rules, site) = (rules(), site(RISK));
        let (one, counters) = run(&site, &findings, small());
        let mut stage = Stage::new(&rules, &site, small());
        let mut other = Vec::new();
        for (n, finding) in findings.iter().enumerate() {
            let before = n.checked_sub(1).map_or(START, |n| findings[n].event_time);
            let gap = finding.event_time - before;
            stage.advance(before + gap / 4 * marks[n].min(3) + i64::from(marks[n] == 4) * gap / 4, &mut other);
            stage.push(finding, &mut other);
        }
        stage.finish(&mut other);
        prop_assert_eq!(one, other);
        prop_assert_eq!(&counters, stage.counters());
    }

    #[test]
    fn every_record_follows_its_created(findings in findings(true)) {
        // with room for all: what is forgotten may be told anew
        let limits = Limits { max_suppressions: 1000, ..small() };
        let (records, counters) = run(&site(RISK), &findings, limits);
        let mut state: BTreeMap<&str, RecordKind> = BTreeMap::new();
        for alert in &records {
            let before = state.insert(&alert.id, alert.record());
            match alert.record() {
                RecordKind::Created => prop_assert!(before.is_none() || before == Some(RecordKind::Closed)),
                _ => prop_assert!(before.is_some() && before != Some(RecordKind::Closed), "{:?}", alert),
            }
        }
        let said = findings.iter().filter(|f| f.says != Says::Fired).count() as u64;
        prop_assert_eq!(counters.totals + counters.unsaid + counters.unmatched + counters.taken_back, said);
    }

    #[test]
    fn risk_is_what_a_plain_sum_over_all_alerts_is(findings in findings(false)) {
        let site = site("threshold = 60\nwindow = \"1h\"");
        let limits = Limits { cap: 1000, ..Limits::default() };
        let (records, _) = run(&site, &findings, limits);
        let is_risk = |a: &&Alert| a.rule.as_ref().unwrap().id == "risk";
        let told: Vec<Said> = records.iter().filter(is_risk).map(said).collect();
        prop_assert_eq!(told, naive(records.iter().filter(|a| !is_risk(a))));
    }
}

/// Time, device, record, points, and the alerts that took part.
type Said = (i64, String, RecordKind, u32, Vec<String>);

fn said(alert: &Alert) -> Said {
    let mut parts: Vec<String> = alert
        .evidence
        .iter()
        .map(|e| e.fields[0].value.clone())
        .collect();
    parts.sort();
    let device = alert.actor.as_ref().unwrap().value.clone();
    (alert.last_ns, device, alert.record(), alert.risk, parts)
}

/// For each alert: all alerts of its device since its window began, the highest of each rule.
fn naive<'a>(alerts: impl Iterator<Item = &'a Alert>) -> Vec<Said> {
    let all: Vec<&Alert> = alerts
        .filter(|a| a.record() == RecordKind::Created)
        .collect();
    let device = |a: &Alert| a.actor.as_ref().unwrap().value.clone();
    let mut out = Vec::new();
    for (n, alert) in all.iter().enumerate() {
        let mine: Vec<&Alert> = all[..=n]
            .iter()
            .copied()
            .filter(|a| device(a) == device(alert))
            .collect();
        // where the windows begin
        let mut start = i64::MIN;
        for a in &mine {
            if start == i64::MIN || a.event_time_ns >= start + 3_600_000_000_000 {
                start = a.event_time_ns;
            }
        }
        let best = |until: &[&Alert]| {
            let mut best: BTreeMap<String, Alert> = BTreeMap::new();
            for a in until.iter().filter(|a| a.event_time_ns >= start) {
                let rule = a.rule.as_ref().unwrap().id.clone();
                if best.get(&rule).is_none_or(|b| b.risk < a.risk) {
                    best.insert(rule, (*a).clone());
                }
            }
            best
        };
        let (before, now) = (best(&mine[..mine.len() - 1]), best(&mine));
        let sum = |of: &BTreeMap<String, Alert>| of.values().map(|a| a.risk).sum::<u32>();
        let record = match (sum(&before) >= 60, sum(&now) >= 60) {
            (false, true) => RecordKind::Created,
            (true, _) if now.len() > before.len() => RecordKind::Updated,
            _ => continue,
        };
        let mut parts: Vec<String> = now.values().map(|a| a.id.clone()).collect();
        parts.sort();
        let last = now.values().map(|a| a.event_time_ns).max().unwrap();
        out.push((last, device(alert), record, sum(&now), parts));
    }
    out
}

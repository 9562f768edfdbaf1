//! Records as people, programs and SIEMs read them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test"
)]

mod common;

use common::{S, back, plain, run, silence, site, totals, window};
use serde_json::Value;
use telltale_alert::encode::{Style, json, ocsf, text};
use telltale_alert::{Alert, Limits};

/// A window with its totals, a sequence that was wrong, planned work, and what they add up to.
fn story() -> Vec<Alert> {
    let mut scan = window(1, 100, "10.0.0.1", 0, 5);
    scan.warming_until = Some(scan.event_time + 500 * S);
    let silent = silence(1000, "10.0.0.1");
    let mut planned = plain(3, 3700, "10.0.0.1");
    planned.delayed_by = 6 * 3600 * S;
    let findings = [
        scan.clone(),
        totals(&scan, 9),
        silent.clone(),
        back(&silent, 1030),
        planned,
        plain(5, 3800, "10.0.0.1"),
        plain(7, 3900, "10.0.0.1"),
        plain(6, 4000, "10.0.0.1"),
    ];
    run(&site("threshold = 120"), &findings, Limits::default()).0
}

/// As JSON, the hashes of content left out: they change with any rule's text.
fn values(of: fn(&Alert) -> Value) -> Vec<Value> {
    let mut all: Vec<Value> = story().iter().map(of).collect();
    for value in &mut all {
        if let Some(context) = value.get_mut("context") {
            *context = "[hash]".into();
        }
        if let Some(hash) = value.get_mut("rule_set") {
            *hash = "[hash]".into();
        }
        if let Some(version) = value.pointer_mut("/metadata/product/version") {
            *version = "[version]".into();
        }
    }
    all
}

#[test]
fn as_people_read_them() {
    let style = Style {
        color: false,
        zone: chrono_tz::UTC,
    };
    let all: Vec<String> = story().iter().map(|a| text(a, style)).collect();
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn as_programs_read_them() {
    insta::assert_json_snapshot!(values(json));
}

#[test]
fn as_ocsf() {
    let all = values(ocsf);
    let uids: std::collections::BTreeSet<String> = all
        .iter()
        .map(|v| v["metadata"]["uid"].to_string())
        .collect();
    assert_eq!(uids.len(), all.len(), "each record has one of its own");
    insta::assert_json_snapshot!(all);
}

//! What the shipped rules say to 19 attack captures and 44 benign ones, under the built-in site.
//!
//! `expected.yaml` says what must be found; it was written before any rule. The captures are third-party and not part
//! of this repository: `TELLTALE_CAPTURES` names their folder (default `../shared/captures` beside the workspace).
//! Without them the test says so and passes. `make attacks` prints the table.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// At least so many of the attack captures are found by every technique named.
const ATTACKS_FOUND: usize = 15;
/// At least so many of the benign captures stay at or below `low`.
const BENIGN_QUIET: usize = 42;

#[derive(Deserialize)]
struct Expected {
    attack: Vec<Attack>,
    benign: Benign,
}

#[derive(Deserialize)]
struct Attack {
    file: String,
    must_find: Vec<Must>,
}

#[derive(Deserialize)]
struct Must {
    technique: String,
    stateful: bool,
}

#[derive(Deserialize)]
struct Benign {
    max_low: usize,
    captures: Vec<Capture>,
}

#[derive(Deserialize)]
struct Capture {
    file: String,
}

/// One alert as far as this test cares.
struct Fired {
    rule: String,
    severity: String,
    techniques: Vec<String>,
}

fn captures() -> Option<PathBuf> {
    let root = match std::env::var_os("TELLTALE_CAPTURES") {
        Some(dir) => PathBuf::from(dir),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/captures"),
    };
    let folder = root.join("captures");
    folder.is_dir().then_some(folder)
}

/// Replays one capture in a process of its own, as a user would.
fn replay(capture: &Path) -> Vec<Fired> {
    let output = Command::new(env!("CARGO_BIN_EXE_telltale"))
        .args(["--quiet", "replay", "--format", "json"])
        .arg(capture)
        .current_dir(env!("CARGO_TARGET_TMPDIR"))
        .output()
        .expect("telltale runs");
    assert!(
        output.status.success(),
        "{}: {}\n{}",
        capture.display(),
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).expect("alerts are UTF-8");
    text.lines()
        .filter_map(|line| fired(&serde_json::from_str(line).expect("a JSON object a line")))
        .collect()
}

/// A created alert; updates and closings of it are not counted again.
fn fired(alert: &Value) -> Option<Fired> {
    if alert["record"] != "created" {
        return None;
    }
    Some(Fired {
        rule: alert["rule"]["name"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
        severity: alert["severity"].as_str().unwrap_or_default().to_owned(),
        techniques: alert["attack"]
            .as_array()
            .map(|list| {
                list.iter()
                    .filter_map(|t| t["id"].as_str().map(str::to_owned))
                    .collect()
            })
            .unwrap_or_default(),
    })
}

/// "high 2, low 1" and the rules behind it.
fn summary(alerts: &[Fired]) -> String {
    let mut rules: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for alert in alerts {
        *rules.entry((&alert.severity, &alert.rule)).or_default() += 1;
    }
    let mut text = String::new();
    for ((severity, rule), count) in rules {
        write!(text, "\n      {severity:<8} {count:>3} × {rule}").expect("writing to a String");
    }
    text
}

#[test]
fn attacks_are_found_and_benign_captures_stay_quiet() {
    let Some(folder) = captures() else {
        println!("skipped: no third-party captures (set TELLTALE_CAPTURES to their folder)");
        return;
    };
    let here =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../integration-tests/attacks/expected.yaml");
    let expected: Expected =
        serde_saphyr::from_str(&std::fs::read_to_string(&here).expect("expected.yaml"))
            .expect("expected.yaml is valid");

    let (mut found, mut stateless) = (0, 0);
    for attack in &expected.attack {
        let alerts = replay(&folder.join(&attack.file));
        let named: BTreeSet<&str> = alerts
            .iter()
            .flat_map(|a| a.techniques.iter().map(String::as_str))
            .collect();
        let missing: Vec<String> = attack
            .must_find
            .iter()
            .filter(|must| !named.contains(must.technique.as_str()))
            .map(|must| {
                format!(
                    "{}{}",
                    must.technique,
                    if must.stateful {
                        " (takes counting)"
                    } else {
                        ""
                    }
                )
            })
            .collect();
        stateless += usize::from(attack.must_find.iter().all(|must| !must.stateful));
        found += usize::from(missing.is_empty());
        let want: Vec<&str> = attack
            .must_find
            .iter()
            .map(|must| must.technique.as_str())
            .collect();
        let verdict = if missing.is_empty() {
            "found".to_owned()
        } else {
            format!("NOT found: {}", missing.join(", "))
        };
        println!(
            "attack  {}\n    wants {}: {verdict}{}",
            attack.file,
            want.join(", "),
            summary(&alerts)
        );
    }

    let (mut quiet, mut noisy) = (0, Vec::new());
    for capture in &expected.benign.captures {
        let alerts = replay(&folder.join(&capture.file));
        let low = alerts.iter().filter(|a| a.severity == "low").count();
        let above = alerts
            .iter()
            .filter(|a| !matches!(a.severity.as_str(), "low" | "info"))
            .count();
        quiet += usize::from(above == 0);
        if low > expected.benign.max_low {
            noisy.push(format!("{} ({low} low)", capture.file));
        }
        println!(
            "benign  {}: {above} above low, {low} low{}",
            capture.file,
            summary(&alerts)
        );
    }

    println!(
        "\n{found} of {} attack captures found by every technique named ({stateless} can be without memory); \
         {quiet} of {} benign captures with nothing above low",
        expected.attack.len(),
        expected.benign.captures.len()
    );
    assert!(
        found >= ATTACKS_FOUND,
        "{found} attack captures found, {ATTACKS_FOUND} wanted"
    );
    assert!(
        quiet >= BENIGN_QUIET,
        "{quiet} benign captures quiet, {BENIGN_QUIET} wanted"
    );
    assert!(
        noisy.is_empty(),
        "more than {} low alerts: {}",
        expected.benign.max_low,
        noisy.join(", ")
    );
}

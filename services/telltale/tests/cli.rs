//! The command as a user types it, on the demo's capture.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn telltale(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_telltale"))
        .args(args)
        .current_dir(env!("CARGO_TARGET_TMPDIR"))
        .output()
        .unwrap()
}

fn path(name: &str) -> String {
    root().join(name).to_str().unwrap().to_owned()
}

fn replay(extra: &[&str]) -> Output {
    let (capture, site) = (path("demo/plant.pcapng"), path("sites/demo"));
    let mut args = vec!["replay", &capture, "--site", &site, "--format", "json"];
    args.extend(extra);
    telltale(&args)
}

fn lines(output: &Output) -> Vec<Value> {
    let text = std::str::from_utf8(&output.stdout).unwrap();
    text.lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect()
}

#[test]
fn the_same_alerts_to_the_byte_whatever_the_threads() {
    let one = replay(&["--threads", "1"]);
    let two = replay(&["--threads", "2"]);
    assert!(one.status.success() && !one.stdout.is_empty());
    assert_eq!(one.stdout, two.stdout);
    // however rows are cut into frames, the same alerts are created
    let small = Command::new(env!("CARGO_BIN_EXE_telltale"))
        .args([
            "replay",
            &path("demo/plant.pcapng"),
            "--site",
            &path("sites/demo"),
            "--format",
            "json",
        ])
        .env("TELLTALE_CAPTURE__FLUSH_ROWS", "7")
        .current_dir(env!("CARGO_TARGET_TMPDIR"))
        .output()
        .unwrap();
    let created = |output: &Output| -> Vec<String> {
        let all = lines(output)
            .into_iter()
            .filter(|a| a["record"] == "created");
        all.map(|a| a["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(created(&one), created(&small));
}

#[test]
fn the_story_is_told_and_the_engineer_is_not_accused() {
    let alerts = lines(&replay(&[]));
    let says = |words: &str| {
        alerts
            .iter()
            .any(|a| a["sentence"].as_str().unwrap().contains(words))
    };
    assert!(says("told the controller PLC-2 (10.20.1.32) to stop"));
    assert!(says(
        "Tank 1 level setpoint = 98 %, outside its limits of 20 to 85"
    ));
    assert!(says("restarted the outstation RTU-1"));
    // ENG-1 works inside the maintenance window: stop, download and start by it are silent
    assert!(
        alerts.iter().all(|a| a["actor"]["name"] != "ENG-1"),
        "{alerts:#?}"
    );
}

#[test]
fn evidence_is_a_capture_that_decodes() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().to_str().unwrap();
    let alerts = lines(&replay(&["--evidence-dir", out]));
    let stop = alerts
        .iter()
        .find(|a| a["rule"]["name"] == "A controller was told to stop")
        .unwrap();
    let file = dir
        .path()
        .join(format!("{}.pcapng", stop["id"].as_str().unwrap()));
    let decoded = telltale(&["decode", file.to_str().unwrap(), "--table", "s7comm"]);
    assert!(decoded.status.success());
    assert!(
        lines(&decoded)
            .iter()
            .any(|row| row["function"] == "plc_stop")
    );
}

#[test]
fn exit_codes_tell_scripts() {
    assert_eq!(replay(&["--fail-on", "high"]).status.code(), Some(3));
    let one = path("rules/events/plc-stop.yaml");
    let only = ["--rules", &one, "--fail-on", "critical"];
    assert_eq!(replay(&only).status.code(), Some(0));
    assert_eq!(telltale(&["replay"]).status.code(), Some(2));
    assert_eq!(
        telltale(&["decode", "no-such-file.pcap"]).status.code(),
        Some(1)
    );
    // a cut file: what is there is read, and the end is told
    let whole = std::fs::read(path("demo/plant.pcapng")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let cut = dir.path().join("cut.pcapng");
    std::fs::write(&cut, whole.get(..whole.len() / 2 + 1).unwrap()).unwrap();
    let output = telltale(&["decode", cut.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let rows = lines(&output);
    assert!(rows.len() > 500);
    assert!(
        rows.iter()
            .any(|r| r["table"] == "packet_error" && r["error_code_text"] == "TT-CAP-003")
    );
    assert!(String::from_utf8_lossy(&output.stderr).contains("damaged after packet"));
}

#[test]
fn every_row_format_holds_the_same_rows() {
    let dir = tempfile::tempdir().unwrap();
    let capture = path("demo/plant.pcapng");
    let rows = lines(&telltale(&["decode", &capture, "--table", "modbus"])).len();
    assert!(rows > 600);
    let csv = telltale(&["decode", &capture, "--table", "modbus", "--format", "csv"]);
    assert_eq!(
        std::str::from_utf8(&csv.stdout).unwrap().lines().count(),
        rows + 1
    );
    for format in ["arrow", "parquet"] {
        let folder = format!("{}/{format}/", dir.path().display());
        let output = telltale(&["decode", &capture, "--format", format, "--out", &folder]);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let bytes = std::fs::read(format!("{folder}modbus.{format}")).unwrap();
        let magic: &[u8] = if format == "arrow" {
            b"ARROW1"
        } else {
            b"PAR1"
        };
        assert!(
            bytes.starts_with(magic) && bytes.ends_with(magic),
            "{format}"
        );
    }
    let wrong = telltale(&["decode", &capture, "--table", "modbuss"]);
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("did you mean `modbus`"));
}

#[test]
fn a_rule_is_made_linted_tested_and_explained() {
    let dir = tempfile::tempdir().unwrap();
    let rule = dir.path().join("r.yaml");
    let file = rule.to_str().unwrap();
    assert!(
        telltale(&["rule", "new", "A new rule", "--out", file])
            .status
            .success()
    );
    let lint = telltale(&["rule", "lint", file]);
    assert!(
        lint.status.success(),
        "{}",
        String::from_utf8_lossy(&lint.stdout)
    );
    let junit = dir.path().join("junit.xml");
    let test = telltale(&["rule", "test", file, "--junit", junit.to_str().unwrap()]);
    assert!(
        test.status.success(),
        "{}",
        String::from_utf8_lossy(&test.stdout)
    );
    assert!(
        std::fs::read_to_string(junit)
            .unwrap()
            .contains("tests=\"3\"")
    );
    let explained = telltale(&["rule", "explain", "plc-stop", &path("demo/plant.pcapng")]);
    let text = String::from_utf8_lossy(&explained.stdout).into_owned();
    assert!(
        text.contains("operation = 'stop'") && text.contains("rows match"),
        "{text}"
    );
    let made = telltale(&[
        "rule",
        "test",
        file,
        "--from-capture",
        &path("demo/plant.pcapng"),
        "--packets",
        "1719",
    ]);
    assert!(String::from_utf8_lossy(&made.stdout).contains("plc_stop"));
    let broken = std::fs::read_to_string(&rule)
        .unwrap()
        .replace("client_ip, server_ip)", "client_pi, server_ip)");
    std::fs::write(&rule, broken).unwrap();
    let lint = telltale(&["rule", "lint", file]);
    assert_eq!(lint.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&lint.stdout).contains("did you mean `client_ip`"));
}

#[test]
fn rows_have_the_names_and_values_of_the_sites_points() {
    let capture = path("demo/plant.pcapng");
    let rows = lines(&telltale(&[
        "decode",
        &capture,
        "--table",
        "modbus",
        "--site",
        &path("sites/demo"),
    ]));
    let named = |row: &Value| {
        (
            row["tag"].as_str().map(str::to_owned),
            row["value"].as_f64(),
        )
    };
    let written: Vec<_> = rows
        .iter()
        .filter(|r| r["packet"] == 1590)
        .map(named)
        .collect();
    assert_eq!(
        written,
        [(Some("Tank 1 level setpoint".to_owned()), Some(98.0))]
    );
    // the level is polled in tenths
    let level = rows
        .iter()
        .filter(|r| r["direction"] == "response")
        .map(named)
        .find(|n| n.0.as_deref() == Some("Tank 1 level"))
        .unwrap();
    assert!((20.0..=100.0).contains(&level.1.unwrap()), "{level:?}");
    // without the site nothing has a name
    let plain = lines(&telltale(&["decode", &capture, "--table", "modbus"]));
    assert_eq!(plain.len(), rows.len());
    assert!(plain.iter().all(|r| r["tag"].is_null()));
}

#[test]
fn a_rules_test_may_be_a_capture_and_its_packets() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::copy(path("demo/plant.pcapng"), dir.path().join("plant.pcapng")).unwrap();
    let shipped = path("rules/events/written-outside-limits.yaml");
    let shipped = std::fs::read_to_string(shipped).unwrap();
    let head = shipped.split("tests:").next().unwrap();
    let tag = |high| {
        format!(
            "{{tags: [{{device: 10.20.1.31, object: \"holding_register:100\", name: level, high: {high}}}]}}"
        )
    };
    let case = |kind: &str, high, packets: &str| {
        format!(
            "  - {{name: {kind} {high} {packets}, kind: {kind}, table: modbus, capture: plant.pcapng, packets: {packets}, context: {}}}\n",
            tag(high)
        )
    };
    let rule = dir.path().join("rule.yaml");
    let run = |cases: &[String]| {
        let text = format!("{head}tests:\n{}", cases.concat()).replace("stable", "experimental");
        std::fs::write(&rule, text).unwrap();
        let output = telltale(&["rule", "test", rule.to_str().unwrap()]);
        let said = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        (output.status.code(), said)
    };
    let (code, said) = run(&[
        case("match", 85, "1590"),
        case("near_miss", 99, "1585-1590"),
        case("no_match", 85, "1-1500"),
    ]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("3 passed, 0 failed"), "{said}");
    let (code, said) = run(&[case("match", 99, "1590")]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("lacks outside_limits()"), "{said}");
    let line = head.lines().count() + 2;
    assert!(
        said.contains(&format!("rule.yaml:{line}: match 99")),
        "{said}"
    );
    let (code, said) = run(&[case("match", 85, "999999")]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("hold no row of `modbus`"), "{said}");
    // a wrong range is refused when the rule is read, with its line
    let (code, said) = run(&[case("match", 85, "40-12")]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("`packets: 40-12` is no range"), "{said}");
}

#[test]
fn what_is_wrong_in_a_site_is_named_with_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let site = dir.path().join("plant");
    std::fs::create_dir(&site).unwrap();
    let write = |name: &str, text: &str| std::fs::write(site.join(name), text).unwrap();
    write(
        "site.toml",
        "name = \"plant\"\ntime_zone = \"Europe/Vienna\"\n",
    );
    write(
        "rules.yaml",
        "# words on rules\n00000000-0000-5000-8000-000000000000:\n  mode: off\n45b47fbf-0000-5000-8000-000000000000: {severity: low}\n",
    );
    write(
        "exceptions.yaml",
        "- match: {client_ip: 10.0.0.1}\n  rule: 00000000-0000-5000-8000-000000000001\n  reason: x\n  owner: y\n  expires: 2030-01-01\n",
    );
    let output = telltale(&["site", "lint", site.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    for place in [
        "rules.yaml:2:1: warning[TT-SITE-060]",
        "rules.yaml:4:1: warning[TT-SITE-060]",
        "exceptions.yaml:2:9: warning[TT-SITE-061]",
    ] {
        assert!(said.contains(place), "{place} is not in:\n{said}");
    }
}

/// Over the capture, and over its rows in Parquet files: what a replay finds.
#[test]
fn a_backtest_finds_what_a_replay_finds() {
    let dir = tempfile::tempdir().unwrap();
    let rows = format!("{}/", dir.path().join("rows").to_str().unwrap());
    let (capture, site) = (path("demo/plant.pcapng"), path("sites/demo"));
    let decoded = telltale(&[
        "decode", &capture, "--site", &site, "--format", "parquet", "--out", &rows,
    ]);
    assert!(decoded.status.success());
    let mut replayed = std::collections::BTreeMap::<String, u64>::new();
    for alert in lines(&replay(&[])) {
        if alert["record"] == "created" && alert["rule"]["id"] != "risk" {
            let name = alert["rule"]["name"].as_str().unwrap().to_owned();
            *replayed.entry(name).or_default() += 1;
        }
    }
    assert!(replayed.len() > 10, "{replayed:?}");
    for over in [&capture, &rows] {
        let output = telltale(&[
            "rule", "backtest", "--json", "--over", over, "--site", &site,
        ]);
        assert!(output.status.success());
        let report = &lines(&output)[0];
        let found: std::collections::BTreeMap<String, u64> = report["found"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|r| r["id"] != "risk")
            .map(|r| {
                (
                    r["name"].as_str().unwrap().to_owned(),
                    r["alerts"].as_u64().unwrap(),
                )
            })
            .collect();
        assert_eq!(found, replayed, "{over}");
    }
    // against another version of a rule, and within a span of time
    let rule = std::fs::read_to_string(path("rules/events/error-burst.yaml")).unwrap();
    let (one, two) = (dir.path().join("one.yaml"), dir.path().join("two.yaml"));
    std::fs::write(&one, rule.replace("errors: 50", "errors: 1")).unwrap();
    std::fs::write(&two, &rule).unwrap();
    let (one, two) = (one.to_str().unwrap(), two.to_str().unwrap());
    let against = [
        "rule",
        "backtest",
        one,
        "--against",
        two,
        "--json",
        "--over",
        &rows,
    ];
    let report = &lines(&telltale(&against))[0];
    let burst = &report["found"][0];
    assert_eq!(
        (burst["new"].as_u64(), burst["gone"].as_u64()),
        (burst["alerts"].as_u64(), Some(0))
    );
    let late = [
        "rule",
        "backtest",
        one,
        "--since",
        "2030-01-01T00:00:00Z",
        "--json",
        "--over",
        &rows,
    ];
    assert_eq!(lines(&telltale(&late))[0]["found"], serde_json::json!([]));
    let loud = ["rule", "backtest", one, "--most", "0", "--over", &rows];
    assert_eq!(telltale(&loud).status.code(), Some(3));
    let foreign = path("Cargo.toml");
    assert_eq!(
        telltale(&["rule", "backtest", "--over", &foreign])
            .status
            .code(),
        Some(3)
    );
}

/// What a rule remembered is explained: windows beside their threshold, how far a
/// sequence got, which keys are known.
#[test]
fn explain_says_what_a_rule_remembered() {
    let (capture, site) = (path("demo/plant.pcapng"), path("sites/demo"));
    let explain = |rule: &str| {
        let output = telltale(&["rule", "explain", &path(rule), &capture, "--site", &site]);
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    };
    let text = explain("rules/events/looked-wrote-stopped.yaml");
    assert!(text.contains("step wrote: "), "{text}");
    assert!(
        text.contains("1 times looked, wrote, stopped, the last at"),
        "{text}"
    );
    let text = explain("rules/events/error-burst.yaml");
    assert!(
        text.contains("held against HAVING count(*) >= 50"),
        "{text}"
    );
    assert!(text.contains("errors 2, objects 1"), "{text}");
    let text = explain("rules/flow/new-conversation.yaml");
    assert!(text.contains("keys are known"), "{text}");
    assert!(!explain("rules/events/plc-stop.yaml").contains("how far it got"));
}

/// Sigma rules of each kind become files that lint and whose tests pass; what cannot be
/// said is refused by name, and the exit code says so.
#[test]
fn sigma_rules_are_imported() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    let of = |name: &str| path(&format!("crates/rules/tests/sigma/{name}.yml"));
    let good: Vec<String> = [
        "modbus-exception",
        "brute-force",
        "port-scan",
        "pivot",
        "scan-then-write",
    ]
    .map(of)
    .to_vec();
    let mut args = vec!["rule", "import", "sigma", "--out", out];
    args.extend(good.iter().map(String::as_str));
    let imported = telltale(&args);
    let said = String::from_utf8_lossy(&imported.stderr).into_owned();
    assert!(imported.status.success(), "{said}");
    let files = std::fs::read_dir(folder.path()).unwrap().count();
    assert!(files >= good.len(), "{files} files: {said}");
    let lint = telltale(&["rule", "lint", out]);
    let said = String::from_utf8_lossy(&lint.stdout).into_owned();
    assert!(lint.status.success(), "{said}");
    let test = telltale(&["rule", "test", out]);
    let said = String::from_utf8_lossy(&test.stdout).into_owned();
    assert!(
        test.status.success() && !said.contains("0 passed"),
        "{said}"
    );
    // what cannot be said is refused, the rest of the files is not
    let (plain, correlation) = (of("refused-plain"), of("refused-correlation"));
    let first = good.first().unwrap();
    let refused = telltale(&["rule", "import", "sigma", first, &plain, &correlation]);
    assert_eq!(refused.status.code(), Some(3));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        said.contains("refused-plain.yml:") && said.contains("refused-correlation.yml:"),
        "{said}"
    );
    let rules = String::from_utf8_lossy(&refused.stdout).into_owned();
    assert!(rules.contains("sql:"), "{rules}");
}

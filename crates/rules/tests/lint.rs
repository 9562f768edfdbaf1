//! Wrong rule files and sites, and what is said about each: goldens of every diagnostic.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::Path;
use telltale_rules::{Diagnostic, Rule, RuleSet, Site};

const GOOD: &str = "\
id: 00000000-0000-4000-8000-000000000001
name: A coil was written
description: Someone wrote a coil.
severity: low
confidence: medium
status: stable
scope: site
sql: |
  SELECT * FROM modbus
  WHERE operation = 'write'
    AND direction = 'request'
    AND object_count > $most
parameters: {most: 3}
requires: {lists: [], calendars: []}
attack: [T0855]
iec62443: [SR 2.1]
response: [Ask the control room.]
sentence: \"{client_ip} wrote {object_count} coils of {server_ip}, more than {most}\"
correlation_key: [client_ip, server_ip]
suppression: {key: [client_ip], for: 1h}
tests:
  - {name: a, kind: match, table: modbus, rows: [{function: write_multiple_coils, object_count: 4}]}
  - {name: b, kind: no_match, table: modbus, rows: [{function: read_coils}]}
  - {name: c, kind: near_miss, table: modbus, rows: [{function: write_multiple_coils, object_count: 3}]}
";

fn show(found: &[Diagnostic]) -> String {
    let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

#[test]
fn a_good_rule_has_nothing_to_say() {
    let (rule, found) = Rule::parse("good.yaml", GOOD);
    assert_eq!(show(&found), "");
    let rule = rule.unwrap();
    assert_eq!((rule.sql_line, rule.sql_indent), (9, 2));
    assert_eq!(rule.in_file(2, 7), (10, 9), "`operation` stands there");
    assert_eq!(
        rule.suppression,
        Some((vec!["client_ip".to_owned()], 3_600_000_000_000))
    );
}

#[test]
fn wrong_rules() {
    let cases = [
        ("id: 00000000-0000-4000-8000-000000000001", "id: 17"),
        ("name: A coil was written", "name: \"\""),
        ("scope: site", "scope: fleet"),
        ("scope: site", "scope: site\nversion: 1.x"),
        ("scope: site", "scope: site\nwindow: 5m"),
        ("scope: site", "scpe: site"),
        ("scope: site", "scope: [site"),
        ("severity: low", "severity: hihg"),
        ("description: Someone wrote a coil.\n", ""),
        ("[T0855]", "[T0855, T9999]"),
        ("[SR 2.1]", "[SR 2.1, SR 4.12, sr 1.1]"),
        ("[Ask the control room.]", "[]"),
        ("[Ask the control room.]", "[\"Ask {clientip}.\"]"),
        ("{object_count} coils", "{iin} coils"),
        (
            "correlation_key: [client_ip, server_ip]",
            "correlation_key: [client_ip, sever_ip]",
        ),
        (
            "correlation_key:",
            "entities: {actor: who}\ncorrelation_key:",
        ),
        ("for: 1h", "for: soon"),
        ("scope: site", "scope: site\nrisk: 1001"),
        (
            "scope: site",
            "scope: site\nlower: {calendar: maintenance, to: low}",
        ),
        ("{most: 3}", "{most: [3], least: 1}"),
        ("name: c, kind: near_miss", "name: b, kind: no_match"),
        ("function: read_coils", "function: read_coil"),
        (
            "function: read_coils",
            "function: read_coils, repeat: often",
        ),
        ("function: read_coils}]", "function: read_coils}], count: 1"),
        (
            "table: modbus, rows: [{function: read_coils",
            "table: modbuss, rows: [{function: read_coils",
        ),
        (
            "[{function: read_coils}]",
            "[{function: read_coils}], context: {calendars: {m: [{from: 2026-01-01, until: x}]}}",
        ),
        (
            "table: modbus, rows: [{function: read_coils}]",
            "table: modbuss, capture: x.pcap, packets: 3",
        ),
        (
            "[{function: read_coils}]",
            "[{function: read_coils}], context: {tags: [{device: 10.0.0.2, object: \"DB1.DBW0\", type: f32, name: x}]}",
        ),
        (
            "[{function: read_coils}]",
            "[{function: read_coils}], context: {parameters: {mots: 3}}",
        ),
        (
            "[{function: read_coils}]",
            "[{function: read_coils}], context: {parameters: {most: many}}",
        ),
    ];
    let mut golden = String::new();
    for (from, to) in cases {
        assert!(GOOD.contains(from), "{from}");
        let (rule, found) = Rule::parse("x.yaml", &GOOD.replacen(from, to, 1));
        assert!(!found.is_empty(), "{to}");
        let error = found
            .iter()
            .any(|d| d.level == telltale_rules::Level::Error);
        assert_eq!(rule.is_none(), error, "{to}");
        golden += &format!("## {}\n{}\n\n", to.replace('\n', "⏎"), show(&found));
    }
    insta::assert_snapshot!(golden);
}

/// The good rule as steps.
fn steps(sequence: &str) -> String {
    let from = GOOD.find("sql:").unwrap();
    let to = GOOD.find("parameters:").unwrap();
    let mut text = GOOD.to_owned();
    text.replace_range(from..to, sequence);
    text.replace("parameters: {most: 3}\n", "")
        .replace(", more than {most}", ", after {looked.client_ip}")
}

const STEPS: &str = "\
sequence:
  from: modbus
  by: [client_ip]
  within: 10m
  steps:
    - name: looked
      where: operation = 'read' AND direction = 'request'
    - name: wrote
      where: operation = 'write' AND direction = 'request'
      within: 1m
";

#[test]
fn wrong_sequences() {
    let (rule, found) = Rule::parse("good.yaml", &steps(STEPS));
    assert_eq!(show(&found), "");
    let sequence = rule.unwrap().sequence.unwrap();
    assert_eq!(
        sequence.steps[1].place,
        (16, 13),
        "`operation` stands there"
    );
    assert_eq!(sequence.steps[1].within_ns, Some(60_000_000_000));
    let cases = [
        ("within: 10m", "within: soon"),
        ("within: 1m", "within: 0s"),
        ("sequence:", "sql: SELECT 1\nsequence:"),
        ("name: wrote", "name: looked"),
        ("name: wrote", "name: Wrote"),
        (
            "name: wrote",
            "name: wrote\n      by: [client_ip, server_ip]",
        ),
        ("name: wrote", "name: wrote\n      by: [clientip]"),
        ("  from: modbus\n", ""),
        ("name: wrote", "name: wrote\n      times: 0"),
        ("name: wrote", "name: wrote\n      times: 64"),
        (
            "name: wrote",
            "name: wrote\n      absent: true\n      optional: true",
        ),
        ("within: 1m", "absent: true"),
        ("within: 1m", "optional: true"),
        ("name: looked", "name: looked\n      optional: true"),
        ("{looked.client_ip}", "{seen.client_ip}"),
        ("  within: 10m\n", ""),
        ("name: looked", "nam: looked"),
    ];
    let mut golden = String::new();
    for (from, to) in cases {
        let text = steps(STEPS);
        assert!(text.contains(from), "{from}");
        let (rule, found) = Rule::parse("x.yaml", &text.replacen(from, to, 1));
        assert!(rule.is_none() && !found.is_empty(), "{to}");
        golden += &format!("## {}\n{}\n\n", to.replace('\n', "⏎"), show(&found));
    }
    insta::assert_snapshot!(golden);
}

#[test]
fn every_rule_kind_of_sql_scalar_maps_to_its_place() {
    let sql = "sql: |\n  SELECT * FROM modbus\n  WHERE operation = 'write'\n    AND direction = 'request'\n    AND object_count > $most\n";
    let flat = "SELECT * FROM modbus WHERE operation = 'write' AND direction = 'request' AND object_count > $most";
    for (written, expected) in [
        (format!("sql: {flat}\n"), (8, 6)),
        (format!("sql: \"{flat}\"\n"), (8, 6)),
        (format!("sql: |-\n      {flat}\n"), (9, 7)),
    ] {
        let (rule, found) = Rule::parse("x.yaml", &GOOD.replacen(sql, &written, 1));
        assert_eq!(show(&found), "");
        assert_eq!(rule.unwrap().in_file(1, 1), expected, "{written}");
    }
}

#[test]
fn a_set_says_what_is_taken_twice_and_what_cannot_be_read() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.yaml"), GOOD).unwrap();
    std::fs::write(dir.path().join("b.yaml"), GOOD).unwrap();
    std::fs::write(
        dir.path().join("c.yaml"),
        GOOD.replacen("000000000001", "000000000002", 1),
    )
    .unwrap();
    std::fs::write(dir.path().join("d.yaml"), [0xff, 0xfe, 0x00]).unwrap();
    let (set, found) = RuleSet::load(&[dir.path().to_owned()]).unwrap();
    assert_eq!(set.rules.len(), 2, "a bad file is refused alone");
    let codes: Vec<_> = found
        .iter()
        .map(|d| (d.code, d.file.rsplit('/').next().unwrap()))
        .collect();
    assert_eq!(
        codes,
        [
            ("TT-RULE-013", "d.yaml"),
            ("TT-RULE-011", "b.yaml"),
            ("TT-RULE-012", "c.yaml")
        ]
    );
    // any change of a file is another content
    let (other, _) =
        RuleSet::from_texts([("a.yaml", GOOD.replacen("most: 3", "most: 4", 1).as_str())]);
    let (one, _) = RuleSet::from_texts([("a.yaml", GOOD)]);
    let (same, _) = RuleSet::from_texts([("elsewhere.yaml", GOOD)]);
    assert_ne!(one.hash(), other.hash());
    assert_eq!(one.hash(), same.hash());
}

fn write(dir: &Path, name: &str, text: &str) {
    let path = dir.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

#[test]
fn wrong_sites() {
    let cases = [
        ("site.toml", "nam = \"x\"\n"),
        ("site.toml", "name = \"x\"\ntime_zone = \"Europe/Viena\"\n"),
        (
            "site.toml",
            "name = \"x\"\n[ports]\n0 = \"modbus\"\n5020 = \"modbuss\"\n",
        ),
        (
            "site.toml",
            "name = \"x\"\n[[segments]]\nname = \"a\"\n[[segments]]\nname = \"b\"\nvlans = [5000]\n",
        ),
        ("site.toml", "name = \"x\n"),
        ("site.toml", "name = \"x\"\n[risk]\nwindow = \"soon\"\n"),
        ("site.toml", "name = \"x\"\n[risk]\ntreshold = 3\n"),
        (
            "lists/a.csv",
            "ip,valid_until\n10.0.0.1,soon\n,\n10.0.0.2\n",
        ),
        ("lists/a.csv", ""),
        (
            "calendars/a.yaml",
            "- {from: 2026-01-02, until: 2026-01-01}\n",
        ),
        (
            "calendars/a.yaml",
            "- {from: 2026-01-01, until: 2026-01-02, rrule: FREQ=FORTNIGHTLY}\n",
        ),
        (
            "calendars/a.yaml",
            "- {from: \"2026-01-01T00:00\", until: \"2026-01-01T00:30\", rrule: FREQ=HOURLY}\n",
        ),
        (
            "calendars/a.yaml",
            "- {from: 2026-01-01, until: 2026-01-02, rrule: \"FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30\"}\n",
        ),
        (
            "calendars/a.yaml",
            "- {from: 2026-01-01, until: 2026-01-02, wno: x}\n",
        ),
        ("assets.csv", "ip,nme\n10.0.0.1,a\n10.0.0.1,b\nplc,c\n"),
        (
            "tags.csv",
            "device,object,name,typ\n10.0.0.1,coil:1,a,\n10.0.0.1,coil:1,b,\n10.0.0.1,coil,c,\n10.0.0.1,coil:2,,\n",
        ),
        (
            "exceptions.yaml",
            "- {rule: \"*\", match: {client_iq: 1}, reason: r, owner: o, expires: 2027-01-01}\n",
        ),
        (
            "exceptions.yaml",
            "- {rule: stop, match: {client_ip: 10.0.0.1}, reason: r, owner: o, expires: 2027-01-01}\n",
        ),
        (
            "exceptions.yaml",
            "- {rule: \"*\", match: {}, reason: r, owner: o, expires: 2027-01-01}\n",
        ),
        (
            "exceptions.yaml",
            "- {rule: \"*\", match: {client_ip: 10.0.0.1}, reason: r, owner: o}\n",
        ),
        (
            "exceptions.yaml",
            "- {rule: \"*\", match: {client_ip: 10.0.0.1}, reason: r, owner: o, expires: never}\n",
        ),
        ("rules.yaml", "abc: {severity: awful}\n"),
        ("rules.yaml", "abc: {sql: SELECT}\n"),
    ];
    let mut golden = String::new();
    for (file, text) in cases {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "site.toml", "name = \"x\"\n");
        write(dir.path(), "lists/good.csv", "ip\n10.0.0.1\n");
        write(dir.path(), file, text);
        let (site, found) = Site::load(dir.path()).unwrap();
        assert!(!found.is_empty(), "{file}: {text}");
        if let Some(site) = site {
            assert!(site.list("good").is_some(), "what is good stays");
        }
        let shown = show(&found).replace(&format!("{}/", dir.path().display()), "");
        golden += &format!(
            "## {file}: {}\n{shown}\n\n",
            text.trim_end().replace('\n', "⏎")
        );
    }
    insta::assert_snapshot!(golden);
}

#[test]
fn the_sites_that_are_shipped_load() {
    let sites = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sites");
    let rules = RuleSet::load(&[sites.join("../rules")]).unwrap().0;
    for name in ["default", "example", "demo"] {
        let (site, found) = Site::load(&sites.join(name)).unwrap();
        assert_eq!(show(&found), "", "{name}");
        let site = site.unwrap();
        assert_eq!(show(&site.check(&rules, name)), "", "{name}");
        for rule in &rules.rules {
            assert_eq!(
                site.missing(&rule.requires),
                Vec::<String>::new(),
                "{name}: {}",
                rule.file
            );
        }
    }
}

#[test]
fn the_built_in_site_is_the_default_folder() {
    let sites = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sites");
    let folder = Site::load(&sites.join("default")).unwrap().0.unwrap();
    let built_in = Site::builtin_default();
    assert!(folder.lists.keys().eq(built_in.lists.keys()));
    assert!(folder.calendars.keys().eq(built_in.calendars.keys()));
    for (name, list) in &built_in.lists {
        assert!(list.is_empty(), "{name}");
        assert_eq!(list.columns, folder.lists[name].columns, "{name}");
    }
    assert!(built_in.list("nobody").is_none(), "missing is not empty");
}

#[test]
fn a_sites_word_is_held_against_the_rules() {
    let (rules, _) = RuleSet::from_texts([("a.yaml", GOOD)]);
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "site.toml", "name = \"x\"\n");
    write(
        dir.path(),
        "rules.yaml",
        "# layer\n00000000-0000-4000-8000-000000000001:\n  mode: shadow\n  parameters:\n    mots: 1\n    most:\n      many\n\n00000000-0000-4000-8000-00000000000F: {mode: off}\n",
    );
    let site = Site::load(dir.path()).unwrap().0.unwrap();
    let found = site.check(&rules, "x");
    let places: Vec<_> = found.iter().map(|d| (d.code, d.line, d.column)).collect();
    assert_eq!(
        places,
        [
            ("TT-SITE-063", 6, 5),
            ("TT-SITE-062", 5, 5),
            ("TT-SITE-060", 9, 1),
        ]
    );
    assert_eq!(found[1].help.as_deref(), Some("did you mean `most`?"));
}

#[test]
fn the_rule_in_the_docs_loads() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/rules.md");
    let page = std::fs::read_to_string(docs).unwrap();
    let rule = page
        .split("```yaml\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let (rule, found) = Rule::parse("docs/rules.md", rule);
    assert_eq!(show(&found), "");
    assert_eq!(rule.unwrap().tests.len(), 3);
}

#[test]
fn every_code_is_in_the_docs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
    for (golden, prefix, page) in [
        (
            "tests/snapshots/lint__wrong_rules.snap",
            "TT-RULE-",
            read("../../docs/rules.md"),
        ),
        (
            "tests/snapshots/lint__wrong_sequences.snap",
            "TT-RULE-",
            read("../../docs/rules.md"),
        ),
        (
            "tests/snapshots/lint__wrong_sites.snap",
            "TT-SITE-",
            read("../../docs/site.md"),
        ),
    ] {
        for rest in read(golden).split(prefix).skip(1) {
            let number: u32 = rest.get(..3).unwrap().parse().unwrap();
            // `TT-RULE-004, 005` and `TT-SITE-010 to 012` both name a code
            let named = page
                .lines()
                .filter(|l| l.starts_with(&format!("| {prefix}")))
                .any(|line| {
                    let numbers: Vec<u32> = line
                        .split('|')
                        .nth(1)
                        .unwrap()
                        .split(|c: char| !c.is_ascii_digit())
                        .filter_map(|n| n.parse().ok())
                        .collect();
                    numbers.contains(&number)
                        || (line.contains(" to ") && numbers[0] <= number && number <= numbers[1])
                });
            assert!(named, "{prefix}{number:03}");
        }
    }
}

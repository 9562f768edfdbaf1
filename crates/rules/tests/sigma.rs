//! What becomes of Sigma rules: one golden per file of `tests/sigma`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use telltale_rules::sigma::{Imported, Mapping, Outcome, import, import_all};
use telltale_rules::{Level, Rule};

/// Everything an import says, for people who read a golden.
fn say(all: &[Imported]) -> String {
    let mut out = String::new();
    for one in all {
        writeln!(out, "=== {}:{} {}", one.file, one.line, one.title).unwrap();
        for note in &one.notes {
            writeln!(out, "note: {note}").unwrap();
        }
        match &one.outcome {
            Outcome::Rules(made) => {
                for file in made {
                    writeln!(out, "--- {}\n{}", file.file_name, file.text).unwrap();
                }
            }
            Outcome::Part(of) => writeln!(out, "part of: {}", of.join(", ")).unwrap(),
            Outcome::Refused(why) => {
                for refusal in why {
                    writeln!(out, "{refusal}").unwrap();
                }
            }
        }
    }
    out
}

fn files() -> Vec<(String, String)> {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sigma");
    let mut files: Vec<(String, String)> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect();
    files.sort();
    files
}

#[test]
fn goldens() {
    let mapping = Mapping::default();
    let files = files();
    assert!(files.len() >= 12);
    for (name, text) in &files {
        let all = import(name, text, &mapping);
        insta::assert_snapshot!(name.trim_end_matches(".yml"), say(&all));
    }
}

#[test]
fn what_is_made_loads_without_a_word() {
    let mapping = Mapping::default();
    let files = files();
    let named: Vec<(&str, &str)> = files
        .iter()
        .map(|(n, t)| (n.as_str(), t.as_str()))
        .collect();
    let (mut names, mut ids) = (BTreeSet::new(), BTreeSet::new());
    let mut count = 0;
    for one in import_all(&named, &mapping) {
        let Outcome::Rules(made) = one.outcome else {
            continue;
        };
        for file in made {
            let (rule, found) = Rule::parse(&file.file_name, &file.text);
            let rule = rule.unwrap_or_else(|| panic!("{found:?}\n{}", file.text));
            assert!(found.is_empty(), "{found:?}\n{}", file.text);
            assert!(names.insert(file.file_name.clone()), "{}", file.file_name);
            assert!(ids.insert(rule.id.clone()), "{}", rule.id);
            let kinds: Vec<_> = rule.tests.iter().map(|t| t.kind).collect();
            assert!(
                kinds.contains(&telltale_rules::testcase::Kind::Match),
                "{}",
                file.text
            );
            assert!(
                kinds.contains(&telltale_rules::testcase::Kind::NoMatch),
                "{}",
                file.text
            );
            count += 1;
        }
    }
    assert!(count >= 12, "{count} rules");
}

#[test]
fn every_kind_of_refusal_is_told_with_its_place() {
    let mapping = Mapping::default();
    let mut codes = BTreeSet::new();
    for (name, text) in files() {
        for one in import(&name, &text, &mapping) {
            if let Outcome::Refused(why) = one.outcome {
                assert!(!why.is_empty());
                for refusal in why {
                    assert!(refusal.line > 0 && !refusal.reason.is_empty(), "{refusal}");
                    codes.insert(refusal.code);
                }
            }
        }
    }
    for n in 1..=13 {
        let code = format!("TT-SIG-{n:03}");
        assert!(codes.contains(code.as_str()), "{code} is in no golden");
    }
}

#[test]
fn what_is_no_yaml_is_refused() {
    let mapping = Mapping::default();
    for text in ["", "a: [", "{{{", "- 1\n", "x", "\u{0}"] {
        let all = import("bad.yml", text, &mapping);
        assert_eq!(all.len(), 1, "{text:?}: {all:?}");
        assert!(
            matches!(all[0].outcome, Outcome::Refused(_)),
            "{text:?}: {all:?}"
        );
    }
}

#[test]
fn the_shipped_mapping_is_sound() {
    let text = include_str!("../data/sigma-mapping.yaml");
    let found = Mapping::parse("sigma-mapping.yaml", text).err();
    assert_eq!(found, None);
    assert!(Mapping::default().known().len() > 20);
}

#[test]
fn a_mapping_of_ones_own_goes_before() {
    let own = "
value_sets:
  ours: {SCHREIBEN: [write_single_register, write_multiple_registers]}
logsources:
  - logsource: {product: acme}
    table: modbus
    fields:
      Funktion: {column: function, values: ours}
      Von: client_ip
      id.orig_h: server_ip
    implied: [{add: {direction: request}}]
  - logsource: {product: zeek, service: modbus}
    table: modbus
    fields: {host: server_ip}
";
    let mapping = Mapping::parse("own.yaml", own)
        .unwrap()
        .before(Mapping::default());
    let rule = "
title: Acme
id: 0b0f4a52-8a77-4b8a-9d0e-3f5a0c4b6a11
logsource: {product: acme}
detection: {s: {Funktion: schreiben, Von: 10.1.1.1}, condition: s}
---
title: Zeek
id: 0c0f4a52-8a77-4b8a-9d0e-3f5a0c4b6a11
logsource: {product: zeek, service: modbus}
detection: {s: {func: READ_COILS, host: 10.1.1.1}, condition: s}
";
    let said = say(&import("own.yml", rule, &mapping));
    assert!(
        said.contains("function IN ('write_single_register', 'write_multiple_registers')"),
        "{said}"
    );
    assert!(
        said.contains("function = 'read_coils'\n    AND server_ip = '10.1.1.1'"),
        "{said}"
    );
    for (wrong, why) in [
        (
            "logsources: [{logsource: {product: a}, table: nothing}]",
            "no table",
        ),
        (
            "logsources: [{logsource: {product: a}, table: modbus, fields: {x: clinet_ip}}]",
            "no column",
        ),
        (
            "logsources: [{logsource: {product: a}, table: modbus, also: [x]}]",
            "no set of fields",
        ),
        (
            "logsources: [{logsource: {product: a}, table: modbus, fields: {x: {column: function, values: x}}}]",
            "no set of values",
        ),
        (
            "logsources: [{logsource: {vendor: a}, table: modbus}]",
            "no `vendor`",
        ),
        (
            "logsources: [{logsource: {product: a}, table: modbus, implied: [{add: {direction: up}}]}]",
            "up",
        ),
        ("logsuorces: []", "logsuorces"),
        (
            "value_sets: {v: {A: nothing}}\nlogsources: [{logsource: {product: a}, table: modbus, fields: {x: {column: function, values: v}}}]",
            "nothing",
        ),
    ] {
        let found = Mapping::parse("own.yaml", wrong).unwrap_err();
        assert!(
            found.iter().all(|d| d.level == Level::Error && d.line > 0),
            "{found:?}"
        );
        assert!(
            found.iter().any(|d| d.message.contains(why)),
            "{wrong}: {found:?}"
        );
    }
}

#[test]
fn a_correlation_finds_rules_of_other_files() {
    let mapping = Mapping::default();
    let files = files();
    let text = |name: &str| files.iter().find(|f| f.0 == name).unwrap().1.clone();
    let both = text("brute-force.yml");
    let (rule, correlation) = both.split_once("\n---\n").unwrap();
    let all = import_all(&[("b.yml", correlation), ("a.yml", rule)], &mapping);
    assert!(
        matches!(&all[0].outcome, Outcome::Rules(made) if made.len() == 1),
        "{all:?}"
    );
    assert_eq!(
        all[1].outcome,
        Outcome::Part(vec!["S7 Passwords Guessed".to_owned()])
    );
    let alone = import("b.yml", correlation, &mapping);
    assert!(
        matches!(&alone[0].outcome, Outcome::Refused(why) if why[0].code == "TT-SIG-011"),
        "{alone:?}"
    );
}

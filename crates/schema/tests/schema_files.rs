//! A bad schema file is refused with its file and line.
#![allow(clippy::expect_used, dead_code)] // helpers outside of test functions; the build script uses the rest

#[path = "../build/check.rs"]
mod check;
#[path = "../build/model.rs"]
mod model;

use model::{Codes, CommonFile, TableFile};

const COMMON: &str = include_str!("../../../schemas/common.yaml");
const ARP: &str = include_str!("../../../schemas/arp.yaml");

fn refused(common: &str, arp: &str) -> String {
    let common: CommonFile = match model::parse(common, "schemas/common.yaml") {
        Ok(c) => c,
        Err(e) => return e,
    };
    let arp: TableFile = match model::parse(arp, "schemas/arp.yaml") {
        Ok(t) => t,
        Err(e) => return e,
    };
    check::all(&common, &[arp], &["arp"]).expect_err("a refusal")
}

/// The changed text, and the line of the change.
fn change(text: &str, from: &str, to: &str) -> (String, usize) {
    let (before, _) = text.split_once(from).expect("the text to change");
    (text.replacen(from, to, 1), before.lines().count().max(1))
}

#[test]
fn the_files_as_they_are_pass() {
    let common: CommonFile = model::parse(COMMON, "common").expect("common");
    let arp: TableFile = model::parse(ARP, "arp").expect("arp");
    assert_eq!(check::all(&common, &[arp], &["arp"]), Ok(()));
}

#[test]
fn an_unknown_key_names_file_and_line() {
    let (text, line) = change(ARP, "kind: u16, description", "knd: u16, description");
    let error = refused(COMMON, &text);
    assert!(
        error.starts_with(&format!("schemas/arp.yaml:{line}:")),
        "{error}"
    );
    assert!(error.contains("knd"), "{error}");
}

#[test]
fn names_that_do_not_exist_are_named_with_their_line() {
    let cases = [
        (
            "function: arp_reply, operation: identify",
            "function: arp_repply, operation: identify",
            "is no function",
        ),
        (
            "function: arp_reply, operation: identify",
            "function: arp_reply, operation: idntify",
            "is no operation",
        ),
        ("class: probe", "class: prob", "which is not listed"),
        (
            "kind: u16, description",
            "kind: u15, description",
            "is no kind of column",
        ),
        ("name: sender_ip", "name: src_ip", "is a column already"),
        (
            "id: 41, name: arp_reply",
            "id: 40, name: arp_reply",
            "shares id 40",
        ),
        (
            "id: 41, name: arp_reply",
            "id: 141, name: arp_reply",
            "outside",
        ),
        ("name: sender_mac", "name: SenderMac", "lower_case"),
    ];
    for (from, to, problem) in cases {
        let (text, line) = change(ARP, from, to);
        let error = refused(COMMON, &text);
        assert!(
            error.starts_with(&format!("schemas/arp.yaml:{line}:")),
            "{to}: {error}"
        );
        assert!(error.contains(problem), "{to}: {error}");
    }
}

#[test]
fn guards_and_secrets_are_checked() {
    let (text, line) = change(
        COMMON,
        "name: direction, kind: \"enum:direction\",",
        "name: direction, kind: \"enum:direction\", nullable: true,",
    );
    let error = refused(&text, ARP);
    assert!(
        error.starts_with(&format!("schemas/common.yaml:{line}:")),
        "{error}"
    );
    assert!(error.contains("guard column"), "{error}");
    let (text, _) = change(
        ARP,
        "kind: u16, description",
        "kind: u16, sensitivity: secret, description",
    );
    assert!(refused(COMMON, &text).contains("stored: keyed_hash"));
    let (text, _) = change(
        ARP,
        "kind: u16, description",
        "kind: u16, sensitivity: hidden, description",
    );
    assert!(refused(COMMON, &text).contains("none of none, process"));
}

#[test]
fn codes_are_numbers_ranges_and_lists() {
    let parse = |text: &str| model::parse::<Codes>(text, "f");
    assert_eq!(parse("5"), Ok(Codes::Ranges(vec![(5, 5)])));
    assert_eq!(parse("0x1a"), Ok(Codes::Ranges(vec![(26, 26)])));
    assert_eq!(parse("1..4"), Ok(Codes::Ranges(vec![(1, 4)])));
    assert_eq!(
        parse("[1, 0x10..0x12]"),
        Ok(Codes::Ranges(vec![(1, 1), (16, 18)]))
    );
    assert_eq!(parse("\"*\""), Ok(Codes::Any));
    assert_eq!(parse("none"), Ok(Codes::Absent));
    for bad in ["4..1", "70000", "-1", "x", "[\"*\"]"] {
        assert!(parse(bad).is_err(), "{bad}");
    }
}

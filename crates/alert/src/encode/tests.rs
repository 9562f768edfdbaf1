use super::*;
use crate::stage::tests::{finding, rules};
use crate::{Limits, Stage};
use telltale_rules::Site;

fn alert() -> Alert {
    let rules = rules();
    let site = Site::builtin_default();
    let mut out = Vec::new();
    Stage::new(&rules, &site, Limits::default()).push(&finding(0, "10.0.0.9", 3), &mut out);
    out.remove(0)
}

#[test]
fn as_people_read_it() {
    insta::assert_snapshot!(text(
        &alert(),
        Style {
            color: false,
            zone: chrono_tz::UTC
        }
    ));
}

#[test]
fn as_programs_read_it() {
    // the hash of the rule set changes with any rule's text
    insta::assert_json_snapshot!(json(&alert()), {".rule_set" => "[hash]"});
}

#[test]
fn as_ocsf() {
    let value = ocsf(&alert());
    assert_eq!(value["type_uid"], 200_401);
    insta::assert_json_snapshot!(value, {".metadata.product.version" => "[version]"});
}

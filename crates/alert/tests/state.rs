//! State that is not what it says is refused, and nothing changes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test"
)]

mod common;

use arrow_array::{
    Array as _, ArrayRef, Int64Array, LargeBinaryArray, RecordBatch, UInt8Array, UInt64Array,
};
use arrow_schema::{Field, Schema};
use common::{plain, rules, site, window};
use std::sync::Arc;
use telltale_alert::{Limits, Stage};

fn with(rows: &RecordBatch, column: &str, array: ArrayRef) -> RecordBatch {
    let schema = rows.schema();
    let at = schema.index_of(column).unwrap();
    let (mut fields, mut columns) = (schema.fields().to_vec(), rows.columns().to_vec());
    fields[at] = Arc::new(Field::new(column, array.data_type().clone(), true));
    columns[at] = array;
    let schema = Schema::new_with_metadata(fields, schema.metadata().clone());
    RecordBatch::try_new(Arc::new(schema), columns).unwrap()
}

fn about(rows: &RecordBatch, key: &str, value: &str) -> RecordBatch {
    let mut metadata = rows.schema().metadata().clone();
    metadata.insert(key.to_owned(), value.to_owned());
    let schema = rows.schema().as_ref().clone().with_metadata(metadata);
    RecordBatch::try_new(Arc::new(schema), rows.columns().to_vec()).unwrap()
}

#[test]
fn foreign_and_hostile_state_is_refused() {
    let (rules, site) = (rules(), site("threshold = 40"));
    let mut out = Vec::new();
    let mut stage = Stage::new(&rules, &site, Limits::default());
    stage.push(&window(0, 1, "10.0.0.1", 0, 5), &mut out);
    stage.push(&plain(5, 2, "10.0.0.1"), &mut out);
    let good = stage.take_state().unwrap();
    let names: Vec<String> = good
        .iter()
        .map(|p| p.schema().metadata()["telltale.part"].clone())
        .collect();
    let at = |name: &str| names.iter().position(|n| n == name).unwrap();
    let change = |name: &str, with: &dyn Fn(&RecordBatch) -> RecordBatch| {
        let mut parts = good.clone();
        parts[at(name)] = with(&parts[at(name)]);
        parts
    };
    let rows = |name: &str| good[at(name)].num_rows();
    assert!(
        names.iter().all(|n| n == "exceptions" || rows(n) > 0),
        "every part holds something"
    );
    let bytes = |n: usize| -> ArrayRef {
        Arc::new(LargeBinaryArray::from_iter_values(vec![[0xff_u8, 1, 2]; n]))
    };
    let none =
        |n: usize| -> ArrayRef { Arc::new(LargeBinaryArray::from_iter_values(vec![[0_u8; 0]; n])) };
    let huge = |n: usize| -> ArrayRef { Arc::new(UInt64Array::from(vec![u64::MAX; n])) };
    let mut missing = good.clone();
    missing.pop();
    let mut doubled = good.clone();
    doubled[at("told")] = doubled[at("cap")].clone();
    let cases = [
        ("missing", missing),
        ("nothing", Vec::new()),
        ("doubled", doubled),
        (
            "format",
            change("cap", &|p| about(p, "telltale.format", "2")),
        ),
        (
            "site",
            change("told", &|p| about(p, "telltale.site", "another")),
        ),
        (
            "type",
            change("suppressions", &|p| with(p, "until", huge(p.num_rows()))),
        ),
        (
            "null",
            change("cap", &|p| {
                with(
                    p,
                    "until",
                    Arc::new(Int64Array::from(vec![None; p.num_rows()])),
                )
            }),
        ),
        (
            "count",
            change("suppressions", &|p| with(p, "said", huge(p.num_rows()))),
        ),
        (
            "counter",
            change("counters", &|p| with(p, "value", huge(p.num_rows()))),
        ),
        (
            "alert",
            change("suppressions", &|p| with(p, "alert", bytes(p.num_rows()))),
        ),
        (
            "no alert",
            change("risk_parts", &|p| with(p, "alert", none(p.num_rows()))),
        ),
        (
            "words",
            change("told", &|p| with(p, "words", bytes(p.num_rows()))),
        ),
        (
            "fate",
            change("told", &|p| {
                with(p, "fate", Arc::new(UInt8Array::from(vec![9; p.num_rows()])))
            }),
        ),
        (
            "rule",
            change("risk_parts", &|p| {
                with(p, "rule", p.column_by_name("version").unwrap().clone())
            }),
        ),
        (
            "device",
            change("risk_parts", &|p| {
                with(p, "device", p.column_by_name("rule").unwrap().clone())
            }),
        ),
        ("column", change("risk", &|p| p.project(&[0, 1]).unwrap())),
        (
            "key twice",
            change("cap", &|p| {
                let versions = p.column_by_name("version").unwrap().clone();
                with(&with(p, "rule", versions.clone()), "key", versions)
            }),
        ),
    ];
    let mut golden = String::new();
    for (name, parts) in cases {
        let error = stage.put_state(&parts, &mut out).unwrap_err();
        golden += &format!("{name}: {error}\n");
        assert_eq!(stage.take_state().unwrap(), good, "{name}: as it was");
    }
    insta::assert_snapshot!(golden);
    stage.put_state(&good, &mut out).unwrap();
    assert_eq!(stage.take_state().unwrap(), good);
}

#[test]
fn smaller_bounds_hold_after_state_is_put_back() {
    let (rules, site) = (rules(), site("threshold = 0"));
    let mut out = Vec::new();
    let mut stage = Stage::new(&rules, &site, Limits::default());
    for n in 0..9 {
        stage.push(&plain(4, n, &format!("10.0.2.{n}")), &mut out);
    }
    let limits = Limits {
        max_suppressions: 4,
        ..Limits::default()
    };
    let mut small = Stage::new(&rules, &site, limits);
    small
        .put_state(&stage.take_state().unwrap(), &mut out)
        .unwrap();
    assert_eq!(small.counters().closed_early, 5);
}

//! Modbus against tshark.
use super::common::{Case, Tally, captures, cases, column, differ, heads, numbers, rows, texts};
use serde_json::{Map, Value as Json};
use telltale_schema::TableId;
use telltale_schema::value::{RowValues, Value};

/// Register values, in the order of the frame.
fn values(ours: &[RowValues], codes: &[u64], direction: &str) -> Vec<u64> {
    ours.iter()
        .filter(|r| r.get("direction").as_str() == Some(direction))
        .filter(|r| {
            r.get("function_code")
                .as_u64()
                .is_some_and(|f| codes.contains(&f))
        })
        .flat_map(|r| match r.get("data") {
            Value::List(list) => list
                .iter()
                .filter_map(telltale_schema::value::Value::as_f64)
                .map(|v| v as u64)
                .collect(),
            _ => Vec::new(),
        })
        .collect()
}

fn compare(frame: &Map<String, Json>, ours: &[RowValues]) -> Vec<String> {
    let heads = heads(ours);
    let mut out = Vec::new();
    for (field, name) in [
        ("mbtcp.trans_id", "transaction_id"),
        ("mbtcp.unit_id", "unit_id"),
        ("modbus.func_code", "function_code"),
        ("modbus.exception_code", "exception_code"),
        ("modbus.diagnostic_code", "sub_function"),
        ("modbus.mei", "mei_type"),
    ] {
        let truth = numbers(frame, field);
        // what tshark does not show of a PDU it could not read further is not compared
        if !truth.is_empty() || field == "modbus.exception_code" {
            out.extend(differ(field, &truth, &column(&heads, name)));
        }
    }
    let addressed: Vec<u64> = heads
        .iter()
        .filter(|r| {
            let code = r.get("function_code").as_u64().unwrap_or(0);
            let request = r.get("direction").as_str() == Some("request");
            r.get("exception_code").is_null()
                && (request && matches!(code, 1..=6 | 15 | 16 | 22)
                    || !request && matches!(code, 5 | 6 | 15 | 16 | 22))
        })
        .filter_map(|r| r.get("object_first").as_u64())
        .collect();
    let truth = numbers(frame, "modbus.reference_num");
    if !truth.is_empty() {
        out.extend(differ("reference", &truth, &addressed));
    }
    let registers = numbers(frame, "modbus.regval_uint16");
    if !registers.is_empty() {
        let mut all = values(ours, &[3, 4, 23], "response");
        all.extend(values(ours, &[6, 16], "request"));
        all.extend(values(ours, &[6], "response"));
        if all.len() == registers.len() {
            let (mut a, mut b) = (registers.clone(), all);
            a.sort_unstable();
            b.sort_unstable();
            out.extend(differ("register values", &a, &b));
        } else {
            out.extend(differ(
                "number of registers",
                &[registers.len()],
                &[all.len()],
            ));
        }
    }
    out
}

fn check(case: &Case) -> Tally {
    let mut tally = Tally::default();
    let ours = rows(&case.capture, TableId::Modbus);
    for frame in &case.truth {
        let at = numbers(frame, "frame.number")[0];
        let pdus = texts(frame, "modbus.func_code").len() as u64;
        if pdus > 0 {
            let rows = ours.get(&at).map_or(&[] as &[RowValues], Vec::as_slice);
            tally.frame(&case.name, at, pdus, compare(frame, rows));
        }
    }
    tally
}

#[test]
fn agrees_with_tshark() {
    let Some(folder) = captures() else { return };
    let mut total = Tally::default();
    for case in cases(&folder, "modbus") {
        check(&case).close(&case.name, &mut total);
    }
    println!(
        "modbus: {} of {} PDUs agree, {:.3} %",
        total.agree,
        total.pdus,
        total.percent()
    );
    assert!(total.percent() >= 99.5, "{:#?}", total.notes);
}

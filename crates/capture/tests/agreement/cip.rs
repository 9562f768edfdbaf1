//! EtherNet/IP and CIP against tshark.
use super::common::{Case, Tally, captures, cases, column, differ, heads, numbers, rows, texts};
use serde_json::{Map, Value as Json};
use telltale_schema::TableId;
use telltale_schema::value::{RowValues, Value};

/// Numbers of a kind of segment in our objects: `class:0x68/instance:1`.
fn segments(rows: &[RowValues], kind: &str) -> Vec<u64> {
    let mut out = Vec::new();
    for object in rows.iter().filter_map(|r| r.get("object").as_str()) {
        for part in object.split('/') {
            if let Some(number) = part.strip_prefix(kind).and_then(|p| p.strip_prefix(':')) {
                out.push(super::common::number(number));
            }
        }
    }
    out
}

/// Attributes of paths and of attribute lists, in order.
fn attributes(rows: &[RowValues]) -> Vec<u64> {
    let mut out = Vec::new();
    for row in rows {
        out.extend(row.get("attribute_id").as_u64());
        if let Some(list) = row
            .get("data_text")
            .as_str()
            .and_then(|t| t.strip_prefix("attributes "))
        {
            out.extend(list.split(',').map(|n| n.parse::<u64>().unwrap()));
        }
    }
    out
}

fn compare(frame: &Map<String, Json>, ours: &[RowValues]) -> Vec<String> {
    let heads = heads(ours);
    let mut out = Vec::new();
    for (field, name) in [
        ("enip.command", "encap_command"),
        ("enip.session", "session"),
        ("enip.status", "encap_status"),
        ("enip.cpf.cai.connid", "connection_id"),
        ("enip.lir.vendor", "vendor_id"),
        ("enip.lir.devtype", "device_type"),
        ("enip.lir.prodcode", "product_code"),
        ("enip.lir.serial", "serial_number"),
        ("enip.lir.state", "device_state"),
    ] {
        let truth = numbers(frame, field);
        if field.starts_with("enip.lir") && truth.is_empty() {
            continue;
        }
        out.extend(differ(field, &truth, &column(&heads, name)));
    }
    let services: Vec<RowValues> = ours
        .iter()
        .filter(|r| !r.get("service").is_null())
        .cloned()
        .collect();
    out.extend(differ(
        "service",
        &numbers(frame, "cip.sc"),
        &column(&services, "service"),
    ));
    let marked: Vec<u64> = services
        .iter()
        .map(|r| u64::from(matches!(r.get("is_response"), Value::Bool(true))))
        .collect();
    // tshark prints the bit again for services of the connection manager.
    let mut bits = numbers(frame, "cip.rr");
    if !texts(frame, "cip.cm.sc").is_empty() && bits.windows(2).all(|w| w[0] == w[1]) {
        bits.truncate(services.len());
    }
    out.extend(differ("response bit", &bits, &marked));
    let answers: Vec<RowValues> = services
        .iter()
        .filter(|r| matches!(r.get("is_response"), Value::Bool(true)))
        .cloned()
        .collect();
    out.extend(differ(
        "status",
        &numbers(frame, "cip.genstat"),
        &column(&answers, "general_status"),
    ));
    let requests = answers.len() < services.len();
    let unmarked = services.iter().any(|r| {
        r.get("direction").as_str() == Some("response")
            && !matches!(r.get("is_response"), Value::Bool(true))
    });
    for (field, kind) in [
        ("cip.class", "class"),
        ("cip.instance", "instance"),
        ("cip.connpoint", "connection_point"),
    ] {
        let mut truth = numbers(frame, field);
        // To the answer of an unconnected send tshark adds the path of the send itself.
        let answers_send = answers.len() == 1 && numbers(frame, "cip.class").first() == Some(&6);
        if answers_send && truth.len() > 1 && segments(&services, kind).len() + 1 == truth.len() {
            truth.remove(0);
        }
        // A response's path is that of its request; where tshark found none, there is nothing to compare.
        if !truth.is_empty() || (requests && !unmarked) {
            out.extend(differ(field, &truth, &segments(&services, kind)));
        }
    }
    let truth = texts(frame, "cip.symbol");
    if !truth.is_empty() || (requests && !unmarked) {
        let symbols: Vec<String> = services
            .iter()
            .filter_map(|r| r.get("symbol").as_str())
            .flat_map(|s| s.split('.').map(str::to_owned).collect::<Vec<_>>())
            .collect();
        out.extend(differ("cip.symbol", &truth, &symbols));
    }
    if answers.is_empty() && !unmarked {
        let truth = numbers(frame, "cip.attribute");
        out.extend(differ("cip.attribute", &truth, &attributes(&services)));
    }
    for (field, name) in [
        ("cip.cm.ot_connid", "o2t_connection_id"),
        ("cip.cm.to_connid", "t2o_connection_id"),
    ] {
        out.extend(differ(
            field,
            &numbers(frame, field),
            &column(&services, name),
        ));
    }
    let truth = numbers(frame, "cip.pccc.cmd.code");
    if !truth.is_empty() {
        let ours: Vec<u64> = services
            .iter()
            .filter_map(|r| r.get("pccc_command").as_u64())
            .collect();
        let bare: Vec<u64> = truth.iter().map(|code| code & 0x0f).collect();
        out.extend(differ("pccc command", &bare, &ours));
    }
    out
}

fn check(case: &Case) -> Tally {
    let mut tally = Tally::default();
    let ours = rows(&case.capture, TableId::Cip);
    for frame in &case.truth {
        let at = numbers(frame, "frame.number")[0];
        let pdus = texts(frame, "cip.sc")
            .len()
            .max(texts(frame, "enip.command").len()) as u64;
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
    for case in cases(&folder, "enip") {
        assert!(case.pdus > 0);
        check(&case).close(&case.name, &mut total);
    }
    println!(
        "enip_cip: {} of {} PDUs agree, {:.3} %",
        total.agree,
        total.pdus,
        total.percent()
    );
    assert!(total.percent() >= 99.5, "{:#?}", total.notes);
}

//! Values as people write them: out of rows, into columns, from JSON.
#![allow(clippy::expect_used)] // helpers outside of test functions

use serde_json::{Map, Value as Json, json};
use telltale_schema::value::{
    Literal, RowDefaults, RowError, Value, batch, cell, ip_addr, literal, mac_text, parse_ip,
    parse_mac, parse_time, row, row_from_json, time_text,
};
use telltale_schema::{ColumnDef, TableId};

fn column(table: TableId, name: &str) -> &'static ColumnDef {
    table.def().column(name).expect("a column").1
}

fn given(json: Json) -> Map<String, Json> {
    json.as_object().expect("an object").clone()
}

#[test]
fn literals_become_what_the_column_keeps() {
    let lit = |name, text| literal(column(TableId::Modbus, name), text).expect("a literal");
    assert_eq!(lit("operation", "stop"), Literal::Enum(6));
    assert_eq!(lit("function", "write_single_coil"), Literal::Enum(105));
    let mut mapped = [0u8; 16];
    mapped[10..].copy_from_slice(&[0xff, 0xff, 10, 0, 0, 5]);
    assert_eq!(lit("client_ip", "10.0.0.5"), Literal::Ip(mapped));
    assert_eq!(
        lit("client_mac", "00:1B:1b-00:00:01"),
        Literal::Mac(0x001b_1b00_0001)
    );
    assert_eq!(lit("unit_id", "0xff"), Literal::U64(255));
    assert_eq!(lit("value", "-1.5"), Literal::F64(-1.5));
    assert_eq!(
        lit("event_time", "1970-01-01T00:00:01Z"),
        Literal::Time(1_000_000_000)
    );
    assert_eq!(
        lit("object", " as is "),
        Literal::Text(" as is ".to_owned())
    );
}

#[test]
fn bad_literals_name_the_nearest_or_the_form() {
    let err = |name, text| {
        let e = literal(column(TableId::Modbus, name), text).expect_err("no literal");
        (e.code(), e.to_string())
    };
    let (code, text) = err("operation", "stopp");
    assert_eq!(code, "TT-SCH-003");
    assert!(text.ends_with("did you mean `stop`?"), "{text}");
    let (_, text) = err("function", "write_single_coils");
    assert!(
        text.ends_with("did you mean `write_single_coil`?"),
        "{text}"
    );
    let (code, text) = err("unit_id", "256");
    assert_eq!(code, "TT-SCH-004");
    assert!(text.contains("0 to 255"), "{text}");
    let (_, text) = err("client_ip", "10.0.0");
    assert!(text.contains("IP address"), "{text}");
    err("client_mac", "001b1b000001");
    err("client_mac", "+0:1b:1b:00:00:01");
    let (_, text) = err("operation", "zzzzzzzz");
    assert!(!text.contains("did you mean"), "{text}");
}

#[test]
fn addresses_and_times_round_trip() {
    for text in ["10.0.0.5", "fe80::1", "::"] {
        let bytes = parse_ip(text).expect("an address");
        assert_eq!(ip_addr(bytes).to_string(), text);
    }
    assert_eq!(
        mac_text(parse_mac("aa:bb:cc:00:00:ff").expect("a mac")),
        "aa:bb:cc:00:00:ff"
    );
    for ns in [0, 1, -1, 1_700_000_000_123_456_789, i64::MAX, i64::MIN] {
        assert_eq!(parse_time(&time_text(ns)), Some(ns), "{}", time_text(ns));
    }
    assert_eq!(time_text(1_000_000_001), "1970-01-01T00:00:01.000000001Z");
}

#[test]
fn a_function_gives_protocol_code_operation_and_phase() {
    let row = row_from_json(
        TableId::Modbus,
        &given(json!({"function": "write_single_coil", "object_first": 7, "data": [1]})),
        &RowDefaults {
            row_no: 4,
            event_time: 9,
        },
    )
    .expect("a row");
    let text = |n: &str| row.get(n).to_string();
    assert_eq!(text("protocol"), "modbus");
    assert_eq!(text("function_code"), "5");
    assert_eq!(text("operation"), "control");
    assert_eq!(text("phase"), "direct");
    assert_eq!(text("direction"), "request");
    assert_eq!(
        (text("client_ip"), text("src_ip")),
        ("10.0.0.1".to_owned(), "10.0.0.1".to_owned())
    );
    assert_eq!(
        (text("server_port"), text("dst_port")),
        ("502".to_owned(), "502".to_owned())
    );
    assert_eq!(row.get("data_max"), &Value::F64(1.0));
    assert_eq!(
        (text("row_no"), text("packet")),
        ("4".to_owned(), "5".to_owned())
    );
    assert!(row.get("outcome").is_null());
}

#[test]
fn what_is_given_wins_over_defaults() {
    let row = row_from_json(
        TableId::Dnp3,
        &given(json!({
            "function": "write", "object_type": "time", "direction": "response",
            "server_ip": "10.9.9.9", "dst_mac": "00:00:00:00:00:07", "phase": null,
        })),
        &RowDefaults::default(),
    )
    .expect("a row");
    let text = |n: &str| row.get(n).to_string();
    assert_eq!(text("operation"), "time_sync");
    assert_eq!(text("outcome"), "ok");
    // a response travels from server to client
    assert_eq!(
        (text("src_ip"), text("dst_ip")),
        ("10.9.9.9".to_owned(), "10.0.0.1".to_owned())
    );
    assert_eq!(
        (text("src_port"), text("client_mac")),
        ("20000".to_owned(), "00:00:00:00:00:07".to_owned())
    );
    assert_eq!(text("crc_ok"), "true");

    let row = row_from_json(
        TableId::Modbus,
        &given(json!({"function_code": 8, "sub_function": 4, "operation": "other"})),
        &RowDefaults::default(),
    )
    .expect("a row");
    assert_eq!(row.get("function").as_str(), Some("diag_force_listen_only"));
    assert_eq!(row.get("operation").as_str(), Some("other"));
}

#[test]
fn unknown_columns_and_wrong_shapes_are_named() {
    let err = |json| {
        row_from_json(TableId::Modbus, &given(json), &RowDefaults::default()).expect_err("an error")
    };
    let e = err(json!({"client_ipp": "10.0.0.1"}));
    assert_eq!(e.code(), "TT-SCH-005");
    assert!(e.to_string().contains("did you mean `client_ip`?"), "{e}");
    assert!(matches!(
        err(json!({"data": 5})),
        RowError::Shape { column: "data", .. }
    ));
    assert!(matches!(
        err(json!({"packet": [1]})),
        RowError::Shape {
            column: "packet",
            ..
        }
    ));
    assert!(matches!(
        err(json!({"operation": null})),
        RowError::Missing {
            column: "operation"
        }
    ));
    assert_eq!(err(json!({"operation": "wriet"})).code(), "TT-SCH-003");
    assert_eq!(err(json!({"unit_id": 300})).code(), "TT-SCH-004");
}

#[test]
fn defaults_alone_make_a_row_of_every_table_and_it_round_trips() {
    for &table in TableId::ALL {
        let one = row_from_json(
            table,
            &Map::new(),
            &RowDefaults {
                row_no: 3,
                event_time: 77,
            },
        )
        .expect("a row");
        let two = row_from_json(
            table,
            &Map::new(),
            &RowDefaults {
                row_no: 4,
                event_time: 78,
            },
        )
        .expect("a row");
        let made = batch(table, &[one.clone(), two.clone()]).expect("a batch");
        assert_eq!(made.batch.schema(), table.schema());
        assert_eq!(row(&made, 0), one, "{table}");
        assert_eq!(row(&made, 1), two, "{table}");
        assert_eq!(one.to_json_full().len(), table.def().columns.len());
        // out as JSON and in again
        let again = row_from_json(table, &one.to_json(), &RowDefaults::default()).expect("a row");
        assert_eq!(again, one, "{table}");
    }
}

#[test]
fn every_column_round_trips_a_value() {
    for &table in TableId::ALL {
        let mut json = Map::new();
        for c in table.def().columns {
            let sample = match c.kind.name().as_str() {
                "bool" => json!(true),
                "u8" => json!(255),
                "u16" => json!(65535),
                "u32" => json!(4_294_967_295u32),
                "u64" => json!(u64::MAX),
                "f64" => json!(-2.25),
                "text" => json!("a text of more than twelve bytes, ü"),
                "ip" => json!("2001:db8::7"),
                "mac" => json!("0a:0b:0c:0d:0e:0f"),
                "timestamp" => json!("2026-11-23T08:00:00.000000001Z"),
                "list_f64" => json!([1.5, -3, 1e300]),
                "list_u32" => json!([0, 7]),
                "i64" => json!(-5),
                _ => {
                    let telltale_schema::ColumnKind::Enum(e) = c.kind else {
                        panic!("{:?}", c.kind)
                    };
                    json!(e.def().values.last().expect("a name").1)
                }
            };
            json.insert(c.name.to_owned(), sample);
        }
        let full = row_from_json(table, &json, &RowDefaults::default()).expect("a row");
        let made = batch(table, std::slice::from_ref(&full)).expect("a batch");
        let back = row(&made, 0);
        assert_eq!(back, full, "{table}");
        for (name, value) in &json {
            assert!(!back.get(name).is_null(), "{table}.{name} lost {value}");
        }
        assert_eq!(back.get("src_mac"), &Value::Mac(0x0a0b_0c0d_0e0f));
        assert_eq!(back.to_json()["data"], json!([1.5, -3, 1e300]));
    }
}

#[test]
fn a_cell_out_of_range_is_missing() {
    let one = row_from_json(TableId::Arp, &Map::new(), &RowDefaults::default()).expect("a row");
    let made = batch(TableId::Arp, &[one]).expect("a batch");
    let def = column(TableId::Arp, "packet");
    assert!(cell(&made.batch, 9999, def, 0).is_null());
    assert!(cell(&made.batch, 5, def, 9999).is_null());
    let other = telltale_schema::value::RowValues::new(TableId::Flow);
    assert_eq!(
        batch(TableId::Arp, &[other]).expect_err("an error").code(),
        "TT-SCH-008"
    );
    let empty = telltale_schema::value::RowValues::new(TableId::Arp);
    assert_eq!(
        batch(TableId::Arp, &[empty]).expect_err("an error").code(),
        "TT-SCH-007"
    );
    assert_eq!(
        batch(TableId::Arp, &[])
            .expect("an empty batch")
            .batch
            .num_rows(),
        0
    );
}

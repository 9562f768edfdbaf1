//! A site's tags in rows, and what rules see of them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use serde_json::{Map, Value as Json, json};
use std::fmt::Write as _;
use telltale_engine::tagging;
use telltale_rules::Site;
use telltale_rules::site::tags::Tags;
use telltale_schema::value::{RowDefaults, batch, row, row_from_json};
use telltale_schema::{Frame, TableBatch, TableId, col};

const CSV: &str = "\
device,station,object,name,type,word_order,scale,unit,low,high
10.0.0.2,,holding_register:100,Tank 1 level setpoint,u16,,0.1,%,20,85
10.0.0.2,,holding_register:110,Filling temperature,f32,little,1,°C,2,95
10.0.0.2,4,coil:3,Drain valve,bool,,,,,
10.0.0.2,,analog_output:1,Flow setpoint,,,,m3/h,,400
10.0.0.2,,DB10.DBW4,Dosing,i16,,0.5,l/h,0,50
10.0.0.2,,MB7,Mode of the filter in automatic operation,,,,,0,2
10.0.0.2,,tag:Oven.SP,Oven,,,,°C,,220
";

fn given(table: TableId, rows: &[Json]) -> TableBatch {
    let rows: Vec<_> = rows
        .iter()
        .enumerate()
        .map(|(n, given)| {
            let given: &Map<String, Json> = given.as_object().unwrap();
            let defaults = RowDefaults {
                row_no: n as u64,
                event_time: 0,
            };
            row_from_json(table, given, &defaults).unwrap()
        })
        .collect();
    batch(table, &rows).unwrap()
}

fn site(tags: Tags) -> Site {
    Site {
        tags,
        ..Site::builtin_default()
    }
}

fn frame(batches: Vec<TableBatch>) -> Frame {
    Frame {
        site: "test".into(),
        sensor: "test".into(),
        seq: 0,
        watermark: 0,
        batches,
    }
}

fn rows() -> Vec<TableBatch> {
    vec![
        given(
            TableId::Modbus,
            &[
                json!({"function": "write_single_register", "object": "holding_register:100", "data": [980]}),
                json!({"function": "read_holding_registers", "object": "holding_register:100"}),
                json!({"function": "read_device_identification"}),
                json!({"function": "write_multiple_registers", "object": "holding_register:105..114", "data": [0, 0, 0, 0, 0, 0x8000, 0x42a5, 0, 0, 0]}),
                json!({"function": "write_single_register", "object": "holding_register:100", "data": [1], "server_ip": "10.0.0.9"}),
                json!({"function": "write_single_coil", "object": "coil:3", "data": [1], "server_station": "4"}),
                json!({"function": "write_single_coil", "object": "coil:3", "data": [1], "server_station": "5"}),
            ],
        ),
        given(
            TableId::Dnp3,
            &[
                json!({"function": "direct_operate", "object": "g41v2:1", "data": [401]}),
                json!({"function": "response", "direction": "response", "object": "g40v2:0..2", "data": [1, 2, 3]}),
            ],
        ),
        given(
            TableId::S7comm,
            &[
                json!({"function": "write_var", "object": "DB10.DBB0..7", "data": [0, 0, 0, 0, 255, 206, 0, 0]}),
                json!({"function": "write_var", "object": "MB6..7", "data": [0, 2]}),
                json!({"function": "write_var", "object": "DB11.DBW4", "data": [7]}),
                json!({"function": "plc_stop"}),
            ],
        ),
        given(
            TableId::Cip,
            &[
                json!({"function": "write_tag", "object": "tag:OVEN.SP", "data": [221.5]}),
                json!({"function": "list_identity"}),
            ],
        ),
        given(TableId::Flow, &[json!({})]),
    ]
}

#[test]
fn rows_are_tagged() {
    let (tags, found) = Tags::parse("tags.csv", CSV);
    assert!(found.is_empty(), "{found:?}");
    let frame = tagging::fill(&site(tags), frame(rows()));
    let mut golden = String::new();
    for batch in &frame.batches {
        for at in 0..batch.batch.num_rows() {
            let row = row(batch, at);
            let cell = |name: &str| row.get(name).to_string();
            let object = cell("object");
            write!(
                golden,
                "{} {} {object}",
                batch.table.name(),
                cell("function")
            )
            .unwrap();
            for name in ["tag", "value"] {
                if !row.get(name).is_null() {
                    write!(golden, " | {name} {}", cell(name)).unwrap();
                }
            }
            golden.push('\n');
        }
    }
    insta::assert_snapshot!(golden);
}

#[test]
fn what_touches_no_tag_is_passed_on_as_it_is() {
    let (tags, _) = Tags::parse("tags.csv", CSV);
    let elsewhere = "device,object,name\n10.9.9.9,coil:0,x\n";
    let (elsewhere, _) = Tags::parse("tags.csv", elsewhere);
    for (tags, same) in [(&Tags::default(), true), (&elsewhere, true), (&tags, false)] {
        let before = frame(rows());
        let after = tagging::fill(&site(tags.clone()), before.clone());
        let column = |f: &Frame| f.batches[0].batch.column(col::TAG).clone();
        let untouched = std::sync::Arc::ptr_eq(&column(&before), &column(&after));
        assert_eq!(untouched, same);
        // a slice of a batch is tagged like the batch
        let slice = TableBatch {
            table: TableId::Modbus,
            batch: before.batches[0].batch.slice(3, 2),
        };
        let slice = tagging::fill_batch(&site(tags.clone()), slice);
        assert_eq!(row(&slice, 0), row(&after.batches[0], 3));
        assert_eq!(row(&slice, 1), row(&after.batches[0], 4));
    }
}

#[test]
fn a_row_keeps_the_tag_that_it_has() {
    let (tags, _) = Tags::parse("tags.csv", CSV);
    let write = |object: &str| json!({"function": "write_single_register", "object": object, "data": [980]});
    let mut own = write("holding_register:100");
    own["tag"] = "its own".into();
    own["value"] = 7.into();
    let other = json!({"function": "read_coils", "tag": "kept", "value": 8});
    let rows = [own, write("holding_register:100"), other];
    let batch = tagging::fill_batch(&site(tags), given(TableId::Modbus, &rows));
    let has = |at| {
        let row = row(&batch, at);
        (row.get("tag").to_string(), row.get("value").as_f64())
    };
    assert_eq!(has(0), ("its own".to_owned(), Some(7.0)));
    assert_eq!(has(1), ("Tank 1 level setpoint".to_owned(), Some(98.0)));
    assert_eq!(has(2), ("kept".to_owned(), Some(8.0)));
}

//! How long a row takes. Ignored in normal runs; in release:
//! `cargo test -p telltale-schema --release --test append_speed -- --ignored --nocapture`
#![allow(clippy::disallowed_methods)] // it measures

use std::hint::black_box;
use std::time::Instant;
use telltale_schema::{Common, Direction, Protocol, Transport, modbus};

const ROWS: usize = 8192;

fn fill(b: &mut modbus::Builder, base: u64) {
    let ip = |n: u8| Some([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, n]);
    let data: Vec<f64> = (0..10).map(f64::from).collect();
    for n in 0..ROWS as u64 {
        let d = modbus::decide(
            modbus::Space::Pdu,
            black_box(3),
            None,
            modbus::ObjectClass::HoldingRegister,
        );
        let response = n & 1 == 1;
        let common = Common {
            row_no: base + n,
            event_time: n.cast_signed() * 1000,
            site: "plant",
            sensor: "sensor-1",
            segment: "default",
            packet: n + 1,
            capture_file: Some("some-capture-file.pcap"),
            protocol: Protocol::Modbus,
            operation: d.operation,
            function: d.function,
            function_code: Some(3),
            direction: if response {
                Direction::Response
            } else {
                Direction::Request
            },
            pdu_id: n,
            item_count: 1,
            request_ref: response.then_some(n),
            latency_us: response.then_some(900),
            flow_id: n % 100,
            flow_ordinal: n,
            community_id: Some("1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
            transport: Transport::Tcp,
            src_ip: ip(1),
            dst_ip: ip(2),
            src_port: Some(40000),
            dst_port: Some(502),
            src_mac: Some(0x0200_0000_0001),
            dst_mac: Some(0x0200_0000_0002),
            client_ip: ip(1),
            server_ip: ip(2),
            client_port: Some(40000),
            server_port: Some(502),
            client_mac: Some(0x0200_0000_0001),
            server_mac: Some(0x0200_0000_0002),
            server_station: Some("1"),
            object: Some("holding_register:100..109"),
            object_type: Some("holding_register"),
            object_first: Some(100),
            object_count: Some(10),
            data: response.then_some(&data),
            data_min: response.then_some(0.0),
            data_max: response.then_some(9.0),
            ..Default::default()
        };
        let own = modbus::Row {
            transaction_id: Some(7),
            unit_id: 1,
            quantity: Some(10),
            byte_count: response.then_some(20),
            ..Default::default()
        };
        b.append(black_box(&common), black_box(&own));
    }
}

#[test]
#[ignore = "measures; run in release"]
fn nanoseconds_per_modbus_row() {
    let mut b = modbus::Builder::with_capacity(ROWS);
    let mut best = (f64::MAX, f64::MAX);
    for round in 0..50u64 {
        let start = Instant::now();
        fill(&mut b, round);
        let appended = start.elapsed();
        let batch = b.finish().expect("a batch");
        let finished = start.elapsed();
        assert_eq!(batch.num_rows(), ROWS);
        let per_row = |t: std::time::Duration| t.as_secs_f64() * 1e9 / ROWS as f64;
        best.0 = best.0.min(per_row(appended));
        best.1 = best.1.min(per_row(finished));
    }
    println!(
        "best of 50: append {:.0} ns/row, append and finish {:.0} ns/row",
        best.0, best.1
    );
    assert!(best.1 > 0.0);
}

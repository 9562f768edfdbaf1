//! Rows of S7 communication and of EtherNet/IP, from hand-written packets.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]
use telltale_capture::{Config, Packet, Pipeline};
use telltale_schema::TableId;
use telltale_schema::value::{self, RowValues};

const CLIENT: (u8, u16) = (1, 40000);

/// A TCP connection between station 1 and station 2, each payload in a packet.
struct Wire {
    server: (u8, u16),
    seq: [u32; 2],
    packets: Vec<(i64, Vec<u8>)>,
}

impl Wire {
    fn new(port: u16) -> Self {
        Self {
            server: (2, port),
            seq: [100, 200],
            packets: Vec::new(),
        }
    }

    /// `from_client` sends `payload` at `ms`.
    fn send(mut self, ms: i64, from_client: bool, payload: &[u8]) -> Self {
        let (src, dst) = if from_client {
            (CLIENT, self.server)
        } else {
            (self.server, CLIENT)
        };
        let (own, other) = if from_client { (0, 1) } else { (1, 0) };
        let mut frame = vec![2, 0, 0, 0, 0, dst.0, 2, 0, 0, 0, 0, src.0, 8, 0, 0x45, 0];
        frame.extend(u16::try_from(40 + payload.len()).unwrap().to_be_bytes());
        frame.extend(u16::try_from(self.packets.len()).unwrap().to_be_bytes());
        frame.extend([0x40, 0, 64, 6, 0, 0, 10, 0, 0, src.0, 10, 0, 0, dst.0]);
        frame.extend(src.1.to_be_bytes());
        frame.extend(dst.1.to_be_bytes());
        frame.extend(self.seq[own].to_be_bytes());
        frame.extend(self.seq[other].to_be_bytes());
        frame.extend([0x50, 0x18, 1, 0, 0, 0, 0, 0]);
        frame.extend(payload);
        self.seq[own] += u32::try_from(payload.len()).unwrap();
        self.packets.push((ms * 1_000_000, frame));
        self
    }

    fn rows(self, table: TableId) -> Vec<RowValues> {
        let mut pipeline = Pipeline::new(Config::default());
        let mut frames = Vec::new();
        for (at, (ts_ns, data)) in self.packets.iter().enumerate() {
            let orig_len = u32::try_from(data.len()).unwrap();
            let number = at as u64 + 1;
            pipeline.packet(&Packet {
                number,
                ts_ns: *ts_ns,
                link_type: 1,
                interface: 0,
                data,
                orig_len,
            });
            frames.extend(pipeline.take_frame().unwrap());
        }
        frames.extend(pipeline.finish().unwrap());
        let batches = frames
            .iter()
            .flat_map(|f| &f.batches)
            .filter(|b| b.table == table);
        batches
            .flat_map(|b| {
                (0..b.batch.num_rows())
                    .map(|at| value::row(b, at))
                    .collect::<Vec<_>>()
            })
            .collect()
    }
}

/// Columns of a row as one text.
fn text(row: &RowValues, columns: &[&str]) -> String {
    columns
        .iter()
        .map(|c| row.get(c).to_string())
        .collect::<Vec<_>>()
        .join(" ")
}

fn s7(rosctr: u8, pdu_ref: u8, param: &[u8], data: &[u8]) -> Vec<u8> {
    let mut unit = vec![0x32, rosctr, 0, 0, 0, pdu_ref];
    unit.extend(u16::try_from(param.len()).unwrap().to_be_bytes());
    unit.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
    if matches!(rosctr, 2 | 3) {
        unit.extend([0, 0]);
    }
    unit.extend(param);
    unit.extend(data);
    let mut out = vec![3, 0];
    out.extend(u16::try_from(unit.len() + 7).unwrap().to_be_bytes());
    out.extend([2, 0xf0, 0x80]);
    out.extend(unit);
    out
}

const CR: [u8; 22] = [
    3, 0, 0, 22, 17, 0xe0, 0, 0, 0, 1, 0, 0xc0, 1, 10, 0xc1, 2, 1, 0, 0xc2, 2, 1, 2,
];

#[test]
fn s7_read_write_and_stop() {
    let mut confirm = CR;
    confirm[5] = 0xd0;
    let read = [
        4, 2, 0x12, 10, 0x10, 5, 0, 2, 0, 1, 0x84, 0, 0, 16, 0x12, 10, 0x10, 1, 0, 1, 0, 0, 0x83,
        0, 0, 83,
    ];
    let write = [5, 1, 0x12, 10, 0x10, 2, 0, 1, 0, 0, 0x82, 0, 0, 32];
    let rows = Wire::new(102)
        .send(0, true, &CR)
        .send(1, false, &confirm)
        .send(10, true, &s7(1, 1, &read, &[]))
        .send(
            13,
            false,
            &s7(
                3,
                1,
                &[4, 2],
                &[0xff, 4, 0, 32, 0, 5, 0xff, 0xff, 0x0a, 0, 0, 0],
            ),
        )
        .send(20, true, &s7(1, 2, &write, &[0, 4, 0, 8, 7]))
        .send(21, false, &s7(3, 2, &[5, 1], &[0xff]))
        .send(30, true, &s7(1, 3, b"\x29\0\0\0\0\0\x09P_PROGRAM", &[]))
        .send(31, false, &s7(3, 3, &[0x29], &[]))
        .rows(TableId::S7comm);
    let columns = [
        "function",
        "operation",
        "direction",
        "outcome",
        "object",
        "data",
        "error_code",
        "latency_us",
        "server_station",
    ];
    let got: Vec<String> = rows.iter().map(|r| text(r, &columns)).collect();
    let none = value::Value::Null.to_string();
    let want = [
        format!(
            "cotp_connect_request session request {none} cotp:0x0100>0x0102 {none} {none} {none} 0/2"
        ),
        format!(
            "cotp_connect_confirm session response ok cotp:0x0100>0x0102 {none} {none} 1000 0/2"
        ),
        format!("read_var read request {none} DB1.DBB2..5 {none} {none} {none} 0/2"),
        format!("read_var read request {none} M10.3 {none} {none} {none} 0/2"),
        format!("read_var read response ok DB1.DBB2..5 5 -1 {none} 3000 0/2"),
        format!("read_var read response error M10.3 {none} 10 3000 0/2"),
        format!("write_var control request {none} QB4 7 {none} {none} 0/2"),
        format!("write_var control response ok QB4 {none} {none} 1000 0/2"),
        format!("plc_stop stop request {none} {none} {none} {none} {none} 0/2"),
        format!("plc_stop stop response ok {none} {none} {none} 1000 0/2"),
    ];
    assert_eq!(got, want, "{got:#?}");
    // Roles are those of the application, on requests and responses alike.
    assert!(
        rows.iter()
            .all(|r| r.get("client_ip").to_string() == "10.0.0.1")
    );
    assert_eq!(
        text(&rows[4], &["item_index", "item_count", "request_ref"]),
        text(&rows[4], &["item_index"]) + " 2 " + &rows[2].get("pdu_id").to_string()
    );
}

#[test]
fn s7_request_without_answer() {
    let szl = |pdu_ref| {
        s7(
            7,
            pdu_ref,
            &[0, 1, 0x12, 4, 0x11, 0x44, 1, 0],
            &[0xff, 9, 0, 4, 0, 0x1c, 0, 1],
        )
    };
    let rows = Wire::new(102)
        .send(0, true, &szl(1))
        .send(60_000, true, &szl(2))
        .rows(TableId::S7comm);
    let columns = ["operation", "direction", "outcome", "object", "packet"];
    let got: Vec<String> = rows.iter().map(|r| text(r, &columns)).collect();
    assert!(
        got[0].starts_with("identify request") && got[0].ends_with("szl:0x001c:0x0001 1"),
        "{got:?}"
    );
    assert!(
        got.iter()
            .any(|r| r.starts_with("identify response no_response szl:0x001c:0x0001 2")),
        "{got:?}"
    );
    let lost = rows
        .iter()
        .find(|r| r.get("outcome").as_str() == Some("no_response"))
        .unwrap();
    assert_eq!(lost.get("request_ref"), rows[0].get("pdu_id"));
}

fn encapsulated(command: u16, session: u32, data: &[u8]) -> Vec<u8> {
    let mut out = command.to_le_bytes().to_vec();
    out.extend(u16::try_from(data.len()).unwrap().to_le_bytes());
    out.extend(session.to_le_bytes());
    out.extend([0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0]);
    out.extend(data);
    out
}

fn unconnected(message: &[u8]) -> Vec<u8> {
    let mut data = vec![0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0xb2, 0];
    data.extend(u16::try_from(message.len()).unwrap().to_le_bytes());
    data.extend(message);
    encapsulated(0x6f, 9, &data)
}

fn connected(id: u32, sequence: u16, message: &[u8]) -> Vec<u8> {
    let mut data = vec![0, 0, 0, 0, 0, 0, 2, 0, 0xa1, 0, 4, 0];
    data.extend(id.to_le_bytes());
    data.extend([0xb1, 0]);
    data.extend(u16::try_from(message.len() + 2).unwrap().to_le_bytes());
    data.extend(sequence.to_le_bytes());
    data.extend(message);
    encapsulated(0x70, 9, &data)
}

#[test]
fn cip_services_within_services_and_their_answers() {
    let two = [
        0x0a, 2, 0x20, 2, 0x24, 1, 2, 0, 6, 0, 14, 0, 0x4c, 2, 0x91, 2, b'a', b'b', 1, 0, 0x0e, 3,
        0x20, 1, 0x24, 1, 0x30, 7,
    ];
    let answer = [
        0x8a, 0, 0x1e, 0, 2, 0, 6, 0, 16, 0, 0xcc, 0, 0, 0, 0xc4, 0, 0xfe, 0xff, 0xff, 0xff, 0x8e,
        0, 0x08, 0,
    ];
    let rows = Wire::new(44818)
        .send(0, true, &encapsulated(0x65, 0, &[1, 0, 0, 0]))
        .send(1, false, &encapsulated(0x65, 9, &[1, 0, 0, 0]))
        .send(10, true, &connected(0x11, 5, &two))
        .send(12, false, &connected(0x22, 5, &answer))
        .rows(TableId::Cip);
    let columns = [
        "function",
        "direction",
        "outcome",
        "object",
        "data",
        "error_code",
        "item_index",
        "item_count",
    ];
    let got: Vec<String> = rows.iter().map(|r| text(r, &columns)).collect();
    let none = value::Value::Null.to_string();
    let want = [
        format!("register_session request {none} {none} {none} {none} 0 1"),
        format!("register_session response ok {none} {none} {none} 0 1"),
        format!("multiple_service_packet request {none} class:0x02/instance:1 {none} {none} 0 3"),
        format!("read_tag request {none} tag:ab {none} {none} 1 3"),
        format!(
            "get_attribute_single request {none} class:0x01/instance:1/attribute:7 {none} {none} 2 3"
        ),
        format!("multiple_service_packet response error class:0x02/instance:1 {none} 30 0 3"),
        format!("read_tag response ok tag:ab -2 {none} 1 3"),
        format!(
            "get_attribute_single response error class:0x01/instance:1/attribute:7 {none} 8 2 3"
        ),
    ];
    assert_eq!(got, want, "{got:#?}");
    assert!(
        rows.iter()
            .skip(5)
            .all(|r| r.get("request_ref") == rows[2].get("pdu_id"))
    );
}

#[test]
fn cip_routes_and_answers_without_the_response_bit() {
    let mut routed = vec![0x52, 2, 0x20, 6, 0x24, 1, 5, 157, 8, 0];
    routed.extend([0x05, 3, 0x20, 1, 0x24, 1, 0x30, 0]);
    routed.extend([1, 0, 1, 3]);
    let rows = Wire::new(44818)
        .send(0, true, &unconnected(&routed))
        .send(1, false, &unconnected(&[0x85, 0, 0, 0]))
        .send(
            10,
            true,
            &unconnected(&[0x0e, 3, 0x20, 4, 0x24, 100, 0x30, 3]),
        )
        .send(11, false, &unconnected(&[0x0e, 0, 0, 0, 1, 2, 3, 4]))
        .rows(TableId::Cip);
    let columns = [
        "function",
        "operation",
        "direction",
        "outcome",
        "server_station",
        "is_response",
        "data",
    ];
    let got: Vec<String> = rows.iter().map(|r| text(r, &columns)).collect();
    let none = value::Value::Null.to_string();
    let want = [
        format!("unconnected_send session request {none} 1/3 false {none}"),
        format!("reset restart request {none} 1/3 false {none}"),
        format!("reset restart response ok 1/3 true {none}"),
        format!("get_attribute_single read request {none} {none} false {none}"),
        format!("get_attribute_single read response ok {none} false 1 2 3 4"),
    ];
    assert_eq!(got, want, "{got:#?}");
}

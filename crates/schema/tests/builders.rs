//! The generated builders keep what was appended, however sparse.

use arrow_array::Array;
use proptest::prelude::*;
use telltale_schema::value::{Value, row};
use telltale_schema::{
    Builders, Common, Direction, Function, Operation, Phase, Protocol, TableBatch, TableId, dnp3,
    modbus,
};

#[derive(Debug, Clone)]
struct Sample {
    time: i64,
    site: String,
    phase: Option<Phase>,
    ip: Option<[u8; 16]>,
    mac: Option<u64>,
    object: Option<String>,
    data: Option<Vec<f64>>,
    indexes: Option<Vec<u32>>,
    fir: Option<bool>,
    crc_ok: bool,
    group: Option<u8>,
    function: u16,
}

fn sample() -> impl Strategy<Value = Sample> {
    (
        (
            any::<i64>(),
            ".{0,20}",
            prop::option::of(prop::sample::select(Phase::ALL)),
            any::<Option<[u8; 16]>>(),
        ),
        (
            prop::option::of(0u64..1 << 48),
            prop::option::of(".{0,30}"),
            prop::option::of(prop::collection::vec(-1e9..1e9f64, 0..4)),
            prop::option::of(prop::collection::vec(any::<u32>(), 0..4)),
        ),
        (
            any::<Option<bool>>(),
            any::<bool>(),
            any::<Option<u8>>(),
            prop::sample::select(&[0u16, 301, 313][..]),
        ),
    )
        .prop_map(
            |(
                (time, site, phase, ip),
                (mac, object, data, indexes),
                (fir, crc_ok, group, function),
            )| Sample {
                time,
                site,
                phase,
                ip,
                mac,
                object,
                data,
                indexes,
                fir,
                crc_ok,
                group,
                function,
            },
        )
}

fn append(b: &mut Builders, s: &Sample, row_no: u64) {
    let common = Common {
        row_no,
        event_time: s.time,
        site: &s.site,
        protocol: Protocol::Dnp3,
        operation: Operation::Read,
        phase: s.phase,
        function: Function(s.function),
        direction: Direction::Request,
        src_ip: s.ip,
        src_mac: s.mac,
        object: s.object.as_deref(),
        data: s.data.as_deref(),
        ..Default::default()
    };
    let own = dnp3::Row {
        link_source: 7,
        crc_ok: s.crc_ok,
        fir: s.fir,
        group: s.group,
        indexes: s.indexes.as_deref(),
        ..Default::default()
    };
    b.dnp3.append(&common, &own);
}

fn text(v: Option<&str>) -> Value {
    v.map_or(Value::Null, |t| Value::Text(t.to_owned()))
}

fn check(batch: &TableBatch, at: usize, s: &Sample, row_no: u64) -> Result<(), TestCaseError> {
    let got = row(batch, at);
    prop_assert_eq!(got.get("row_no"), &Value::U64(row_no));
    prop_assert_eq!(got.get("event_time"), &Value::Time(s.time));
    prop_assert_eq!(got.get("site"), &text(Some(&s.site)));
    prop_assert_eq!(got.get("phase"), &text(s.phase.map(Phase::as_str)));
    let ip = s.ip.map_or(Value::Null, |b| {
        Value::Ip(telltale_schema::value::ip_addr(b))
    });
    prop_assert_eq!(got.get("src_ip"), &ip);
    prop_assert_eq!(got.get("src_mac"), &s.mac.map_or(Value::Null, Value::Mac));
    prop_assert_eq!(got.get("object"), &text(s.object.as_deref()));
    let data = s.data.as_ref().map_or(Value::Null, |l| {
        Value::List(l.iter().copied().map(Value::F64).collect())
    });
    prop_assert_eq!(got.get("data"), &data);
    let indexes = s.indexes.as_ref().map_or(Value::Null, |l| {
        Value::List(l.iter().map(|v| Value::U64((*v).into())).collect())
    });
    prop_assert_eq!(got.get("indexes"), &indexes);
    prop_assert_eq!(got.get("fir"), &s.fir.map_or(Value::Null, Value::Bool));
    prop_assert_eq!(got.get("crc_ok"), &Value::Bool(s.crc_ok));
    prop_assert_eq!(
        got.get("group"),
        &s.group.map_or(Value::Null, |v| Value::U64(v.into()))
    );
    prop_assert_eq!(
        got.get("function").as_str(),
        Some(Function(s.function).as_str())
    );
    prop_assert!(got.get("file_name").is_null());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn rows_come_out_as_they_went_in(
        samples in prop::collection::vec(sample(), 1..40),
        cut in 0usize..40,
        capacity in 0usize..20,
    ) {
        let mut b = Builders::with_capacity(capacity);
        let cut = cut.min(samples.len());
        let (first, second) = samples.split_at(cut);
        let mut start = 0u64;
        // two flushes from the same builders: nothing of the first stays
        for part in [first, second] {
            for (s, n) in part.iter().zip(start..) {
                append(&mut b, s, n);
            }
            prop_assert_eq!(b.len(), part.len());
            let batches = b.finish().expect("batches");
            prop_assert!(b.is_empty());
            prop_assert_eq!(b.approx_bytes(), 0);
            if part.is_empty() {
                prop_assert!(batches.is_empty());
                continue;
            }
            prop_assert_eq!(batches.len(), 1);
            let batch = &batches[0];
            prop_assert_eq!(batch.table, TableId::Dnp3);
            prop_assert_eq!(batch.batch.num_rows(), part.len());
            prop_assert_eq!(batch.batch.schema(), TableId::Dnp3.schema());
            for (at, s) in part.iter().enumerate() {
                check(batch, at, s, start + at as u64)?;
            }
            start += part.len() as u64;
        }
    }
}

#[test]
fn a_column_without_nulls_has_no_null_buffer_and_an_empty_one_only_nulls() {
    let mut b = modbus::Builder::with_capacity(4);
    for n in 0..3 {
        let common = Common {
            row_no: n,
            object_first: Some(n),
            ..Default::default()
        };
        b.append(
            &common,
            &modbus::Row {
                unit_id: 1,
                ..Default::default()
            },
        );
    }
    assert!(b.approx_bytes() > 0);
    let batch = b.finish().expect("a batch");
    let column = |name: &str| batch.column_by_name(name).expect("a column").clone();
    assert_eq!(column("object_first").null_count(), 0);
    assert!(column("object_first").nulls().is_none());
    for name in ["latency_us", "object", "data", "client_ip", "vlan"] {
        assert_eq!(column(name).null_count(), 3, "{name}");
        assert_eq!(column(name).len(), 3, "{name}");
    }
    let none = b.finish().expect("an empty batch");
    assert_eq!(none.num_rows(), 0);
}

#[test]
fn tables_come_in_order_and_only_with_rows() {
    let mut b = Builders::with_capacity(8);
    b.packet_error.append(
        &Common::default(),
        &telltale_schema::packet_error::Row::default(),
    );
    b.modbus.append(&Common::default(), &modbus::Row::default());
    b.arp
        .append(&Common::default(), &telltale_schema::arp::Row::default());
    let tables: Vec<TableId> = b
        .finish()
        .expect("batches")
        .iter()
        .map(|t| t.table)
        .collect();
    assert_eq!(
        tables,
        [TableId::Modbus, TableId::Arp, TableId::PacketError]
    );
}

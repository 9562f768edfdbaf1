use super::*;
use crate::reader::Packet;
use telltale_schema::{TableId, value};

/// Ethernet, IPv4, TCP.
fn tcp(src: (u8, u16), dst: (u8, u16), seq: u32, flags: u8, id: u16, payload: &[u8]) -> Vec<u8> {
    let mut f = vec![2, 0, 0, 0, 0, dst.0, 2, 0, 0, 0, 0, src.0, 8, 0];
    f.extend([0x45, 0]);
    f.extend(u16::try_from(40 + payload.len()).unwrap().to_be_bytes());
    f.extend(id.to_be_bytes());
    f.extend([0x40, 0, 64, 6, 0, 0, 10, 0, 0, src.0, 10, 0, 0, dst.0]);
    f.extend(src.1.to_be_bytes());
    f.extend(dst.1.to_be_bytes());
    f.extend(seq.to_be_bytes());
    f.extend([0, 0, 0, 0, 0x50, flags, 1, 0, 0, 0, 0, 0]);
    f.extend(payload);
    f
}

fn run(config: Config, packets: &[(i64, Vec<u8>)]) -> (Vec<String>, Counters) {
    let mut pipeline = Pipeline::new(config);
    let mut rows = Vec::new();
    let mut keep = |frame: Option<Frame>| {
        for batch in frame.iter().flat_map(|f| &f.batches) {
            for at in 0..batch.batch.num_rows() {
                let row = value::row(batch, at);
                let text = [
                    "function",
                    "state",
                    "end_reason",
                    "packets_to_server",
                    "packets_to_client",
                    "reason",
                ]
                .map(|c| row.get(c).to_string());
                rows.push((
                    row.get("row_no").as_u64(),
                    format!("{} {}", batch.table.name(), text.join(" ")),
                ));
            }
        }
    };
    for (n, (ts, data)) in packets.iter().enumerate() {
        let len = u32::try_from(data.len()).unwrap();
        pipeline.packet(&Packet {
            number: n as u64 + 1,
            ts_ns: *ts,
            link_type: 1,
            interface: 0,
            data,
            orig_len: len,
        });
        keep(pipeline.take_frame().unwrap());
    }
    keep(pipeline.finish().unwrap());
    rows.sort();
    (rows.into_iter().map(|r| r.1).collect(), pipeline.counters())
}

const C: (u8, u16) = (1, 40000);
const S: (u8, u16) = (2, 9999);

#[test]
fn a_connection_from_syn_to_fin() {
    let packets = [
        (0, tcp(C, S, 1, 0x02, 1, b"")),
        (10, tcp(S, C, 9, 0x12, 1, b"")),
        (20, tcp(C, S, 2, 0x10, 2, b"")),
        (30, tcp(C, S, 2, 0x11, 3, b"")),
        (40, tcp(S, C, 10, 0x11, 2, b"")),
        (50, tcp(C, S, 3, 0x10, 4, b"")),
    ];
    let (rows, counters) = run(Config::default(), &packets);
    assert_eq!(rows.len(), 2, "{rows:?}");
    assert!(rows[0].starts_with("flow flow_start syn_sent"), "{rows:?}");
    assert!(
        rows[1].starts_with("flow flow_end closed fin 3 2"),
        "{rows:?}"
    );
    assert_eq!((counters.flows, counters.packets), (1, 6));
}

#[test]
fn copies_are_dropped_and_counted_and_shown_on_demand() {
    let poll = tcp(C, S, 5, 0x18, 7, b"xyz");
    let packets = [(0, poll.clone()), (1000, poll)];
    let (rows, counters) = run(Config::default(), &packets);
    assert_eq!(counters.duplicates, 1);
    assert!(rows.last().unwrap().contains(" 1 0 "), "{rows:?}");
    let (rows, counters) = run(
        Config {
            keep_duplicates: true,
            ..Config::default()
        },
        &packets,
    );
    assert_eq!(counters.duplicates, 1);
    assert!(rows.last().unwrap().contains(" 2 0 "), "{rows:?}");
}

#[test]
fn a_full_table_ends_the_flow_idle_longest() {
    let packets: Vec<_> = (0..5)
        .map(|n| (i64::from(n), tcp((1, 40000 + n), S, 1, 0x02, n, b"")))
        .collect();
    let (rows, counters) = run(
        Config {
            max_flows: 2,
            ..Config::default()
        },
        &packets,
    );
    assert_eq!(counters.flow_evictions, 3);
    assert_eq!(rows.iter().filter(|r| r.contains("eviction")).count(), 3);
    assert_eq!(rows.iter().filter(|r| r.contains("capture_end")).count(), 2);
}

#[test]
fn rubbish_becomes_rows_and_never_a_panic() {
    let good = tcp(C, S, 1, 0x18, 1, b"hello");
    for cut in 0..good.len() {
        let (_, counters) = run(Config::default(), &[(0, good.get(..cut).unwrap().to_vec())]);
        assert_eq!(counters.packets, 1);
    }
    let (rows, _) = run(Config::default(), &[(0, vec![1, 2, 3])]);
    assert!(rows[0].contains("packet_error link_error"), "{rows:?}");
    assert_eq!(TableId::PacketError.name(), "packet_error");
}

#[test]
fn row_numbers_rise_without_holes_over_all_tables() {
    let packets: Vec<_> = (0..50_u16)
        .map(|n| {
            (
                i64::from(n) * 700_000_000,
                if n % 7 == 0 {
                    vec![0; 3]
                } else {
                    tcp((1, 40000 + n % 5), S, u32::from(n), 0x18, n, b"data")
                },
            )
        })
        .collect();
    let mut pipeline = Pipeline::new(Config::default());
    let mut numbers = Vec::new();
    let mut seqs = Vec::new();
    let mut take = |frame: Option<Frame>| {
        if let Some(frame) = frame {
            seqs.push(frame.seq);
            for batch in &frame.batches {
                numbers.extend(
                    (0..batch.batch.num_rows())
                        .map(|at| value::row(batch, at).get("row_no").as_u64().unwrap()),
                );
            }
        }
    };
    for (n, (ts_ns, data)) in packets.iter().enumerate() {
        pipeline.packet(&Packet {
            number: n as u64 + 1,
            ts_ns: *ts_ns,
            link_type: 1,
            interface: 0,
            data,
            orig_len: 60,
        });
        take(pipeline.take_frame().unwrap());
    }
    take(pipeline.finish().unwrap());
    numbers.sort_unstable();
    assert!(
        numbers.iter().enumerate().all(|(n, row)| n as u64 == *row),
        "{numbers:?}"
    );
    assert!(seqs.len() > 5 && seqs.windows(2).all(|w| w[0] + 1 == w[1]));
}

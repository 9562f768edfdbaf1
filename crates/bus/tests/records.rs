//! Records keep what they hold, and bytes that are none are refused.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod common;

use arrow_buffer::Buffer;
use common::{Random, frame, same};
use proptest::prelude::*;
use telltale_bus::{
    Command, CommandKind, ContentHash, Control, Encoder, Loss, MAX_ARGS, Record, RecordError,
};
use telltale_schema::TableId;

fn encode(record: &Record) -> Result<Vec<u8>, RecordError> {
    Encoder::new().unwrap().encode(record)
}

fn decode(bytes: &[u8]) -> Result<Record, RecordError> {
    Record::decode(&Buffer::from(bytes))
}

fn there_and_back(record: &Record) -> Record {
    decode(&encode(record).unwrap()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn frames_come_back(seed in any::<u64>(), rows in 0_u64..70) {
        let made = frame(seed, rows);
        let bytes = encode(&Record::Frame(made.clone())).unwrap();
        // at any alignment
        for shift in [0, 8, 3] {
            let moved = Buffer::from([vec![0; shift], bytes.clone()].concat()).slice(shift);
            let Record::Frame(back) = Record::decode(&moved).unwrap() else {
                panic!("another kind")
            };
            prop_assert!(same(&made, &back), "{made:?}\n{back:?}");
        }
    }

    #[test]
    fn slices_come_back(seed in any::<u64>(), skip in 1_usize..20, take in 0_usize..40) {
        let mut made = frame(seed, 60);
        for rows in &mut made.frame.batches {
            let skip = skip.min(rows.batch.num_rows());
            let take = take.min(rows.batch.num_rows() - skip);
            rows.batch = rows.batch.slice(skip, take);
        }
        let Record::Frame(back) = there_and_back(&Record::Frame(made.clone())) else {
            panic!("another kind")
        };
        prop_assert!(same(&made, &back), "{made:?}\n{back:?}");
    }

    #[test]
    fn losses_come_back(epoch in any::<u64>(), from in any::<u64>(), more in any::<u64>(), rows in any::<u64>()) {
        let loss = Loss {
            site: "site".into(),
            sensor: "s".into(),
            epoch,
            from_seq: from,
            to_seq: from.saturating_add(more),
            rows,
        };
        let Record::Loss(back) = there_and_back(&Record::Loss(loss.clone())) else {
            panic!("another kind")
        };
        prop_assert_eq!(back, loss);
    }

    #[test]
    fn any_bytes_are_refused_or_read(bytes in proptest::collection::vec(any::<u8>(), 0..200), kind in 0_u8..5) {
        let mut bytes = bytes;
        if let Some(head) = bytes.first_chunk_mut::<8>() {
            *head = [1, kind, 0, 0, head[4] % 64, 0, 0, 0];
        }
        drop(decode(&bytes));
    }

    #[test]
    fn changed_frames_are_refused_or_read(seed in any::<u64>(), change in any::<u64>()) {
        let mut bytes = encode(&Record::Frame(frame(seed, 6))).unwrap();
        let mut random = Random(change);
        for _ in 0..20 {
            let (at, old) = {
                let at = random.below(bytes.len() as u64) as usize;
                (at, bytes[at])
            };
            bytes[at] = random.next() as u8;
            if let Ok(Record::Frame(read)) = decode(&bytes) {
                // what was read holds: it can be written again
                let again = there_and_back(&Record::Frame(read.clone()));
                let Record::Frame(again) = again else { panic!("another kind") };
                prop_assert_eq!(again.frame.rows(), read.frame.rows());
            }
            if random.below(4) > 0 {
                bytes[at] = old;
            }
        }
    }
}

#[test]
fn controls_come_back() {
    let args = vec!["ot.stop".to_owned(), "because".to_owned()];
    let kinds = [
        CommandKind::ApproveFirstSeen,
        CommandKind::RemoveFirstSeen,
        CommandKind::QuarantineRule,
        CommandKind::ReleaseRule,
    ];
    let commands = kinds.map(|kind| {
        let args = args.clone();
        Control::Command(Command { kind, args })
    });
    let plain = [
        Control::Tick,
        Control::Rules(ContentHash([1; 32])),
        Control::Context(ContentHash([2; 32])),
    ];
    for control in plain.into_iter().chain(commands) {
        let Record::Control(back) = there_and_back(&Record::Control(control.clone())) else {
            panic!("another kind")
        };
        assert_eq!(back, control);
    }
}

#[test]
fn a_tick_is_small_and_its_bytes_are_fixed() {
    let bytes = encode(&Record::Control(Control::Tick)).unwrap();
    assert_eq!(bytes, [1, 2, 0, 0, 2, 0, 0, 0, 0x0a, 0, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn each_cut_is_refused() {
    let bytes = encode(&Record::Frame(frame(5, 4))).unwrap();
    for end in 0..bytes.len() {
        assert!(decode(&bytes[..end]).is_err(), "{end}");
    }
    let longer = [bytes.as_slice(), &[0; 8]].concat();
    assert!(matches!(decode(&longer), Err(RecordError::Length { .. })));
}

#[test]
fn flipped_bits_are_refused_or_read() {
    let bytes = encode(&Record::Frame(frame(9, 2))).unwrap();
    for bit in (0..bytes.len() * 8).step_by(3) {
        let mut bytes = bytes.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        drop(decode(&bytes));
    }
}

#[test]
fn a_column_without_values_costs_no_bytes() {
    let mut random = Random(1);
    let sizes = [0, 8].map(|filled| {
        let rows: Vec<_> = (0..100)
            .map(|_| common::row(TableId::Cip, filled, &mut random))
            .collect();
        let mut made = frame(0, 0);
        made.frame.batches = vec![telltale_schema::value::batch(TableId::Cip, &rows).unwrap()];
        encode(&Record::Frame(made)).unwrap().len()
    });
    assert!(sizes[0] * 2 < sizes[1], "{sizes:?}");
}

#[test]
fn what_is_unknown_is_named() {
    let good = encode(&Record::Control(Control::Tick)).unwrap();
    let changed = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        decode(&bytes).map(|_| ())
    };
    assert_eq!(changed(0, 2), Err(RecordError::Version(2)));
    assert_eq!(changed(1, 9), Err(RecordError::Kind(9)));
    assert!(matches!(changed(2, 1), Err(RecordError::Header(_))));
    assert!(matches!(changed(7, 1), Err(RecordError::TooLarge { .. })));
    assert!(matches!(changed(8, 0x2a), Err(RecordError::Header(_))));
}

#[test]
fn rows_of_another_release_are_refused_by_name() {
    let made = (0..).map(|n| frame(n, 3)).find(|f| f.frame.rows() > 0);
    let made = made.unwrap();
    let table = made.frame.batches[0].table;
    let print = telltale_bus::fingerprint(table).0;
    let mut bytes = encode(&Record::Frame(made)).unwrap();
    let at = bytes.windows(16).position(|w| w == print).unwrap();
    bytes[at] ^= 1;
    let error = decode(&bytes).unwrap_err();
    assert_eq!(error.code(), "TT-BUS-006");
    assert!(error.to_string().contains(table.as_str()), "{error}");
}

#[test]
fn what_is_above_its_bound_is_not_written() {
    let args = vec![String::new(); MAX_ARGS + 1];
    let kind = CommandKind::ReleaseRule;
    let command = Record::Control(Control::Command(Command { kind, args }));
    assert_eq!(encode(&command).unwrap_err().code(), "TT-BUS-005");
    let loss = Loss {
        site: "s".into(),
        sensor: "s".into(),
        epoch: 0,
        from_seq: 2,
        to_seq: 1,
        rows: 0,
    };
    assert_eq!(
        encode(&Record::Loss(loss)).unwrap_err().code(),
        "TT-BUS-004"
    );
    let mut made = (0..)
        .map(|n| frame(n, 3))
        .find(|f| f.frame.batches.len() > 1)
        .unwrap();
    made.frame.batches.reverse();
    assert_eq!(
        encode(&Record::Frame(made.clone())).unwrap_err().code(),
        "TT-BUS-004"
    );
    let other = made.frame.batches[0].batch.clone();
    made.frame.batches.truncate(2);
    made.frame.batches.reverse();
    made.frame.batches[0].batch = other;
    assert_eq!(
        encode(&Record::Frame(made)).unwrap_err().code(),
        "TT-BUS-007"
    );
}

#![allow(clippy::indexing_slicing)]
use super::item::{area, size};
use super::userdata::Kind;
use super::*;
use crate::{Framing, Probe};
use proptest::prelude::*;
use std::hint::black_box;

/// A TPKT with a COTP data unit around `s7`.
fn tpkt(s7: &[u8]) -> Vec<u8> {
    let mut out = vec![3, 0];
    out.extend(u16::try_from(s7.len() + 7).unwrap().to_be_bytes());
    out.extend([2, 0xf0, 0x80]);
    out.extend(s7);
    out
}

/// An S7 PDU with reference 7.
fn s7(rosctr: u8, param: &[u8], data: &[u8]) -> Vec<u8> {
    let mut out = vec![0x32, rosctr, 0, 0, 0, 7];
    out.extend(u16::try_from(param.len()).unwrap().to_be_bytes());
    out.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
    if matches!(rosctr, 2 | 3) {
        out.extend([0, 0]);
    }
    out.extend(param);
    out.extend(data);
    out
}

fn userdata(kinds: u8, sub: u8, payload: &[u8]) -> Vec<u8> {
    let mut data = vec![0xff, 9];
    data.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
    data.extend(payload);
    s7(7, &[0, 1, 0x12, 8, 0x12, kinds, sub, 1, 0, 0, 0, 0], &data)
}

fn pdu(unit: &[u8]) -> Pdu<'_> {
    match parse(unit) {
        Ok(Payload::S7(pdu)) => pdu,
        other => panic!("{other:?}"),
    }
}

/// DB1.DBX4.0, MB20..23, T5.
const ITEMS: [u8; 36] = [
    0x12, 10, 0x10, 1, 0, 1, 0, 1, 0x84, 0, 0, 32, 0x12, 10, 0x10, 2, 0, 4, 0, 0, 0x83, 0, 0, 160,
    0x12, 10, 0x10, 29, 0, 1, 0, 0, 0x1d, 0, 0, 5,
];

fn read_request() -> Vec<u8> {
    s7(1, &[&[4, 3][..], &ITEMS].concat(), &[])
}

fn read_answer() -> Vec<u8> {
    let data = [
        0xff, 3, 0, 1, 1, 0, 0xff, 4, 0, 32, 1, 2, 3, 4, 0x0a, 0, 0, 0,
    ];
    s7(3, &[4, 3], &data)
}

fn write_request() -> Vec<u8> {
    let param = [&[5, 2][..], &ITEMS[..24]].concat();
    s7(1, &param, &[0, 3, 0, 1, 1, 0, 0, 4, 0, 32, 9, 8, 7, 6])
}

fn download() -> Vec<u8> {
    let mut param = vec![0x1a, 0, 1, 0, 0, 0, 0, 0, 9];
    param.extend(b"_0800001P\x0d1000312000198");
    s7(1, &param, &[])
}

fn insert() -> Vec<u8> {
    let mut param = vec![0x28, 0, 0, 0, 0, 0, 0, 0xfd, 0, 18, 2, 0];
    param.extend(b"0800001P0A00010P\x05_INSE");
    s7(1, &param, &[])
}

fn start(argument: &[u8]) -> Vec<u8> {
    let mut param = vec![
        0x28,
        0,
        0,
        0,
        0,
        0,
        0,
        0xfd,
        0,
        u8::try_from(argument.len()).unwrap(),
    ];
    param.extend(argument);
    param.extend(b"\x09P_PROGRAM");
    s7(1, &param, &[])
}

fn stop() -> Vec<u8> {
    s7(1, b"\x29\0\0\0\0\0\x09P_PROGRAM", &[])
}

fn all_units() -> Vec<Vec<u8>> {
    vec![
        s7(1, &[0xf0, 0, 0, 1, 0, 1, 1, 0xe0], &[]),
        read_request(),
        read_answer(),
        write_request(),
        s7(3, &[5, 2], &[0xff, 5]),
        s7(2, &[], &[]),
        download(),
        s7(3, &[0x1b, 0], &[0, 2, 0, 0xfb, 1, 2]),
        s7(3, b"\x1d\0\0\0\0\0\0\x07\x070000240", &[]),
        s7(1, &[0x1e, 0, 0, 0, 0, 0, 0, 7], &[]),
        s7(3, &[0x1e, 0], &[0, 3, 0, 0xfb, 1, 2, 3]),
        s7(1, &[0x1f, 0, 0, 0, 0, 0, 0, 7], &[]),
        insert(),
        start(b""),
        start(b"C "),
        stop(),
        userdata(0x44, 1, &[0, 0x11, 0, 0]),
        userdata(
            0x84,
            1,
            &[
                &[0, 0x11, 0, 0, 0, 28, 0, 1, 0, 1][..],
                b"6ES7 315-2EH14-0AB0 ",
                &[0; 6],
            ]
            .concat(),
        ),
        userdata(0x43, 3, b"0800001A"),
        userdata(0x83, 1, b"08\0\x0308\0\x04"),
        userdata(0x83, 2, &[0, 5, 1, 2, 0, 6, 1, 2]),
        userdata(0x45, 1, &[0x20 ^ 0x55; 8]),
        userdata(
            0x47,
            2,
            &[0, 0x19, 0x14, 0x08, 0x20, 0x11, 0x59, 0x43, 0x91, 0x25],
        ),
        userdata(0x42, 1, &[&[0, 1, 1, 1][..], &ITEMS[..12]].concat()),
        userdata(
            0x42,
            5,
            &[0, 1, 1, 1, 0x12, 12, 0xb0, 2, 4, 0, 1, 0, 8, 2, 0, 3, 0, 0],
        ),
        userdata(0x02, 1, &[0, 1, 0xff, 4, 0, 8, 5, 0]),
        userdata(
            0x41,
            8,
            &[
                0, 2, 0, 14, 1, 1, 0, 1, 0x03, 1, 0, 0, 0, 0, 0, 9, 0, 4, 1, 2, 3, 4,
            ],
        ),
        userdata(0x01, 2, &[0, 2, 0, 8, 1, 1, 0, 1, 0xff, 9, 0, 2, 1, 2]),
        userdata(0x01, 8, &[0, 2, 0, 4, 1, 1, 0, 2, 0xff, 5]),
        userdata(0x00, 0, &[]),
    ]
}

/// Asks a unit for everything; nothing may panic.
fn walk(unit: &[u8]) {
    let Ok(Payload::S7(pdu)) = parse(unit) else {
        return;
    };
    assert!(pdu.param.len() + pdu.data.len() <= unit.len());
    match pdu.body() {
        Ok(Body::ReadRequest(items)) => items.for_each(drop),
        Ok(Body::WriteRequest(items, values)) => {
            items.for_each(drop);
            for value in values.flatten() {
                Values::new(data::Kind::Real, value.data).for_each(drop);
            }
        }
        Ok(Body::ReadResponse(values)) => values.for_each(drop),
        Ok(Body::WriteResponse(codes)) => assert!(codes.iter().count() <= unit.len()),
        Ok(Body::Transfer(transfer)) => {
            black_box(transfer.block());
        }
        Ok(Body::Pi(pi)) => {
            black_box(pi.kind());
            pi.blocks().for_each(drop);
        }
        Ok(Body::Userdata(u)) => {
            u.szl().iter().for_each(|szl| szl.texts().for_each(drop));
            black_box((u.password(), u.clock(), u.block(), u.block_type()));
            u.block_counts().for_each(drop);
            u.block_numbers().for_each(drop);
            u.table_codes().for_each(drop);
            u.cyclic_items()
                .into_iter()
                .flatten()
                .flatten()
                .for_each(|item| {
                    black_box(userdata::first_variable(&item));
                });
            u.cyclic_data().into_iter().flatten().for_each(drop);
            u.table().into_iter().flatten().for_each(drop);
            u.table_values().into_iter().flatten().for_each(drop);
            let mut parts = Parts::default();
            black_box(parts.join(&u));
        }
        _ => {}
    }
}

#[test]
fn framing_finds_whole_units_and_the_way_back() {
    let one = tpkt(&read_request());
    let two = [one.clone(), one.clone()].concat();
    assert_eq!(next_pdu(&two), Framing::Pdu { len: one.len() });
    assert_eq!(next_pdu(&one[..3]), Framing::NeedMore { at_least: 4 });
    assert_eq!(
        next_pdu(&one[..20]),
        Framing::NeedMore {
            at_least: one.len()
        }
    );
    let lost = [b"garbage".to_vec(), one].concat();
    assert!(matches!(next_pdu(&lost), Framing::Resync { skip: 7, .. }));
}

#[test]
fn recognition_takes_s7_and_leaves_mms() {
    assert_eq!(probe(&tpkt(&read_request())), Probe::Yes);
    assert_eq!(probe(&tpkt(&[0x72, 1, 0, 4])), Probe::Yes);
    // An empty data unit tells nothing, the next does.
    let empty = vec![3, 0, 0, 7, 2, 0xf0, 0];
    assert_eq!(probe(&empty), Probe::NeedMore);
    assert_eq!(probe(&[empty, tpkt(&read_request())].concat()), Probe::Yes);
    // An ISO session connect, as MMS sends it.
    assert_eq!(probe(&tpkt(&[0x0d, 0xb2, 5, 6])), Probe::No);
    let request = |src: [u8; 2], dst: [u8; 2]| {
        vec![
            3, 0, 0, 22, 17, 0xe0, 0, 0, 0, 1, 0, 0xc0, 1, 10, 0xc1, 2, src[0], src[1], 0xc2, 2,
            dst[0], dst[1],
        ]
    };
    assert_eq!(probe(&request([1, 0], [1, 2])), Probe::Yes);
    assert_eq!(probe(&request([0, 1], [0, 1])), Probe::NeedMore);
    assert_eq!(probe(&request([0, 2], [2, 0])), Probe::NeedMore);
    assert_eq!(probe(b"GET / HTTP/1.1\r\n"), Probe::No);
}

#[test]
fn connections_name_rack_and_slot() {
    let bytes = [
        3, 0, 0, 22, 17, 0xe0, 0, 0, 0, 1, 0, 0xc0, 1, 10, 0xc1, 2, 1, 0, 0xc2, 2, 1, 0x42,
    ];
    let Ok(Cotp::ConnectRequest(c)) = cotp::parse(&bytes) else {
        panic!()
    };
    assert_eq!(cotp::rack_slot(c.dst_tsap), Some((2, 2)));
    assert_eq!(
        (cotp::tsap_number(c.src_tsap), c.tpdu_size, c.src_ref),
        (Some(0x0100), Some(10), 1)
    );
    assert_eq!(
        cotp::parse(&[3, 0, 0, 11, 6, 0x80, 0, 1, 0, 2, 128]),
        Ok(Cotp::DisconnectRequest {
            dst_ref: 1,
            src_ref: 2,
            reason: 128
        })
    );
}

#[test]
fn read_names_its_variables_and_the_answer_its_values() {
    let unit = read_request();
    let Ok(Body::ReadRequest(items)) = pdu(&unit).body() else {
        panic!()
    };
    let found: Vec<Item<'_>> = items.map(Result::unwrap).collect();
    let variable = |at: usize| match found[at] {
        Item::Variable(v) => v,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        (
            variable(0).area,
            variable(0).db,
            variable(0).byte(),
            variable(0).bit()
        ),
        (area::DB, 1, 4, 0)
    );
    assert_eq!(
        (variable(1).area, variable(1).length, variable(1).byte()),
        (area::MARKERS, 4, 20)
    );
    assert_eq!(
        (variable(2).transport_size, variable(2).byte()),
        (size::TIMER, 5)
    );
    let unit = read_answer();
    let Ok(Body::ReadResponse(values)) = pdu(&unit).body() else {
        panic!()
    };
    let values: Vec<DataItem<'_>> = values.map(Result::unwrap).collect();
    assert_eq!(
        values.iter().map(|v| v.return_code).collect::<Vec<_>>(),
        [0xff, 0xff, 0x0a]
    );
    assert_eq!(
        Values::new(data::Kind::Bit, values[0].data).collect::<Vec<_>>(),
        [1.0]
    );
    assert_eq!(
        Values::new(data::Kind::Byte, values[1].data).collect::<Vec<_>>(),
        [1.0, 2.0, 3.0, 4.0]
    );
    assert_eq!(
        Values::new(data::Kind::DInt, values[1].data).collect::<Vec<_>>(),
        [f64::from(0x0102_0304)]
    );
}

#[test]
fn write_carries_values_and_its_answer_codes() {
    let unit = write_request();
    let Ok(Body::WriteRequest(items, values)) = pdu(&unit).body() else {
        panic!()
    };
    assert_eq!((items.count(), values.count()), (2, 2));
    assert_eq!(values.last().unwrap().unwrap().data, [9, 8, 7, 6]);
    let unit = s7(3, &[5, 2], &[0xff, 5]);
    let Ok(Body::WriteResponse(codes)) = pdu(&unit).body() else {
        panic!()
    };
    assert_eq!(codes.iter().collect::<Vec<_>>(), [0xff, 5]);
}

#[test]
fn transfers_and_services_name_their_blocks() {
    let unit = download();
    let Ok(Body::Transfer(t)) = pdu(&unit).body() else {
        panic!()
    };
    let block = t.block().unwrap();
    assert_eq!(
        (block.type_name(), block.number, block.destination),
        (Some("OB"), 1, Some(b'P'))
    );
    assert_eq!((t.filename, t.length), (Some(&b"_0800001P"[..]), Some(312)));
    let unit = insert();
    let Ok(Body::Pi(pi)) = pdu(&unit).body() else {
        panic!()
    };
    let blocks: Vec<_> = pi.blocks().map(|b| (b.type_name(), b.number)).collect();
    assert_eq!(
        (pi.kind(), blocks),
        (PiKind::Insert, vec![(Some("OB"), 1), (Some("DB"), 10)])
    );
    for (argument, kind) in [(&b""[..], PiKind::Program), (b"C ", PiKind::ProgramCold)] {
        let unit = start(argument);
        let Ok(Body::Pi(pi)) = pdu(&unit).body() else {
            panic!()
        };
        assert_eq!(pi.kind(), kind);
    }
    assert_eq!(pdu(&stop()).body(), Ok(Body::Stop(b"P_PROGRAM")));
}

#[test]
fn userdata_lists_passwords_and_clocks() {
    let of = |unit: &[u8], check: &dyn Fn(&Userdata<'_>)| match pdu(unit).body() {
        Ok(Body::Userdata(u)) => check(&u),
        other => panic!("{other:?}"),
    };
    of(&all_units()[17], &|u| {
        let szl = u.szl().unwrap();
        assert_eq!((szl.id, szl.count, u.kind), (0x11, Some(1), Kind::Response));
        assert_eq!(
            szl.texts().collect::<Vec<_>>(),
            [(1, &b"6ES7 315-2EH14-0AB0"[..])]
        );
    });
    let plain = b"secret  ";
    let mut encoded = [0u8; 8];
    for at in 0..8 {
        encoded[at] = plain[at] ^ 0x55 ^ if at >= 2 { encoded[at - 2] } else { 0 };
    }
    of(&userdata(0x45, 1, &encoded), &|u| {
        assert_eq!(u.password().as_ref(), Some(plain));
    });
    of(
        &userdata(
            0x47,
            2,
            &[0, 0x19, 0x14, 0x08, 0x20, 0x11, 0x59, 0x43, 0x91, 0x25],
        ),
        &|u| {
            let c = u.clock().unwrap();
            assert_eq!(
                (c.year, c.month, c.day, c.hour, c.minute, c.second),
                (2014, 8, 20, 11, 59, 43)
            );
            assert_eq!(c.millisecond, 912);
        },
    );
    of(&userdata(0x83, 2, &[0, 5, 1, 2, 0, 6, 1, 2]), &|u| {
        assert_eq!(u.block_numbers().collect::<Vec<_>>(), [5, 6]);
    });
    of(
        &userdata(
            0x41,
            8,
            &[0, 2, 0, 14, 1, 1, 0, 1, 0x10, 1, 0, 0, 0, 8, 0, 9, 0, 1, 1],
        ),
        &|u| {
            let entry = u.table().unwrap().next().unwrap();
            assert_eq!(
                (
                    entry.variable.area,
                    entry.variable.byte(),
                    entry.variable.bit()
                ),
                (area::INPUTS, 8, 1)
            );
            assert_eq!(entry.value, Some(&[1u8][..]));
        },
    );
}

#[test]
fn parts_of_a_long_answer_are_put_together() {
    let part = |more: u8, payload: &[u8]| {
        let mut unit = userdata(0x84, 1, payload);
        unit[18] = 9;
        unit[19] = more;
        unit
    };
    let mut parts = Parts::default();
    let (a, b) = (part(1, &[0, 0x1c, 0, 0]), part(0, &[1, 2]));
    for (unit, whole) in [(&a, 4), (&b, 6)] {
        let Ok(Body::Userdata(u)) = pdu(unit).body() else {
            panic!()
        };
        assert_eq!(parts.join(&u).payload.len(), whole);
    }
    // A last part without its first stays what it is.
    let Ok(Body::Userdata(u)) = pdu(&b).body() else {
        panic!()
    };
    assert_eq!(parts.join(&u).payload, [1, 2]);
}

#[test]
fn transport_parts_are_put_together_and_bounded() {
    let mut parts = Reassembly::default();
    assert_eq!(parts.push(true, b"one"), Assembled::Whole(b"one"));
    assert_eq!(parts.push(false, b"ab"), Assembled::Partial);
    assert_eq!(parts.push(true, b"cd"), Assembled::Whole(b"abcd"));
    assert_eq!(
        parts.push(false, &vec![0; MAX_REASSEMBLY]),
        Assembled::Partial
    );
    assert_eq!(parts.push(false, b"x"), Assembled::TooLong);
    assert_eq!(parts.push(true, b"rest of it"), Assembled::Partial);
    assert_eq!(parts.push(true, b"next"), Assembled::Whole(b"next"));
}

#[test]
fn every_prefix_and_every_changed_byte_is_survived() {
    for unit in all_units() {
        assert!(parse(&unit).is_ok());
        for end in 0..unit.len() {
            walk(&unit[..end]);
        }
        let mut changed = unit.clone();
        for at in 0..unit.len() {
            for value in [
                0,
                1,
                0x7f,
                0x80,
                0xff,
                unit[at] ^ 1,
                unit[at].wrapping_add(1),
            ] {
                changed[at] = value;
                walk(&changed);
            }
            changed[at] = unit[at];
        }
    }
}

proptest! {
    #[test]
    fn random_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300), rosctr in 1u8..8) {
        walk(&bytes);
        walk(&s7(rosctr, &bytes[..bytes.len() / 2], &bytes[bytes.len() / 2..]));
        black_box(cotp::parse(&bytes).is_ok());
        black_box(probe(&bytes));
        match next_pdu(&bytes) {
            Framing::Pdu { len } => prop_assert!(len > 0 && len <= bytes.len()),
            Framing::NeedMore { at_least } => prop_assert!(at_least > bytes.len()),
            Framing::Resync { skip, .. } => prop_assert!(skip > 0 && skip <= bytes.len().max(1)),
        }
    }
}

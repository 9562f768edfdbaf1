//! Every function code by hand-written bytes, whole, cut and corrupted.
use super::{Adu, Body, Shape, next_pdu, probe};
use crate::{Framing, Probe};
use proptest::prelude::*;

fn adu(function: u8, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len() + 2).unwrap().to_be_bytes();
    let mut bytes = vec![0x12, 0x34, 0, 0, length[0], length[1], 9, function];
    bytes.extend_from_slice(data);
    bytes
}

/// Walks through everything that a PDU offers.
fn walk(bytes: &[u8]) {
    let Ok(adu) = Adu::parse(bytes) else { return };
    let _shape = adu.shape();
    for body in [adu.request(), adu.response()] {
        match body {
            Ok(Body::Files { records, .. }) => {
                for record in records.flatten() {
                    assert!(record.registers.iter().count() <= bytes.len());
                }
            }
            Ok(Body::DeviceId { objects, .. }) => assert!(objects.count() <= 255),
            Ok(Body::ReadBits { bits, .. } | Body::WriteCoils { bits, .. }) => {
                assert_eq!(bits.iter().count(), bits.len());
            }
            Ok(Body::ReadRegisters { registers, .. } | Body::WriteRegisters { registers, .. }) => {
                assert_eq!(registers.iter().count(), registers.len());
            }
            Ok(Body::Umas(umas)) => drop(umas.memory_block()),
            Ok(_) => {}
            Err(error) => assert!(error.offset <= bytes.len(), "{error} in {bytes:02x?}"),
        }
    }
}

const VECTORS: &[(u8, &[u8])] = &[
    (1, &[0, 0, 0, 19]),
    (1, &[3, 0xcd, 0x6b, 5]),
    (2, &[0, 0xc4, 0, 22]),
    (3, &[0, 0x6b, 0, 3]),
    (3, &[6, 2, 0x2b, 0, 0, 0, 0x64]),
    (4, &[0, 8, 0, 1]),
    (5, &[0, 0xac, 0xff, 0]),
    (6, &[0, 1, 0, 3]),
    (7, &[]),
    (7, &[0x6d]),
    (8, &[0, 0, 0xa5, 0x37]),
    (11, &[]),
    (11, &[0xff, 0xff, 1, 8]),
    (12, &[8, 0, 0, 1, 8, 1, 0x21, 0x20, 0]),
    (15, &[0, 0x13, 0, 10, 2, 0xcd, 1]),
    (15, &[0, 0x13, 0, 10]),
    (16, &[0, 1, 0, 2, 4, 0, 10, 1, 2]),
    (17, &[4, b'a', b'b', b'c', 0xff]),
    (20, &[0x0e, 6, 0, 4, 0, 1, 0, 2, 6, 0, 3, 0, 9, 0, 2]),
    (
        20,
        &[0x0c, 5, 6, 0x0d, 0xfe, 0, 0x20, 5, 6, 0x33, 0xcd, 0, 0x40],
    ),
    (
        21,
        &[0x0d, 6, 0, 4, 0, 7, 0, 3, 6, 0xaf, 4, 0xbe, 0x10, 0x0d],
    ),
    (22, &[0, 4, 0, 0xf2, 0, 0x25]),
    (
        23,
        &[0, 3, 0, 6, 0, 0x0e, 0, 3, 6, 0, 0xff, 0, 0xff, 0, 0xff],
    ),
    (24, &[4, 0xde]),
    (24, &[0, 6, 0, 2, 1, 0xb8, 0x12, 0x84]),
    (43, &[14, 1, 0]),
    (43, &[14, 1, 1, 0, 0, 2, 0, 3, b'a', b'b', b'c', 1, 1, b'x']),
    (43, &[13, 1, 2, 3]),
    (90, &[0, 2]),
    (90, &[7, 0x20, 1, 3, 0, 16, 0, 0, 0, 32, 0]),
    (0x83, &[2]),
    (66, &[1, 2, 3]),
];

#[test]
fn every_prefix_and_every_corrupted_byte() {
    for (function, data) in VECTORS {
        let whole = adu(*function, data);
        assert_eq!(next_pdu(&whole), Framing::Pdu { len: whole.len() });
        for cut in 0..=whole.len() {
            walk(&whole[..cut]);
            if cut < whole.len() {
                assert!(
                    matches!(next_pdu(&whole[..cut]), Framing::NeedMore { at_least } if at_least > cut)
                );
            }
            // the same with a length field that tells the truth
            if cut >= 8 {
                walk(&adu(*function, &data[..cut - 8]));
            }
        }
        for at in 0..whole.len() {
            for value in 0..=255 {
                let mut bad = whole.clone();
                bad[at] = value;
                walk(&bad);
            }
        }
    }
}

#[test]
fn values_of_the_standard() {
    let bytes = adu(1, &[3, 0xcd, 0x6b, 5]);
    let Ok(Body::ReadBits {
        byte_count: 3,
        bits,
    }) = Adu::parse(&bytes).unwrap().response()
    else {
        panic!()
    };
    let on: Vec<usize> = bits
        .iter()
        .enumerate()
        .filter(|(_, b)| *b)
        .map(|(i, _)| i)
        .collect();
    assert_eq!(on, [0, 2, 3, 6, 7, 8, 9, 11, 13, 14, 16, 18]);

    let bytes = adu(
        23,
        &[0, 3, 0, 6, 0, 0x0e, 0, 3, 6, 0, 0xff, 0, 0xff, 1, 0xff],
    );
    let adu23 = Adu::parse(&bytes).unwrap();
    assert_eq!(adu23.shape(), Shape::Request);
    let Ok(Body::ReadWrite {
        read_first: 3,
        read_quantity: 6,
        write_first: 14,
        write_quantity: 3,
        registers,
        ..
    }) = adu23.request()
    else {
        panic!()
    };
    assert_eq!(registers.iter().collect::<Vec<_>>(), [255, 255, 511]);

    let bytes = adu(
        21,
        &[0x0d, 6, 0, 4, 0, 7, 0, 3, 6, 0xaf, 4, 0xbe, 0x10, 0x0d],
    );
    let Ok(Body::Files { mut records, .. }) = Adu::parse(&bytes).unwrap().request() else {
        panic!()
    };
    let record = records.next().unwrap().unwrap();
    assert_eq!(
        (record.file, record.record, record.length),
        (Some(4), Some(7), 3)
    );
    assert_eq!(
        record.registers.iter().collect::<Vec<_>>(),
        [0x06af, 0x04be, 0x100d]
    );

    let bytes = adu(43, &[14, 1, 1, 0, 0, 2, 0, 3, b'a', b'b', b'c', 1, 1, b'x']);
    let Ok(Body::DeviceId {
        objects,
        more: false,
        ..
    }) = Adu::parse(&bytes).unwrap().response()
    else {
        panic!()
    };
    let objects: Vec<_> = objects
        .map(|o| o.map(|o| (o.id, o.value)))
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(objects, [(0, &b"abc"[..]), (1, &b"x"[..])]);
}

#[test]
fn a_stream_finds_back() {
    let mut stream = vec![0xff, 0xfe, 0xfd, 1, 2];
    let whole = adu(3, &[0, 1, 0, 2]);
    stream.extend_from_slice(&whole);
    stream.extend_from_slice(&whole);
    assert!(matches!(next_pdu(&stream), Framing::Resync { skip: 5, .. }));
    assert!(matches!(
        next_pdu(b"GET / HTTP/1.1\r\n"),
        Framing::Resync { skip: 16, .. }
    ));
}

#[test]
fn others_are_not_modbus() {
    assert_eq!(probe(b"GET / HTTP/1.1\r\n\r\n", false), Probe::No);
    assert_eq!(
        probe(&[3, 0, 0, 22, 17, 0xe0, 0, 0, 0, 1, 0, 0xc0], false),
        Probe::No
    );
    assert_eq!(
        probe(&[5, 0x64, 5, 0xc0, 1, 0, 2, 0, 1, 2], false),
        Probe::No
    );
    assert_eq!(probe(&adu(3, &[0, 1, 0, 2]), false), Probe::Yes);
    assert_eq!(probe(&adu(3, &[0, 1, 0, 2, 7]), false), Probe::No);
    assert_eq!(probe(&adu(3, &[0, 1, 0, 2, 7]), true), Probe::Yes);
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        walk(&bytes);
        let _probe = probe(&bytes, false);
        match next_pdu(&bytes) {
            Framing::Pdu { len } => prop_assert!(len > 0 && len <= bytes.len()),
            Framing::NeedMore { at_least } => prop_assert!(at_least > bytes.len()),
            Framing::Resync { skip, .. } => prop_assert!(skip > 0),
        }
    }
}

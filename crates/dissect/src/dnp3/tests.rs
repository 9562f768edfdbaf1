//! Objects of every known group by hand-written bytes, whole, cut and corrupted.
use super::{
    Assembled, BAD_RANGE, FileObject, Fragment, Frame, Layout, Range, Session, UNKNOWN_OBJECT, crc,
    layout, next_pdu, probe,
};
use crate::{Framing, Probe};
use proptest::prelude::*;

/// A link frame with right CRCs around user data.
fn frame(control: u8, user: &[u8]) -> Vec<u8> {
    let length = u8::try_from(user.len() + 5).unwrap();
    let mut bytes = vec![0x05, 0x64, length, control, 4, 0, 3, 0];
    bytes.extend_from_slice(&crc(&bytes).to_le_bytes());
    for block in user.chunks(16) {
        bytes.extend_from_slice(block);
        bytes.extend_from_slice(&crc(block).to_le_bytes());
    }
    bytes
}

/// Walks through everything that a fragment offers; gives the objects and points seen.
fn walk(bytes: &[u8]) -> (usize, usize) {
    let Ok(fragment) = Fragment::parse(bytes) else {
        return (0, 0);
    };
    let (mut objects, mut points) = (0, 0);
    for object in fragment.objects() {
        match object {
            Ok(object) => {
                objects += 1;
                for point in object.points().take(100_000) {
                    points += 1;
                    let _seen = (point.crob(), point.attribute().and_then(|a| a.number()));
                    if object.group == 70
                        && let Ok(file) = FileObject::read(object.variation, point.bytes)
                    {
                        assert!(file.name.len() <= point.bytes.len());
                    }
                }
            }
            Err(error) => assert!(error.offset <= bytes.len(), "{error} in {bytes:02x?}"),
        }
    }
    (objects, points)
}

const CROB: &[u8] = &[
    0xc3, 5, 12, 1, 0x28, 1, 0, 7, 0, 0x81, 2, 0xe8, 3, 0, 0, 0xd0, 7, 0, 0, 0,
];

/// Fragments written by hand.
const VECTORS: &[&[u8]] = &[
    CROB,
    &[0xc0, 1, 60, 2, 6, 60, 3, 6, 60, 4, 6, 60, 1, 6],
    &[0xc0, 1, 30, 0, 0x17, 2, 5, 9],
    &[0xe1, 129, 0x82, 0, 1, 1, 0, 0, 9, 0xff, 3],
    &[0xe1, 129, 0, 0, 3, 1, 0, 0, 4, 0xe4, 2],
    &[0xe1, 130, 0, 0, 2, 2, 0x17, 1, 3, 0x81, 1, 2, 3, 4, 5, 6],
    &[
        0xe1, 129, 0, 0, 30, 1, 0, 0, 1, 1, 0xff, 0xff, 0xff, 0xff, 1, 5, 0, 0, 0,
    ],
    &[0xe1, 129, 0, 0, 30, 5, 1, 3, 0, 3, 0, 1, 0, 0, 0x80, 0x3f],
    &[0xc1, 2, 50, 1, 7, 1, 1, 2, 3, 4, 5, 6],
    &[0xc1, 2, 80, 1, 0, 7, 7, 0],
    &[
        0xc1, 25, 70, 3, 0x5b, 1, 30, 0, 26, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0,
        0, 1, 0, 0, 2, 1, 0, b'a', b'/', b'b', b'c',
    ],
    &[0xc1, 129, 0, 0, 0, 252, 0, 0, 0, 1, 3, b'A', b'B', b'C'],
    &[0xc1, 129, 0, 0, 110, 3, 0, 5, 5, b'x', b'y', b'z'],
    &[0xc1, 32, 120, 1, 0x5b, 1, 9, 0, 1, 0, 0, 0, 2, 0, 4, 1, 9],
    &[0xc1, 3, 41, 2, 0x17, 1, 4, 0x39, 0x30, 0],
];

#[test]
fn every_prefix_and_every_corrupted_byte() {
    for vector in VECTORS {
        let (objects, _) = walk(vector);
        assert!(objects > 0, "{vector:02x?}");
        for cut in 0..vector.len() {
            walk(&vector[..cut]);
        }
        for at in 0..vector.len() {
            for value in 0..=255 {
                let mut bad = vector.to_vec();
                bad[at] = value;
                walk(&bad);
            }
        }
    }
}

#[test]
fn every_group_is_walked_past() {
    for group in 0..=255_u8 {
        for variation in 0..=255_u8 {
            let Some(size) = layout(group, variation).and_then(|l| l.size(variation)) else {
                continue;
            };
            if size == 0 || layout(group, variation) == Some(Layout::Text) {
                continue;
            }
            let mut bytes = vec![0xc0, 129, 0, 0, group, variation, 0x17, 2];
            for index in [3, 9] {
                bytes.push(index);
                bytes.extend(std::iter::repeat_n(0, size));
            }
            bytes.extend_from_slice(&[60, 1, 6]);
            let fragment = Fragment::parse(&bytes).unwrap();
            let objects: Vec<_> = fragment.objects().collect::<Result<_, _>>().unwrap();
            assert_eq!(objects.len(), 2, "g{group}v{variation}");
            let indexes: Vec<u32> = objects[0].points().map(|p| p.index).collect();
            assert_eq!(indexes, [3, 9], "g{group}v{variation}");
            assert_eq!((objects[1].group, objects[1].range), (60, Range::All));
        }
    }
}

fn values(bytes: &[u8]) -> Vec<(u32, Option<f64>)> {
    let fragment = Fragment::parse(bytes).unwrap();
    let object = fragment.objects().next().unwrap().unwrap();
    object.points().map(|p| (p.index, p.value)).collect()
}

#[test]
fn values_are_read() {
    let fragment = Fragment::parse(CROB).unwrap();
    let object = fragment.objects().next().unwrap().unwrap();
    let point = object.points().next().unwrap();
    let crob = point.crob().unwrap();
    assert_eq!(
        (point.index, crob.operation_name(), crob.trip_close_name()),
        (7, Some("pulse_on"), "trip")
    );
    assert_eq!(
        (crob.count, crob.on_time, crob.off_time, crob.status),
        (2, 1000, 2000, 0)
    );

    assert_eq!(values(VECTORS[6]), [(0, Some(-1.0)), (1, Some(5.0))]);
    assert_eq!(values(VECTORS[7]), [(3, Some(1.0))]);
    assert_eq!(values(VECTORS[14]), [(4, Some(12345.0))]);
    let bits = values(VECTORS[3]);
    assert_eq!(
        (bits.len(), bits[8], bits[9]),
        (10, (8, Some(1.0)), (9, Some(1.0)))
    );
    let double: Vec<_> = values(VECTORS[4])
        .into_iter()
        .map(|(_, v)| v.unwrap())
        .collect();
    assert_eq!(double, [0.0, 1.0, 2.0, 3.0, 2.0]);
    // a read names points and carries none
    assert_eq!(values(VECTORS[2]), [(5, None), (9, None)]);
}

#[test]
fn file_names_and_attributes() {
    let fragment = Fragment::parse(VECTORS[10]).unwrap();
    let object = fragment.objects().next().unwrap().unwrap();
    let point = object.points().next().unwrap();
    let file = FileObject::read(3, point.bytes).unwrap();
    assert_eq!(
        (file.name, file.size, file.mode),
        (&b"a/bc"[..], Some(9), Some(1))
    );
    let fragment = Fragment::parse(VECTORS[11]).unwrap();
    let object = fragment.objects().next().unwrap().unwrap();
    let attribute = object.points().next().unwrap().attribute().unwrap();
    assert_eq!(attribute.text(), Some(&b"ABC"[..]));
}

#[test]
fn what_has_no_size_ends_the_walk_with_an_error() {
    let last = |bytes: &[u8]| {
        Fragment::parse(bytes)
            .unwrap()
            .objects()
            .last()
            .unwrap()
            .unwrap_err()
            .code
    };
    // octet strings of variation 0 in a write: tshark stops here, too
    assert_eq!(
        last(&[0xc0, 2, 112, 0, 0, 0, 0, 112, 0, 0, 0, 0]),
        UNKNOWN_OBJECT
    );
    assert_eq!(last(&[0xc0, 129, 0, 0, 200, 1, 7, 1, 1]), UNKNOWN_OBJECT);
    assert_eq!(last(&[0xc0, 129, 0, 0, 30, 1, 0, 5, 2, 1]), BAD_RANGE);
}

#[test]
fn a_great_count_of_nothing_is_nothing() {
    let bytes = [0xc0, 129, 0, 0, 60, 1, 9, 0xff, 0xff, 0xff, 0xff];
    assert_eq!(walk(&bytes), (1, 0));
}

#[test]
fn frames_are_cut_and_checked() {
    // reset link from 3 to 4
    let link = frame(0xc0, &[]);
    assert_eq!(next_pdu(&link), Framing::Pdu { len: 10 });
    assert_eq!(probe(&link), Probe::Yes);
    let user: Vec<u8> = (0..40).collect();
    let whole = frame(0xc4, &user);
    assert_eq!(whole.len(), 10 + 40 + 6);
    for cut in 0..whole.len() {
        assert!(
            matches!(next_pdu(&whole[..cut]), Framing::NeedMore { at_least } if at_least > cut)
        );
    }
    let mut noise = vec![1, 2, 5, 3];
    noise.extend_from_slice(&whole);
    assert!(matches!(next_pdu(&noise), Framing::Resync { skip: 4, .. }));
    let mut bad = whole.clone();
    bad[20] ^= 1;
    assert!(Frame::parse(&whole).unwrap().crc_ok());
    assert!(!Frame::parse(&bad).unwrap().crc_ok());
    bad = whole;
    bad[9] ^= 1;
    assert!(matches!(next_pdu(&bad), Framing::Resync { .. }));
    assert_eq!(probe(&bad), Probe::No);
    assert_eq!(probe(b"GET / HTTP"), Probe::No);
}

#[test]
fn segments_are_put_together() {
    let mut session: Session<()> = Session::new();
    let mut push = |user: &[u8]| {
        let bytes = frame(0xc4, user);
        match session.frame(&Frame::parse(&bytes).unwrap()) {
            Assembled::Whole(bytes) => Some(Ok(bytes.to_vec())),
            Assembled::Dropped(error) => Some(Err(error.code)),
            Assembled::Partial | Assembled::LinkOnly => None,
        }
    };
    assert_eq!(push(&[0xc0, 1, 2]), Some(Ok(vec![1, 2])));
    assert_eq!(push(&[0x7f, 1, 2]), None);
    // a repeated segment changes nothing, the sequence wraps
    assert_eq!(push(&[0x00, 3]), None);
    assert_eq!(push(&[0x00, 3]), None);
    assert_eq!(push(&[0x81, 4]), Some(Ok(vec![1, 2, 3, 4])));
    assert_eq!(push(&[0x85, 4]), Some(Err(super::BAD_SEQUENCE)));
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        walk(&bytes);
        match next_pdu(&bytes) {
            Framing::Pdu { len } => prop_assert!(len > 0 && len <= bytes.len()),
            Framing::NeedMore { at_least } => prop_assert!(at_least > bytes.len()),
            Framing::Resync { skip, .. } => prop_assert!(skip > 0),
        }
        let cut = frame(0xc4, bytes.get(..bytes.len().min(250)).unwrap_or_default());
        let mut session: Session<()> = Session::new();
        let parsed = Frame::parse(&cut).unwrap();
        prop_assert!(parsed.crc_ok());
        if let Assembled::Whole(fragment) = session.frame(&parsed) {
            walk(fragment);
        }
    }
}

/// Found by fuzzing: prefix code 7 (undefined) with a count of four billion points
/// and no bytes for any.
#[test]
fn a_count_without_bytes_names_no_points() {
    let fragment = Fragment::parse(&[1, 10, 1, 0, 0xf9, 10, 1, 0, 249, 43]).unwrap();
    let mut objects = fragment.objects();
    let object = objects.next().unwrap().unwrap();
    assert_eq!(object.count(), Some(0xf900_010a));
    assert_eq!(object.points().count(), 0);
    assert!(objects.next().unwrap().is_err());
}

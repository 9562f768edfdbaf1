#![allow(clippy::indexing_slicing)]
use super::message::{Embedded, service};
use super::*;
use crate::Framing;
use proptest::prelude::*;
use std::hint::black_box;

fn encapsulated(command: u16, session: u32, data: &[u8]) -> Vec<u8> {
    let mut out = command.to_le_bytes().to_vec();
    out.extend(u16::try_from(data.len()).unwrap().to_le_bytes());
    out.extend(session.to_le_bytes());
    out.extend([0; 4]);
    out.extend([1, 2, 3, 4, 5, 6, 7, 8]);
    out.extend([0; 4]);
    out.extend(data);
    out
}

fn items(list: &[(u16, &[u8])]) -> Vec<u8> {
    let mut out = u16::try_from(list.len()).unwrap().to_le_bytes().to_vec();
    for (kind, data) in list {
        out.extend(kind.to_le_bytes());
        out.extend(u16::try_from(data.len()).unwrap().to_le_bytes());
        out.extend(*data);
    }
    out
}

fn unconnected(message: &[u8]) -> Vec<u8> {
    encapsulated(
        0x6f,
        9,
        &[&[0; 6][..], &items(&[(0, &[]), (0xb2, message)])].concat(),
    )
}

fn connected(id: u32, sequence: u16, message: &[u8]) -> Vec<u8> {
    let data = [&sequence.to_le_bytes()[..], message].concat();
    encapsulated(
        0x70,
        9,
        &[
            &[0; 6][..],
            &items(&[(0xa1, &id.to_le_bytes()), (0xb1, &data)]),
        ]
        .concat(),
    )
}

/// Get Attribute Single of the Identity's product name.
const GET: [u8; 8] = [0x0e, 3, 0x20, 1, 0x24, 1, 0x30, 7];

fn multiple() -> Vec<u8> {
    let mut out = vec![0x0a, 2, 0x20, 2, 0x24, 1, 2, 0, 6, 0, 14, 0];
    out.extend(GET);
    out.extend([0x4c, 2, 0x91, 2, b'a', b'b', 1, 0]);
    out
}

fn routed() -> Vec<u8> {
    let mut out = vec![0x52, 2, 0x20, 6, 0x24, 1, 5, 157, 8, 0];
    out.extend(GET);
    out.extend([1, 0, 1, 3]);
    out
}

fn open() -> Vec<u8> {
    let mut out = vec![0x54, 2, 0x20, 6, 0x24, 1, 10, 14];
    out.extend(0x1111u32.to_le_bytes());
    out.extend(0x2222u32.to_le_bytes());
    out.extend([7, 0, 0x0d, 0, 4, 3, 2, 1, 1, 0, 0, 0]);
    out.extend(10_000u32.to_le_bytes());
    out.extend([0xf4, 0x43]);
    out.extend(20_000u32.to_le_bytes());
    out.extend([0xf4, 0x43, 0xa3, 3, 1, 0, 0x20, 2, 0x24, 1]);
    out
}

fn opened() -> Vec<u8> {
    let mut out = vec![0xd4, 0, 0, 0];
    out.extend(0x3333u32.to_le_bytes());
    out.extend(0x2222u32.to_le_bytes());
    out.extend([7, 0, 0x0d, 0, 4, 3, 2, 1]);
    out.extend(10_000u32.to_le_bytes());
    out.extend(20_000u32.to_le_bytes());
    out.extend([0, 0]);
    out
}

/// N7:0, four bytes.
fn pccc_read() -> Vec<u8> {
    let mut out = vec![0x4b, 2, 0x20, 0x67, 0x24, 1];
    out.extend([
        7, 0x4d, 0, 1, 2, 3, 4, 0x0f, 0, 5, 0, 0xa2, 4, 7, 0x89, 0, 0,
    ]);
    out
}

fn identity_item() -> Vec<u8> {
    let mut out = vec![
        1, 0, 0, 2, 0xaf, 0x12, 10, 1, 1, 164, 0, 0, 0, 0, 0, 0, 0, 0,
    ];
    out.extend([1, 0, 12, 0, 58, 0, 4, 3, 0x30, 0, 0x8e, 0x4d, 0x52, 0, 4]);
    out.extend(b"ENBT\x03");
    out
}

fn messages() -> Vec<Vec<u8>> {
    vec![
        GET.to_vec(),
        vec![0x8e, 0, 5, 1, 0x12, 0x34],
        multiple(),
        vec![
            0x8a, 0, 0, 0, 2, 0, 6, 0, 10, 0, 0x8e, 0, 0, 0, 0xcc, 0, 0, 0, 0xc4, 0, 1, 0, 0, 0,
        ],
        routed(),
        open(),
        opened(),
        vec![
            0x4e, 2, 0x20, 6, 0x24, 1, 10, 14, 7, 0, 0x0d, 0, 4, 3, 2, 1, 0, 0,
        ],
        vec![
            0x4d, 2, 0x91, 2, b'a', b'b', 0xca, 0, 1, 0, 0, 0, 0x20, 0x41,
        ],
        vec![
            0x53, 2, 0x91, 2, b'a', b'b', 0xc3, 0, 2, 0, 0, 0, 0, 0, 1, 0, 2, 0,
        ],
        vec![0x4e, 2, 0x91, 2, b'a', b'b', 2, 0, 1, 0, 0xff, 0xff],
        vec![0x03, 2, 0x20, 1, 0x24, 1, 2, 0, 5, 0, 11, 0],
        pccc_read(),
        vec![
            0xcb, 0, 0, 0, 7, 0x4d, 0, 1, 2, 3, 4, 0x4f, 0, 5, 0, 1, 0, 2, 0,
        ],
    ]
}

/// Asks bytes for everything; nothing may panic.
fn walk(bytes: &[u8]) {
    if let Ok(e) = encap::parse(bytes) {
        let mut packet = cpf::Packet::default();
        black_box(cpf::sent(e.data, &mut packet).is_ok());
        packet.unconnected.iter().for_each(|m| walk_message(m));
        packet
            .connected
            .and_then(|m| m.get(2..))
            .iter()
            .for_each(|m| walk_message(m));
        for item in cpf::CpfItems::new(e.data).into_iter().flatten().flatten() {
            black_box(identity::list_identity(item.data).is_ok());
        }
    }
    black_box(is_implicit(bytes));
    black_box(cpf::implicit(bytes).is_ok());
}

fn walk_message(bytes: &[u8]) {
    match message::parse(bytes) {
        Ok(Message::Request(r)) => {
            black_box(r.path.target());
            assert!(r.path.segments().count() <= bytes.len());
            Embedded::new(r.data).into_iter().flatten().for_each(|m| {
                black_box(message::parse(m).is_ok());
            });
            black_box(message::unconnected_send(r.data).is_ok());
            black_box(connection::forward_open(r.data, false).is_ok());
            black_box(connection::forward_open(r.data, true).is_ok());
            black_box(connection::forward_close(r.data).is_ok());
            black_box(message::attribute_list(r.service, r.data).count());
            black_box(tag::masks(r.data));
            for fragmented in [false, true] {
                if let Ok(written) = tag::write_request(r.data, fragmented) {
                    tag::Values::new(written.kind, written.values).for_each(drop);
                }
            }
            if let Ok(pccc) = pccc::execute(r.data) {
                black_box((pccc.address(), pccc.mode()));
            }
        }
        Ok(Message::Response(r)) => {
            black_box(r.extended());
            Embedded::new(r.data).into_iter().flatten().for_each(|m| {
                black_box(message::parse(m).is_ok());
            });
            black_box((
                connection::opened(r.data).is_ok(),
                connection::answered_triad(r.data).is_ok(),
            ));
            black_box(identity::attributes_all(r.data).is_ok());
            if let Ok(read) = tag::read_answer(r.data) {
                tag::Values::new(read.kind, read.values).for_each(drop);
            }
            black_box(pccc::execute(r.data).is_ok());
        }
        Err(_) => {}
    }
    black_box(message::unmarked_response(bytes));
}

fn request(bytes: &[u8]) -> Request<'_> {
    match message::parse(bytes) {
        Ok(Message::Request(request)) => request,
        other => panic!("{other:?}"),
    }
}

fn response(bytes: &[u8]) -> Response<'_> {
    match message::parse(bytes) {
        Ok(Message::Response(response)) => response,
        other => panic!("{other:?}"),
    }
}

#[test]
fn framing_finds_whole_pdus_and_the_way_back() {
    let one = unconnected(&GET);
    let two = [one.clone(), one.clone()].concat();
    assert_eq!(next_pdu(&two), Framing::Pdu { len: one.len() });
    assert_eq!(next_pdu(&one[..10]), Framing::NeedMore { at_least: 24 });
    assert_eq!(
        next_pdu(&one[..30]),
        Framing::NeedMore {
            at_least: one.len()
        }
    );
    let lost = [vec![0xee; 5], one].concat();
    assert!(matches!(next_pdu(&lost), Framing::Resync { skip: 5, .. }));
}

#[test]
fn recognition_is_strict() {
    assert_eq!(probe(&unconnected(&GET)), Probe::Yes);
    assert_eq!(probe(&connected(1, 2, &GET)), Probe::Yes);
    assert_eq!(probe(&encapsulated(0x65, 0, &[1, 0, 0, 0])), Probe::Yes);
    assert_eq!(probe(&encapsulated(0x63, 0, &[])), Probe::Yes);
    assert_eq!(probe(&[0; 64]), Probe::No);
    assert_eq!(probe(b"GET / HTTP/1.1\r\nHost: localhost\r\n"), Probe::No);
    let nop = encapsulated(0, 0, &[1, 2, 3]);
    assert_eq!((probe(&nop), probe_expected(&nop)), (Probe::No, Probe::Yes));
    assert_eq!(
        probe_expected(b"GET / HTTP/1.1\r\nHost: localhost\r\n"),
        Probe::No
    );
    assert_eq!(probe(&[0x6f]), Probe::NeedMore);
    assert_eq!(probe_datagram(&encapsulated(0x63, 0, &[])), Probe::Yes);
    let io = items(&[(0x8002, &[1, 0, 0, 0, 9, 0, 0, 0]), (0xb1, &[1, 2, 3])]);
    assert_eq!(probe_datagram(&io), Probe::Yes);
    assert_eq!(probe_datagram(b"EFTPLO-and-so-on"), Probe::No);
}

#[test]
fn implicit_messages_carry_connection_and_data() {
    let io = items(&[(0x8002, &[1, 0, 0, 0, 9, 0, 0, 0]), (0xb1, &[1, 2, 3])]);
    let packet = cpf::implicit(&io).unwrap();
    assert_eq!(
        (packet.connection_id, packet.sequence_number),
        (Some(1), Some(9))
    );
    assert_eq!(packet.connected, Some(&[1u8, 2, 3][..]));
}

#[test]
fn paths_of_all_widths() {
    let target = |raw: &'static [u8]| Path { raw }.target();
    assert_eq!(target(&[0x20, 1, 0x24, 2, 0x30, 3]).attribute, Some(3));
    assert_eq!(
        target(&[0x21, 0, 0x2a, 3, 0x25, 0, 0x20, 0x24]).instance,
        Some(0x2420)
    );
    assert_eq!(
        target(&[0x20, 4, 0x26, 0, 1, 0, 1, 0]).instance,
        Some(0x1_0001)
    );
    assert_eq!(target(&[0x20, 4, 0x2c, 150]).connection_point, Some(150));
    assert_eq!(
        target(&[0x91, 3, b'a', b'b', b'c', 0, 0x28, 5]).member,
        Some(5)
    );
    assert_eq!(
        target(&[0x91, 3, b'a', b'b', b'c', 0]).symbol,
        Some(&b"abc"[..])
    );
    // An object within an object: the last class is what is addressed.
    assert_eq!(
        target(&[0x20, 0x8e, 0x24, 1, 0x20, 0x74, 0x24, 1]).class,
        Some(0x74)
    );
    let key = Path {
        raw: &[0x34, 4, 1, 0, 2, 0, 3, 0, 4, 5, 1, 0, 0x80, 1, 9, 9],
    };
    let found: Vec<_> = key.segments().map(Result::unwrap).collect();
    assert_eq!(
        found[0],
        Segment::Key {
            vendor: 1,
            device_type: 2,
            product: 3,
            major: 4,
            minor: 5
        }
    );
    assert_eq!(
        found[1],
        Segment::Port {
            port: 1,
            link: &[0]
        }
    );
    assert_eq!(found[2], Segment::Data(&[9, 9]));
    assert!(Path { raw: &[0xe0, 1] }.segments().next().unwrap().is_err());
}

#[test]
fn services_within_services() {
    let bytes = multiple();
    let all = Embedded::new(request(&bytes).data).unwrap();
    assert_eq!(all.count(), 2);
    let found: Vec<_> = all.map(|m| request(m).service).collect();
    assert_eq!(found, [service::GET_ATTRIBUTE_SINGLE, service::READ_TAG]);
    let bytes = routed();
    let send = message::unconnected_send(request(&bytes).data).unwrap();
    assert_eq!(request(send.message).path.target().attribute, Some(7));
    assert_eq!(
        send.route.segments().next(),
        Some(Ok(Segment::Port {
            port: 1,
            link: &[3]
        }))
    );
}

#[test]
fn connections_are_opened_closed_and_learned() {
    let (asked, answered) = (open(), opened());
    let open = connection::forward_open(request(&asked).data, false).unwrap();
    assert_eq!(
        (open.o2t, open.t2o, open.is_explicit()),
        (0x1111, 0x2222, true)
    );
    assert_eq!((open.o2t_rpi_us, open.t2o_rpi_us), (10_000, 20_000));
    let mut session: Session<u32> = Session::new();
    let granted = connection::opened(response(&answered).data).unwrap();
    session.opened(&granted, Some(open.is_explicit()));
    assert_eq!(
        session.connection(0x3333).and_then(|c| c.explicit),
        Some(true)
    );
    let key = |connection| Key::Connected {
        dir: 0,
        connection,
        sequence: 5,
        service: 0x0e,
    };
    session.pending.insert(key(0x3333), 1, &GET);
    assert_eq!(
        session.take_connected(0, 0x2222, 5, 0x0e).map(|r| r.mark),
        Some(1)
    );
    session.closed(&granted.triad);
    assert!(session.connection(0x3333).is_none());
    // Joined late: the only request that fits teaches the pair of ids.
    session.pending.insert(key(0x77), 2, &GET);
    assert_eq!(
        session.take_connected(0, 0x88, 5, 0x0e).map(|r| r.mark),
        Some(2)
    );
    session.pending.insert(key(0x99), 3, &GET);
    session.pending.insert(key(0x77), 4, &GET);
    assert_eq!(
        session.take_connected(0, 0x88, 5, 0x0e).map(|r| r.mark),
        Some(4)
    );
}

#[test]
fn tags_identities_and_pccc() {
    let bytes = vec![
        0x4d, 2, 0x91, 2, b'a', b'b', 0xca, 0, 1, 0, 0, 0, 0x20, 0x41,
    ];
    let written = tag::write_request(request(&bytes).data, false).unwrap();
    assert_eq!(
        (tag::type_name(written.kind), written.count),
        (Some("REAL"), Some(1))
    );
    assert_eq!(
        tag::Values::new(written.kind, written.values).collect::<Vec<_>>(),
        [10.0]
    );
    let read = tag::read_answer(&[0xc3, 0, 0xff, 0xff]).unwrap();
    assert_eq!(
        tag::Values::new(read.kind, read.values).collect::<Vec<_>>(),
        [-1.0]
    );
    assert_eq!(
        tag::masks(&[2, 0, 1, 0, 0xff, 0xff]),
        Some((&[1u8, 0][..], &[0xffu8, 0xff][..]))
    );
    let item = identity_item();
    let found = identity::list_identity(&item).unwrap();
    assert_eq!(
        (
            found.vendor,
            found.device_type,
            found.product_code,
            found.revision
        ),
        (1, 12, 58, (4, 3))
    );
    assert_eq!(
        (found.serial, found.name, found.state),
        (0x0052_4d8e, &b"ENBT"[..], Some(3))
    );
    let bytes = pccc_read();
    let pccc = pccc::execute(request(&bytes).data).unwrap();
    let address = pccc.address().unwrap();
    assert_eq!(
        (pccc.command, pccc.function, pccc.transaction),
        (0x0f, Some(0xa2), 5)
    );
    assert_eq!(
        (
            pccc::file_letters(address.file_type),
            address.file,
            address.element
        ),
        (Some("N"), 7, 0)
    );
    assert_eq!(
        message::attribute_list(3, &[2, 0, 5, 0, 11, 0]).collect::<Vec<_>>(),
        [5, 11]
    );
}

#[test]
fn every_prefix_and_every_changed_byte_is_survived() {
    for one in messages() {
        assert!(message::parse(&one).is_ok());
        for whole in [unconnected(&one), connected(3, 4, &one)] {
            for end in 0..whole.len() {
                walk(&whole[..end]);
            }
            let mut changed = whole.clone();
            for at in 0..whole.len() {
                for value in [
                    0,
                    1,
                    0x7f,
                    0x80,
                    0xff,
                    whole[at] ^ 1,
                    whole[at].wrapping_add(1),
                ] {
                    changed[at] = value;
                    walk(&changed);
                }
                changed[at] = whole[at];
            }
        }
    }
}

proptest! {
    #[test]
    fn random_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        walk(&bytes);
        walk_message(&bytes);
        black_box(probe(&bytes));
        black_box(probe_datagram(&bytes));
        match next_pdu(&bytes) {
            Framing::Pdu { len } => prop_assert!(len > 0 && len <= bytes.len()),
            Framing::NeedMore { at_least } => prop_assert!(at_least > bytes.len()),
            Framing::Resync { skip, .. } => prop_assert!(skip > 0 && skip <= bytes.len().max(1)),
        }
    }
}

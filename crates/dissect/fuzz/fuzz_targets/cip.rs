//! A stream of encapsulation PDUs through framing, items, messages, paths and bodies,
//! with the connection table and pairing.
#![no_main]
use libfuzzer_sys::fuzz_target;
use std::hint::black_box;
use telltale_dissect::Framing;
use telltale_dissect::cip::message::{self, Embedded};
use telltale_dissect::cip::{self, Key, Message, Session, connection, cpf, identity, pccc, tag};

fn see<T>(value: T) {
    black_box(value);
}

fn explicit(bytes: &[u8], depth: u8) {
    match message::parse(bytes) {
        Ok(Message::Request(r)) => {
            assert!(r.path.segments().count() <= bytes.len());
            black_box(r.path.target());
            if depth < 4 {
                if let Ok(all) = Embedded::new(r.data) {
                    all.take(64).for_each(|m| explicit(m, depth + 1));
                }
                if let Ok(send) = message::unconnected_send(r.data) {
                    black_box(send.route.segments().count());
                    explicit(send.message, depth + 1);
                }
            }
            black_box((
                connection::forward_open(r.data, false).is_ok(),
                connection::forward_open(r.data, true).is_ok(),
            ));
            black_box((
                connection::forward_close(r.data).is_ok(),
                tag::masks(r.data).is_some(),
            ));
            black_box(message::attribute_list(r.service, r.data).count());
            for fragmented in [false, true] {
                if let Ok(written) = tag::write_request(r.data, fragmented) {
                    black_box(tag::Values::new(written.kind, written.values).count());
                }
            }
            if let Ok(found) = pccc::execute(r.data) {
                black_box((found.address().is_some(), found.mode()));
            }
        }
        Ok(Message::Response(r)) => {
            black_box((r.extended(), connection::answered_triad(r.data).is_ok()));
            black_box((
                identity::attributes_all(r.data).is_ok(),
                pccc::execute(r.data).is_ok(),
            ));
            if let Ok(read) = tag::read_answer(r.data) {
                black_box(tag::Values::new(read.kind, read.values).count());
            }
        }
        Err(_) => {}
    }
    black_box(message::unmarked_response(bytes).is_some());
}

fuzz_target!(|bytes: &[u8]| {
    black_box((cip::probe(bytes), cip::probe_datagram(bytes)));
    explicit(bytes, 0);
    let mut session: Session<u64> = Session::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        match cip::next_pdu(rest) {
            Framing::Pdu { len } => {
                assert!(len > 0);
                let (pdu, tail) = rest.split_at(len);
                rest = tail;
                let Ok(e) = cip::encap::parse(pdu) else {
                    continue;
                };
                let mut packet = cpf::Packet::default();
                black_box(cpf::sent(e.data, &mut packet).is_ok());
                if let Ok(items) = cpf::CpfItems::new(e.data) {
                    items
                        .flatten()
                        .for_each(|i| see(identity::list_identity(i.data).is_ok()));
                }
                if let Some(m) = packet.unconnected {
                    explicit(m, 0);
                }
                if let (Some(id), Some([lo, hi, m @ ..])) = (packet.connection_id, packet.connected)
                {
                    explicit(m, 0);
                    let sequence = u16::from_le_bytes([*lo, *hi]);
                    match message::parse(m) {
                        Ok(Message::Request(r)) => {
                            let key = Key::Connected {
                                dir: 0,
                                connection: id,
                                sequence,
                                service: r.service,
                            };
                            session.pending.insert(key, 0, m);
                        }
                        Ok(Message::Response(r)) => {
                            if let Ok(opened) = connection::opened(r.data) {
                                session.opened(&opened, Some(true));
                            }
                            if let Some(request) =
                                session.take_connected(0, id, sequence, r.service)
                            {
                                session.pending.recycle(request);
                            }
                        }
                        Err(_) => {}
                    }
                }
            }
            Framing::NeedMore { at_least } => {
                assert!(at_least > rest.len());
                break;
            }
            Framing::Resync { skip, .. } => {
                assert!(skip > 0);
                rest = &rest[skip..];
            }
        }
    }
});

//! A stream of TPKTs through framing, COTP, reassembly, S7 header and all bodies.
#![no_main]
use libfuzzer_sys::fuzz_target;
use std::hint::black_box;
use telltale_dissect::Framing;
use telltale_dissect::s7comm::{
    self, Assembled, Body, Cotp, Jobs, Parts, Payload, Reassembly, Values, data, userdata,
};

fn see<T>(value: T) {
    black_box(value);
}

fn unit(unit: &[u8], parts: &mut Parts, jobs: &mut Jobs) {
    let Ok(Payload::S7(pdu)) = s7comm::parse(unit) else {
        return;
    };
    match pdu.body() {
        Ok(Body::ReadRequest(items)) => items.for_each(|i| see(i.is_ok())),
        Ok(Body::WriteRequest(items, values)) => {
            items
                .flatten()
                .for_each(|i| see(userdata::first_variable(&i).is_some()));
            for value in values.flatten() {
                for kind in [data::Kind::Bit, data::Kind::Int, data::Kind::Real] {
                    Values::new(kind, value.data).for_each(|v| see(v.is_nan()));
                }
            }
        }
        Ok(Body::ReadResponse(values)) => values.for_each(|v| see(v.is_ok())),
        Ok(Body::WriteResponse(codes)) => assert!(codes.iter().count() <= unit.len()),
        Ok(Body::Transfer(t)) => see(t.block().is_some()),
        Ok(Body::Pi(pi)) => pi.blocks().for_each(|b| see(b.type_name().is_some())),
        Ok(Body::Userdata(u)) => {
            black_box(parts.under_way(&u).is_some());
            let u = parts.join(&u);
            if let Some(szl) = u.szl() {
                szl.texts().for_each(|t| see(t.1.len()));
            }
            black_box((
                u.password().is_some(),
                u.clock().is_some(),
                u.block().is_some(),
            ));
            black_box((
                u.block_counts().count(),
                u.block_numbers().count(),
                u.table_codes().count(),
            ));
            black_box(u.cyclic_items().map(|i| i.count()));
            black_box(u.cyclic_data().map(|i| i.count()));
            black_box(u.table().map(|i| i.count()));
            black_box(u.table_values().map(|i| i.count()));
            black_box(jobs.find(u.group, u.sequence).is_some());
            jobs.remember(u.group, u.sequence, unit);
        }
        _ => {}
    }
}

fuzz_target!(|bytes: &[u8]| {
    black_box(s7comm::probe(bytes));
    let (mut reassembly, mut parts, mut jobs) =
        (Reassembly::default(), Parts::default(), Jobs::default());
    unit(bytes, &mut parts, &mut jobs);
    let mut rest = bytes;
    while !rest.is_empty() {
        match s7comm::next_pdu(rest) {
            Framing::Pdu { len } => {
                assert!(len > 0);
                let (tpkt, tail) = rest.split_at(len);
                rest = tail;
                match s7comm::cotp::parse(tpkt) {
                    Ok(Cotp::Data { eot, payload, .. }) => {
                        if let Assembled::Whole(whole) = reassembly.push(eot, payload) {
                            unit(whole, &mut parts, &mut jobs);
                        }
                    }
                    Ok(Cotp::ConnectRequest(c)) => {
                        see(s7comm::cotp::rack_slot(c.dst_tsap).is_some())
                    }
                    _ => {}
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

//! A stream of ADUs through framing, every body as request and as response, and pairing.
#![no_main]
use libfuzzer_sys::fuzz_target;
use std::hint::black_box;
use telltale_dissect::Framing;
use telltale_dissect::modbus::{self, Adu, Body, Session};

fn see<T>(value: T) {
    black_box(value);
}

fn body(body: &Body<'_>) {
    match body {
        Body::Files { records, .. } => records.for_each(|r| see(r.is_ok())),
        Body::DeviceId { objects, .. } => objects.for_each(|o| see(o.is_ok())),
        Body::ReadBits { bits, .. } | Body::WriteCoils { bits, .. } => {
            assert_eq!(bits.iter().count(), bits.len());
        }
        Body::ReadRegisters { registers, .. }
        | Body::WriteRegisters { registers, .. }
        | Body::ReadWrite { registers, .. }
        | Body::Fifo { registers, .. } => assert_eq!(registers.iter().count(), registers.len()),
        Body::Umas(umas) => see(umas.memory_block()),
        _ => {}
    }
}

fuzz_target!(|data: &[u8]| {
    let mut session: Session<usize> = Session::new();
    let mut rest = data;
    while !rest.is_empty() {
        match modbus::next_pdu(rest) {
            Framing::Pdu { len } => {
                assert!(len > 0 && len <= rest.len());
                if let Ok(adu) = Adu::parse(&rest[..len]) {
                    black_box(adu.shape());
                    for parsed in [adu.request(), adu.response()].iter().flatten() {
                        body(parsed);
                    }
                    if let Some(request) = session.response(&adu) {
                        black_box(request.key.adu(&request.bytes).request().is_ok());
                        session.pending.recycle(request);
                    } else {
                        session.request(&adu, rest.len());
                    }
                }
                rest = &rest[len..];
            }
            Framing::NeedMore { at_least } => {
                assert!(at_least > rest.len());
                break;
            }
            Framing::Resync { skip, .. } => {
                assert!(skip > 0);
                rest = rest.get(skip..).unwrap_or_default();
            }
        }
    }
    black_box(modbus::probe(data, false));
    black_box(modbus::datagram(data).is_ok());
});

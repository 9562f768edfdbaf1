//! A stream of link frames through framing, transport, fragments, objects and points;
//! and the input as a fragment of its own, which CRCs do not stand in front of.
#![no_main]
use libfuzzer_sys::fuzz_target;
use std::hint::black_box;
use telltale_dissect::Framing;
use telltale_dissect::dnp3::{self, Assembled, FileObject, Fragment, Frame, Session};

fn fragment(bytes: &[u8]) {
    let Ok(fragment) = Fragment::parse(bytes) else {
        return;
    };
    for object in fragment.objects() {
        let Ok(object) = object else { continue };
        for point in object.points() {
            black_box((
                point.value,
                point.time,
                point.crob(),
                point.attribute().and_then(|a| a.number()),
            ));
            if object.group == 70 {
                black_box(FileObject::read(object.variation, point.bytes).is_ok());
            }
        }
    }
}

fuzz_target!(|data: &[u8]| {
    fragment(data);
    let mut session: Session<()> = Session::new();
    let mut rest = data;
    while !rest.is_empty() {
        match dnp3::next_pdu(rest) {
            Framing::Pdu { len } => {
                assert!(len > 0 && len <= rest.len());
                if let Ok(frame) = Frame::parse(&rest[..len])
                    && let Assembled::Whole(whole) = session.frame(&frame)
                {
                    fragment(whole);
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
});

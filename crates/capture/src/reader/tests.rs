use super::*;
use std::io::Cursor;

fn pcap(nanos: bool, big: bool, packets: &[(u32, u32, &[u8])]) -> Vec<u8> {
    let u32 = |v: u32| {
        if big {
            v.to_be_bytes()
        } else {
            v.to_le_bytes()
        }
    };
    let u16 = |v: u16| {
        if big {
            v.to_be_bytes()
        } else {
            v.to_le_bytes()
        }
    };
    let mut out = Vec::new();
    out.extend(u32(if nanos { 0xa1b2_3c4d } else { 0xa1b2_c3d4 }));
    out.extend(u16(2));
    out.extend(u16(4));
    out.extend([0; 8]);
    out.extend(u32(65535));
    out.extend(u32(1));
    for (s, f, data) in packets {
        out.extend(u32(*s));
        out.extend(u32(*f));
        out.extend(u32(data.len() as u32));
        out.extend(u32(data.len() as u32 + 10));
        out.extend(*data);
    }
    out
}

type Seen = (u64, i64, Vec<u8>);

fn all(bytes: Vec<u8>) -> (Vec<Seen>, Option<CaptureError>) {
    let mut reader = match Reader::new("test", Box::new(Cursor::new(bytes))) {
        Ok(reader) => reader,
        Err(error) => return (Vec::new(), Some(error)),
    };
    let mut got = Vec::new();
    loop {
        match reader.next_packet() {
            Ok(Some(p)) => got.push((p.number, p.ts_ns, p.data.to_vec())),
            Ok(None) => return (got, None),
            Err(error) => return (got, Some(error)),
        }
    }
}

#[test]
fn both_byte_orders_and_resolutions() {
    for big in [false, true] {
        for (nanos, unit) in [(false, 1000), (true, 1)] {
            let (got, error) = all(pcap(nanos, big, &[(10, 5, b"abc"), (11, 6, b"")]));
            assert!(error.is_none());
            assert_eq!(
                got,
                [
                    (1, 10_000_000_000 + 5 * unit, b"abc".to_vec()),
                    (2, 11_000_000_000 + 6 * unit, Vec::new())
                ]
            );
        }
    }
}

#[test]
fn a_cut_file_keeps_what_was_read() {
    let whole = pcap(false, false, &[(1, 0, b"first"), (2, 0, b"second")]);
    for cut in 25..whole.len() {
        let (got, error) = all(whole.get(..cut).unwrap().to_vec());
        let complete = cut >= 24 + 16 + 5;
        assert_eq!(got.len(), usize::from(complete), "cut at {cut}");
        let at_boundary = cut == 24 + 16 + 5;
        assert_eq!(error.is_none(), at_boundary, "cut at {cut}");
        if let Some(error) = error {
            assert_eq!(error.code(), "TT-CAP-003");
        }
    }
}

#[test]
fn insane_lengths_and_strangers_are_refused() {
    let mut bytes = pcap(false, false, &[(1, 0, b"x")]);
    bytes.extend([0; 8]);
    bytes.extend(u32::MAX.to_le_bytes());
    bytes.extend([0; 4]);
    let (got, error) = all(bytes);
    assert_eq!(got.len(), 1);
    assert_eq!(error.unwrap().code(), "TT-CAP-003");
    assert_eq!(all(b"GIF89a".to_vec()).1.unwrap().code(), "TT-CAP-002");
    assert_eq!(all(Vec::new()).1.unwrap().code(), "TT-CAP-002");
}

#[test]
fn gzip_and_zstd_are_seen_through() {
    use std::io::Write as _;
    let plain = pcap(false, false, &[(1, 2, b"hello")]);
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(&plain).unwrap();
    let want = all(plain.clone()).0;
    assert_eq!(all(gz.finish().unwrap()).0, want);
    let packed = zstd::encode_all(&plain[..], 3).unwrap();
    assert_eq!(all(packed.clone()).0, want);
    // cut in the middle: an error, not a panic
    let (_, error) = all(packed.get(..packed.len() - 4).unwrap().to_vec());
    assert!(error.is_some());
}

fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let len = (12 + body.len().next_multiple_of(4)) as u32;
    let mut out = Vec::new();
    out.extend(kind.to_le_bytes());
    out.extend(len.to_le_bytes());
    out.extend(body);
    out.resize(out.len().next_multiple_of(4), 0);
    out.extend(len.to_le_bytes());
    out
}

fn enhanced(interface: u32, ticks: u64, data: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    body.extend(interface.to_le_bytes());
    body.extend(((ticks >> 32) as u32).to_le_bytes());
    body.extend((ticks as u32).to_le_bytes());
    body.extend((data.len() as u32).to_le_bytes());
    body.extend((data.len() as u32).to_le_bytes());
    body.extend(data);
    block(6, &body)
}

#[test]
fn pcapng_resolutions_sections_and_unknown_blocks() {
    let mut section = Vec::new();
    section.extend(0x1a2b_3c4d_u32.to_le_bytes());
    section.extend([1, 0, 0, 0]);
    section.extend([0xff; 8]);
    let mut nanos = vec![1, 0, 0, 0, 0, 0, 0, 0];
    nanos.extend([9, 0, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0]);
    let mut bytes = block(MAGIC_SHB, &section);
    bytes.extend(block(1, &[1, 0, 0, 0, 0, 0, 0, 0]));
    bytes.extend(block(1, &nanos));
    bytes.extend(block(0x0bad, b"whatever"));
    bytes.extend(enhanced(0, 7, b"abcde"));
    bytes.extend(enhanced(1, 7, b"fg"));
    bytes.extend(block(MAGIC_SHB, &section));
    bytes.extend(block(1, &[113, 0, 0, 0, 0, 0, 0, 0]));
    bytes.extend(enhanced(0, 1, b"h"));
    let (got, error) = all(bytes);
    assert!(error.is_none(), "{error:?}");
    assert_eq!(
        got,
        [
            (1, 7000, b"abcde".to_vec()),
            (2, 7, b"fg".to_vec()),
            (3, 1000, b"h".to_vec())
        ]
    );
}

const MAGIC_SHB: u32 = 0x0a0d_0d0a;

#[test]
fn capture_names() {
    for yes in [
        "a.pcap",
        "a.pcapng",
        "x.pcap.gz",
        "r.pcap3",
        "r.pcap12.zst",
        "A.CAP",
    ] {
        assert!(is_capture_name(Path::new(yes)), "{yes}");
    }
    for no in ["a.txt", "pcap", "a.pcap.sh", "capture"] {
        assert!(!is_capture_name(Path::new(no)), "{no}");
    }
}

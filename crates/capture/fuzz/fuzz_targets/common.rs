//! Payloads on a port, through the whole pipeline: framing, parsing, pairing, rows.
use telltale_capture::{Config, Packet, Pipeline};

/// Ethernet, IPv4, then TCP or UDP.
pub fn frame(udp: bool, from_client: bool, port: u16, seq: u32, id: u16, payload: &[u8]) -> Vec<u8> {
    let (src, dst) = if from_client { ([10, 0, 0, 1], [10, 0, 0, 2]) } else { ([10, 0, 0, 2], [10, 0, 0, 1]) };
    let (sport, dport) = if from_client { (40000, port) } else { (port, 40000) };
    let header = if udp { 8 } else { 20 };
    let mut f = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0];
    f.extend(((20 + header + payload.len()) as u16).to_be_bytes());
    f.extend(id.to_be_bytes());
    f.extend([0x40, 0, 64, if udp { 17 } else { 6 }, 0, 0]);
    f.extend(src);
    f.extend(dst);
    f.extend(sport.to_be_bytes());
    f.extend(dport.to_be_bytes());
    if udp {
        f.extend(((8 + payload.len()) as u16).to_be_bytes());
        f.extend([0, 0]);
    } else {
        f.extend(seq.to_be_bytes());
        f.extend([0, 0, 0, 0, 0x50, 0x18, 1, 0, 0, 0, 0, 0]);
    }
    f.extend(payload);
    f
}

/// The input is a list of payloads: a byte of flags, a byte of length, the bytes.
pub fn conversation(data: &[u8], port: u16) {
    let Some((mode, mut rest)) = data.split_first() else { return };
    let udp = mode & 1 == 1;
    let mut pipeline = Pipeline::new(Config::default());
    let mut seq = [1_u32, 1];
    let mut number = 0;
    while let [flags, len, tail @ ..] = rest {
        let (payload, more) = tail.split_at(usize::from(*len).min(tail.len()));
        rest = more;
        number += 1;
        let client = flags & 1 == 0;
        let skip = if flags & 2 == 2 { u32::from(flags >> 4) } else { 0 };
        let side = usize::from(client);
        let at = seq[side].wrapping_add(skip);
        seq[side] = at.wrapping_add(payload.len() as u32);
        let bytes = frame(udp, client, port, at, number as u16, payload);
        let ts_ns = number as i64 * if flags & 4 == 4 { 3_000_000_000 } else { 1_000_000 };
        pipeline.packet(&Packet { number, ts_ns, link_type: 1, interface: 0, data: &bytes, orig_len: bytes.len() as u32 });
        pipeline.take_frame().expect("rows make batches");
    }
    pipeline.finish().expect("rows make batches");
}

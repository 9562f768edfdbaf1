//! Headers of TCP (RFC 9293) and UDP (RFC 768).

/// The parts of a transport header that matter.
pub(super) struct Header<'a> {
    pub src_port: u16,
    pub dst_port: u16,
    pub seq: u32,
    pub ack: u32,
    pub flags: u8,
    pub payload: &'a [u8],
}

pub(super) fn tcp(bytes: &[u8]) -> Option<Header<'_>> {
    let h = bytes.first_chunk::<20>()?;
    let [
        s0,
        s1,
        d0,
        d1,
        q0,
        q1,
        q2,
        q3,
        a0,
        a1,
        a2,
        a3,
        offset,
        flags,
        ..,
    ] = *h;
    let header = usize::from(offset >> 4) * 4;
    Some(Header {
        src_port: u16::from_be_bytes([s0, s1]),
        dst_port: u16::from_be_bytes([d0, d1]),
        seq: u32::from_be_bytes([q0, q1, q2, q3]),
        ack: u32::from_be_bytes([a0, a1, a2, a3]),
        flags,
        payload: if header < 20 {
            return None;
        } else {
            bytes.get(header..)?
        },
    })
}

pub(super) fn udp(bytes: &[u8]) -> Option<Header<'_>> {
    let (h, rest) = bytes.split_first_chunk::<8>()?;
    let [s0, s1, d0, d1, l0, l1, ..] = *h;
    let len = usize::from(u16::from_be_bytes([l0, l1]));
    let payload = match len {
        0..8 => rest,
        _ => rest.get(..len - 8).unwrap_or(rest),
    };
    Some(Header {
        src_port: u16::from_be_bytes([s0, s1]),
        dst_port: u16::from_be_bytes([d0, d1]),
        seq: 0,
        ack: 0,
        flags: 0,
        payload,
    })
}

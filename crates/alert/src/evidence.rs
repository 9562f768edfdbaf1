//! A small pcapng per alert: the packets it speaks of.

use std::io::{self, Write};

/// One packet as it was captured.
#[derive(Debug, Clone)]
pub struct Packet {
    /// Number in its file, from 1.
    pub number: u64,
    /// Capture time, nanoseconds since 1970-01-01 UTC.
    pub ts_ns: i64,
    /// Link type.
    pub link_type: u32,
    /// Captured bytes.
    pub data: Vec<u8>,
    /// Bytes on the wire.
    pub orig_len: u32,
}

fn block(out: &mut impl Write, kind: u32, body: &[u8]) -> io::Result<()> {
    let padded = body.len().next_multiple_of(4);
    let len = u32::try_from(padded + 12).map_err(|_| io::Error::other("block too long"))?;
    out.write_all(&kind.to_le_bytes())?;
    out.write_all(&len.to_le_bytes())?;
    out.write_all(body)?;
    out.write_all([0; 3].get(..padded - body.len()).unwrap_or_default())?;
    out.write_all(&len.to_le_bytes())
}

fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    let Ok(len) = u16::try_from(value.len()) else {
        return;
    };
    body.extend(code.to_le_bytes());
    body.extend(len.to_le_bytes());
    body.extend(value);
    body.resize(body.len().next_multiple_of(4), 0);
}

/// Writes packets as pcapng (draft-ietf-opsawg-pcapng) with nanoseconds, one
/// interface per link type, each packet with a comment that names its number in
/// `source`, and the section with `comment`.
///
/// # Errors
/// When `out` cannot be written.
pub fn write(
    out: &mut impl Write,
    source: &str,
    comment: &str,
    packets: &[Packet],
) -> io::Result<()> {
    let mut section = Vec::new();
    section.extend(0x1a2b_3c4d_u32.to_le_bytes());
    section.extend([1, 0, 0, 0]);
    section.extend([0xff; 8]);
    option(&mut section, 1, comment.as_bytes());
    option(&mut section, 0, &[]);
    block(out, 0x0a0d_0d0a, &section)?;
    let mut links: Vec<u32> = Vec::new();
    for packet in packets {
        if !links.contains(&packet.link_type) {
            links.push(packet.link_type);
            let mut body = Vec::new();
            body.extend(
                u16::try_from(packet.link_type)
                    .unwrap_or(u16::MAX)
                    .to_le_bytes(),
            );
            body.extend([0; 6]);
            option(&mut body, 9, &[9]);
            option(&mut body, 0, &[]);
            block(out, 1, &body)?;
        }
    }
    for packet in packets {
        let interface = links
            .iter()
            .position(|l| *l == packet.link_type)
            .and_then(|n| u32::try_from(n).ok())
            .unwrap_or(0);
        let ts = packet.ts_ns.cast_unsigned();
        let len =
            u32::try_from(packet.data.len()).map_err(|_| io::Error::other("packet too long"))?;
        let mut body = Vec::new();
        body.extend(interface.to_le_bytes());
        body.extend(u32::try_from(ts >> 32).unwrap_or(0).to_le_bytes());
        body.extend(u32::try_from(ts & 0xffff_ffff).unwrap_or(0).to_le_bytes());
        body.extend(len.to_le_bytes());
        body.extend(packet.orig_len.max(len).to_le_bytes());
        body.extend(&packet.data);
        body.resize(body.len().next_multiple_of(4), 0);
        option(
            &mut body,
            1,
            format!("packet {} of {source}", packet.number).as_bytes(),
        );
        option(&mut body, 0, &[]);
        block(out, 6, &body)?;
    }
    Ok(())
}

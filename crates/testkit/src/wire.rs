//! Ethernet, IPv4, TCP and the pcap file around a payload.

use std::io::{self, Write};

/// One TCP connection and what its protocol must remember.
#[derive(Debug)]
pub(crate) struct Flow {
    pub(crate) number: u32,
    server_port: u16,
    client_seq: u32,
    server_seq: u32,
    ip_id: u16,
    /// Exchanges so far.
    pub(crate) exchanges: u32,
}

impl Flow {
    pub(crate) fn new(number: u32, server_port: u16) -> Self {
        let (client_seq, server_seq) = (number.wrapping_mul(7919), number.wrapping_mul(104_729));
        Self {
            number,
            server_port,
            client_seq,
            server_seq,
            ip_id: 0,
            exchanges: 0,
        }
    }
}

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;

pub(crate) struct Wire<W> {
    out: W,
    now_ns: u64,
    frame: Vec<u8>,
    pub(crate) packets: u64,
}

fn sum(bytes: &[u8]) -> u32 {
    bytes
        .chunks(2)
        .map(|c| u32::from(c[0]) << 8 | u32::from(c.get(1).copied().unwrap_or(0)))
        .sum()
}

fn fold(mut sum: u32) -> [u8; 2] {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (!(sum as u16)).to_be_bytes()
}

impl<W: Write> Wire<W> {
    pub(crate) fn new(mut out: W) -> io::Result<Self> {
        for word in [0xa1b2_3c4d_u32, 0x0004_0002, 0, 0, 65535, 1] {
            out.write_all(&word.to_le_bytes())?;
        }
        Ok(Self {
            out,
            now_ns: 1_700_000_000_000_000_000,
            frame: Vec::new(),
            packets: 0,
        })
    }

    pub(crate) fn finish(mut self) -> io::Result<u64> {
        self.out.flush()?;
        Ok(self.packets)
    }

    fn emit(
        &mut self,
        flow: &mut Flow,
        to_server: bool,
        seq: u32,
        ack: u32,
        flags: u8,
        payload: &[u8],
    ) -> io::Result<()> {
        flow.ip_id = flow.ip_id.wrapping_add(1);
        let [_, _, high, low] = flow.number.to_be_bytes();
        let (client, server) = ([10, 1, high, low], [10, 2, high, low]);
        let client_port = 49152 + (flow.number % 16384) as u16;
        let (from, to, from_port, to_port) = if to_server {
            (client, server, client_port, flow.server_port)
        } else {
            (server, client, flow.server_port, client_port)
        };
        let frame = &mut self.frame;
        frame.clear();
        for address in [to, from] {
            frame.extend_from_slice(&[0x02, 0]);
            frame.extend_from_slice(&address);
        }
        frame.extend_from_slice(&[0x08, 0, 0x45, 0]);
        frame.extend_from_slice(&(40 + payload.len() as u16).to_be_bytes());
        frame.extend_from_slice(&flow.ip_id.to_be_bytes());
        frame.extend_from_slice(&[0x40, 0, 64, 6, 0, 0]);
        frame.extend_from_slice(&from);
        frame.extend_from_slice(&to);
        let check = fold(sum(&frame[14..34]));
        frame[24..26].copy_from_slice(&check);
        frame.extend_from_slice(&from_port.to_be_bytes());
        frame.extend_from_slice(&to_port.to_be_bytes());
        frame.extend_from_slice(&seq.to_be_bytes());
        frame.extend_from_slice(&ack.to_be_bytes());
        frame.extend_from_slice(&[0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
        frame.extend_from_slice(payload);
        let check = fold(sum(&frame[26..34]) + 26 + payload.len() as u32 + sum(&frame[34..]));
        frame[50..52].copy_from_slice(&check);
        self.now_ns += 5_000;
        let length = frame.len() as u32;
        let (seconds, nanos) = (self.now_ns / 1_000_000_000, self.now_ns % 1_000_000_000);
        for word in [seconds as u32, nanos as u32, length, length] {
            self.out.write_all(&word.to_le_bytes())?;
        }
        self.out.write_all(frame)?;
        self.packets += 1;
        Ok(())
    }

    /// Three-way handshake.
    pub(crate) fn open(&mut self, flow: &mut Flow) -> io::Result<()> {
        let (c, s) = (flow.client_seq, flow.server_seq);
        flow.client_seq = c.wrapping_add(1);
        flow.server_seq = s.wrapping_add(1);
        self.emit(flow, true, c, 0, SYN, &[])?;
        self.emit(flow, false, s, c.wrapping_add(1), SYN | ACK, &[])?;
        self.emit(flow, true, c.wrapping_add(1), s.wrapping_add(1), ACK, &[])
    }

    /// One segment; `again` repeats the bytes that were sent last.
    pub(crate) fn send(
        &mut self,
        flow: &mut Flow,
        to_server: bool,
        payload: &[u8],
        again: bool,
    ) -> io::Result<()> {
        let length = payload.len() as u32;
        let (own, other) = if to_server {
            (flow.client_seq, flow.server_seq)
        } else {
            (flow.server_seq, flow.client_seq)
        };
        let seq = if again { own.wrapping_sub(length) } else { own };
        self.emit(flow, to_server, seq, other, PSH | ACK, payload)?;
        let end = seq.wrapping_add(length);
        if to_server {
            flow.client_seq = end;
        } else {
            flow.server_seq = end;
        }
        Ok(())
    }

    /// FIN, FIN, ACK.
    pub(crate) fn close(&mut self, flow: &mut Flow) -> io::Result<()> {
        let (c, s) = (flow.client_seq, flow.server_seq);
        self.emit(flow, true, c, s, FIN | ACK, &[])?;
        self.emit(flow, false, s, c.wrapping_add(1), FIN | ACK, &[])?;
        self.emit(flow, true, c.wrapping_add(1), s.wrapping_add(1), ACK, &[])
    }
}

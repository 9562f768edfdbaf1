//! Deterministic industrial traffic for tests and benches: the same [`Plan`]
//! writes the same capture, byte for byte. Checksums, CRCs and lengths are right.
#![forbid(unsafe_code)]

mod cip;
mod dnp3;
mod modbus;
mod s7comm;
mod wire;

use std::io::{self, Write};
use wire::{Flow, Wire};

/// Which protocols the flows speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mix {
    /// Modbus TCP only.
    Modbus,
    /// Modbus TCP, DNP3, S7comm and EtherNet/IP in equal parts.
    Mixed,
}

/// What to generate.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Protocols.
    pub mix: Mix,
    /// TCP connections, all open at the same time; at most 65,536.
    pub flows: u32,
    /// Packets wanted, handshakes and ends included; the last exchange may pass it.
    pub packets: u64,
    /// Seed of everything that varies.
    pub seed: u64,
}

/// xorshift64*: no library's change moves a capture.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }
}

fn exchange(
    kind: u32,
    flow: &mut Flow,
    random: &mut Random,
    request: &mut Vec<u8>,
    response: &mut Vec<u8>,
) {
    match kind {
        0 => {
            // now and then several PDUs share a segment
            let count = if random.below(16) == 0 { 3 } else { 1 };
            for _ in 0..count {
                modbus::exchange(random, request, response);
            }
        }
        1 => dnp3::exchange(flow, random, request, response),
        2 => s7comm::exchange(flow, random, request, response),
        _ => cip::exchange(flow, random, request, response),
    }
    flow.exchanges += 1;
}

/// Writes a classic pcap with nanosecond stamps; returns the packets written.
///
/// # Errors
/// What `out` reports.
pub fn write_pcap<W: Write>(plan: &Plan, out: W) -> io::Result<u64> {
    const PORTS: [u16; 4] = [502, 20000, 102, 44818];
    let mut wire = Wire::new(out)?;
    let mut random = Random(plan.seed | 1);
    let mut flows: Vec<(u32, Flow)> = (0..plan.flows.min(65_536))
        .map(|n| {
            let kind = if plan.mix == Mix::Modbus { 0 } else { n % 4 };
            (kind, Flow::new(n, PORTS[kind as usize]))
        })
        .collect();
    for (_, flow) in &mut flows {
        wire.open(flow)?;
    }
    let ends = flows.len() as u64 * 3;
    let (mut request, mut response) = (Vec::new(), Vec::new());
    'rounds: while !flows.is_empty() {
        for (kind, flow) in &mut flows {
            if wire.packets + ends >= plan.packets {
                break 'rounds;
            }
            request.clear();
            response.clear();
            exchange(*kind, flow, &mut random, &mut request, &mut response);
            wire.send(flow, true, &request, false)?;
            match random.below(64) {
                0 => {
                    let (head, tail) = response.split_at(response.len() / 2);
                    wire.send(flow, false, head, false)?;
                    wire.send(flow, false, tail, false)?;
                }
                1 => {
                    wire.send(flow, false, &response, false)?;
                    wire.send(flow, false, &response, true)?;
                }
                _ => wire.send(flow, false, &response, false)?,
            }
        }
    }
    for (_, flow) in &mut flows {
        wire.close(flow)?;
    }
    wire.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_plan_same_bytes() {
        let plan = Plan {
            mix: Mix::Mixed,
            flows: 16,
            packets: 2000,
            seed: 7,
        };
        let (mut a, mut b) = (Vec::new(), Vec::new());
        let packets = write_pcap(&plan, &mut a).unwrap();
        assert_eq!(packets, write_pcap(&plan, &mut b).unwrap());
        assert_eq!(a, b);
        assert!((2000..2010).contains(&packets), "{packets}");
        let mut other = Vec::new();
        write_pcap(&Plan { seed: 9, ..plan }, &mut other).unwrap();
        assert_ne!(a, other);
    }

    #[test]
    fn everything_decodes() {
        let plan = Plan {
            mix: Mix::Mixed,
            flows: 40,
            packets: 8000,
            seed: 3,
        };
        let mut bytes = Vec::new();
        let packets = write_pcap(&plan, &mut bytes).unwrap();
        let mut reader =
            telltale_capture::Reader::new("made.pcap", Box::new(io::Cursor::new(bytes))).unwrap();
        let mut pipeline = telltale_capture::Pipeline::new(telltale_capture::Config::default());
        while let Some(packet) = reader.next_packet().unwrap() {
            pipeline.packet(&packet);
            pipeline.take_frame().unwrap();
        }
        pipeline.finish().unwrap();
        let counters = pipeline.counters();
        assert_eq!(counters.packets, packets);
        assert_eq!(counters.flows, 40);
        assert_eq!(counters.errors, 0);
        assert!(
            counters.pdus.iter().sum::<u64>() > 7000,
            "{:?}",
            counters.pdus
        );
    }
}

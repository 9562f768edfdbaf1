//! DNP3 over TCP (IEEE 1815): class polls with many objects, and CROB direct operate.

use crate::{Random, wire::Flow};

fn crc(bytes: &[u8]) -> [u8; 2] {
    let mut crc = 0_u16;
    for byte in bytes {
        crc ^= u16::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 {
                (crc >> 1) ^ 0xa6bc
            } else {
                crc >> 1
            };
        }
    }
    (!crc).to_le_bytes()
}

fn frame(out: &mut Vec<u8>, control: u8, to: u8, from: u8, data: &[u8]) {
    let head = [0x05, 0x64, data.len() as u8 + 5, control, to, 0, from, 0];
    out.extend_from_slice(&head);
    out.extend_from_slice(&crc(&head));
    for block in data.chunks(16) {
        out.extend_from_slice(block);
        out.extend_from_slice(&crc(block));
    }
}

pub(crate) fn exchange(
    flow: &Flow,
    random: &mut Random,
    request: &mut Vec<u8>,
    response: &mut Vec<u8>,
) {
    let app = 0xc0 | (flow.exchanges & 0x0f) as u8;
    let transport = 0xc0 | (flow.exchanges & 0x3f) as u8;
    let mut ask = vec![transport, app];
    let mut answer = vec![transport, app, 129, 0, 0];
    if random.below(10) == 0 {
        let crob = [
            12,
            1,
            0x28,
            1,
            0,
            random.below(8) as u8,
            0,
            3,
            1,
            100,
            0,
            0,
            0,
            100,
            0,
            0,
            0,
            0,
        ];
        ask.push(5);
        ask.extend_from_slice(&crob);
        answer.extend_from_slice(&crob);
    } else {
        ask.extend_from_slice(&[1, 60, 2, 6, 60, 3, 6, 60, 4, 6, 60, 1, 6]);
        answer.extend_from_slice(&[1, 2, 0, 0, 15]);
        answer.extend((0..16).map(|_| 0x01 | (random.below(2) as u8) << 7));
        for (group, last) in [(30, 9), (20, 3)] {
            answer.extend_from_slice(&[group, 1, 0, 0, last]);
            for _ in 0..=last {
                answer.push(1);
                answer.extend_from_slice(&(random.below(100_000) as u32).to_le_bytes());
            }
        }
    }
    frame(request, 0xc4, 10, 1, &ask);
    frame(response, 0x44, 1, 10, &answer);
}

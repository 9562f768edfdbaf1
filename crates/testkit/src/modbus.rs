//! Modbus TCP: reads and writes of every common function code, and exceptions.

use crate::Random;

fn adu(out: &mut Vec<u8>, transaction: u16, pdu: &[u8]) {
    out.extend_from_slice(&transaction.to_be_bytes());
    out.extend_from_slice(&[0, 0]);
    out.extend_from_slice(&(pdu.len() as u16 + 1).to_be_bytes());
    out.push(1);
    out.extend_from_slice(pdu);
}

fn registers(count: u8, random: &mut Random) -> Vec<u8> {
    (0..count)
        .flat_map(|_| (random.next() as u16).to_be_bytes())
        .collect()
}

pub(crate) fn exchange(random: &mut Random, request: &mut Vec<u8>, response: &mut Vec<u8>) {
    const FUNCTIONS: [u8; 12] = [3, 3, 3, 3, 4, 1, 2, 5, 6, 15, 16, 23];
    let function = FUNCTIONS[random.below(12) as usize];
    let transaction = random.next() as u16;
    let [a, b] = (random.below(1000) as u16).to_be_bytes();
    let count = 1 + random.below(20) as u8;
    let bits = vec![0_u8; usize::from(count.div_ceil(8))];
    let mut ask = vec![function, a, b];
    let mut answer = vec![function];
    match function {
        1 | 2 => {
            ask.extend_from_slice(&[0, count]);
            answer.push(bits.len() as u8);
            answer.extend(bits);
        }
        3 | 4 => {
            ask.extend_from_slice(&[0, count]);
            answer.push(count * 2);
            answer.extend(registers(count, random));
        }
        5 => {
            ask.extend_from_slice(&[if random.below(2) == 0 { 0xff } else { 0 }, 0]);
            answer.clone_from(&ask);
        }
        6 => {
            ask.extend(registers(1, random));
            answer.clone_from(&ask);
        }
        15 => {
            ask.extend_from_slice(&[0, count, bits.len() as u8]);
            ask.extend(bits);
            answer.extend_from_slice(&[a, b, 0, count]);
        }
        16 => {
            ask.extend_from_slice(&[0, count, count * 2]);
            ask.extend(registers(count, random));
            answer.extend_from_slice(&[a, b, 0, count]);
        }
        _ => {
            ask.extend_from_slice(&[0, count, a, b, 0, 2, 4]);
            ask.extend(registers(2, random));
            answer.push(count * 2);
            answer.extend(registers(count, random));
        }
    }
    if random.below(50) == 0 {
        answer = vec![function | 0x80, 2];
    }
    adu(request, transaction, &ask);
    adu(response, transaction, &answer);
}

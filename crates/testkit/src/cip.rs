//! EtherNet/IP and CIP: session, forward open, connected and unconnected services.

use crate::{Random, wire::Flow};

fn encapsulate(out: &mut Vec<u8>, command: u16, session: u32, context: u32, data: &[u8]) {
    out.extend_from_slice(&command.to_le_bytes());
    out.extend_from_slice(&(data.len() as u16).to_le_bytes());
    out.extend_from_slice(&session.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&context.to_le_bytes());
    out.extend_from_slice(&[0; 8]);
    out.extend_from_slice(data);
}

/// `connected`: connection id and sequence count.
fn message(out: &mut Vec<u8>, flow: &Flow, connected: Option<(u32, u16)>, cip: &[u8]) {
    let mut data = vec![0, 0, 0, 0, 0, 0, 2, 0];
    let command = if let Some((id, sequence)) = connected {
        data.extend_from_slice(&[0xa1, 0, 4, 0]);
        data.extend_from_slice(&id.to_le_bytes());
        data.extend_from_slice(&[0xb1, 0]);
        data.extend_from_slice(&(cip.len() as u16 + 2).to_le_bytes());
        data.extend_from_slice(&sequence.to_le_bytes());
        0x70
    } else {
        data.extend_from_slice(&[0, 0, 0, 0, 0xb2, 0]);
        data.extend_from_slice(&(cip.len() as u16).to_le_bytes());
        0x6f
    };
    data.extend_from_slice(cip);
    encapsulate(out, command, 0x100 + flow.number, flow.exchanges, &data);
}

/// A read of one identity attribute, or a write of a parameter, and its answer.
fn service(random: &mut Random) -> (Vec<u8>, Vec<u8>) {
    if random.below(4) == 0 {
        let [a, b] = (random.next() as u16).to_le_bytes();
        let instance = 1 + random.below(9) as u8;
        (
            vec![0x10, 3, 0x20, 0x0f, 0x24, instance, 0x30, 1, a, b],
            vec![0x90, 0, 0, 0],
        )
    } else {
        // vendor (1), device type (2), product code (3), status (5)
        let attribute = [1, 2, 3, 5][random.below(4) as usize];
        (
            vec![0x0e, 3, 0x20, 1, 0x24, 1, 0x30, attribute],
            vec![0x8e, 0, 0, 0, 1, 0],
        )
    }
}

fn pack(head: &[u8], parts: &[Vec<u8>]) -> Vec<u8> {
    let mut out = head.to_vec();
    out.extend_from_slice(&(parts.len() as u16).to_le_bytes());
    let mut offset = 2 + 2 * parts.len() as u16;
    for part in parts {
        out.extend_from_slice(&offset.to_le_bytes());
        offset += part.len() as u16;
    }
    out.extend(parts.iter().flatten());
    out
}

pub(crate) fn exchange(
    flow: &Flow,
    random: &mut Random,
    request: &mut Vec<u8>,
    response: &mut Vec<u8>,
) {
    let number = flow.number;
    let (to_target, to_originator) = (0x1000_0000 + number, 0x2000_0000 + number);
    if flow.exchanges == 0 {
        encapsulate(request, 0x65, 0, 0, &[1, 0, 0, 0]);
        encapsulate(response, 0x65, 0x100 + number, 0, &[1, 0, 0, 0]);
        return;
    }
    if flow.exchanges == 1 {
        let interval = 2_000_000_u32.to_le_bytes();
        let mut triad = (number as u16).to_le_bytes().to_vec();
        triad.extend_from_slice(&[0x4d, 0]);
        triad.extend_from_slice(&number.to_le_bytes());
        let mut ask = vec![0x54, 2, 0x20, 6, 0x24, 1, 0x0a, 0x0e, 0, 0, 0, 0];
        ask.extend_from_slice(&to_originator.to_le_bytes());
        ask.extend_from_slice(&triad);
        ask.extend_from_slice(&[1, 0, 0, 0]);
        ask.extend_from_slice(&interval);
        ask.extend_from_slice(&[0xf4, 0x43]);
        ask.extend_from_slice(&interval);
        ask.extend_from_slice(&[0xf4, 0x43, 0xa3, 2, 0x20, 2, 0x24, 1]);
        let mut answer = vec![0xd4, 0, 0, 0];
        answer.extend_from_slice(&to_target.to_le_bytes());
        answer.extend_from_slice(&to_originator.to_le_bytes());
        answer.extend_from_slice(&triad);
        answer.extend_from_slice(&interval);
        answer.extend_from_slice(&interval);
        answer.extend_from_slice(&[0, 0]);
        message(request, flow, None, &ask);
        message(response, flow, None, &answer);
        return;
    }
    let (ask, answer) = if random.below(5) == 0 {
        let (asks, answers): (Vec<_>, Vec<_>) = (0..3).map(|_| service(random)).unzip();
        (
            pack(&[0x0a, 2, 0x20, 2, 0x24, 1], &asks),
            pack(&[0x8a, 0, 0, 0], &answers),
        )
    } else {
        service(random)
    };
    let sequence = flow.exchanges as u16;
    let connected = random.below(2) == 0;
    message(
        request,
        flow,
        connected.then_some((to_target, sequence)),
        &ask,
    );
    message(
        response,
        flow,
        connected.then_some((to_originator, sequence)),
        &answer,
    );
}

//! S7comm over TPKT and COTP: connect, set-up, reads and writes of several items.

use crate::{Random, wire::Flow};

fn tpkt(out: &mut Vec<u8>, body: &[u8]) {
    out.extend_from_slice(&[3, 0]);
    out.extend_from_slice(&(body.len() as u16 + 4).to_be_bytes());
    out.extend_from_slice(body);
}

fn pdu(out: &mut Vec<u8>, kind: u8, reference: u16, parameter: &[u8], data: &[u8]) {
    let mut body = vec![2, 0xf0, 0x80, 0x32, kind, 0, 0];
    for number in [reference, parameter.len() as u16, data.len() as u16] {
        body.extend_from_slice(&number.to_be_bytes());
    }
    if kind == 3 {
        body.extend_from_slice(&[0, 0]);
    }
    body.extend_from_slice(parameter);
    body.extend_from_slice(data);
    tpkt(out, &body);
}

pub(crate) fn exchange(
    flow: &Flow,
    random: &mut Random,
    request: &mut Vec<u8>,
    response: &mut Vec<u8>,
) {
    let reference = flow.exchanges as u16;
    if flow.exchanges == 0 {
        tpkt(
            request,
            &[
                17, 0xe0, 0, 0, 0, 1, 0, 0xc0, 1, 10, 0xc1, 2, 1, 0, 0xc2, 2, 1, 2,
            ],
        );
        tpkt(
            response,
            &[
                17, 0xd0, 0, 1, 0, 2, 0, 0xc0, 1, 10, 0xc1, 2, 1, 0, 0xc2, 2, 1, 2,
            ],
        );
        return;
    }
    if flow.exchanges == 1 {
        let parameter = [0xf0, 0, 0, 1, 0, 1, 3, 0xc0];
        pdu(request, 1, reference, &parameter, &[]);
        pdu(response, 3, reference, &parameter, &[]);
        return;
    }
    let count = 1 + random.below(4) as u8;
    let write = random.below(5) == 0;
    let mut parameter = vec![if write { 5 } else { 4 }, count];
    let mut data = Vec::new();
    for _ in 0..count {
        // an even number of bytes, so that no item needs a fill byte
        let length = 2 * (1 + random.below(8) as u8);
        let address = (random.below(500) as u32 * 8).to_be_bytes();
        let block = 1 + random.below(9) as u8;
        parameter.extend_from_slice(&[0x12, 10, 0x10, 2, 0, length, 0, block, 0x84]);
        parameter.extend_from_slice(&address[1..]);
        data.extend_from_slice(&[if write { 0 } else { 0xff }, 4, 0, length * 8]);
        data.extend((0..length).map(|_| random.next() as u8));
    }
    let answer = [parameter[0], count];
    if write {
        pdu(request, 1, reference, &parameter, &data);
        pdu(
            response,
            3,
            reference,
            &answer,
            &vec![0xff; usize::from(count)],
        );
    } else {
        pdu(request, 1, reference, &parameter, &[]);
        pdu(response, 3, reference, &answer, &data);
    }
}

/// Remainders for the polynomial 0x3D65, reflected: `TABLES[n][b]` is that of the
/// byte `b` with `n` zero bytes behind it, so that eight bytes go in one step.
#[allow(
    clippy::indexing_slicing,
    reason = "evaluated at compile time, within bounds"
)]
const TABLES: [[u16; 256]; 8] = {
    let mut tables = [[0_u16; 256]; 8];
    let mut n = 0;
    while n < 256 {
        let mut crc = n as u16;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 {
                crc >> 1 ^ 0xa6bc
            } else {
                crc >> 1
            };
            bit += 1;
        }
        tables[0][n] = crc;
        n += 1;
    }
    let mut zeroes = 1;
    while zeroes < 8 {
        let mut n = 0;
        while n < 256 {
            let before = tables[zeroes - 1][n];
            tables[zeroes][n] = before >> 8 ^ tables[0][(before & 0xff) as usize];
            n += 1;
        }
        zeroes += 1;
    }
    tables
};

const fn remainder(table: &[u16; 256], byte: u8) -> u16 {
    #[allow(clippy::indexing_slicing, reason = "a byte is below 256")]
    table[byte as usize]
}

/// The CRC of DNP3 (IEEE 1815-2012, 9.2.4.3), sent low byte first.
#[must_use]
pub fn crc(bytes: &[u8]) -> u16 {
    let [t0, t1, t2, t3, t4, t5, t6, t7] = &TABLES;
    let (eights, rest) = bytes.as_chunks::<8>();
    let crc = eights.iter().fold(0_u16, |crc, [a, b, c, d, e, f, g, h]| {
        let [low, high] = crc.to_le_bytes();
        remainder(t7, a ^ low)
            ^ remainder(t6, b ^ high)
            ^ remainder(t5, *c)
            ^ remainder(t4, *d)
            ^ remainder(t3, *e)
            ^ remainder(t2, *f)
            ^ remainder(t1, *g)
            ^ remainder(t0, *h)
    });
    !rest.iter().fold(crc, |crc, byte| {
        let [low, high] = crc.to_le_bytes();
        u16::from(high) ^ remainder(t0, byte ^ low)
    })
}

#[cfg(test)]
mod tests {
    use super::crc;

    #[test]
    fn eight_at_once_is_the_same_as_bit_by_bit() {
        let bytes: Vec<u8> = (0..64_u8).map(|n| n.wrapping_mul(37) ^ 0x5a).collect();
        for len in 0..=bytes.len() {
            let slow = bytes.iter().take(len).fold(0_u16, |crc, byte| {
                (0..8).fold(crc ^ u16::from(*byte), |crc, _| {
                    crc >> 1 ^ if crc & 1 == 1 { 0xa6bc } else { 0 }
                })
            });
            assert_eq!(crc(bytes.get(..len).unwrap_or_default()), !slow);
        }
    }
}

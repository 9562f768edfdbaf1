/// Remainders of all bytes for the polynomial 0x3D65, reflected.
const TABLE: [u16; 256] = {
    let mut table = [0_u16; 256];
    let mut n: u16 = 0;
    while n < 256 {
        let mut crc = n;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 {
                crc >> 1 ^ 0xa6bc
            } else {
                crc >> 1
            };
            bit += 1;
        }
        #[allow(
            clippy::indexing_slicing,
            reason = "evaluated at compile time, n < 256"
        )]
        {
            table[n as usize] = crc;
        }
        n += 1;
    }
    table
};

/// The CRC of DNP3 (IEEE 1815-2012, 9.2.4.3), sent low byte first.
#[must_use]
pub fn crc(bytes: &[u8]) -> u16 {
    !bytes.iter().fold(0, |crc: u16, byte| {
        let [low, _] = (crc ^ u16::from(*byte)).to_le_bytes();
        crc >> 8 ^ TABLE.get(usize::from(low)).copied().unwrap_or(0)
    })
}

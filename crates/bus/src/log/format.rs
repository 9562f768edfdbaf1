//! Heads of files and of records. `docs/log.md` has them byte by byte.

use crc32c::{crc32c, crc32c_append};

/// Bytes of a file's head.
pub(super) const HEADER_BYTES: u64 = 40;
/// Bytes of a record's head.
pub(super) const RECORD_HEADER_BYTES: u64 = 32;
/// Records begin at a multiple of this.
pub(super) const ALIGNMENT: u64 = 8;
/// Version of the format.
pub(super) const VERSION: u32 = 1;

/// Stands for a time that is not known.
pub(super) const NEVER: i64 = i64::MIN;

const MAGIC: [u8; 8] = *b"TELLTLOG";

/// Bytes that a record of this length takes in its file.
pub(super) fn room(length: usize) -> u64 {
    RECORD_HEADER_BYTES.saturating_add((length as u64).next_multiple_of(ALIGNMENT))
}

/// Drawn once per log and part of each record's check: what a sensor saw on the wire
/// and wrote into a record cannot pass for a record when a damaged file is searched
/// for the next good one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Salt(pub u64);

impl Salt {
    /// The first four bytes of each record.
    pub fn mark(self) -> u32 {
        self.0 as u32
    }

    /// What each record's check starts from.
    fn seed(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// Copies the bytes at a fixed place.
fn part<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes
        .get(at..)
        .and_then(|b| b.first_chunk::<N>())
        .copied()
        .unwrap_or([0; N])
}

/// Head of a segment or of the file `log.meta`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileHead {
    /// Version of the format.
    pub version: u32,
    /// Offset of the first record; 0 in `log.meta`.
    pub base: u64,
    /// The log's salt.
    pub salt: Salt,
    /// When the last record before this file was appended; [`NEVER`] if that is not known.
    pub before_ns: i64,
}

impl FileHead {
    /// Its bytes.
    pub fn bytes(&self) -> [u8; HEADER_BYTES as usize] {
        let fields = [
            MAGIC.as_slice(),
            &self.version.to_le_bytes(),
            &self.base.to_le_bytes(),
            &self.salt.0.to_le_bytes(),
            &self.before_ns.to_le_bytes(),
        ]
        .concat();
        let check = crc32c(&fields).to_le_bytes();
        part(&[fields.as_slice(), &check].concat(), 0)
    }

    /// Reads it; `None` if it is damaged.
    pub fn parse(bytes: &[u8; HEADER_BYTES as usize]) -> Option<Self> {
        let (fields, _) = bytes.split_last_chunk::<4>()?;
        let whole =
            part::<8>(bytes, 0) == MAGIC && crc32c(fields) == u32::from_le_bytes(part(bytes, 36));
        whole.then(|| Self {
            version: u32::from_le_bytes(part(bytes, 8)),
            base: u64::from_le_bytes(part(bytes, 12)),
            salt: Salt(u64::from_le_bytes(part(bytes, 20))),
            before_ns: i64::from_le_bytes(part(bytes, 28)),
        })
    }
}

/// Head of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RecordHead {
    /// Bytes of the record, without head and padding.
    pub length: u32,
    /// Its place in the log.
    pub offset: u64,
    /// When it was appended.
    pub time_ns: i64,
    /// CRC-32C of the record.
    pub check: u32,
}

impl RecordHead {
    /// Its bytes.
    pub fn bytes(&self, salt: Salt) -> [u8; RECORD_HEADER_BYTES as usize] {
        let mut out = [0; RECORD_HEADER_BYTES as usize];
        let (fields, check) = out.split_at_mut(28);
        let values = salt
            .mark()
            .to_le_bytes()
            .into_iter()
            .chain(self.length.to_le_bytes())
            .chain(self.offset.to_le_bytes())
            .chain(self.time_ns.to_le_bytes())
            .chain(self.check.to_le_bytes());
        fields.iter_mut().zip(values).for_each(|(b, v)| *b = v);
        check.copy_from_slice(&crc32c_append(salt.seed(), fields).to_le_bytes());
        out
    }

    /// Reads it; `None` if it is damaged or none of this log.
    pub fn parse(bytes: &[u8], salt: Salt) -> Option<Self> {
        let bytes = bytes.first_chunk::<{ RECORD_HEADER_BYTES as usize }>()?;
        if part(bytes, 0) != salt.mark().to_le_bytes() {
            return None;
        }
        let (fields, _) = bytes.split_last_chunk::<4>()?;
        if crc32c_append(salt.seed(), fields) != u32::from_le_bytes(part(bytes, 28)) {
            return None;
        }
        Some(Self {
            length: u32::from_le_bytes(part(bytes, 4)),
            offset: u64::from_le_bytes(part(bytes, 8)),
            time_ns: i64::from_le_bytes(part(bytes, 16)),
            check: u32::from_le_bytes(part(bytes, 24)),
        })
    }

    /// Bytes that the record takes in its file.
    pub fn room(&self) -> u64 {
        room(usize::try_from(self.length).unwrap_or(usize::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT: Salt = Salt(0x0123_4567_89ab_cdef);

    #[test]
    fn heads_come_back_and_any_flipped_bit_is_seen() {
        let head = RecordHead {
            length: 5,
            offset: 7,
            time_ns: -3,
            check: 9,
        };
        let file = FileHead {
            version: VERSION,
            base: 77,
            salt: SALT,
            before_ns: -5,
        };
        assert_eq!(RecordHead::parse(&head.bytes(SALT), SALT), Some(head));
        assert_eq!(FileHead::parse(&file.bytes()), Some(file));
        for bit in 0..256 {
            let mut bytes = head.bytes(SALT);
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(RecordHead::parse(&bytes, SALT), None, "{bit}");
        }
        for bit in 0..HEADER_BYTES as usize * 8 {
            let mut bytes = file.bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(FileHead::parse(&bytes), None, "{bit}");
        }
    }

    #[test]
    fn a_record_of_another_log_is_none_of_ours() {
        let head = RecordHead {
            length: 5,
            offset: 7,
            time_ns: 0,
            check: 9,
        };
        for other in [Salt(SALT.0 ^ 1), Salt(SALT.0 ^ (1 << 40))] {
            assert_eq!(RecordHead::parse(&head.bytes(other), SALT), None);
        }
    }

    #[test]
    fn the_format_is_what_the_page_says() {
        let bytes = RecordHead {
            length: 1,
            offset: 2,
            time_ns: 3,
            check: 4,
        }
        .bytes(Salt(0x0000_0001_4433_2211));
        let fields = [
            0x11, 0x22, 0x33, 0x44, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 4,
            0, 0, 0,
        ];
        assert_eq!(bytes[..28], fields);
        assert_eq!(bytes[28..], crc32c_append(1, &fields).to_le_bytes());
        assert_eq!(room(0), 32);
        assert_eq!(room(1), 40);
        assert_eq!(room(8), 40);
    }
}

//! Lists inside PDUs, read as they are asked for.
use super::{BAD_COUNT, TRUNCATED};
use crate::Error;
use crate::bytes::Cursor;

/// 16-bit registers, big-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Registers<'a>(pub &'a [u8]);

impl Registers<'_> {
    /// Whole registers.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len() / 2
    }

    /// Is there none?
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The values, in order of their addresses.
    pub fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        self.0.chunks_exact(2).map(|pair| match pair {
            [high, low] => u16::from_be_bytes([*high, *low]),
            _ => 0,
        })
    }
}

/// Packed bits, lowest address in the lowest bit of the first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bits<'a>(pub &'a [u8]);

impl Bits<'_> {
    /// Bits that the bytes hold; the last byte may be padded.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len().saturating_mul(8)
    }

    /// Is there none?
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The bits, in order of their addresses.
    pub fn iter(&self) -> impl Iterator<Item = bool> + '_ {
        self.0
            .iter()
            .flat_map(|byte| (0..8).map(move |bit| byte >> bit & 1 == 1))
    }
}

/// A sub-request or sub-response of function codes 20 and 21 (6.14, 6.15).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileRecord<'a> {
    /// Reference type, 6 by the standard.
    pub reference_type: u8,
    /// File number; a response of function code 20 does not repeat it.
    pub file: Option<u16>,
    /// First record; a response of function code 20 does not repeat it.
    pub record: Option<u16>,
    /// Registers asked for, written or answered.
    pub length: u16,
    /// The registers.
    pub registers: Registers<'a>,
}

/// Which form the records have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    ReadRequest,
    ReadResponse,
    Write,
}

/// Iterator over [`FileRecord`]s.
#[derive(Debug, Clone, Copy)]
pub struct FileRecords<'a> {
    cursor: Cursor<'a>,
    form: Form,
}

impl<'a> FileRecords<'a> {
    pub(super) const fn read_request(bytes: &'a [u8]) -> Self {
        Self {
            cursor: Cursor::new(bytes),
            form: Form::ReadRequest,
        }
    }

    pub(super) const fn read_response(bytes: &'a [u8]) -> Self {
        Self {
            cursor: Cursor::new(bytes),
            form: Form::ReadResponse,
        }
    }

    pub(super) const fn write(bytes: &'a [u8]) -> Self {
        Self {
            cursor: Cursor::new(bytes),
            form: Form::Write,
        }
    }

    fn read(&mut self) -> Result<FileRecord<'a>, Error> {
        let c = &mut self.cursor;
        if self.form == Form::ReadResponse {
            let count = c.u8(TRUNCATED)?;
            let reference_type = c.u8(TRUNCATED)?;
            let bytes = usize::from(count).checked_sub(1).ok_or(Error::new(
                BAD_COUNT,
                "a file sub-response of no bytes",
                c.offset(),
            ))?;
            let registers = Registers(c.take(bytes, TRUNCATED)?);
            return Ok(FileRecord {
                reference_type,
                file: None,
                record: None,
                length: u16::from(count.saturating_sub(1)) / 2,
                registers,
            });
        }
        let reference_type = c.u8(TRUNCATED)?;
        let (file, record) = (c.u16_be(TRUNCATED)?, c.u16_be(TRUNCATED)?);
        let length = c.u16_be(TRUNCATED)?;
        let registers = if self.form == Form::Write {
            Registers(c.take(usize::from(length).saturating_mul(2), TRUNCATED)?)
        } else {
            Registers::default()
        };
        Ok(FileRecord {
            reference_type,
            file: Some(file),
            record: Some(record),
            length,
            registers,
        })
    }
}

impl<'a> Iterator for FileRecords<'a> {
    type Item = Result<FileRecord<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.cursor.remaining() == 0 {
            return None;
        }
        let record = self.read();
        if record.is_err() {
            self.cursor = Cursor::new(&[]);
        }
        Some(record)
    }
}

/// An identification object of MEI 14 (6.21).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceObject<'a> {
    /// 0 vendor, 1 product code, 2 revision, 3 URL, 4 product, 5 model, 6 application.
    pub id: u8,
    /// Its text.
    pub value: &'a [u8],
}

/// Iterator over [`DeviceObject`]s.
#[derive(Debug, Clone, Copy)]
pub struct DeviceObjects<'a> {
    cursor: Cursor<'a>,
    left: u8,
}

impl<'a> DeviceObjects<'a> {
    pub(super) const fn new(bytes: &'a [u8], count: u8) -> Self {
        Self {
            cursor: Cursor::new(bytes),
            left: count,
        }
    }

    fn read(&mut self) -> Result<DeviceObject<'a>, Error> {
        let id = self.cursor.u8(TRUNCATED)?;
        let len = self.cursor.u8(TRUNCATED)?;
        let value = self.cursor.take(usize::from(len), TRUNCATED)?;
        Ok(DeviceObject { id, value })
    }
}

impl<'a> Iterator for DeviceObjects<'a> {
    type Item = Result<DeviceObject<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let object = self.read();
        if object.is_err() {
            self.left = 0;
        }
        Some(object)
    }
}

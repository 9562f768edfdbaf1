//! What the PDU of each function code says (Application Protocol, section 6).
use super::{Adu, BAD_COUNT, Bits, DeviceObjects, FileRecords, Registers, TRUNCATED};
use crate::Error;
use crate::bytes::Cursor;

/// The four tables of the data model (4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// Bits that can be written.
    Coil,
    /// Bits, read only.
    DiscreteInput,
    /// Words that can be written.
    HoldingRegister,
    /// Words, read only.
    InputRegister,
}

/// A UMAS message, the data of function code 90.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Umas<'a> {
    /// Session (pairing key).
    pub session: u8,
    /// UMAS function; in a response 0xFE (done) or 0xFD (failed).
    pub code: u8,
    /// What follows.
    pub data: &'a [u8],
}

impl Umas<'_> {
    /// Block, offset and length in bytes that a memory block request (0x20,
    /// 0x21) names: two bytes, range (1), block (2), offset (2), unknown (2), length (2).
    #[must_use]
    pub fn memory_block(&self) -> Option<(u16, u16, u16)> {
        if !matches!(self.code, 0x20 | 0x21) {
            return None;
        }
        let ([_, b0, b1, o0, o1, _, _, l0, l1], _) = self.data.split_first_chunk::<9>()?;
        Some((
            u16::from_le_bytes([*b0, *b1]),
            u16::from_le_bytes([*o0, *o1]),
            u16::from_le_bytes([*l0, *l1]),
        ))
    }
}

/// What a PDU says.
#[derive(Debug, Clone, Copy)]
pub enum Body<'a> {
    /// 1–4, request.
    Read {
        /// Which table.
        table: Table,
        /// First address, from 0.
        first: u16,
        /// Bits or registers.
        quantity: u16,
    },
    /// 1 and 2, response.
    ReadBits {
        /// Byte count field.
        byte_count: u8,
        /// The bits; how many count is in the request.
        bits: Bits<'a>,
    },
    /// 3, 4 and 23, response.
    ReadRegisters {
        /// Byte count field.
        byte_count: u8,
        /// The registers.
        registers: Registers<'a>,
    },
    /// 5, request and response.
    WriteCoil {
        /// Address, from 0.
        address: u16,
        /// 0xFF00 on, 0 off; others are not allowed.
        value: u16,
    },
    /// 6, request and response.
    WriteRegister {
        /// Address, from 0.
        address: u16,
        /// The value.
        value: u16,
    },
    /// 15, request.
    WriteCoils {
        /// First address.
        first: u16,
        /// Coils.
        quantity: u16,
        /// Byte count field.
        byte_count: u8,
        /// The bits.
        bits: Bits<'a>,
    },
    /// 16, request.
    WriteRegisters {
        /// First address.
        first: u16,
        /// Registers.
        quantity: u16,
        /// Byte count field.
        byte_count: u8,
        /// The registers.
        registers: Registers<'a>,
    },
    /// 15 and 16, response.
    Written {
        /// Which table.
        table: Table,
        /// First address.
        first: u16,
        /// Elements.
        quantity: u16,
    },
    /// 7, 11, 12 and 17, request: nothing but the function code.
    Empty,
    /// 7, response: the eight exception status outputs.
    ExceptionStatus(u8),
    /// 8, request and response.
    Diagnostics {
        /// Sub-function.
        sub: u16,
        /// Its data.
        data: &'a [u8],
    },
    /// 11, response.
    EventCounter {
        /// 0xFFFF while busy.
        status: u16,
        /// Events.
        count: u16,
    },
    /// 12, response.
    EventLog {
        /// Byte count field.
        byte_count: u8,
        /// 0xFFFF while busy.
        status: u16,
        /// Events.
        events: u16,
        /// Messages.
        messages: u16,
        /// Event bytes, the newest first.
        log: &'a [u8],
    },
    /// 17, response.
    ServerId {
        /// Byte count field.
        byte_count: u8,
        /// Identification and run indicator, defined by the vendor.
        data: &'a [u8],
    },
    /// 20 and 21.
    Files {
        /// Byte count field.
        byte_count: u8,
        /// The records.
        records: FileRecords<'a>,
    },
    /// 22, request and response.
    MaskWrite {
        /// Address.
        address: u16,
        /// AND mask.
        and_mask: u16,
        /// OR mask.
        or_mask: u16,
    },
    /// 23, request.
    ReadWrite {
        /// First address to read.
        read_first: u16,
        /// Registers to read.
        read_quantity: u16,
        /// First address to write.
        write_first: u16,
        /// Registers to write.
        write_quantity: u16,
        /// Byte count field.
        byte_count: u8,
        /// Registers to write.
        registers: Registers<'a>,
    },
    /// 24, request.
    ReadFifo {
        /// Pointer address.
        address: u16,
    },
    /// 24, response.
    Fifo {
        /// Byte count field.
        byte_count: u16,
        /// FIFO count field.
        count: u16,
        /// The queue.
        registers: Registers<'a>,
    },
    /// 43/14, request.
    DeviceIdRequest {
        /// 1 basic, 2 regular, 3 extended, 4 one object.
        code: u8,
        /// First object.
        object: u8,
    },
    /// 43/14, response.
    DeviceId {
        /// 1 basic, 2 regular, 3 extended, 4 one object.
        code: u8,
        /// Conformity level.
        conformity: u8,
        /// Do more objects follow?
        more: bool,
        /// Object to ask for next.
        next: u8,
        /// Objects announced.
        count: u8,
        /// The objects.
        objects: DeviceObjects<'a>,
    },
    /// 43 with another MEI type (13: CANopen).
    Mei {
        /// MEI type.
        mei: u8,
        /// Its data.
        data: &'a [u8],
    },
    /// 90.
    Umas(Umas<'a>),
    /// An exception response.
    Exception(u8),
    /// Another function code.
    Raw(&'a [u8]),
}

type Parsed<'a> = Result<Body<'a>, Error>;

/// Bytes in front of the data of an [`Adu`]: offsets of errors count from the header.
const DATA_AT: usize = 8;

impl<'a> Body<'a> {
    pub(super) fn request(adu: &Adu<'a>) -> Parsed<'a> {
        located(request(adu.function, adu.exception, adu.data))
    }

    pub(super) fn response(adu: &Adu<'a>) -> Parsed<'a> {
        located(response(adu.function, adu.exception, adu.data))
    }
}

fn located(parsed: Parsed<'_>) -> Parsed<'_> {
    parsed.map_err(|e| Error::new(e.code, e.reason, e.offset.saturating_add(DATA_AT)))
}

const fn table(function: u8) -> Table {
    match function {
        1 | 5 | 15 => Table::Coil,
        2 => Table::DiscreteInput,
        4 => Table::InputRegister,
        _ => Table::HoldingRegister,
    }
}

/// The data behind a byte count of one byte.
fn counted<'a>(c: &mut Cursor<'a>) -> Result<(u8, &'a [u8]), Error> {
    let count = c.u8(TRUNCATED)?;
    let at = c.offset();
    let data = c
        .take(usize::from(count), BAD_COUNT)
        .map_err(|_| Error::new(BAD_COUNT, "the byte count exceeds the pdu", at))?;
    Ok((count, data))
}

fn request(function: u8, exception: bool, data: &[u8]) -> Parsed<'_> {
    let mut c = Cursor::new(data);
    let c = &mut c;
    if exception {
        // no request carries the bit; what it says is what an exception says
        return Ok(Body::Exception(c.u8(TRUNCATED)?));
    }
    Ok(match function {
        1..=4 => Body::Read {
            table: table(function),
            first: c.u16_be(TRUNCATED)?,
            quantity: c.u16_be(TRUNCATED)?,
        },
        7 | 11 | 12 | 17 => Body::Empty,
        15 => {
            let (first, quantity) = (c.u16_be(TRUNCATED)?, c.u16_be(TRUNCATED)?);
            let (byte_count, bits) = counted(c)?;
            Body::WriteCoils {
                first,
                quantity,
                byte_count,
                bits: Bits(bits),
            }
        }
        16 => {
            let (first, quantity) = (c.u16_be(TRUNCATED)?, c.u16_be(TRUNCATED)?);
            let (byte_count, bytes) = counted(c)?;
            Body::WriteRegisters {
                first,
                quantity,
                byte_count,
                registers: Registers(bytes),
            }
        }
        20 => {
            let (byte_count, bytes) = counted(c)?;
            Body::Files {
                byte_count,
                records: FileRecords::read_request(bytes),
            }
        }
        23 => {
            let (read_first, read_quantity) = (c.u16_be(TRUNCATED)?, c.u16_be(TRUNCATED)?);
            let (write_first, write_quantity) = (c.u16_be(TRUNCATED)?, c.u16_be(TRUNCATED)?);
            let (byte_count, bytes) = counted(c)?;
            Body::ReadWrite {
                read_first,
                read_quantity,
                write_first,
                write_quantity,
                byte_count,
                registers: Registers(bytes),
            }
        }
        24 => Body::ReadFifo {
            address: c.u16_be(TRUNCATED)?,
        },
        43 => match c.u8(TRUNCATED)? {
            14 => Body::DeviceIdRequest {
                code: c.u8(TRUNCATED)?,
                object: c.u8(TRUNCATED)?,
            },
            mei => Body::Mei {
                mei,
                data: c.rest(),
            },
        },
        _ => return both(function, c),
    })
}

fn response(function: u8, exception: bool, data: &[u8]) -> Parsed<'_> {
    let mut c = Cursor::new(data);
    let c = &mut c;
    if exception {
        return Ok(Body::Exception(c.u8(TRUNCATED)?));
    }
    Ok(match function {
        1 | 2 => {
            let (byte_count, bits) = counted(c)?;
            Body::ReadBits {
                byte_count,
                bits: Bits(bits),
            }
        }
        3 | 4 | 23 => {
            let (byte_count, bytes) = counted(c)?;
            Body::ReadRegisters {
                byte_count,
                registers: Registers(bytes),
            }
        }
        7 => Body::ExceptionStatus(c.u8(TRUNCATED)?),
        11 => Body::EventCounter {
            status: c.u16_be(TRUNCATED)?,
            count: c.u16_be(TRUNCATED)?,
        },
        12 => {
            let (byte_count, bytes) = counted(c)?;
            let mut log = Cursor::new(bytes);
            Body::EventLog {
                byte_count,
                status: log.u16_be(TRUNCATED)?,
                events: log.u16_be(TRUNCATED)?,
                messages: log.u16_be(TRUNCATED)?,
                log: log.rest(),
            }
        }
        15 | 16 => Body::Written {
            table: table(function),
            first: c.u16_be(TRUNCATED)?,
            quantity: c.u16_be(TRUNCATED)?,
        },
        17 => {
            let (byte_count, data) = counted(c)?;
            Body::ServerId { byte_count, data }
        }
        20 => {
            let (byte_count, bytes) = counted(c)?;
            Body::Files {
                byte_count,
                records: FileRecords::read_response(bytes),
            }
        }
        24 => {
            let (byte_count, count) = (c.u16_be(TRUNCATED)?, c.u16_be(TRUNCATED)?);
            let bytes = usize::from(byte_count).saturating_sub(2);
            Body::Fifo {
                byte_count,
                count,
                registers: Registers(c.take(bytes, TRUNCATED)?),
            }
        }
        43 => match c.u8(TRUNCATED)? {
            14 => {
                let (code, conformity) = (c.u8(TRUNCATED)?, c.u8(TRUNCATED)?);
                let (more, next) = (c.u8(TRUNCATED)? == 0xff, c.u8(TRUNCATED)?);
                let count = c.u8(TRUNCATED)?;
                Body::DeviceId {
                    code,
                    conformity,
                    more,
                    next,
                    count,
                    objects: DeviceObjects::new(c.rest(), count),
                }
            }
            mei => Body::Mei {
                mei,
                data: c.rest(),
            },
        },
        _ => return both(function, c),
    })
}

/// Function codes whose request and response look alike.
fn both<'a>(function: u8, c: &mut Cursor<'a>) -> Parsed<'a> {
    Ok(match function {
        5 => Body::WriteCoil {
            address: c.u16_be(TRUNCATED)?,
            value: c.u16_be(TRUNCATED)?,
        },
        6 => Body::WriteRegister {
            address: c.u16_be(TRUNCATED)?,
            value: c.u16_be(TRUNCATED)?,
        },
        8 => Body::Diagnostics {
            sub: c.u16_be(TRUNCATED)?,
            data: c.rest(),
        },
        21 => {
            let (byte_count, bytes) = counted(c)?;
            Body::Files {
                byte_count,
                records: FileRecords::write(bytes),
            }
        }
        22 => Body::MaskWrite {
            address: c.u16_be(TRUNCATED)?,
            and_mask: c.u16_be(TRUNCATED)?,
            or_mask: c.u16_be(TRUNCATED)?,
        },
        90 => Body::Umas(Umas {
            session: c.u8(TRUNCATED)?,
            code: c.u8(TRUNCATED)?,
            data: c.rest(),
        }),
        _ => Body::Raw(c.rest()),
    })
}

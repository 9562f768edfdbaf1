//! The S7 header and what a PDU's parameters ask for.
use super::data::DataItems;
use super::item::Items;
use super::transfer::{self, BAD_PARAMETER, Pi, Transfer};
use super::userdata::{self, Userdata};
use crate::{Error, bytes::Cursor};

/// A header that cannot be decoded.
pub const BAD_HEADER: &str = "TT-S7-003";

/// What a transport data unit carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload<'a> {
    /// S7 communication.
    S7(Pdu<'a>),
    /// S7-plus (1200, 1500), not decoded.
    Plus {
        /// Version byte: 1 session, 2 and 3 data, 0xfe keep-alive.
        version: u8,
        /// Bytes of the data unit.
        len: usize,
    },
}

/// An S7 PDU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pdu<'a> {
    /// 1 job, 2 acknowledgement, 3 acknowledgement with data, 7 userdata.
    pub rosctr: u8,
    /// Reference that pairs job and acknowledgement.
    pub pdu_ref: u16,
    /// Error class and code of an acknowledgement.
    pub error: Option<(u8, u8)>,
    /// Parameters.
    pub param: &'a [u8],
    /// Data.
    pub data: &'a [u8],
    /// Do the lengths of parameters and data not add up to the data unit?
    pub misfit: bool,
}

/// Decodes a whole transport data unit.
///
/// # Errors
/// `TT-S7-003` when it is neither S7 nor S7-plus, or its header is cut.
pub fn parse(unit: &[u8]) -> Result<Payload<'_>, Error> {
    let mut cursor = Cursor::new(unit);
    match cursor.u8(BAD_HEADER)? {
        0x32 => {}
        0x72 => {
            return Ok(Payload::Plus {
                version: cursor.u8(BAD_HEADER)?,
                len: unit.len(),
            });
        }
        _ => {
            return Err(Error::new(
                BAD_HEADER,
                "no s7 protocol id (0x32 or 0x72)",
                0,
            ));
        }
    }
    let rosctr = cursor.u8(BAD_HEADER)?;
    let _redundancy = cursor.u16_be(BAD_HEADER)?;
    let pdu_ref = cursor.u16_be(BAD_HEADER)?;
    let param_len = usize::from(cursor.u16_be(BAD_HEADER)?);
    let data_len = usize::from(cursor.u16_be(BAD_HEADER)?);
    let error = if matches!(rosctr, 2 | 3) {
        Some((cursor.u8(BAD_HEADER)?, cursor.u8(BAD_HEADER)?))
    } else {
        None
    };
    let rest = cursor.rest();
    // A PDU fills its data unit. Where the two lengths do not add up to it, one of
    // them is taken at its word, and all that is left belongs to the data.
    let param_end = match rest {
        _ if param_len <= rest.len() => param_len,
        // Userdata say themselves how long their parameters are.
        [_, _, _, len, ..] if rosctr == 7 => usize::from(*len) + 4,
        _ => rest.len().saturating_sub(data_len),
    };
    let (param, data) = rest.split_at_checked(param_end).unwrap_or((rest, &[]));
    let data = if data_len == 0 { &[] } else { data };
    let misfit = param_len.saturating_add(data_len) != rest.len();
    Ok(Payload::S7(Pdu {
        rosctr,
        pdu_ref,
        error,
        param,
        data,
        misfit,
    }))
}

/// Setup communication (0xf0).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setup {
    /// Parallel jobs of the caller.
    pub calling: u16,
    /// Parallel jobs of the called.
    pub called: u16,
    /// Largest PDU in bytes.
    pub pdu_length: u16,
}

/// The return codes that answer a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReturnCodes<'a> {
    declared: u8,
    codes: &'a [u8],
}

impl<'a> ReturnCodes<'a> {
    /// Items that the answer says it has.
    #[must_use]
    pub const fn declared(&self) -> u8 {
        self.declared
    }

    /// The codes, in the order of the request's items.
    pub fn iter(&self) -> impl Iterator<Item = u8> + 'a {
        self.codes.iter().copied().take(usize::from(self.declared))
    }
}

/// What a PDU asks for or answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body<'a> {
    /// Setup communication, request and answer.
    Setup(Setup),
    /// Read request.
    ReadRequest(Items<'a>),
    /// Write request: items and what to write into each.
    WriteRequest(Items<'a>, DataItems<'a>),
    /// Answer to a read.
    ReadResponse(DataItems<'a>),
    /// Answer to a write.
    WriteResponse(ReturnCodes<'a>),
    /// Download or upload, job or acknowledgement.
    Transfer(Transfer<'a>),
    /// PI service.
    Pi(Pi<'a>),
    /// Stop, with its service name.
    Stop(&'a [u8]),
    /// Userdata.
    Userdata(Userdata<'a>),
    /// Acknowledgement without function.
    Ack,
    /// Another function, or an acknowledgement that repeats only its function.
    Other,
}

impl<'a> Pdu<'a> {
    /// Function code of a job or acknowledgement, if it has parameters.
    #[must_use]
    pub fn function(&self) -> Option<u8> {
        if matches!(self.rosctr, 1..=3) {
            self.param.first().copied()
        } else {
            None
        }
    }

    /// Offset of the parameters in the transport data unit.
    #[must_use]
    pub const fn param_offset(&self) -> usize {
        if self.error.is_some() { 12 } else { 10 }
    }

    /// Is it a job, or userdata that asks?
    #[must_use]
    pub const fn is_request(&self) -> bool {
        match self.rosctr {
            1 => true,
            7 => match self.param {
                [_, _, _, _, _, kinds, ..] => matches!(*kinds >> 4, 4 | 12),
                _ => false,
            },
            _ => false,
        }
    }

    /// Decodes the parameters.
    ///
    /// # Errors
    /// `TT-S7-004`, `TT-S7-007` when they are cut.
    pub fn body(&self) -> Result<Body<'a>, Error> {
        let at = self.param_offset();
        if self.rosctr == 7 {
            return userdata::parse(self.param, self.data)
                .map(Body::Userdata)
                .map_err(|e| Error {
                    offset: e.offset.saturating_add(at),
                    ..e
                });
        }
        if !matches!(self.rosctr, 1..=3) {
            return Err(Error::new(BAD_HEADER, "unknown rosctr", 1));
        }
        let Some(function) = self.function() else {
            return if self.rosctr == 1 {
                Err(Error::new(BAD_PARAMETER, "a job without function", at))
            } else {
                Ok(Body::Ack)
            };
        };
        let is_job = self.rosctr == 1;
        let data_at = at.saturating_add(self.param.len());
        let mut cursor = Cursor::new(self.param);
        let cut = |e: Error| Error {
            offset: e.offset.saturating_add(at),
            ..e
        };
        cursor.u8(BAD_PARAMETER).map_err(cut)?;
        Ok(match (function, is_job) {
            (0xf0, _) => {
                let _reserved = match cursor.u8(BAD_PARAMETER) {
                    // A refused setup repeats only the function.
                    Err(_) if !is_job => return Ok(Body::Other),
                    other => other.map_err(cut)?,
                };
                Body::Setup(Setup {
                    calling: cursor.u16_be(BAD_PARAMETER).map_err(cut)?,
                    called: cursor.u16_be(BAD_PARAMETER).map_err(cut)?,
                    pdu_length: cursor.u16_be(BAD_PARAMETER).map_err(cut)?,
                })
            }
            (0x04 | 0x05, true) => {
                let count = cursor.u8(BAD_PARAMETER).map_err(cut)?;
                let items = Items::new(count, cursor.rest(), at.saturating_add(2));
                if function == 4 {
                    Body::ReadRequest(items)
                } else {
                    Body::WriteRequest(items, DataItems::new(count, self.data, data_at))
                }
            }
            (0x04 | 0x05, false) => match cursor.u8(BAD_PARAMETER) {
                Err(_) => Body::Other,
                Ok(count) if function == 4 => {
                    Body::ReadResponse(DataItems::new(count, self.data, data_at))
                }
                Ok(count) => Body::WriteResponse(ReturnCodes {
                    declared: count,
                    codes: self.data,
                }),
            },
            (0x1a..=0x1f, _) => {
                Body::Transfer(transfer::transfer(function, is_job, self.param, self.data))
            }
            (0x28, true) => Body::Pi(transfer::pi(self.param).map_err(cut)?),
            (0x29, true) => Body::Stop(transfer::stop_service(self.param).unwrap_or_default()),
            _ => Body::Other,
        })
    }
}

//! Opening and closing connections (CIP Volume 1, chapter 3-5.5).
use super::epath::Path;
use crate::{Error, bytes::Cursor};

/// Connection parameters that cannot be decoded.
pub const BAD_CONNECTION: &str = "TT-CIP-005";

/// What identifies a connection between originator and target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Triad {
    /// Connection serial number.
    pub serial: u16,
    /// Vendor of the originator.
    pub vendor: u16,
    /// Serial number of the originator.
    pub originator: u32,
}

/// A Forward Open or Large Forward Open request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ForwardOpen<'a> {
    /// Originator-to-target connection id, as the originator proposes it.
    pub o2t: u32,
    /// Target-to-originator connection id.
    pub t2o: u32,
    /// Identity of the connection.
    pub triad: Triad,
    /// Requested packet interval originator to target, in microseconds.
    pub o2t_rpi_us: u32,
    /// Requested packet interval target to originator, in microseconds.
    pub t2o_rpi_us: u32,
    /// Transport type and trigger: class in the low four bits.
    pub transport: u8,
    /// Connection path: route, key, application.
    pub path: Path<'a>,
}

impl ForwardOpen<'_> {
    /// Is it an explicit messaging connection (transport class 2 or 3)?
    #[must_use]
    pub const fn is_explicit(&self) -> bool {
        matches!(self.transport & 0x0f, 2 | 3)
    }
}

fn triad(cursor: &mut Cursor<'_>) -> Result<Triad, Error> {
    Ok(Triad {
        serial: cursor.u16_le(BAD_CONNECTION)?,
        vendor: cursor.u16_le(BAD_CONNECTION)?,
        originator: cursor.u32_le(BAD_CONNECTION)?,
    })
}

/// The fixed first part of a Forward Open: ids and identity.
///
/// # Errors
/// `TT-CIP-005` when it is cut.
pub fn forward_open_ids(data: &[u8]) -> Result<(u32, u32, Triad), Error> {
    let mut cursor = Cursor::new(data);
    cursor.take(2, BAD_CONNECTION)?;
    let o2t = cursor.u32_le(BAD_CONNECTION)?;
    let t2o = cursor.u32_le(BAD_CONNECTION)?;
    Ok((o2t, t2o, triad(&mut cursor)?))
}

/// Decodes the service data of a Forward Open request; `large` for Large Forward Open.
///
/// # Errors
/// `TT-CIP-005` when it is cut.
pub fn forward_open(data: &[u8], large: bool) -> Result<ForwardOpen<'_>, Error> {
    let mut cursor = Cursor::new(data);
    let (o2t, t2o, triad) = forward_open_ids(data)?;
    cursor.take(18, BAD_CONNECTION)?;
    // Timeout multiplier and three reserved bytes.
    cursor.take(4, BAD_CONNECTION)?;
    let parameters = if large { 4 } else { 2 };
    let o2t_rpi_us = cursor.u32_le(BAD_CONNECTION)?;
    cursor.take(parameters, BAD_CONNECTION)?;
    let t2o_rpi_us = cursor.u32_le(BAD_CONNECTION)?;
    cursor.take(parameters, BAD_CONNECTION)?;
    let transport = cursor.u8(BAD_CONNECTION)?;
    let words = usize::from(cursor.u8(BAD_CONNECTION)?);
    let raw = cursor.take(words * 2, BAD_CONNECTION)?;
    Ok(ForwardOpen {
        o2t,
        t2o,
        triad,
        o2t_rpi_us,
        t2o_rpi_us,
        transport,
        path: Path { raw },
    })
}

/// The answer to a Forward Open that was granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opened {
    /// Originator-to-target connection id, as the target chose it.
    pub o2t: u32,
    /// Target-to-originator connection id.
    pub t2o: u32,
    /// Identity of the connection.
    pub triad: Triad,
    /// Actual packet interval originator to target, in microseconds.
    pub o2t_api_us: u32,
    /// Actual packet interval target to originator, in microseconds.
    pub t2o_api_us: u32,
}

/// Decodes the service data of a successful Forward Open response.
///
/// # Errors
/// `TT-CIP-005` when it is cut.
pub fn opened(data: &[u8]) -> Result<Opened, Error> {
    let mut cursor = Cursor::new(data);
    let o2t = cursor.u32_le(BAD_CONNECTION)?;
    let t2o = cursor.u32_le(BAD_CONNECTION)?;
    let triad = triad(&mut cursor)?;
    Ok(Opened {
        o2t,
        t2o,
        triad,
        o2t_api_us: cursor.u32_le(BAD_CONNECTION)?,
        t2o_api_us: cursor.u32_le(BAD_CONNECTION)?,
    })
}

/// The identity of the connection in a response: of a Forward Close, or of a
/// Forward Open that was refused.
///
/// # Errors
/// `TT-CIP-005` when it is cut.
pub fn answered_triad(data: &[u8]) -> Result<Triad, Error> {
    triad(&mut Cursor::new(data))
}

/// The identity of the connection that a Forward Close request closes.
///
/// # Errors
/// `TT-CIP-005` when it is cut.
pub fn forward_close(data: &[u8]) -> Result<Triad, Error> {
    let mut cursor = Cursor::new(data);
    cursor.take(2, BAD_CONNECTION)?;
    triad(&mut cursor)
}

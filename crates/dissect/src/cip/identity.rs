//! Identities: of List Identity (CIP Volume 2, table 2-4.4) and of the Identity
//! object (Volume 1, chapter 5-2).
use crate::{Error, bytes::Cursor};

/// An identity that cannot be decoded.
pub const BAD_IDENTITY: &str = "TT-CIP-006";

/// What a device says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity<'a> {
    /// Vendor id; 1 is Rockwell Automation.
    pub vendor: u16,
    /// Device type (profile).
    pub device_type: u16,
    /// Product code.
    pub product_code: u16,
    /// Major and minor revision.
    pub revision: (u8, u8),
    /// Status word.
    pub status: u16,
    /// Serial number.
    pub serial: u32,
    /// Product name.
    pub name: &'a [u8],
    /// State, in the answer to List Identity.
    pub state: Option<u8>,
}

fn identity<'a>(cursor: &mut Cursor<'a>) -> Result<Identity<'a>, Error> {
    Ok(Identity {
        vendor: cursor.u16_le(BAD_IDENTITY)?,
        device_type: cursor.u16_le(BAD_IDENTITY)?,
        product_code: cursor.u16_le(BAD_IDENTITY)?,
        revision: (cursor.u8(BAD_IDENTITY)?, cursor.u8(BAD_IDENTITY)?),
        status: cursor.u16_le(BAD_IDENTITY)?,
        serial: cursor.u32_le(BAD_IDENTITY)?,
        name: {
            let len = usize::from(cursor.u8(BAD_IDENTITY).unwrap_or(0));
            cursor.take(len, BAD_IDENTITY).unwrap_or_default()
        },
        state: cursor.u8(BAD_IDENTITY).ok(),
    })
}

/// Decodes an identity item (type 0x0c) of an answer to List Identity.
///
/// # Errors
/// `TT-CIP-006` when it is cut before the name.
pub fn list_identity(item: &[u8]) -> Result<Identity<'_>, Error> {
    let mut cursor = Cursor::new(item);
    // Protocol version and socket address.
    cursor.take(18, BAD_IDENTITY)?;
    identity(&mut cursor)
}

/// Decodes the answer to Get Attributes All of the Identity object.
///
/// # Errors
/// `TT-CIP-006` when it is cut before the name.
pub fn attributes_all(data: &[u8]) -> Result<Identity<'_>, Error> {
    identity(&mut Cursor::new(data)).map(|i| Identity { state: None, ..i })
}

//! Common packet format (CIP Volume 2, chapter 2-6): a list of typed items.
use crate::{Error, bytes::Cursor};

/// Items that cannot be decoded.
pub const BAD_CPF: &str = "TT-CIP-002";

/// Item type ids (Volume 2, table 2-6.4).
pub mod item {
    /// Null address.
    pub const NULL: u16 = 0x0000;
    /// Identity, answers List Identity.
    pub const IDENTITY: u16 = 0x000c;
    /// Connected address.
    pub const CONNECTED_ADDRESS: u16 = 0x00a1;
    /// Connected data.
    pub const CONNECTED_DATA: u16 = 0x00b1;
    /// Unconnected data.
    pub const UNCONNECTED_DATA: u16 = 0x00b2;
    /// Services, answers List Services.
    pub const SERVICES: u16 = 0x0100;
    /// Socket address, originator to target.
    pub const SOCKADDR_O2T: u16 = 0x8000;
    /// Socket address, target to originator.
    pub const SOCKADDR_T2O: u16 = 0x8001;
    /// Sequenced address of implicit messages.
    pub const SEQUENCED_ADDRESS: u16 = 0x8002;
}

/// An item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CpfItem<'a> {
    /// Type id, see [`item`].
    pub kind: u16,
    /// Its data.
    pub data: &'a [u8],
    /// Did the data end before the item's length said? It is the last one then.
    pub cut: bool,
}

/// The items of a list, in order.
#[derive(Debug, Clone, Copy)]
pub struct CpfItems<'a> {
    cursor: Cursor<'a>,
    left: u16,
}

impl<'a> CpfItems<'a> {
    /// The items of bytes that start with the item count.
    ///
    /// # Errors
    /// `TT-CIP-002` without a count.
    pub fn new(bytes: &'a [u8]) -> Result<Self, Error> {
        let mut cursor = Cursor::new(bytes);
        let left = cursor.u16_le(BAD_CPF)?;
        Ok(Self { cursor, left })
    }

    /// Items that are left by the count.
    #[must_use]
    pub const fn left(&self) -> u16 {
        self.left
    }
}

impl<'a> Iterator for CpfItems<'a> {
    type Item = Result<CpfItem<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let item = (|| {
            let kind = self.cursor.u16_le(BAD_CPF)?;
            let len = usize::from(self.cursor.u16_le(BAD_CPF)?);
            let len_left = self.cursor.remaining();
            let cut = len > len_left;
            Ok(CpfItem {
                kind,
                data: self.cursor.take(len.min(len_left), BAD_CPF)?,
                cut,
            })
        })();
        if matches!(item, Ok(CpfItem { cut: true, .. })) {
            self.left = 0;
        }
        if item.is_err() {
            self.left = 0;
        }
        Some(item)
    }
}

/// What the items of a Send RR Data, a Send Unit Data or an implicit datagram say together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Packet<'a> {
    /// Connection id of a connected or sequenced address.
    pub connection_id: Option<u32>,
    /// Sequence number of a sequenced address (implicit messages).
    pub sequence_number: Option<u32>,
    /// Unconnected data: a CIP message.
    pub unconnected: Option<&'a [u8]>,
    /// Connected data: for class 3 a sequence count and a CIP message, else application data.
    pub connected: Option<&'a [u8]>,
    /// Sockaddr items that were seen.
    pub sockaddrs: u8,
}

/// Gathers the items; unknown types are passed over.
///
/// # Errors
/// `TT-CIP-002` when the items are cut. `out` holds what came, the cut item too.
pub fn gather<'a>(bytes: &'a [u8], out: &mut Packet<'a>) -> Result<(), Error> {
    let mut cut = false;
    for found in CpfItems::new(bytes)? {
        let found = found?;
        cut |= found.cut;
        match found.kind {
            item::CONNECTED_ADDRESS => {
                out.connection_id = found
                    .data
                    .first_chunk::<4>()
                    .map(|b| u32::from_le_bytes(*b));
            }
            item::SEQUENCED_ADDRESS => {
                if let Some(([a, b, c, d, e, f, g, h], _)) = found.data.split_first_chunk::<8>() {
                    out.connection_id = Some(u32::from_le_bytes([*a, *b, *c, *d]));
                    out.sequence_number = Some(u32::from_le_bytes([*e, *f, *g, *h]));
                }
            }
            item::CONNECTED_DATA => out.connected = Some(found.data),
            item::UNCONNECTED_DATA => out.unconnected = Some(found.data),
            item::SOCKADDR_O2T | item::SOCKADDR_T2O => {
                out.sockaddrs = out.sockaddrs.saturating_add(1);
            }
            _ => {}
        }
    }
    if cut {
        return Err(Error::new(
            BAD_CPF,
            "an item is longer than what is left",
            bytes.len(),
        ));
    }
    Ok(())
}

/// The items of a Send RR Data or Send Unit Data, behind interface handle and timeout.
///
/// # Errors
/// `TT-CIP-002` when they are cut.
pub fn sent<'a>(data: &'a [u8], out: &mut Packet<'a>) -> Result<(), Error> {
    let rest = data
        .get(6..)
        .ok_or(Error::new(BAD_CPF, "truncated", data.len()))?;
    gather(rest, out).map_err(|e| Error {
        offset: e.offset.saturating_add(6),
        ..e
    })
}

/// A datagram of implicit I/O (Volume 2, chapter 3-2): a sequenced address and connected data.
///
/// # Errors
/// `TT-CIP-002` when it is something else.
pub fn implicit(datagram: &[u8]) -> Result<Packet<'_>, Error> {
    let mut packet = Packet::default();
    // The count is small; a wild one shows that this is no implicit message.
    match CpfItems::new(datagram)?.left() {
        2..=4 => gather(datagram, &mut packet)?,
        _ => {
            return Err(Error::new(
                BAD_CPF,
                "implicit messages carry two to four items",
                0,
            ));
        }
    }
    if packet.connection_id.is_some() && packet.connected.is_some() {
        Ok(packet)
    } else {
        Err(Error::new(
            BAD_CPF,
            "implicit message without address or data",
            0,
        ))
    }
}

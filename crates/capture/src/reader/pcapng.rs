//! The next-generation format: sections, interfaces, blocks of several kinds.

use super::source::{Fill, Source};
use super::{MAX_BLOCK, Place, Stop};

/// Block type of a section header, which starts a file; the same in both byte orders.
pub(super) const MAGIC: u32 = 0x0a0d_0d0a;
const MAX_INTERFACES: usize = 4096;

#[derive(Clone, Copy)]
struct Interface {
    link_type: u32,
    snap_len: u32,
    /// Ticks a second.
    ticks: u64,
    offset_s: i64,
}

/// The section that is being read.
#[derive(Default)]
pub(super) struct State {
    big: bool,
    interfaces: Vec<Interface>,
}

impl State {
    pub(super) fn next(&mut self, source: &mut Source) -> Result<Place, Stop> {
        loop {
            match source.fill(12)? {
                Fill::Whole => {}
                Fill::Short(0) => return Err(Stop::End),
                Fill::Short(n) => {
                    return Err(Stop::Damaged(format!("{n} bytes of a block header")));
                }
            }
            let kind = source.u32(0, self.big);
            if kind == MAGIC {
                self.big = match source.u32(8, false) {
                    0x1a2b_3c4d => false,
                    0x4d3c_2b1a => true,
                    other => {
                        return Err(Stop::Damaged(format!(
                            "byte order mark {other:08x} of a section"
                        )));
                    }
                };
                self.interfaces.clear();
            }
            let len = source.u32(4, self.big) as usize;
            if !(12..=MAX_BLOCK).contains(&len) || !len.is_multiple_of(4) {
                return Err(Stop::Damaged(format!("a block of {len} bytes cannot be")));
            }
            match source.fill(len)? {
                Fill::Whole => {}
                Fill::Short(n) => {
                    return Err(Stop::Damaged(format!(
                        "the last block is cut: {n} of {len} bytes"
                    )));
                }
            }
            let place = match kind {
                1 => {
                    self.interface(source, len)?;
                    None
                }
                6 => self.enhanced(source, len)?,
                3 => self.simple(source, len)?,
                2 => self.obsolete(source, len)?,
                _ => None,
            };
            let at = source.advance(len);
            if let Some(mut place) = place {
                place.start += at;
                return Ok(place);
            }
        }
    }

    fn interface(&mut self, source: &Source, len: usize) -> Result<(), Stop> {
        if len < 20 {
            return Err(Stop::Damaged(
                "an interface description without a body".to_owned(),
            ));
        }
        if self.interfaces.len() >= MAX_INTERFACES {
            return Err(Stop::Damaged(format!(
                "more than {MAX_INTERFACES} interfaces"
            )));
        }
        let mut interface = Interface {
            link_type: u32::from(source.u16(8, self.big)),
            snap_len: source.u32(12, self.big),
            ticks: 1_000_000,
            offset_s: 0,
        };
        let mut at = 16;
        while at + 4 <= len - 4 {
            let code = source.u16(at, self.big);
            let size = usize::from(source.u16(at + 2, self.big));
            if code == 0 || at + 4 + size > len - 4 {
                break;
            }
            match (code, size) {
                (9, 1..) => {
                    let resolution = source.peek(at + 5).last().copied().unwrap_or(6);
                    let exponent = u32::from(resolution & 0x7f);
                    let ticks = if resolution & 0x80 == 0 {
                        10_u64.checked_pow(exponent)
                    } else {
                        2_u64.checked_pow(exponent)
                    };
                    interface.ticks = ticks.unwrap_or(1_000_000);
                }
                (14, 8..) => {
                    let (low, high) = (source.u32(at + 4, self.big), source.u32(at + 8, self.big));
                    let (low, high) = if self.big { (high, low) } else { (low, high) };
                    interface.offset_s = (i64::from(high) << 32) | i64::from(low);
                }
                _ => {}
            }
            at += 4 + size.next_multiple_of(4);
        }
        self.interfaces.push(interface);
        Ok(())
    }

    fn packet(
        &self,
        id: u32,
        ticks: u64,
        start: usize,
        len: usize,
        orig_len: u32,
        room: usize,
    ) -> Result<Option<Place>, Stop> {
        let Some(interface) = self.interfaces.get(id as usize) else {
            return Err(Stop::Damaged(format!(
                "a packet of interface {id}, which is not described"
            )));
        };
        if len > room {
            return Err(Stop::Damaged(format!(
                "a packet of {len} bytes in a block with room for {room}"
            )));
        }
        let nanos = u128::from(ticks) * 1_000_000_000 / u128::from(interface.ticks.max(1));
        let ts_ns = i64::try_from(nanos)
            .unwrap_or(i64::MAX)
            .saturating_add(interface.offset_s.saturating_mul(1_000_000_000));
        Ok(Some(Place {
            ts_ns,
            link_type: interface.link_type,
            interface: id,
            start,
            len,
            orig_len,
        }))
    }

    fn enhanced(&self, source: &Source, len: usize) -> Result<Option<Place>, Stop> {
        if len < 32 {
            return Err(Stop::Damaged("a packet block without a body".to_owned()));
        }
        let ticks =
            (u64::from(source.u32(12, self.big)) << 32) | u64::from(source.u32(16, self.big));
        let size = source.u32(20, self.big) as usize;
        self.packet(
            source.u32(8, self.big),
            ticks,
            28,
            size,
            source.u32(24, self.big),
            len - 32,
        )
    }

    fn simple(&self, source: &Source, len: usize) -> Result<Option<Place>, Stop> {
        if len < 16 {
            return Err(Stop::Damaged(
                "a simple packet block without a body".to_owned(),
            ));
        }
        let orig = source.u32(8, self.big);
        let snap = self.interfaces.first().map_or(0, |i| i.snap_len);
        let size = if snap == 0 { orig } else { orig.min(snap) } as usize;
        self.packet(0, 0, 12, size.min(len - 16), orig, len - 16)
    }

    fn obsolete(&self, source: &Source, len: usize) -> Result<Option<Place>, Stop> {
        if len < 32 {
            return Err(Stop::Damaged("a packet block without a body".to_owned()));
        }
        let ticks =
            (u64::from(source.u32(12, self.big)) << 32) | u64::from(source.u32(16, self.big));
        let size = source.u32(20, self.big) as usize;
        self.packet(
            u32::from(source.u16(8, self.big)),
            ticks,
            28,
            size,
            source.u32(24, self.big),
            len - 32,
        )
    }
}

//! The classic format.

use super::source::{Fill, Source};
use super::{MAX_BLOCK, Place, Stop};

/// What the file header said.
pub(super) struct State {
    big: bool,
    nanos: bool,
    /// Extra bytes behind each packet header (Alexey Kuznetsov's variant).
    extra: usize,
    link_type: u32,
}

impl State {
    /// By the magic number, read as little-endian.
    pub(super) fn new(magic: u32) -> Option<Self> {
        let (big, nanos, extra) = match magic {
            0xa1b2_c3d4 => (false, false, 0),
            0xd4c3_b2a1 => (true, false, 0),
            0xa1b2_3c4d => (false, true, 0),
            0x4d3c_b2a1 => (true, true, 0),
            0xa1b2_cd34 => (false, false, 8),
            0x34cd_b2a1 => (true, false, 8),
            _ => return None,
        };
        Some(Self {
            big,
            nanos,
            extra,
            link_type: 0,
        })
    }

    pub(super) fn header(&mut self, source: &mut Source) -> Result<(), Stop> {
        match source.fill(24)? {
            Fill::Whole => {
                // the upper bits hold the length of a frame check sequence
                self.link_type = source.u32(20, self.big) & 0x03ff_ffff;
                if source.u32(20, self.big) == 0x3000_0001 {
                    self.link_type = 1;
                }
                source.advance(24);
                Ok(())
            }
            Fill::Short(_) => Err(Stop::Damaged("the file header is cut short".to_owned())),
        }
    }

    pub(super) fn next(&mut self, source: &mut Source) -> Result<Place, Stop> {
        let header = 16 + self.extra;
        match source.fill(header)? {
            Fill::Whole => {}
            Fill::Short(0) => return Err(Stop::End),
            Fill::Short(n) => {
                return Err(Stop::Damaged(format!(
                    "{n} of {header} bytes of a packet header"
                )));
            }
        }
        let seconds = source.u32(0, self.big);
        let fraction = source.u32(4, self.big);
        let len = source.u32(8, self.big) as usize;
        let orig_len = source.u32(12, self.big);
        if len > MAX_BLOCK {
            return Err(Stop::Damaged(format!("a packet of {len} bytes cannot be")));
        }
        match source.fill(header + len)? {
            Fill::Whole => {}
            Fill::Short(n) => {
                return Err(Stop::Damaged(format!(
                    "the last packet is cut: {} of {len} bytes",
                    n.saturating_sub(header)
                )));
            }
        }
        let at = source.advance(header + len);
        let unit = if self.nanos { 1 } else { 1000 };
        Ok(Place {
            ts_ns: i64::from(seconds) * 1_000_000_000 + i64::from(fraction) * unit,
            link_type: self.link_type,
            interface: 0,
            start: at + header,
            len,
            orig_len,
        })
    }
}

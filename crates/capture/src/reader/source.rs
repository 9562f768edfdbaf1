//! A growing window over a stream, and the unpacking of gzip and zstd.

use super::MAX_UNPACKED;
use std::io::{self, Read};

/// Outcome of asking for bytes.
pub(super) enum Fill {
    /// The window holds at least as many.
    Whole,
    /// The stream ended with only this many.
    Short(usize),
}

/// The stream unpacks to more than the bound.
#[derive(Debug)]
pub(super) struct TooLarge;

impl std::fmt::Display for TooLarge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("unpacks to more than allowed")
    }
}

impl std::error::Error for TooLarge {}

/// A window of unread bytes of a stream.
pub(super) struct Source {
    input: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    total: u64,
}

const CHUNK: usize = 1 << 16;

impl Source {
    pub(super) fn new(input: Box<dyn Read + Send>) -> Self {
        Self {
            input,
            buffer: vec![0; CHUNK],
            start: 0,
            end: 0,
            total: 0,
        }
    }

    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// Makes the window at least `n` bytes long if the stream has them.
    pub(super) fn fill(&mut self, n: usize) -> io::Result<Fill> {
        while self.end - self.start < n {
            if self.buffer.len() - self.start < n.max(CHUNK / 2) {
                self.buffer.copy_within(self.start..self.end, 0);
                self.end -= self.start;
                self.start = 0;
                if self.buffer.len() < n {
                    self.buffer.resize(n.next_multiple_of(CHUNK), 0);
                }
            }
            let Some(free) = self.buffer.get_mut(self.end..) else {
                return Ok(Fill::Short(self.end - self.start));
            };
            match self.input.read(free) {
                Ok(0) => return Ok(Fill::Short(self.end - self.start)),
                Ok(got) => {
                    self.end += got;
                    self.total += got as u64;
                    if self.total > MAX_UNPACKED {
                        return Err(io::Error::other(TooLarge));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Fill::Whole)
    }

    /// Drops `n` bytes from the front of the window; returns where they lie.
    /// They stay readable with [`Source::slice`] until the next `fill`.
    pub(super) fn advance(&mut self, n: usize) -> usize {
        let at = self.start;
        self.start = (self.start + n).min(self.end);
        at
    }

    pub(super) fn slice(&self, start: usize, len: usize) -> &[u8] {
        self.buffer.get(start..start + len).unwrap_or_default()
    }

    /// Up to `n` bytes at the front of the window.
    pub(super) fn peek(&self, n: usize) -> &[u8] {
        self.buffer
            .get(self.start..self.end.min(self.start + n))
            .unwrap_or_default()
    }

    fn array<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.buffer
            .get(self.start + at..self.end)
            .and_then(|b| b.first_chunk::<N>())
            .copied()
    }

    pub(super) fn u32_le(&self, at: usize) -> Option<u32> {
        self.array(at).map(u32::from_le_bytes)
    }

    pub(super) fn u32(&self, at: usize, big: bool) -> u32 {
        let bytes = self.array(at).unwrap_or_default();
        if big {
            u32::from_be_bytes(bytes)
        } else {
            u32::from_le_bytes(bytes)
        }
    }

    pub(super) fn u16(&self, at: usize, big: bool) -> u16 {
        let bytes = self.array(at).unwrap_or_default();
        if big {
            u16::from_be_bytes(bytes)
        } else {
            u16::from_le_bytes(bytes)
        }
    }
}

/// Unpacks gzip and zstd by their magic numbers; anything else passes through.
pub(super) fn unpack(mut input: Box<dyn Read + Send>) -> io::Result<Box<dyn Read + Send>> {
    let mut magic = [0_u8; 4];
    let mut have = 0;
    while have < magic.len() {
        let Some(free) = magic.get_mut(have..) else {
            break;
        };
        match input.read(free) {
            Ok(0) => break,
            Ok(n) => have += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let head = io::Cursor::new(magic.get(..have).unwrap_or_default().to_vec());
    let whole = head.chain(input);
    Ok(match magic {
        [0x1f, 0x8b, ..] => Box::new(flate2::read::MultiGzDecoder::new(whole)),
        [0x28, 0xb5, 0x2f, 0xfd] => Box::new(zstd::stream::read::Decoder::new(whole)?),
        _ => Box::new(whole),
    })
}

//! Capture files: pcap (both byte orders, micro- and nanoseconds) and pcapng,
//! plain or packed with gzip or zstd, from a path or any stream.
//!
//! Formats: "PCAP Capture File Format" (draft-ietf-opsawg-pcap) and "PCAP Next
//! Generation Capture File Format" (draft-ietf-opsawg-pcapng).

mod pcap;
mod pcapng;
mod source;

use crate::CaptureError;
use source::{Fill, Source};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Bytes that a compressed file may unpack to.
pub const MAX_UNPACKED: u64 = 64 << 30;
/// Largest packet or block believed; a length beyond it is damage.
pub const MAX_BLOCK: usize = 16 << 20;

/// One packet of a capture.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'a> {
    /// Number in its file, from 1, as Wireshark counts.
    pub number: u64,
    /// Capture time, nanoseconds since 1970-01-01 UTC; 0 when the file has none.
    pub ts_ns: i64,
    /// Link type (`LINKTYPE_…` of tcpdump.org).
    pub link_type: u32,
    /// Interface of the capture file, from 0.
    pub interface: u32,
    /// Captured bytes.
    pub data: &'a [u8],
    /// Bytes on the wire.
    pub orig_len: u32,
}

/// Where a packet lies in the reader's buffer.
#[derive(Debug, Clone, Copy)]
struct Place {
    ts_ns: i64,
    link_type: u32,
    interface: u32,
    start: usize,
    len: usize,
    orig_len: u32,
}

enum Format {
    Pcap(pcap::State),
    PcapNg(pcapng::State),
}

/// Why reading stopped, before it is given the file's name.
enum Stop {
    End,
    Damaged(String),
    Io(std::io::Error),
    TooLarge,
}

impl From<std::io::Error> for Stop {
    fn from(error: std::io::Error) -> Self {
        if error.get_ref().is_some_and(
            <dyn std::error::Error + std::marker::Send + std::marker::Sync + 'static>::is::<
                source::TooLarge,
            >,
        ) {
            Self::TooLarge
        } else {
            Self::Io(error)
        }
    }
}

/// Hands out the packets of one capture.
pub struct Reader {
    name: String,
    source: Source,
    format: Format,
    number: u64,
    done: bool,
}

impl Reader {
    /// Opens a file; `-` is standard input.
    ///
    /// # Errors
    /// `TT-CAP-001` when it cannot be read, `TT-CAP-002` when it is no capture.
    pub fn open(path: &Path) -> Result<Self, CaptureError> {
        let name = path.display().to_string();
        if path == Path::new("-") {
            return Self::new("stdin", Box::new(std::io::stdin()));
        }
        match File::open(path) {
            Ok(file) => Self::new(&name, Box::new(file)),
            Err(source) => Err(CaptureError::Io { file: name, source }),
        }
    }

    /// Reads from any stream; `name` is used in errors.
    ///
    /// # Errors
    /// `TT-CAP-001` when it cannot be read, `TT-CAP-002` when it is no capture.
    pub fn new(name: &str, input: Box<dyn Read + Send>) -> Result<Self, CaptureError> {
        let io = |source| CaptureError::Io {
            file: name.to_owned(),
            source,
        };
        let mut source = Source::new(source::unpack(input).map_err(io)?);
        let magic = match source.fill(4) {
            Ok(Fill::Whole) => source.u32_le(0),
            Ok(Fill::Short(_)) => None,
            Err(error) => return Err(io(error)),
        };
        let format = match magic {
            Some(pcapng::MAGIC) => Format::PcapNg(pcapng::State::default()),
            Some(magic) => match pcap::State::new(magic) {
                Some(state) => Format::Pcap(state),
                None => return Err(Self::no_capture(name, &source)),
            },
            None => return Err(Self::no_capture(name, &source)),
        };
        let mut reader = Self {
            name: name.to_owned(),
            source,
            format,
            number: 0,
            done: false,
        };
        if let Format::Pcap(state) = &mut reader.format {
            state
                .header(&mut reader.source)
                .map_err(|stop| match stop {
                    Stop::Io(source) => CaptureError::Io {
                        file: name.to_owned(),
                        source,
                    },
                    _ => CaptureError::Damaged {
                        file: name.to_owned(),
                        packet: 0,
                        reason: "the file header is cut short".to_owned(),
                    },
                })?;
        }
        Ok(reader)
    }

    fn no_capture(name: &str, source: &Source) -> CaptureError {
        let start = source
            .peek(4)
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect::<Vec<_>>()
            .join(" ");
        CaptureError::Format {
            file: name.to_owned(),
            start: if start.is_empty() {
                "nothing".to_owned()
            } else {
                start
            },
        }
    }

    /// The file's name, as given.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Bytes taken from the file so far, unpacked.
    #[must_use]
    pub fn bytes_read(&self) -> u64 {
        self.source.total()
    }

    /// The next packet, `None` at the end of the file.
    ///
    /// # Errors
    /// `TT-CAP-003` and `TT-CAP-004` once, when the file is damaged or too
    /// large from here on; `None` after that.
    pub fn next_packet(&mut self) -> Result<Option<Packet<'_>>, CaptureError> {
        if self.done {
            return Ok(None);
        }
        let place = match &mut self.format {
            Format::Pcap(state) => state.next(&mut self.source),
            Format::PcapNg(state) => state.next(&mut self.source),
        };
        match place {
            Ok(place) => {
                self.number += 1;
                Ok(Some(Packet {
                    number: self.number,
                    ts_ns: place.ts_ns,
                    link_type: place.link_type,
                    interface: place.interface,
                    data: self.source.slice(place.start, place.len),
                    orig_len: place.orig_len,
                }))
            }
            Err(stop) => {
                self.done = true;
                let file = self.name.clone();
                let packet = self.number;
                match stop {
                    Stop::End => Ok(None),
                    Stop::Damaged(reason) => Err(CaptureError::Damaged {
                        file,
                        packet,
                        reason,
                    }),
                    Stop::Io(error)
                        if matches!(
                            error.kind(),
                            std::io::ErrorKind::UnexpectedEof
                                | std::io::ErrorKind::InvalidData
                                | std::io::ErrorKind::InvalidInput
                                | std::io::ErrorKind::Other
                        ) =>
                    {
                        Err(CaptureError::Damaged {
                            file,
                            packet,
                            reason: format!("cannot unpack further: {error}"),
                        })
                    }
                    Stop::Io(source) => Err(CaptureError::Io { file, source }),
                    Stop::TooLarge => Err(CaptureError::TooLarge {
                        file,
                        packet,
                        limit: MAX_UNPACKED,
                    }),
                }
            }
        }
    }
}

/// Capture files of the given paths: files as they are, folders with all
/// captures in them, by name (sorted, so that rotated files come in order).
///
/// # Errors
/// When a path cannot be read, or a folder has no capture.
pub fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, CaptureError> {
    let mut all = Vec::new();
    for path in paths {
        if path != Path::new("-") && path.is_dir() {
            let before = all.len();
            walk(path, &mut all, 0).map_err(|source| CaptureError::Io {
                file: path.display().to_string(),
                source,
            })?;
            if all.len() == before {
                return Err(CaptureError::EmptyFolder {
                    folder: path.clone(),
                });
            }
        } else {
            all.push(path.clone());
        }
    }
    Ok(all)
}

fn walk(folder: &Path, into: &mut Vec<PathBuf>, depth: usize) -> std::io::Result<()> {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)?
        .map(|e| e.map(|e| e.path()))
        .collect::<Result<_, _>>()?;
    entries.sort();
    for path in entries {
        if path.is_dir() {
            if depth < 8 {
                walk(&path, into, depth + 1)?;
            }
        } else if is_capture_name(&path) {
            into.push(path);
        }
    }
    Ok(())
}

/// `.pcap`, `.pcapng`, `.cap`, `.dmp`, with a number behind (rotation) or `.gz`, `.zst`.
fn is_capture_name(path: &Path) -> bool {
    let name = path
        .file_name()
        .map(|n| n.to_string_lossy().to_lowercase())
        .unwrap_or_default();
    let name = name
        .trim_end_matches(".gz")
        .trim_end_matches(".zst")
        .trim_end_matches(".zstd");
    [".pcap", ".pcapng", ".cap", ".dmp"].iter().any(|ext| {
        name.rfind(ext).is_some_and(|at| {
            name.get(at + ext.len()..)
                .is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit() || c == '.'))
        })
    })
}

#[cfg(test)]
mod tests;

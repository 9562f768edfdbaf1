//! A log's files, seen from outside.

use std::path::{Path, PathBuf};

/// Bytes of a file's head.
pub const HEAD: u64 = 40;

/// Bytes that a record takes in its file.
pub fn room(length: usize) -> u64 {
    32 + (length as u64).next_multiple_of(8)
}

/// The segments with the offsets in their names, in order.
pub fn files(folder: &Path) -> Vec<(u64, PathBuf)> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "log"))
        .map(|p| (p.file_stem().unwrap().to_str().unwrap().parse().unwrap(), p))
        .collect();
    files.sort();
    files
}

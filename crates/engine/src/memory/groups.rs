//! Groups by their keys: one number for each key that is in use.

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use std::hash::BuildHasher as _;

/// A group that is gone.
pub(crate) const GONE: u32 = u32::MAX;

/// Keys with their numbers. Numbers rise from 0 and change only in [`Groups::retain`].
/// The hash is seeded by chance, so that nobody can choose keys that collide; nothing
/// that comes out depends on it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Groups {
    table: HashTable<u32>,
    hasher: RandomState,
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// Time of the last row of each.
    last: Vec<i64>,
}

fn slice<'b>(bytes: &'b [u8], ends: &[usize], group: u32) -> &'b [u8] {
    let at = group as usize;
    let from = at.checked_sub(1).and_then(|b| ends.get(b)).copied();
    let to = ends.get(at).copied().unwrap_or_default();
    bytes.get(from.unwrap_or(0)..to).unwrap_or_default()
}

impl Groups {
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The key of a group.
    pub(crate) fn key(&self, group: u32) -> &[u8] {
        slice(&self.bytes, &self.ends, group)
    }

    /// Time of a group's last row.
    pub(crate) fn last(&self, group: u32) -> i64 {
        self.last.get(group as usize).copied().unwrap_or(i64::MIN)
    }

    /// Bytes that the keys take, tables included.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.capacity()
            + self.ends.capacity() * size_of::<usize>()
            + self.last.capacity() * size_of::<i64>()
            + self.table.capacity() * (size_of::<u32>() + 1)
    }

    /// The group of a key that had a row at this time; `None` if there are `most`
    /// already and this would be one more.
    #[inline]
    pub(crate) fn touch(&mut self, key: &[u8], time: i64, most: usize) -> Option<u32> {
        let hash = self.hasher.hash_one(key);
        let (bytes, ends) = (&self.bytes, &self.ends);
        if let Some(known) = self.table.find(hash, |g| slice(bytes, ends, *g) == key) {
            if let Some(last) = self.last.get_mut(*known as usize) {
                *last = time.max(*last);
            }
            return Some(*known);
        }
        if self.ends.len() >= most.min(GONE as usize) {
            return None;
        }
        let group = self.ends.len() as u32;
        self.bytes.extend_from_slice(key);
        self.ends.push(self.bytes.len());
        self.last.push(time);
        let (bytes, ends, hasher) = (&self.bytes, &self.ends, &self.hasher);
        self.table
            .insert_unique(hash, group, |g| hasher.hash_one(slice(bytes, ends, *g)));
        Some(group)
    }

    /// The group of a key, if there is one.
    pub(crate) fn find(&self, key: &[u8]) -> Option<u32> {
        let hash = self.hasher.hash_one(key);
        self.table.find(hash, |g| self.key(*g) == key).copied()
    }

    /// Keeps the groups for which `keep(group, last)` is true, and says the new number
    /// of each old one.
    pub(crate) fn retain(&mut self, keep: impl Fn(u32, i64) -> bool) -> Vec<u32> {
        let old = std::mem::take(self);
        self.hasher = old.hasher;
        (0..old.ends.len() as u32)
            .map(|group| {
                let last = old.last.get(group as usize).copied().unwrap_or(i64::MIN);
                if keep(group, last) {
                    let key = slice(&old.bytes, &old.ends, group);
                    self.touch(key, last, GONE as usize).unwrap_or(GONE)
                } else {
                    GONE
                }
            })
            .collect()
    }
}

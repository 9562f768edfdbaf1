//! Groups by their keys: one number for each key that is in use.

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use std::hash::BuildHasher as _;

/// A group that is gone.
pub(crate) const GONE: u32 = u32::MAX;

/// A key in the table: whole where it is short, so that one look decides.
#[derive(Debug, Clone, Copy)]
struct Entry {
    /// Up to 15 bytes and their number; of a longer key its hash and 255.
    short: [u64; 2],
    group: u32,
}

/// Keys with their numbers. Numbers rise from 0 and change only in [`Groups::retain`].
/// The hash is seeded by chance, so that nobody can choose keys that collide; nothing
/// that comes out depends on it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Groups {
    table: HashTable<Entry>,
    hasher: RandomState,
    keys: Keys,
}

/// Keys by their numbers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Keys {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Keys {
    /// The key of a group.
    pub(crate) fn key(&self, group: u32) -> &[u8] {
        let at = group as usize;
        let from = at.checked_sub(1).and_then(|b| self.ends.get(b)).copied();
        let to = self.ends.get(at).copied().unwrap_or_default();
        self.bytes.get(from.unwrap_or(0)..to).unwrap_or_default()
    }
}

/// Bytes of a key that the table itself holds.
const SHORT: usize = 15;

impl Groups {
    pub(crate) fn len(&self) -> usize {
        self.keys.ends.len()
    }

    /// The key of a group.
    pub(crate) fn key(&self, group: u32) -> &[u8] {
        self.keys.key(group)
    }

    /// The keys without the table that finds them.
    pub(crate) fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Bytes that the keys take, tables included.
    pub(crate) fn bytes(&self) -> usize {
        self.keys.bytes.capacity()
            + self.keys.ends.capacity() * size_of::<usize>()
            + self.table.capacity() * (size_of::<Entry>() + 1)
    }

    #[inline]
    fn short(&self, key: &[u8]) -> [u64; 2] {
        if key.len() > SHORT {
            return [self.hasher.hash_one(key), u64::MAX];
        }
        let mut bytes = [0; 16];
        for (to, from) in bytes.iter_mut().zip(key) {
            *to = *from;
        }
        let word = u128::from_le_bytes(bytes) | (key.len() as u128) << 120;
        [word as u64, (word >> 64) as u64]
    }

    /// The group of a key of up to 15 bytes, byte n in bits 8n.
    #[inline]
    pub(crate) fn find_short(&self, (bytes, length): (u128, usize)) -> Option<u32> {
        let word = bytes | (length as u128) << 120;
        let short = [word as u64, (word >> 64) as u64];
        let hash = Self::hash(&self.hasher, short);
        self.table.find(hash, |e| e.short == short).map(|e| e.group)
    }

    #[inline]
    fn hash(hasher: &RandomState, short: [u64; 2]) -> u64 {
        hasher.hash_one(short)
    }

    /// The group of a key, if there is one.
    #[inline]
    pub(crate) fn find(&self, key: &[u8]) -> Option<u32> {
        let short = self.short(key);
        let found = self.table.find(Self::hash(&self.hasher, short), |e| {
            e.short == short && (key.len() <= SHORT || self.key(e.group) == key)
        });
        found.map(|e| e.group)
    }

    /// The group of a key, a new one if need be; `None` if there are `most` already and
    /// this would be one more.
    #[inline]
    pub(crate) fn touch(&mut self, key: &[u8], most: usize) -> Option<u32> {
        match self.find(key) {
            Some(known) => Some(known),
            None => self.insert(key, most),
        }
    }

    /// A new group for a key that has none; `None` if there are `most` already.
    pub(crate) fn insert(&mut self, key: &[u8], most: usize) -> Option<u32> {
        if self.keys.ends.len() >= most.min(GONE as usize) {
            return None;
        }
        let group = self.keys.ends.len() as u32;
        self.keys.bytes.extend_from_slice(key);
        self.keys.ends.push(self.keys.bytes.len());
        let short = self.short(key);
        let hasher = &self.hasher;
        self.table
            .insert_unique(Self::hash(hasher, short), Entry { short, group }, |e| {
                Self::hash(hasher, e.short)
            });
        Some(group)
    }

    /// Keeps the groups for which `keep` is true, and says the new number of each old one.
    pub(crate) fn retain(&mut self, keep: impl Fn(u32) -> bool) -> Vec<u32> {
        let old = std::mem::take(self);
        self.hasher = old.hasher;
        (0..old.keys.ends.len() as u32)
            .map(|group| {
                if keep(group) {
                    let key = old.keys.key(group);
                    self.touch(key, GONE as usize).unwrap_or(GONE)
                } else {
                    GONE
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_keep_their_numbers() {
        let mut groups = Groups::default();
        let keys: Vec<Vec<u8>> = (0..40_u8).map(|n| vec![n; usize::from(n)]).collect();
        for (n, key) in keys.iter().enumerate() {
            assert_eq!(groups.touch(key, 40), Some(n as u32));
        }
        assert_eq!(groups.touch(b"one more", 40), None);
        for (n, key) in keys.iter().enumerate() {
            assert_eq!(groups.touch(key, 40), Some(n as u32));
            assert_eq!(groups.key(n as u32), key);
        }
        for (n, key) in keys.iter().enumerate().take(16) {
            let mut bytes = [0; 16];
            bytes[..key.len()].copy_from_slice(key);
            let short = (u128::from_le_bytes(bytes), key.len());
            assert_eq!(groups.find_short(short), Some(n as u32));
        }
        // a short key that looks like the head of another is another
        assert_eq!(groups.find(&[0]), None);
        let remap = groups.retain(|g| g % 2 == 1);
        assert_eq!(groups.len(), 20);
        assert_eq!((remap[0], remap[1], remap[3]), (GONE, 0, 1));
        assert_eq!(groups.find(&keys[3]), Some(1));
        assert_eq!(groups.find(&keys[16]), None);
    }
}

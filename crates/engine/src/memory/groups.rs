//! Groups by their keys: one number for each key that is in use.

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use std::hash::BuildHasher as _;
use std::sync::Arc;

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

/// Keys of a page.
const PAGE: usize = 1024;

/// Keys by their numbers, in pages: a copy shares the full ones.
#[derive(Debug, Clone, Default)]
pub(crate) struct Keys {
    full: Vec<Arc<Page>>,
    last: Page,
}

#[derive(Debug, Clone, Default)]
struct Page {
    bytes: Vec<u8>,
    ends: Vec<u32>,
}

impl Keys {
    fn len(&self) -> usize {
        self.full.len() * PAGE + self.last.ends.len()
    }

    fn bytes(&self) -> usize {
        let of = |page: &Page| page.bytes.capacity() + 4 * page.ends.capacity();
        self.full.iter().map(|p| of(p)).sum::<usize>() + of(&self.last)
    }

    /// The key of a group.
    pub(crate) fn key(&self, group: u32) -> &[u8] {
        let (page, at) = (group as usize / PAGE, group as usize % PAGE);
        let page = match self.full.get(page) {
            Some(page) => page,
            None if page == self.full.len() => &self.last,
            None => return &[],
        };
        let from = at.checked_sub(1).and_then(|b| page.ends.get(b)).copied();
        let to = page.ends.get(at).copied().unwrap_or_default();
        let key = page.bytes.get(from.unwrap_or(0) as usize..to as usize);
        key.unwrap_or_default()
    }

    /// Adds a key; `false` where its page has no room for so many bytes.
    fn push(&mut self, key: &[u8]) -> bool {
        if self.last.ends.len() == PAGE {
            let page = std::mem::take(&mut self.last);
            self.full.push(Arc::new(page));
        }
        let Ok(end) = u32::try_from(self.last.bytes.len() + key.len()) else {
            return false;
        };
        self.last.bytes.extend_from_slice(key);
        self.last.ends.push(end);
        true
    }
}

/// Bytes of a key that the table itself holds.
const SHORT: usize = 15;

impl Groups {
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// The key of a group.
    pub(crate) fn key(&self, group: u32) -> &[u8] {
        self.keys.key(group)
    }

    /// Bytes of the keys and what belongs to each, by count.
    pub(crate) fn weight(&self) -> usize {
        let pages = self.keys.full.iter().map(|p| p.bytes.len());
        let bytes = pages.sum::<usize>() + self.keys.last.bytes.len();
        bytes + self.len() * (size_of::<Entry>() + 8)
    }

    /// The keys without the table that finds them.
    pub(crate) fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Bytes that the keys take, tables included.
    pub(crate) fn bytes(&self) -> usize {
        self.keys.bytes() + self.table.capacity() * (size_of::<Entry>() + 1)
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
        if self.keys.len() >= most.min(GONE as usize) {
            return None;
        }
        let group = self.keys.len() as u32;
        if !self.keys.push(key) {
            return None;
        }
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
        (0..old.keys.len() as u32)
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

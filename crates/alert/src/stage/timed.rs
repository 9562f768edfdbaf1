//! Entries with an end in event time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Rule id, and what of it: key of a suppression, identity of a group, a device.
pub(crate) type Key = (Arc<str>, String);

/// Entries by key, and by their end.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Timed<V> {
    all: BTreeMap<Key, (i64, V)>,
    ends: BTreeSet<(i64, Key)>,
}

impl<V> Default for Timed<V> {
    fn default() -> Self {
        Self {
            all: BTreeMap::new(),
            ends: BTreeSet::new(),
        }
    }
}

impl<V> Timed<V> {
    /// Adds an entry, in place of one with the same key.
    pub(crate) fn insert(&mut self, key: Key, until_ns: i64, value: V) -> Option<V> {
        let before = self.remove(&key);
        self.ends.insert((until_ns, key.clone()));
        self.all.insert(key, (until_ns, value));
        before
    }

    pub(crate) fn get_mut(&mut self, key: &Key) -> Option<&mut V> {
        self.all.get_mut(key).map(|entry| &mut entry.1)
    }

    pub(crate) fn remove(&mut self, key: &Key) -> Option<V> {
        let (until_ns, value) = self.all.remove(key)?;
        self.ends.remove(&(until_ns, key.clone()));
        Some(value)
    }

    /// When the first entry ends.
    pub(crate) fn first_end(&self) -> Option<i64> {
        self.ends.first().map(|end| end.0)
    }

    /// Takes the entry out that ends first.
    pub(crate) fn pop(&mut self) -> Option<(Key, V)> {
        let (_, key) = self.ends.pop_first()?;
        let (_, value) = self.all.remove(&key)?;
        Some((key, value))
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// Entries with their ends, in the order of their keys.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Key, i64, &V)> {
        self.all
            .iter()
            .map(|(key, (end, value))| (key, *end, value))
    }

    /// Takes out what does not hold, in the order of its end.
    pub(crate) fn take_out(&mut self, keep: impl Fn(&Key) -> bool) -> Vec<(Key, V)> {
        let gone: Vec<Key> = self
            .ends
            .iter()
            .filter(|(_, key)| !keep(key))
            .map(|(_, key)| key.clone())
            .collect();
        gone.into_iter()
            .filter_map(|key| self.remove(&key).map(|value| (key, value)))
            .collect()
    }
}

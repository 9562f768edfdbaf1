//! All living flows, found by key and kept in the order of their last packet.

use super::{Flow, Key};
use hashbrown::HashTable;

const NONE: u32 = u32::MAX;

/// Place of a flow. What every packet asks for is here and not in the flow, so
/// that finding one and keeping the order of use touch few cache lines.
struct Slot {
    flow: Option<Box<Flow>>,
    hash: u64,
    /// Time of the flow's last packet, nanoseconds.
    last_ns: i64,
    newer: u32,
    older: u32,
}

/// All living flows.
pub(crate) struct FlowTable {
    /// Places by the hash of the flow's key.
    index: HashTable<u32>,
    slots: Vec<Slot>,
    free: Vec<u32>,
    newest: u32,
    oldest: u32,
}

impl FlowTable {
    pub(crate) fn new() -> Self {
        Self {
            index: HashTable::new(),
            slots: Vec::new(),
            free: Vec::new(),
            newest: NONE,
            oldest: NONE,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    pub(crate) fn find(&self, key: &Key) -> Option<u32> {
        let hash = key.hash();
        let same = |at: &u32| {
            self.slots.get(*at as usize).is_some_and(|slot| {
                slot.hash == hash && slot.flow.as_ref().is_some_and(|flow| flow.key == *key)
            })
        };
        self.index.find(hash, same).copied()
    }

    pub(crate) fn get(&mut self, at: u32) -> Option<&mut Flow> {
        self.slots.get_mut(at as usize)?.flow.as_deref_mut()
    }

    pub(crate) fn insert(&mut self, flow: Box<Flow>) -> u32 {
        let slot = Slot {
            hash: flow.key.hash(),
            last_ns: flow.head.last_ns,
            flow: Some(flow),
            newer: NONE,
            older: NONE,
        };
        let hash = slot.hash;
        let at = match self.free.pop() {
            Some(at) => {
                if let Some(place) = self.slots.get_mut(at as usize) {
                    *place = slot;
                }
                at
            }
            None => {
                self.slots.push(slot);
                u32::try_from(self.slots.len() - 1).unwrap_or(NONE - 1)
            }
        };
        let slots = &self.slots;
        self.index.insert_unique(hash, at, |at| {
            slots.get(*at as usize).map_or(0, |slot| slot.hash)
        });
        self.link(at);
        at
    }

    /// Takes a flow out of its slot for a while; its place and age stay.
    pub(crate) fn take(&mut self, at: u32) -> Option<Box<Flow>> {
        self.slots.get_mut(at as usize)?.flow.take()
    }

    /// Puts a taken flow back.
    pub(crate) fn put(&mut self, at: u32, flow: Box<Flow>) {
        if let Some(slot) = self.slots.get_mut(at as usize) {
            slot.flow = Some(flow);
        }
    }

    pub(crate) fn remove(&mut self, at: u32) -> Option<Box<Flow>> {
        let slot = self.slots.get_mut(at as usize)?;
        let flow = slot.flow.take()?;
        if let Ok(entry) = self.index.find_entry(slot.hash, |other| *other == at) {
            entry.remove();
        }
        self.unlink(at);
        self.free.push(at);
        Some(flow)
    }

    /// Marks a flow as the one used last, with its last packet at `last_ns`.
    pub(crate) fn touch(&mut self, at: u32, last_ns: i64) {
        if let Some(slot) = self.slots.get_mut(at as usize) {
            slot.last_ns = slot.last_ns.max(last_ns);
        }
        if self.newest != at {
            self.unlink(at);
            self.link(at);
        }
    }

    /// The flow idle longest, with the time of its last packet.
    pub(crate) fn oldest(&self) -> Option<(u32, i64)> {
        let slot = self.slots.get(self.oldest as usize)?;
        Some((self.oldest, slot.last_ns))
    }

    /// All flows, from the one idle longest.
    pub(crate) fn oldest_first(&self) -> Vec<u32> {
        let mut all = Vec::with_capacity(self.len());
        let mut at = self.oldest;
        while let Some(slot) = self.slots.get(at as usize) {
            all.push(at);
            at = slot.newer;
        }
        all
    }

    fn link(&mut self, at: u32) {
        let before = self.newest;
        if let Some(slot) = self.slots.get_mut(at as usize) {
            slot.older = before;
            slot.newer = NONE;
        }
        match self.slots.get_mut(before as usize) {
            Some(slot) => slot.newer = at,
            None => self.oldest = at,
        }
        self.newest = at;
    }

    fn unlink(&mut self, at: u32) {
        let Some(slot) = self.slots.get(at as usize) else {
            return;
        };
        let (newer, older) = (slot.newer, slot.older);
        match self.slots.get_mut(newer as usize) {
            Some(slot) => slot.older = older,
            None => self.newest = older,
        }
        match self.slots.get_mut(older as usize) {
            Some(slot) => slot.newer = newer,
            None => self.oldest = newer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::flow;
    use super::*;

    #[test]
    fn table_keeps_the_order_of_use() {
        let mut table = FlowTable::new();
        let at: Vec<u32> = (0..4).map(|n| table.insert(flow(n))).collect();
        table.touch(at[0], 5);
        table.touch(at[2], 6);
        assert_eq!(table.oldest_first(), [at[1], at[3], at[0], at[2]]);
        assert!(table.remove(at[3]).is_some());
        assert_eq!(table.oldest().map(|o| o.0), Some(at[1]));
        table.remove(at[1]);
        assert_eq!(table.oldest_first(), [at[0], at[2]]);
        let again = table.insert(flow(9));
        assert_eq!(table.oldest_first(), [at[0], at[2], again]);
        assert_eq!(table.len(), 3);
    }
}

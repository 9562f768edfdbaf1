//! Begun matches of each key.

use super::super::pages::Pages;
use super::taken::NONE;

/// A begun match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Partial {
    /// The place that its last row has taken.
    pub place: u16,
    /// Number of its last row.
    pub taken: u32,
    pub start: i64,
    pub last: i64,
    /// Time of the last row of the step before its present one.
    pub anchor: i64,
    /// Time at which the absence of a row completes it.
    pub deadline: i64,
    /// What conditions of later steps can tell it by.
    pub told_by: u64,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    partial: Partial,
    next: u32,
}

/// Lists of begun matches by the number of their key, oldest first. Their places are
/// used again, so that nothing is allocated for a list.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lists {
    /// First of each key.
    firsts: Pages<u32>,
    slots: Pages<Slot>,
    free: Vec<u32>,
    /// Keys with a begun match.
    live: usize,
}

impl Lists {
    pub(crate) fn bytes(&self) -> usize {
        self.firsts.bytes() + self.slots.bytes() + self.free.capacity() * 4
    }

    pub(crate) fn weight(&self) -> usize {
        self.len() * size_of::<Slot>()
    }

    /// How many begun matches there are.
    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// How many keys have a begun match.
    pub(crate) fn live(&self) -> usize {
        self.live
    }

    fn first(&self, group: u32) -> u32 {
        self.firsts.get(group as usize).copied().unwrap_or(NONE)
    }

    pub(crate) fn is_empty(&self, group: u32) -> bool {
        self.first(group) == NONE
    }

    /// Begun matches of a key.
    pub(crate) fn of(&self, group: u32) -> impl Iterator<Item = &Partial> {
        let mut next = self.first(group);
        std::iter::from_fn(move || {
            let slot = self.slots.get(next as usize)?;
            next = slot.next;
            Some(&slot.partial)
        })
    }

    /// All begun matches, key by key.
    pub(crate) fn all(&self) -> impl Iterator<Item = (u32, &Partial)> {
        let groups = 0..self.firsts.len() as u32;
        groups.flat_map(|g| self.of(g).map(move |p| (g, p)))
    }

    /// Changes all, in no order.
    pub(crate) fn each(&mut self, mut change: impl FnMut(&mut Partial)) {
        for first in self.firsts.iter() {
            let mut next = *first;
            while let Some(slot) = self.slots.get_mut(next as usize) {
                change(&mut slot.partial);
                next = slot.next;
            }
        }
    }

    /// Makes these the begun matches of a key.
    pub(crate) fn set(&mut self, group: u32, list: &[Partial]) {
        let at = group as usize;
        if self.firsts.len() <= at {
            if list.is_empty() {
                return;
            }
            while self.firsts.len() <= at {
                self.firsts.push(NONE);
            }
        }
        let mut old = self.first(group);
        self.live += usize::from(!list.is_empty());
        self.live -= usize::from(old != NONE);
        let mut end = NONE;
        for partial in list {
            let slot = if old != NONE {
                let slot = old;
                old = self.slots.get(slot as usize).map_or(NONE, |s| s.next);
                slot
            } else if let Some(free) = self.free.pop() {
                free
            } else {
                let partial = *partial;
                self.slots.push(Slot {
                    partial,
                    next: NONE,
                });
                self.slots.len() as u32 - 1
            };
            if let Some(slot) = self.slots.get_mut(slot as usize) {
                slot.partial = *partial;
                slot.next = NONE;
            }
            self.link(group, end, slot);
            end = slot;
        }
        self.link(group, end, NONE);
        while let Some(slot) = self.slots.get(old as usize) {
            self.free.push(old);
            old = slot.next;
        }
    }

    /// Puts a slot after another, or first.
    fn link(&mut self, group: u32, after: u32, slot: u32) {
        let place = match self.slots.get_mut(after as usize) {
            Some(after) => Some(&mut after.next),
            None => self.firsts.get_mut(group as usize),
        };
        if let Some(place) = place {
            *place = slot;
        }
    }

    /// Adds one to a key's.
    pub(crate) fn add(&mut self, group: u32, partial: Partial) {
        let mut list: Vec<Partial> = self.of(group).copied().collect();
        list.push(partial);
        self.set(group, &list);
    }

    /// The lists by the new numbers of their keys.
    pub(crate) fn renumber(&mut self, remap: &[u32]) {
        let old = std::mem::take(&mut self.firsts);
        for (first, to) in old.iter().zip(remap) {
            if *to != NONE {
                self.firsts.push(*first);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn partial(start: i64) -> Partial {
        Partial {
            place: 0,
            taken: 0,
            start,
            last: 0,
            anchor: 0,
            deadline: i64::MAX,
            told_by: 0,
        }
    }

    proptest! {
        /// They hold what plain lists hold, and no more room than the most at once.
        #[test]
        fn are_lists(turns in prop::collection::vec((0_u32..6, prop::collection::vec(any::<i64>(), 0..5)), 0..60)) {
            let mut lists = Lists::default();
            let mut plain = vec![Vec::new(); 6];
            let mut most = 0;
            for (group, starts) in turns {
                let list: Vec<Partial> = starts.into_iter().map(partial).collect();
                lists.set(group, &list);
                plain[group as usize] = list;
                most = most.max(plain.iter().map(Vec::len).sum::<usize>());
                for (group, list) in plain.iter().enumerate() {
                    prop_assert_eq!(&lists.of(group as u32).copied().collect::<Vec<_>>(), list);
                    prop_assert_eq!(lists.is_empty(group as u32), list.is_empty());
                }
                prop_assert_eq!(lists.live(), plain.iter().filter(|l| !l.is_empty()).count());
                prop_assert_eq!(lists.len(), plain.iter().map(Vec::len).sum::<usize>());
            }
            prop_assert_eq!(lists.all().count(), lists.len());
            prop_assert!(lists.slots.len() <= most);
        }
    }
}

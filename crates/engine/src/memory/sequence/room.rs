//! Room for keys: how many may have a begun match.
//!
//! A key is refused if, and only if, so many others have a match that can still go on:
//! what is out of date takes no room, whether it has been swept out yet or not, so that a
//! detector that was put back refuses the same keys.

use super::Sequence;
use super::lists::{Lists, Partial};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Times at which keys may be out of date, the earliest first; none is later than it is
/// in truth. Made when there is no room, and kept from then on.
pub(super) type Expiries = BinaryHeap<Reverse<(i64, u32)>>;

/// Can the match go on at `time`? One that waits for an absence goes on to its deadline.
pub(super) fn goes_on(partial: &Partial, time: i64, within: i64) -> bool {
    partial.deadline != i64::MAX || time.saturating_sub(partial.start) <= within
}

fn expiry(partials: &Lists, group: u32, within: i64) -> Option<i64> {
    let of = |p: &Partial| match p.deadline {
        i64::MAX => p.start.saturating_add(within),
        deadline => deadline,
    };
    partials.of(group).map(of).max()
}

impl Sequence {
    /// Is there room for one more key with a begun match?
    pub(super) fn has_room(&mut self, time: i64, most: usize) -> bool {
        if self.partials.live() < most {
            return true;
        }
        let within = self.within;
        let partials = &mut self.partials;
        let expiries = self.expiries.get_or_insert_with(|| {
            let all = 0..self.keys.len() as u32;
            all.filter_map(|g| Some(Reverse((expiry(partials, g, within)?, g))))
                .collect()
        });
        while let Some(Reverse((at, group))) = expiries.peek().copied()
            && at < time
        {
            expiries.pop();
            match expiry(partials, group, within) {
                None => {}
                Some(later) if later >= time => expiries.push(Reverse((later, group))),
                Some(_) => partials.set(group, &[]),
            }
        }
        partials.live() < most
    }

    /// A key has got its first begun match.
    pub(super) fn takes_room(&mut self, group: u32) {
        let Some(expiries) = &mut self.expiries else {
            return;
        };
        // those of keys that are done are not taken out one by one
        if expiries.len() > 2 * self.partials.live() + 4096 {
            self.expiries = None;
            return;
        }
        if let Some(at) = expiry(&self.partials, group, self.within) {
            expiries.push(Reverse((at, group)));
        }
    }
}

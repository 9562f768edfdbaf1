//! Sensors whose clock is ahead of the log's.
//!
//! A packet cannot have been seen after its frame was appended to the log. A sensor that
//! says so has a wrong clock; left alone, its rows would wait for a watermark that comes
//! hours later, and after the clock was set right all its rows would be late. So frames
//! that are ahead by more than a bound are moved back as a whole: the order of their rows
//! and the time between them stay, and the same offset holds for the sensor's next frames
//! as long as it brings them near the log's time. A clock that is behind cannot be told
//! from a sensor that delivers what it had kept: its rows are taken as they are.

use serde::{Deserialize, Serialize};

/// A sensor whose clock is ahead by more than this (nanoseconds) has a wrong clock,
/// unless [`crate::Config::ahead_ns`] says otherwise.
pub const AHEAD_NS: i64 = 60_000_000_000;

/// The same is not said of a sensor again within an hour of the log.
const SAID_FOR_NS: i64 = 3_600_000_000_000;

/// What is known of a sensor's clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Clock {
    /// By how much its times are moved back, or were when it was wrong last.
    ahead_ns: i64,
    /// Time of the log since which it is wrong, and the newest row that was moved back
    /// before it was right again.
    wrong: Option<(i64, Option<i64>)>,
    /// The newest row that was moved back, where it lies now.
    newest_moved: i64,
    /// When it was said that it is wrong, and that it is right again.
    said: (Option<i64>, Option<i64>),
}

/// What is to be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// It is ahead by so much.
    Wrong(i64),
    /// It is right again.
    Right,
}

impl Clock {
    fn is_wrong(&self) -> bool {
        matches!(self.wrong, Some((_, None)))
    }

    /// Takes note of a frame whose newest time is `newest`, appended at `now`. Returns by
    /// how much to move it back, and what to say.
    pub(crate) fn note(&mut self, newest: i64, now: i64, bound: i64) -> (i64, Option<Change>) {
        let over = newest.saturating_sub(now);
        if over <= bound {
            if !self.is_wrong() {
                return (0, None);
            }
            if let Some((_, until)) = &mut self.wrong {
                *until = Some(self.newest_moved);
            }
            let news = is_news(&mut self.said.1, now);
            return (0, news.then_some(Change::Right));
        }
        let known = self.is_wrong();
        // a frame that was under way for longer seems less ahead: no reason to change
        if !known || over.saturating_sub(self.ahead_ns).saturating_abs() > bound {
            self.ahead_ns = over;
        }
        self.newest_moved = newest.saturating_sub(self.ahead_ns);
        if known {
            return (self.ahead_ns, None);
        }
        self.wrong = Some((now, None));
        let news = is_news(&mut self.said.0, now);
        (self.ahead_ns, news.then_some(Change::Wrong(over)))
    }

    /// By how much a row of this (moved) time was moved back, so far as is still known:
    /// only the last stretch of a wrong clock is.
    pub(crate) fn moved(&self, time: i64, bound: i64) -> i64 {
        let Some((since, until)) = self.wrong else {
            return 0;
        };
        // rows of the first wrong frame are older than its end
        let from = since.saturating_sub(bound);
        let within = time >= from && until.is_none_or(|until| time <= until);
        if within { self.ahead_ns } else { 0 }
    }
}

fn is_news(said: &mut Option<i64>, now: i64) -> bool {
    let news = said.is_none_or(|said| now.saturating_sub(said) >= SAID_FOR_NS);
    if news {
        *said = Some(now);
    }
    news
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000_000;

    #[test]
    fn ahead_until_it_is_right() {
        let mut clock = Clock::default();
        assert_eq!(clock.note(159 * S, 100 * S, AHEAD_NS), (0, None));
        let hour = 3600 * S;
        let wrong = clock.note(101 * S + hour, 101 * S, AHEAD_NS);
        assert_eq!(wrong, (hour, Some(Change::Wrong(hour))));
        // three seconds longer under way: the offset stays
        assert_eq!(clock.note(102 * S + hour, 105 * S, AHEAD_NS), (hour, None));
        assert_eq!(clock.moved(102 * S, AHEAD_NS), hour);
        assert_eq!(clock.moved(2 * S, AHEAD_NS), 0);
        // it jumps on
        assert_eq!(
            clock.note(106 * S + 2 * hour, 106 * S, AHEAD_NS),
            (2 * hour, None)
        );
        assert_eq!(
            clock.note(110 * S, 110 * S, AHEAD_NS),
            (0, Some(Change::Right))
        );
        assert_eq!(clock.moved(106 * S, AHEAD_NS), 2 * hour);
        assert_eq!(clock.moved(107 * S, AHEAD_NS), 0);
    }

    /// A clock that jumps to and fro with each frame is spoken of once an hour.
    #[test]
    fn it_is_not_said_again_and_again() {
        let mut clock = Clock::default();
        let said = (0..7200)
            .filter_map(|n| {
                let ahead = if n % 2 == 0 { 600 } else { 0 };
                clock.note((n + ahead) * S, n * S, AHEAD_NS).1
            })
            .count();
        assert_eq!(said, 4);
    }

    #[test]
    fn times_at_the_ends_of_time() {
        let mut clock = Clock::default();
        for (newest, now) in [(i64::MAX, i64::MIN), (i64::MIN, i64::MAX), (i64::MAX, 0)] {
            let (by, _) = clock.note(newest, now, AHEAD_NS);
            assert!(by >= 0);
            clock.moved(i64::MAX, AHEAD_NS);
        }
    }
}

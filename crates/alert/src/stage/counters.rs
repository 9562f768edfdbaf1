//! Bounds of the stage, and what it counts.

/// Bounds of the stage.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Created alerts per rule, site and window; beyond, they are counted and
    /// one summary alert says how many. What a calendar lowered is counted apart.
    pub cap: u64,
    /// The cap's window, nanoseconds of event time.
    pub cap_window_ns: i64,
    /// Suppressions held at once; when full, the one that ends first closes early.
    /// The same number of alerts waits for the totals of its window, or to be taken
    /// back; when full, the one that ends first is forgotten.
    pub max_suppressions: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            cap: 100,
            cap_window_ns: 3_600_000_000_000,
            max_suppressions: 65_536,
        }
    }
}

/// What the stage did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    /// Findings taken; each is created, suppressed, excepted or capped.
    pub findings: u64,
    /// Alerts created.
    pub created: u64,
    /// Findings joined to an alert that exists.
    pub suppressed: u64,
    /// Findings covered by an exception.
    pub excepted: u64,
    /// Alerts beyond the cap.
    pub capped: u64,
    /// Suppressions closed early because too many were open.
    pub closed_early: u64,
    /// Windows that closed with values to tell.
    pub totals: u64,
    /// Totals and withdrawals with nothing to tell: no other values, joined, excepted, capped.
    pub unsaid: u64,
    /// Totals and withdrawals of alerts that are not remembered.
    pub unmatched: u64,
    /// Alerts no longer remembered because too many waited for their totals.
    pub forgotten: u64,
    /// Findings that were wrong.
    pub taken_back: u64,
    /// Alerts closed because of it.
    pub closed: u64,
    /// Alerts whose severity a calendar lowered.
    pub lowered: u64,
    /// Devices whose points met the threshold; those beyond the cap too.
    pub risks: u64,
    /// Devices whose points were given up because too many had some.
    pub risk_evicted: u64,
    /// Entries of state left behind: their rule is gone or has another version.
    pub dropped: u64,
}

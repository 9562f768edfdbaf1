//! What a rule found.

use telltale_schema::TableId;
use telltale_schema::value::RowValues;

/// What makes a finding the same finding, on one node and on twenty: part of the alert's id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Identity {
    /// The row it was found on: (site, sensor, flow id, ordinal in flow, event time).
    Row,
    /// A group of rows: its key and its time (start of the window, time of the first
    /// step), as text.
    Group(String),
}

/// What a finding says of its alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Says {
    /// It is there.
    Fired,
    /// The window of an alert that fired before its end has closed: these are its totals.
    Totals,
    /// It was wrong: the row that was missed came after all. Only for what was `provisional`.
    TakenBack,
}

/// One more row behind a finding: a step of a sequence.
#[derive(Debug, Clone, PartialEq)]
pub struct EvidenceRow {
    /// Name of the step.
    pub step: String,
    /// Table of the row.
    pub table: TableId,
    /// Number of the row at its sensor.
    pub row_no: u64,
    /// The row, with names instead of numbers.
    pub row: RowValues,
}

/// A rule matched.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// Index of the rule in its [`crate::RuleSet`].
    pub rule: usize,
    /// Table of the row.
    pub table: TableId,
    /// Number of the row at its sensor.
    pub row_no: u64,
    /// Event time of the row, nanoseconds since 1970-01-01 UTC; of a window that fires
    /// at its close, the window's end.
    pub event_time: i64,
    /// The row, with names instead of numbers. A window adds its keys, aggregates,
    /// `window_start` and `window_end`.
    pub row: RowValues,
    /// What makes it one.
    pub identity: Identity,
    /// What it says of its alert.
    pub says: Says,
    /// Further rows, oldest first.
    pub evidence: Vec<EvidenceRow>,
    /// It rests on silence that a clock saw, not on a row: it may be taken back.
    pub provisional: bool,
    /// The row came so many nanoseconds after the site's watermark had passed it (a
    /// sensor that came back); 0 for a row in time.
    pub delayed_by: i64,
    /// The sensor's clock was ahead of the log's by so many nanoseconds, and its times
    /// were moved back by them; 0 for times as the sensor recorded them. Of the row that
    /// fired; of the site's sensors the largest where that row names no sensor.
    pub retimed_by: i64,
    /// The rule had not yet seen a whole window since it was loaded: until then its
    /// values may be too small. Nanoseconds since 1970-01-01 UTC.
    pub warming_until: Option<i64>,
}

impl Finding {
    /// A finding on one row, in time.
    #[must_use]
    pub const fn of_row(
        rule: usize,
        table: TableId,
        row_no: u64,
        event_time: i64,
        row: RowValues,
    ) -> Self {
        Self {
            rule,
            table,
            row_no,
            event_time,
            row,
            identity: Identity::Row,
            says: Says::Fired,
            evidence: Vec::new(),
            provisional: false,
            delayed_by: 0,
            retimed_by: 0,
            warming_until: None,
        }
    }
}

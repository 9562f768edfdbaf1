use telltale_schema::TableId;
use telltale_schema::value::RowValues;

/// What a rule says about a row: rows in, findings out. Models give the same.
#[derive(Debug, Clone)]
pub struct Finding {
    /// Index of the rule in its [`crate::RuleSet`].
    pub rule: usize,
    /// Table of the row.
    pub table: TableId,
    /// Number of the row at its sensor.
    pub row_no: u64,
    /// Event time of the row, nanoseconds since 1970-01-01 UTC.
    pub event_time: i64,
    /// The row, with names instead of numbers.
    pub row: RowValues,
}

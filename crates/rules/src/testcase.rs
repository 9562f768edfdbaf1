//! Tests that stand beside a rule.

use serde::Deserialize;
use serde_json::{Map, Value};
use telltale_schema::TableId;
use telltale_schema::value::{RowDefaults, RowError, RowValues, row_from_json};

/// What a case expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The rule fires at least once.
    Match,
    /// The rule does not fire.
    NoMatch,
    /// The rule does not fire, though nearly: one condition is missing.
    NearMiss,
}

/// One case.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TestCase {
    /// What it shows.
    pub name: String,
    /// What is expected.
    pub kind: Kind,
    /// The table of its rows.
    pub table: String,
    /// Rows; columns left out take defaults. `at: 3s` sets the event time,
    /// `repeat: 8 every 2s` gives several, `table:` says that a row is of another table.
    #[serde(default)]
    pub rows: Vec<Map<String, Value>>,
    /// A capture file instead of rows, beside the rule's file.
    #[serde(default)]
    pub capture: Option<String>,
    /// Numbers of the capture's packets that count, such as `12-40`; all if left out.
    #[serde(default)]
    pub packets: Option<String>,
    /// What the site knows in this case.
    #[serde(default)]
    pub context: Context,
    /// Findings expected in number, if that matters.
    #[serde(default)]
    pub count: Option<usize>,
    /// Findings, in order; each lists the columns that must be so.
    #[serde(default)]
    pub expect: Vec<Map<String, Value>>,
    /// Its line in the rule's file.
    #[serde(skip)]
    pub line: u32,
}

/// Site content of one case.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Context {
    /// Rows of lists, by name.
    #[serde(default)]
    pub lists: std::collections::BTreeMap<String, Vec<Map<String, Value>>>,
    /// Windows of calendars, by name.
    #[serde(default)]
    pub calendars: std::collections::BTreeMap<String, Vec<crate::site::calendar::Window>>,
    /// Rows of assets.csv.
    #[serde(default)]
    pub assets: Vec<Map<String, Value>>,
    /// Rows of tags.csv.
    #[serde(default)]
    pub tags: Vec<Map<String, Value>>,
    /// Parameters as a site would set them.
    #[serde(default)]
    pub parameters: std::collections::BTreeMap<String, Value>,
}

/// Packets of a capture that a case is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FromCapture {
    /// The file, as the case names it.
    pub file: String,
    /// First and last packet.
    pub packets: std::ops::RangeInclusive<u64>,
}

/// Time of a case's first row: 2026-01-01T08:00:00Z.
pub const START_NS: i64 = 1_767_254_400_000_000_000;

/// Most rows of one case.
pub const MAX_ROWS: usize = 100_000;

/// `3s`, `250ms`, `2m`, `1h`, `1d`, or as SQL says it, `5 minutes`, in nanoseconds.
#[must_use]
pub fn duration_ns(text: &str) -> Option<i64> {
    let text = text.trim();
    let split = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at_checked(split)?;
    let number: f64 = number.trim().parse().ok()?;
    let unit = match unit.trim() {
        "ms" | "millisecond" | "milliseconds" => 1e6,
        "s" | "second" | "seconds" => 1e9,
        "m" | "min" | "minute" | "minutes" => 60e9,
        "h" | "hour" | "hours" => 3600e9,
        "d" | "day" | "days" => 86_400e9,
        _ => return None,
    };
    #[allow(clippy::cast_possible_truncation)]
    let ns = (number * unit) as i64;
    // ten years: times of tests and suppressions stay far from the end of the clock
    (0.0..=3650.0 * 86_400e9)
        .contains(&(number * unit))
        .then_some(ns)
}

impl TestCase {
    /// The table of its rows.
    #[must_use]
    pub fn table(&self) -> Option<TableId> {
        TableId::from_name(&self.table)
    }

    /// The capture that it reads, if it does.
    ///
    /// # Errors
    /// In words: rows and a capture, neither, or packets that are no range.
    pub fn from_capture(&self) -> Result<Option<FromCapture>, String> {
        let Some(file) = &self.capture else {
            return match (&self.packets, self.rows.is_empty()) {
                (Some(_), _) => Err("`packets` goes with `capture`".to_owned()),
                (None, true) => Err("give `rows`, or a `capture`".to_owned()),
                (None, false) => Ok(None),
            };
        };
        if !self.rows.is_empty() {
            return Err("give `rows` or a `capture`, not both".to_owned());
        }
        let packets = match &self.packets {
            None => 1..=u64::MAX,
            Some(text) => {
                let (first, last) = text.split_once('-').unwrap_or((text, text));
                match (first.trim().parse(), last.trim().parse()) {
                    (Ok(first), Ok(last)) if 1 <= first && first <= last => first..=last,
                    _ => return Err(format!("`packets: {text}` is no range; write 12-40")),
                }
            }
        };
        Ok(Some(FromCapture {
            file: file.clone(),
            packets,
        }))
    }

    /// Its rows, in the order of their event time.
    ///
    /// # Errors
    /// In words, with the number of the row.
    pub fn expand(&self) -> Result<Vec<RowValues>, String> {
        self.expand_from(0)
    }

    /// The same with another number for the first row.
    ///
    /// # Errors
    /// As [`TestCase::expand`].
    pub fn expand_from(&self, first_row_no: u64) -> Result<Vec<RowValues>, String> {
        let table = self
            .table()
            .ok_or_else(|| format!("no table `{}`", self.table))?;
        let mut given = Vec::new();
        for (n, row) in self.rows.iter().enumerate() {
            let wrong = |what: &str, v: &Value| {
                format!(
                    "row {}: `{what}: {v}` is no {what}; write 3s, or 8 every 2s",
                    n + 1
                )
            };
            let mut row = row.clone();
            let table = match row.remove("table") {
                None => table,
                Some(name) => name
                    .as_str()
                    .and_then(TableId::from_name)
                    .ok_or_else(|| format!("row {}: no table {name}", n + 1))?,
            };
            let at = match row.remove("at") {
                None => 0,
                Some(v) => v
                    .as_str()
                    .and_then(duration_ns)
                    .ok_or_else(|| wrong("at", &v))?,
            };
            let (times, every) = match row.remove("repeat") {
                None => (1, 0),
                Some(v) => {
                    let parsed = v
                        .as_str()
                        .and_then(|t| t.split_once("every"))
                        .and_then(|(n, d)| Some((n.trim().parse::<i64>().ok()?, duration_ns(d)?)));
                    parsed
                        .filter(|p| p.0 >= 1)
                        .ok_or_else(|| wrong("repeat", &v))?
                }
            };
            if given.len() + usize::try_from(times).unwrap_or(usize::MAX) > MAX_ROWS {
                return Err(format!(
                    "row {}: more than {MAX_ROWS} rows in one test",
                    n + 1
                ));
            }
            if every.saturating_mul(times) > duration_ns("3650d").unwrap_or(i64::MAX) {
                return Err(format!("row {}: repeats for more than ten years", n + 1));
            }
            for i in 0..times {
                given.push((START_NS + at + i * every, n, table, row.clone()));
            }
        }
        given.sort_by_key(|g| (g.0, g.1));
        let mut rows = Vec::new();
        for (row_no, (event_time, n, table, row)) in given.into_iter().enumerate() {
            let defaults = RowDefaults {
                row_no: first_row_no + row_no as u64,
                event_time,
            };
            rows.push(
                row_from_json(table, &row, &defaults)
                    .map_err(|e: RowError| format!("row {}: {e}", n + 1))?,
            );
        }
        Ok(rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(duration_ns("3s"), Some(3_000_000_000));
        assert_eq!(duration_ns("250ms"), Some(250_000_000));
        assert_eq!(duration_ns("1h"), Some(3_600_000_000_000));
        assert_eq!(duration_ns("x"), None);
        assert_eq!(duration_ns("3"), None);
        assert_eq!(duration_ns("-3s"), None);
        assert_eq!(
            duration_ns("99999999999d"),
            None,
            "past the end of the clock"
        );
    }

    #[test]
    fn a_case_is_bounded() {
        for (repeat, why) in [
            ("100001 every 1s", "more than 100000 rows"),
            ("2 every 3650d", "ten years"),
            ("0 every 1s", "no repeat"),
            ("x", "no repeat"),
        ] {
            let text = format!(
                "{{name: x, kind: match, table: modbus, rows: [{{function: read_coils, repeat: {repeat}}}]}}"
            );
            let case: TestCase = serde_saphyr::from_str(&text).unwrap();
            let error = case.expand().unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn rows_are_repeated_and_ordered() {
        let case: TestCase = serde_saphyr::from_str(
            "{name: x, kind: match, table: modbus, rows: [{function: read_coils, at: 5s}, {function: write_single_coil, repeat: 3 every 2s}]}",
        )
        .unwrap();
        let rows = case.expand().unwrap();
        let functions: Vec<String> = rows.iter().map(|r| r.get("function").to_string()).collect();
        assert_eq!(
            functions,
            [
                "write_single_coil",
                "write_single_coil",
                "write_single_coil",
                "read_coils"
            ]
        );
    }
}

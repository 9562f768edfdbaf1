//! What a person should know about Telltale itself.

use std::collections::BTreeMap;
use telltale_bus::Loss;
use telltale_schema::Frame;

/// Something about Telltale itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// `TT-RUN-…`, see docs/log.md.
    pub code: &'static str,
    /// The site, where it is of one.
    pub site: String,
    /// In words.
    pub sentence: String,
    /// Time of the log, nanoseconds since 1970-01-01 UTC.
    pub time_ns: i64,
}

impl Health {
    pub(crate) fn gap(frame: &Frame, from: u64, to: u64, time_ns: i64) -> Self {
        Self {
            code: "TT-RUN-001",
            site: frame.site.to_string(),
            sentence: format!(
                "frames {from} to {to} of the sensor {} are missing; what they held was not seen",
                frame.sensor
            ),
            time_ns,
        }
    }

    pub(crate) fn lost(loss: &Loss, frames: u64, time_ns: i64) -> Self {
        Self {
            code: "TT-RUN-002",
            site: loss.site.to_string(),
            sentence: format!(
                "the sensor {} dropped {frames} frames with {} rows: its spool was full",
                loss.sensor, loss.rows
            ),
            time_ns,
        }
    }

    pub(crate) fn ahead(frame: &Frame, by: i64, time_ns: i64) -> Self {
        Self {
            code: "TT-RUN-005",
            site: frame.site.to_string(),
            sentence: format!(
                "the clock of the sensor {} is {} s ahead; its times are moved back; set the clock right",
                frame.sensor,
                by / 1_000_000_000
            ),
            time_ns,
        }
    }

    pub(crate) fn right_again(frame: &Frame, time_ns: i64) -> Self {
        Self {
            code: "TT-RUN-006",
            site: frame.site.to_string(),
            sentence: format!(
                "the clock of the sensor {} is no longer ahead",
                frame.sensor
            ),
            time_ns,
        }
    }

    /// `weight` and bound are in bytes; entries that each rule forgot.
    pub(crate) fn full(
        (weight, bound): (usize, usize),
        site: String,
        forgotten: &BTreeMap<String, u64>,
        time_ns: i64,
    ) -> Self {
        let of = |rule: &String, entries: &u64| format!("{entries} of rule {rule}");
        let all: Vec<String> = forgotten.iter().map(|(r, n)| of(r, n)).collect();
        Self {
            code: "TT-RUN-007",
            site,
            sentence: format!(
                "what the rules remember came to {} KiB, and may be {} KiB: the oldest was forgotten, {}; give it more room, or narrow these rules",
                weight / 1024,
                bound / 1024,
                all.join(", ")
            ),
            time_ns,
        }
    }

    pub(crate) fn refused(why: String, time_ns: i64) -> Self {
        Self {
            code: "TT-RUN-003",
            site: String::new(),
            sentence: format!("a control record was not followed: {why}"),
            time_ns,
        }
    }

    pub(crate) fn quarantined(rule: &str, why: &str, time_ns: i64) -> Self {
        Self {
            code: "TT-RUN-004",
            site: String::new(),
            sentence: format!("the rule {rule} does not run any more: {why}"),
            time_ns,
        }
    }
}

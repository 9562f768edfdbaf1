//! Alerts as text for people, JSON lines for programs, OCSF for SIEMs.

mod json;
mod ocsf;
mod text;

pub use json::json;
pub use ocsf::ocsf;
pub use text::{Style, text};

use crate::v1::{Alert, RecordKind};

pub(crate) fn record(alert: &Alert) -> &'static str {
    match alert.record() {
        RecordKind::Created => "created",
        RecordKind::Updated => "updated",
        RecordKind::Closed => "closed",
        RecordKind::Unspecified => "unspecified",
    }
}

/// Where the alert's times come from: `recorded` by the sensor, or `re-timed` because its
/// clock was ahead of the log's.
pub(crate) fn time_quality(alert: &Alert) -> &'static str {
    if alert.retimed_by_ns > 0 {
        "re-timed"
    } else {
        "recorded"
    }
}

#[cfg(test)]
mod tests;

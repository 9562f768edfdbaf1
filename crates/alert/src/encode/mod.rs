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

#[cfg(test)]
mod tests;

//! What a stage holds, as Arrow parts, and back.
//!
//! Each part is one batch whose schema says its name, the format's version and the site.
//! Rules are named by id and version, so that state outlives a changed rule set.

mod read;
mod write;

use super::Counters;

/// Version of the form of all parts.
pub const FORMAT: u32 = 1;

/// Keys of a schema's metadata.
const PART: &str = "telltale.part";
const FORMAT_KEY: &str = "telltale.format";
const SITE: &str = "telltale.site";

/// Names of the parts, each of which must be there.
const PARTS: [&str; 7] = [
    "counters",
    "exceptions",
    "suppressions",
    "cap",
    "told",
    "risk",
    "risk_parts",
];

/// Highest count that state may speak of: far from the end of the numbers.
const MAX_COUNT: u64 = 1 << 62;

/// State that cannot be put back. The stage is as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("TT-STATE-010: alerts, part `{part}`: {why}; restore an older snapshot, or begin anew")]
pub struct StateError {
    /// The part.
    pub part: String,
    /// What is wrong.
    pub why: String,
}

/// What became of state that was put back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Restored {
    /// Entries taken over.
    pub taken: u64,
    /// Entries of rules that are gone or have another version.
    pub dropped: u64,
}

type Counter = (&'static str, fn(&mut Counters) -> &mut u64);

/// The counters by name.
const COUNTERS: [Counter; 16] = [
    ("findings", |c| &mut c.findings),
    ("created", |c| &mut c.created),
    ("suppressed", |c| &mut c.suppressed),
    ("excepted", |c| &mut c.excepted),
    ("capped", |c| &mut c.capped),
    ("closed_early", |c| &mut c.closed_early),
    ("totals", |c| &mut c.totals),
    ("unsaid", |c| &mut c.unsaid),
    ("unmatched", |c| &mut c.unmatched),
    ("forgotten", |c| &mut c.forgotten),
    ("taken_back", |c| &mut c.taken_back),
    ("closed", |c| &mut c.closed),
    ("lowered", |c| &mut c.lowered),
    ("risks", |c| &mut c.risks),
    ("risk_evicted", |c| &mut c.risk_evicted),
    ("dropped", |c| &mut c.dropped),
];

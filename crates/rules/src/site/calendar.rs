//! `calendars/<name>.yaml`: windows of time, one-off or repeating (RFC 5545),
//! in the site's zone, for all devices or some.

use crate::diagnostic::Diagnostic;
use chrono::{Datelike as _, Duration, NaiveDate, NaiveDateTime, TimeZone as _};
use chrono_tz::Tz;
use ipnet::IpNet;
use serde::Deserialize;
use std::net::IpAddr;

/// A window as it is written.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Device or network that it is for; all, if left out.
    #[serde(default)]
    pub ip: Option<String>,
    /// Local start: `2026-11-23T18:30:00`.
    pub from: String,
    /// Local end.
    pub until: String,
    /// RFC 5545 recurrence of the start, such as `FREQ=WEEKLY;BYDAY=MO,TU` or `FREQ=MONTHLY;BYDAY=1SA`;
    /// counted from `from`, at most once a day, for 30 years.
    #[serde(default)]
    pub rrule: Option<String>,
    /// Who planned it.
    #[serde(default)]
    pub owner: Option<String>,
    /// What for.
    #[serde(default)]
    pub note: Option<String>,
}

/// Most repetitions of one window that are kept.
const MAX_STARTS: u16 = 12_000;

/// How far ahead of its first start a window repeats. Bounded by the window's own
/// start and never by a clock, so that equal files answer equally for ever.
const HORIZON_YEARS: u32 = 30;

#[derive(Debug, Clone)]
struct Planned {
    net: Option<IpNet>,
    /// Local starts, sorted; one for a window that does not repeat.
    starts: Vec<NaiveDateTime>,
    length: Duration,
}

/// A calendar. Empty says: nothing is planned.
#[derive(Debug, Clone, Default)]
pub struct Calendar {
    windows: Vec<Planned>,
    zone: Option<Tz>,
}

fn local(text: &str) -> Option<NaiveDateTime> {
    ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"]
        .iter()
        .find_map(|f| NaiveDateTime::parse_from_str(text.trim(), f).ok())
        .or_else(|| {
            NaiveDate::parse_from_str(text.trim(), "%Y-%m-%d")
                .ok()
                .and_then(|d| d.and_hms_opt(0, 0, 0))
        })
}

/// Local starts of a repeating window. The rule is expanded on the wall clock (the
/// crate sees it as UTC), so that a window keeps its local hours on both sides of a
/// daylight saving change.
fn repeat(rule: &str, first: NaiveDateTime, zone: Tz) -> Result<Vec<NaiveDateTime>, String> {
    let wrong = |why: &str| format!("`rrule: {rule}`: {why}");
    let mut parts = Vec::new();
    for part in rule.trim().trim_start_matches("RRULE:").split(';') {
        parts.push(match part.strip_prefix("UNTIL=") {
            None => part.to_owned(),
            Some(until) => {
                let until = until_local(until, zone).ok_or_else(|| {
                    wrong("UNTIL is written 20261231, 20261231T180000 or 20261231T170000Z")
                })?;
                format!("UNTIL={}Z", until.format("%Y%m%dT%H%M%S"))
            }
        });
    }
    let start = rrule::Tz::UTC.from_utc_datetime(&first);
    let last = first
        .checked_add_months(chrono::Months::new(12 * HORIZON_YEARS))
        .ok_or_else(|| wrong("starts too late"))?;
    let set = parts
        .join(";")
        .parse::<rrule::RRule<rrule::Unvalidated>>()
        .and_then(|rule| rule.build(start))
        .map_err(|e| wrong(&e.to_string()))?;
    let found = set
        .before(rrule::Tz::UTC.from_utc_datetime(&last))
        .all(MAX_STARTS);
    if found.dates.len() >= usize::from(MAX_STARTS) {
        return Err(wrong(&format!(
            "gives {MAX_STARTS} windows or more in {HORIZON_YEARS} years; a window repeats once a day at most"
        )));
    }
    if found.dates.is_empty() {
        return Err(wrong("never happens"));
    }
    Ok(found
        .dates
        .iter()
        .map(chrono::DateTime::naive_utc)
        .collect())
}

/// UNTIL as local time: a date is the whole day, a time with `Z` is UTC.
fn until_local(text: &str, zone: Tz) -> Option<NaiveDateTime> {
    if let Some(utc) = text.strip_suffix('Z') {
        let utc = NaiveDateTime::parse_from_str(utc, "%Y%m%dT%H%M%S").ok()?;
        return Some(zone.from_utc_datetime(&utc).naive_local());
    }
    NaiveDateTime::parse_from_str(text, "%Y%m%dT%H%M%S")
        .ok()
        .or_else(|| {
            NaiveDate::parse_from_str(text, "%Y%m%d")
                .ok()
                .and_then(|day| day.and_hms_opt(23, 59, 59))
        })
}

impl Calendar {
    /// Parses a calendar file.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place.
    pub fn parse(name: &str, text: &str, zone: Tz) -> Result<Self, Diagnostic> {
        let windows: Option<Vec<serde_saphyr::Spanned<Window>>> =
            super::yaml(name, text, "TT-SITE-020")?;
        let mut all = Vec::new();
        for window in windows.unwrap_or_default() {
            let line = u32::try_from(window.referenced.line()).unwrap_or(0);
            all.push(
                plan(&window.value, zone)
                    .map_err(|why| Diagnostic::error("TT-SITE-021", name, (line, 0), why))?,
            );
        }
        Ok(Self {
            windows: all,
            zone: Some(zone),
        })
    }

    /// From windows of a test's context, in UTC.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn from_windows(windows: &[Window]) -> Result<Self, String> {
        Ok(Self {
            windows: windows
                .iter()
                .map(|w| plan(w, Tz::UTC))
                .collect::<Result<_, _>>()?,
            zone: Some(Tz::UTC),
        })
    }

    /// Is `ip` inside a window at this event time?
    #[must_use]
    pub fn contains(&self, ip: Option<IpAddr>, at_ns: i64) -> bool {
        let zone = self.zone.unwrap_or(Tz::UTC);
        let now = zone
            .from_utc_datetime(&chrono::DateTime::from_timestamp_nanos(at_ns).naive_utc())
            .naive_local();
        self.windows.iter().any(|w| {
            w.net
                .is_none_or(|net| ip.is_some_and(|ip| net.contains(&ip)))
                && w.holds(now)
        })
    }
}

fn plan(window: &Window, zone: Tz) -> Result<Planned, String> {
    let time = |text: &str| {
        local(text).ok_or_else(|| format!("`{text}` is no local time; write 2026-11-23T18:30:00"))
    };
    let (from, until) = (time(&window.from)?, time(&window.until)?);
    if !(1970..=2200).contains(&from.year()) || !(1970..=2200).contains(&until.year()) {
        return Err(format!(
            "{} to {} is not between 1970 and 2200",
            window.from, window.until
        ));
    }
    if until <= from {
        return Err(format!(
            "ends ({}) before it starts ({})",
            window.until, window.from
        ));
    }
    let net = match window.ip.as_deref() {
        None | Some("*") => None,
        Some(text) => Some(
            text.parse::<IpNet>()
                .ok()
                .or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
                .ok_or_else(|| format!("`{text}` is neither an address nor a network"))?,
        ),
    };
    let length = until - from;
    let starts = match window.rrule.as_deref() {
        None => vec![from],
        Some(_) if length > Duration::days(7) => {
            return Err("a repeating window lasts a week at most".to_owned());
        }
        Some(rule) => repeat(rule, from, zone)?,
    };
    Ok(Planned {
        net,
        starts,
        length,
    })
}

impl Planned {
    fn holds(&self, now: NaiveDateTime) -> bool {
        // the last start that is not after now
        self.starts
            .partition_point(|start| *start <= now)
            .checked_sub(1)
            .and_then(|at| self.starts.get(at))
            .is_some_and(|start| now - *start < self.length)
    }
}

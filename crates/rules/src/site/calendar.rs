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
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Device or network that it is for; all, if left out.
    #[serde(default)]
    pub ip: Option<String>,
    /// Local start: `2026-11-23T18:30:00`.
    pub from: String,
    /// Local end.
    pub until: String,
    /// RFC 5545 recurrence of the start: `FREQ=WEEKLY;BYDAY=MO,TU` or `FREQ=DAILY`, with INTERVAL, COUNT, UNTIL.
    #[serde(default)]
    pub rrule: Option<String>,
    /// Who planned it.
    #[serde(default)]
    pub owner: Option<String>,
    /// What for.
    #[serde(default)]
    pub note: Option<String>,
}

/// Which days a window repeats on.
#[derive(Debug, Clone)]
struct Repeat {
    weekly: bool,
    interval: i64,
    days: Vec<u32>,
    count: Option<i64>,
    until: Option<NaiveDateTime>,
}

#[derive(Debug, Clone)]
struct Planned {
    net: Option<IpNet>,
    from: NaiveDateTime,
    length: Duration,
    repeat: Option<Repeat>,
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

fn repeat(rule: &str) -> Result<Repeat, String> {
    let mut parsed = Repeat {
        weekly: false,
        interval: 1,
        days: Vec::new(),
        count: None,
        until: None,
    };
    let mut frequency = false;
    for part in rule.trim_start_matches("RRULE:").split(';') {
        let (key, value) = part
            .split_once('=')
            .ok_or_else(|| format!("`{part}` is no part of an RRULE"))?;
        match key {
            "FREQ" => {
                frequency = true;
                parsed.weekly = match value {
                    "DAILY" => false,
                    "WEEKLY" => true,
                    _ => {
                        return Err(format!(
                            "FREQ={value} is not supported; write DAILY or WEEKLY"
                        ));
                    }
                };
            }
            "INTERVAL" => {
                parsed.interval = value
                    .parse()
                    .ok()
                    .filter(|n| *n > 0)
                    .ok_or_else(|| format!("INTERVAL={value}"))?;
            }
            "COUNT" => parsed.count = Some(value.parse().map_err(|_| format!("COUNT={value}"))?),
            "UNTIL" => {
                parsed.until = Some(
                    NaiveDateTime::parse_from_str(value.trim_end_matches('Z'), "%Y%m%dT%H%M%S")
                        .map_err(|_| format!("UNTIL={value}"))?,
                );
            }
            "BYDAY" => {
                for day in value.split(',') {
                    let at = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]
                        .iter()
                        .position(|d| *d == day)
                        .ok_or_else(|| format!("BYDAY={day}"))?;
                    parsed.days.push(u32::try_from(at).unwrap_or(0));
                }
            }
            other => {
                return Err(format!(
                    "{other} is not supported; FREQ, INTERVAL, BYDAY, COUNT and UNTIL are"
                ));
            }
        }
    }
    if !frequency {
        return Err("no FREQ".to_owned());
    }
    if parsed.count.is_some() && !parsed.days.is_empty() {
        return Err("COUNT with BYDAY is not supported; write UNTIL".to_owned());
    }
    Ok(parsed)
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
                plan(&window.value)
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
            windows: windows.iter().map(plan).collect::<Result<_, _>>()?,
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

fn plan(window: &Window) -> Result<Planned, String> {
    let time = |text: &str| {
        local(text).ok_or_else(|| format!("`{text}` is no local time; write 2026-11-23T18:30:00"))
    };
    let (from, until) = (time(&window.from)?, time(&window.until)?);
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
    let repeat = window.rrule.as_deref().map(repeat).transpose()?;
    let length = until - from;
    if repeat.is_some() && length > Duration::days(7) {
        return Err("a repeating window lasts a week at most".to_owned());
    }
    Ok(Planned {
        net,
        from,
        length,
        repeat,
    })
}

impl Planned {
    fn holds(&self, now: NaiveDateTime) -> bool {
        let inside = |start: NaiveDateTime| now >= start && now < start + self.length;
        let Some(repeat) = &self.repeat else {
            return inside(self.from);
        };
        // a window that holds now began today or on one of the seven days before
        (0..=7).any(|back| {
            let date = now.date() - Duration::days(back);
            let start = date.and_time(self.from.time());
            inside(start) && repeat.on(self.from, start)
        })
    }
}

impl Repeat {
    fn on(&self, first: NaiveDateTime, start: NaiveDateTime) -> bool {
        if start < first || self.until.is_some_and(|until| start > until) {
            return false;
        }
        let days = (start.date() - first.date()).num_days();
        let day = start.weekday().num_days_from_monday();
        let steps = if self.weekly {
            let monday = |d: NaiveDateTime| {
                d.date() - Duration::days(i64::from(d.weekday().num_days_from_monday()))
            };
            let weeks = (monday(start) - monday(first)).num_days() / 7;
            let fits = if self.days.is_empty() {
                day == first.weekday().num_days_from_monday()
            } else {
                self.days.contains(&day)
            };
            if !fits || weeks % self.interval != 0 {
                return false;
            }
            weeks / self.interval
        } else {
            if days % self.interval != 0 || !(self.days.is_empty() || self.days.contains(&day)) {
                return false;
            }
            days / self.interval
        };
        self.count.is_none_or(|count| steps < count)
    }
}

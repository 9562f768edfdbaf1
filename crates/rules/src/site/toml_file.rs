//! `site.toml`.

use crate::diagnostic::Diagnostic;
use crate::testcase::duration_ns;
use serde::Deserialize;
use std::collections::BTreeMap;
use telltale_schema::Protocol;

/// `site.toml`.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SiteToml {
    /// Short name, in rows and alert ids.
    pub name: String,
    /// For people.
    #[serde(default)]
    pub title: Option<String>,
    /// IANA time zone.
    #[serde(default = "utc")]
    pub time_zone: String,
    /// Address spaces.
    #[serde(default)]
    pub segments: Vec<Segment>,
    /// Protocol by port.
    #[serde(default)]
    pub ports: BTreeMap<String, String>,
    /// When the alerts of one device are one alert more.
    #[serde(default)]
    pub risk: Risk,
}

/// `[risk]`: points of a device's alerts are added up.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Risk {
    /// Points of distinct rules at which there is a risk alert; 0 for never.
    pub threshold: u64,
    /// Event time from a device's first alert in which they are added up, such as `24h`.
    pub window: String,
    /// Devices whose points are held at once; when full, the one that began first is
    /// given up (counted).
    pub max_entities: usize,
}

impl Default for Risk {
    fn default() -> Self {
        Self {
            threshold: 150,
            window: "24h".to_owned(),
            max_entities: 10_000,
        }
    }
}

impl Risk {
    /// The window in nanoseconds of event time; 24 hours if it is none.
    #[must_use]
    pub fn window_ns(&self) -> i64 {
        duration_ns(&self.window)
            .filter(|ns| *ns > 0)
            .unwrap_or(86_400_000_000_000)
    }
}

fn utc() -> String {
    "UTC".to_owned()
}

/// An address space.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Segment {
    /// Its name.
    pub name: String,
    /// The sensor it is seen by; any, if left out.
    #[serde(default)]
    pub sensor: Option<String>,
    /// Its VLANs.
    #[serde(default)]
    pub vlans: Vec<u16>,
}

/// The line and column of a byte, from 1.
fn place(text: &str, at: usize) -> (u32, u32) {
    let before = text.get(..at).unwrap_or("");
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    (
        u32::try_from(line).unwrap_or(0),
        u32::try_from(column).unwrap_or(0),
    )
}

/// Parses the file; wrong ports and segments are told and left out.
pub(super) fn parse(name: &str, text: &str) -> Result<(SiteToml, Vec<Diagnostic>), Diagnostic> {
    let mut parsed: SiteToml = toml::from_str(text).map_err(|error| {
        let at = error.span().map_or((0, 0), |s| place(text, s.start));
        let message = error.message();
        let diagnostic = Diagnostic::error("TT-SITE-002", name, at, message);
        match nearest_key(message) {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None => diagnostic.help("see sites/example/site.toml for the form"),
        }
    })?;
    let mut found = Vec::new();
    let line_of = |start: &str| {
        let line = text
            .lines()
            .position(|l| l.trim_start().trim_start_matches('"').starts_with(start));
        (line.map_or(0, |n| u32::try_from(n + 1).unwrap_or(0)), 0)
    };
    if parsed.name.trim().is_empty() {
        let diagnostic = Diagnostic::error("TT-SITE-002", name, line_of("name"), "`name` is empty");
        return Err(diagnostic.help("it stands in every row and in every alert id"));
    }
    if duration_ns(&parsed.risk.window).is_none_or(|ns| ns == 0) {
        let text = format!("`window = \"{}\"` is no duration", parsed.risk.window);
        let diagnostic = Diagnostic::error("TT-SITE-007", name, line_of("window"), text);
        found.push(diagnostic.help("write 30m, 24h or 7d"));
        parsed.risk.window = Risk::default().window;
    }
    parsed.ports.retain(|port, protocol| {
        let wrong = if !matches!(port.parse::<u16>(), Ok(1..)) {
            (
                format!("`{port}` is no port"),
                "write 1 to 65535".to_owned(),
            )
        } else if Protocol::from_name(protocol).is_none_or(|p| p == Protocol::None) {
            let names = || Protocol::ALL.iter().map(|p| p.as_str());
            let near = telltale_schema::nearest(protocol, names());
            (
                format!("`{protocol}` is no protocol"),
                near.map_or_else(
                    || format!("protocols are {}", names().collect::<Vec<_>>().join(", ")),
                    |n| format!("did you mean `{n}`?"),
                ),
            )
        } else {
            return true;
        };
        found.push(Diagnostic::error("TT-SITE-005", name, line_of(port), wrong.0).help(wrong.1));
        false
    });
    for segment in &parsed.segments {
        if segment.vlans.is_empty() && segment.sensor.is_none() {
            found.push(
                Diagnostic::error(
                    "TT-SITE-006",
                    name,
                    line_of(&format!("name = \"{}\"", segment.name)),
                    format!("segment `{}` claims everything", segment.name),
                )
                .help("name its `vlans`, its `sensor`, or both"),
            );
        }
        if let Some(vlan) = segment.vlans.iter().find(|v| !(1..=4094).contains(*v)) {
            found.push(Diagnostic::error(
                "TT-SITE-006",
                name,
                line_of(&format!("name = \"{}\"", segment.name)),
                format!(
                    "segment `{}`: {vlan} is no VLAN; write 1 to 4094",
                    segment.name
                ),
            ));
        }
    }
    Ok((parsed, found))
}

/// The nearest key in "unknown field `a`, expected one of `b`, `c`".
fn nearest_key(message: &str) -> Option<&str> {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let given = quoted
        .next()
        .filter(|_| message.starts_with("unknown field"))?;
    telltale_schema::nearest(given, quoted)
}

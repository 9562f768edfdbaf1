//! `assets.csv`: devices by address, with name, zone, Purdue level and role.

use super::table::Reader;
use crate::diagnostic::Diagnostic;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// What is known of a device; what is not known is "unknown".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asset {
    /// Its name.
    pub name: String,
    /// Its zone (IEC 62443-3-2).
    pub zone: String,
    /// Its Purdue level.
    pub level: String,
    /// Its role, such as plc, hmi, engineering.
    pub role: String,
    /// Its vendor.
    pub vendor: String,
}

/// The answer for a device that is not in the list.
pub const UNKNOWN: &str = "unknown";

/// Devices by address.
#[derive(Debug, Clone, Default)]
pub struct Assets {
    by_ip: BTreeMap<IpAddr, Asset>,
}

const COLUMNS: [&str; 9] = [
    "ip",
    "mac",
    "name",
    "zone",
    "level",
    "role",
    "vendor",
    "criticality",
    "note",
];

impl Assets {
    /// Parses CSV with a header; bad rows are named with their line and left out.
    #[must_use]
    pub fn parse(name: &str, text: &str) -> (Self, Vec<Diagnostic>) {
        let mut found = Vec::new();
        let mut by_ip = BTreeMap::new();
        let mut reader = match Reader::new(name, text) {
            Ok(reader) => reader,
            Err(diagnostic) => return (Self::default(), vec![diagnostic]),
        };
        found.extend(reader.check_columns(&COLUMNS, "TT-SITE-030"));
        while let Some(row) = reader.next() {
            match row {
                Err(diagnostic) => found.push(diagnostic),
                Ok((line, row)) => match row.get("ip").map(|ip| ip.parse::<IpAddr>()) {
                    Some(Ok(ip)) if by_ip.contains_key(&ip) => found.push(
                        Diagnostic::error(
                            "TT-SITE-032",
                            name,
                            (line, 0),
                            format!("{ip} is listed twice"),
                        )
                        .help("the first row counts; leave the other out"),
                    ),
                    Some(Ok(ip)) => {
                        by_ip.insert(ip, asset(|c| row.get(c).cloned()));
                    }
                    _ => found.push(Diagnostic::error(
                        "TT-SITE-031",
                        name,
                        (line, 0),
                        "`ip` is no address",
                    )),
                },
            }
        }
        (Self { by_ip }, found)
    }

    /// From rows of a test's context.
    #[must_use]
    pub fn from_json(rows: &[serde_json::Map<String, serde_json::Value>]) -> Self {
        let text = |v: &serde_json::Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
        let by_ip = rows
            .iter()
            .filter_map(|r| {
                Some((
                    r.get("ip")?.as_str()?.parse().ok()?,
                    asset(|c| r.get(c).map(text)),
                ))
            })
            .collect();
        Self { by_ip }
    }

    /// What is known of an address.
    #[must_use]
    pub fn get(&self, ip: &IpAddr) -> Option<&Asset> {
        self.by_ip.get(ip)
    }

    /// Devices in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_ip.len()
    }

    /// Is none known?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_ip.is_empty()
    }
}

fn asset(get: impl Fn(&str) -> Option<String>) -> Asset {
    let or_unknown = |c: &str| {
        get(c)
            .map(|v| v.trim().to_owned())
            .filter(|v| !v.is_empty())
            .unwrap_or_else(|| UNKNOWN.to_owned())
    };
    Asset {
        name: or_unknown("name"),
        zone: or_unknown("zone"),
        level: or_unknown("level"),
        role: or_unknown("role"),
        vendor: or_unknown("vendor"),
    }
}

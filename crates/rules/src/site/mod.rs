//! What a plant says of itself: names, lists, calendars, tags, assets,
//! exceptions, and its word on shipped rules. Immutable once loaded, and known
//! by a content hash.

pub mod assets;
pub mod calendar;
mod check;
pub mod exceptions;
pub mod list;
mod overrides;
mod table;
pub mod tags;
mod toml_file;

use crate::diagnostic::Diagnostic;
use assets::Assets;
use calendar::Calendar;
pub(crate) use check::wrong_kind;
use exceptions::Exception;
use list::List;
pub use overrides::Override;
#[cfg(test)]
pub(crate) use overrides::Word;
pub(crate) use overrides::place;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;
use tags::Tags;
pub use toml_file::{Risk, Segment, SiteToml};

/// How a rule runs at a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Not at all.
    Off,
    /// Its alerts are marked and go to nobody.
    Shadow,
    /// Its alerts count.
    #[default]
    Alert,
}

/// All content of a site.
#[derive(Debug, Clone)]
pub struct Site {
    /// `site.toml`.
    pub toml: SiteToml,
    /// Time zone.
    pub zone: chrono_tz::Tz,
    /// Lists by name.
    pub lists: BTreeMap<String, List>,
    /// Calendars by name.
    pub calendars: BTreeMap<String, Calendar>,
    /// Devices.
    pub assets: Assets,
    /// Names of points.
    pub tags: Tags,
    /// Exceptions.
    pub exceptions: Vec<Exception>,
    /// Words on rules, by id.
    pub overrides: BTreeMap<String, Override>,
    /// Content hash.
    pub hash: String,
}

/// Files of the built-in site, as they lie in `sites/default`.
const DEFAULT: [(&str, &str); 7] = [
    (
        "site.toml",
        include_str!("../../../../sites/default/site.toml"),
    ),
    (
        "lists/asset_scanners.csv",
        include_str!("../../../../sites/default/lists/asset_scanners.csv"),
    ),
    (
        "lists/authorised_masters.csv",
        include_str!("../../../../sites/default/lists/authorised_masters.csv"),
    ),
    (
        "lists/declared_services.csv",
        include_str!("../../../../sites/default/lists/declared_services.csv"),
    ),
    (
        "lists/engineering_stations.csv",
        include_str!("../../../../sites/default/lists/engineering_stations.csv"),
    ),
    (
        "lists/shared_addresses.csv",
        include_str!("../../../../sites/default/lists/shared_addresses.csv"),
    ),
    (
        "calendars/maintenance.yaml",
        include_str!("../../../../sites/default/calendars/maintenance.yaml"),
    ),
];

impl Site {
    /// The site that is used when none is named: its lists and calendars exist
    /// and are empty, which is a statement: nobody is trusted, nothing is planned.
    #[must_use]
    pub fn builtin_default() -> Self {
        let list =
            |(name, text): (String, &str)| (List::parse(&name, text).0.unwrap_or_default(), name);
        let mut hasher = blake3::Hasher::new();
        for (path, text) in DEFAULT {
            add(&mut hasher, path.as_bytes(), text);
        }
        Self {
            toml: SiteToml {
                name: "default".to_owned(),
                title: None,
                time_zone: "UTC".to_owned(),
                segments: Vec::new(),
                ports: BTreeMap::new(),
                risk: Risk::default(),
            },
            zone: chrono_tz::UTC,
            lists: built_in("lists/", ".csv")
                .map(list)
                .map(|(list, name)| (name, list))
                .collect(),
            calendars: built_in("calendars/", ".yaml")
                .map(|(name, _)| (name, Calendar::default()))
                .collect(),
            assets: Assets::default(),
            tags: Tags::default(),
            exceptions: Vec::new(),
            overrides: BTreeMap::new(),
            hash: short(&hasher),
        }
    }

    /// Reads a site's folder. All that is wrong is told at once; `None` when
    /// there is no usable `site.toml`. A bad list, calendar or layer is left out alone.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn load(dir: &Path) -> std::io::Result<(Option<Self>, Vec<Diagnostic>)> {
        let mut found = Vec::new();
        let mut hasher = blake3::Hasher::new();
        let mut read = |path: &Path| -> std::io::Result<Option<String>> {
            match std::fs::read_to_string(path) {
                Ok(text) => {
                    let relative = path.strip_prefix(dir).unwrap_or(path);
                    add(&mut hasher, relative.as_os_str().as_encoded_bytes(), &text);
                    Ok(Some(text))
                }
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
                Err(e) => Err(std::io::Error::new(
                    e.kind(),
                    format!("{}: {e}", path.display()),
                )),
            }
        };
        let file = dir.join("site.toml");
        let name = file.display().to_string();
        let Some(text) = read(&file)? else {
            found.push(
                Diagnostic::error("TT-SITE-001", &name, (0, 0), "no such file")
                    .help("a site's folder has a site.toml with its `name` and `time_zone`"),
            );
            return Ok((None, found));
        };
        let parsed = match toml_file::parse(&name, &text) {
            Ok((parsed, mut wrong)) => {
                found.append(&mut wrong);
                parsed
            }
            Err(diagnostic) => {
                found.push(diagnostic);
                return Ok((None, found));
            }
        };
        let zone = parsed
            .time_zone
            .parse::<chrono_tz::Tz>()
            .unwrap_or_else(|_| {
                let line = text
                    .lines()
                    .position(|l| l.trim_start().starts_with("time_zone"))
                    .map_or(0, |n| n + 1);
                let near = telltale_schema::nearest(
                    &parsed.time_zone,
                    chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name()),
                );
                let diagnostic = Diagnostic::error(
                    "TT-SITE-003",
                    &name,
                    (u32::try_from(line).unwrap_or(0), 0),
                    format!("`{}` is no IANA time zone", parsed.time_zone),
                );
                found.push(diagnostic.help(
                    near.map_or("write one like Europe/Vienna".to_owned(), |n| {
                        format!("did you mean `{n}`?")
                    }),
                ));
                chrono_tz::UTC
            });
        let mut lists = BTreeMap::new();
        let mut calendars = BTreeMap::new();
        for path in entries(&dir.join("lists"), "csv")? {
            let Some(text) = read(&path)? else { continue };
            let (list, mut wrong) = List::parse(&path.display().to_string(), &text);
            found.append(&mut wrong);
            if let Some(list) = list {
                lists.insert(stem(&path), list);
            }
        }
        for path in entries(&dir.join("calendars"), "yaml")? {
            let Some(text) = read(&path)? else { continue };
            match Calendar::parse(&path.display().to_string(), &text, zone) {
                Ok(calendar) => {
                    calendars.insert(stem(&path), calendar);
                }
                Err(diagnostic) => found.push(diagnostic),
            }
        }
        let mut part = |name: &str| -> std::io::Result<Option<(String, String)>> {
            let path = dir.join(name);
            Ok(read(&path)?.map(|text| (path.display().to_string(), text)))
        };
        let mut assets = Assets::default();
        if let Some((name, text)) = part("assets.csv")? {
            let (good, mut wrong) = Assets::parse(&name, &text);
            assets = good;
            found.append(&mut wrong);
        }
        let mut tags = Tags::default();
        if let Some((name, text)) = part("tags.csv")? {
            let (good, mut wrong) = Tags::parse(&name, &text);
            tags = good;
            found.append(&mut wrong);
        }
        let mut exceptions = Vec::new();
        if let Some((name, text)) = part("exceptions.yaml")? {
            let (good, mut wrong) = exceptions::parse(&name, &text);
            exceptions = good;
            found.append(&mut wrong);
        }
        let mut overrides = BTreeMap::new();
        if let Some((name, text)) = part("rules.yaml")? {
            match overrides::parse(&name, &text) {
                Ok(good) => overrides = good,
                Err(diagnostic) => found.push(diagnostic),
            }
        }
        let hash = short(&hasher);
        let site = Self {
            toml: parsed,
            zone,
            lists,
            calendars,
            assets,
            tags,
            exceptions,
            overrides,
            hash,
        };
        Ok((Some(site), found))
    }

    /// Lists and calendars that a rule needs and this site has not.
    #[must_use]
    pub fn missing(&self, requires: &crate::rule::Requires) -> Vec<String> {
        let lists = requires
            .lists
            .iter()
            .filter(|n| !self.lists.contains_key(*n))
            .map(|n| format!("list `{n}`"));
        let calendars = requires
            .calendars
            .iter()
            .filter(|n| !self.calendars.contains_key(*n))
            .map(|n| format!("calendar `{n}`"));
        lists.chain(calendars).collect()
    }

    /// The list of this name; `None` when the site has none, which is not the same as an
    /// empty one.
    #[must_use]
    pub fn list(&self, name: &str) -> Option<&List> {
        self.lists.get(name)
    }

    /// The calendar of this name; `None` when the site has none.
    #[must_use]
    pub fn calendar(&self, name: &str) -> Option<&Calendar> {
        self.calendars.get(name)
    }

    /// How a rule runs here.
    #[must_use]
    pub fn mode(&self, rule: &str) -> Mode {
        self.overrides.get(rule).map_or(Mode::Alert, |o| o.mode)
    }
}

/// Files of a folder of the built-in site: name and text.
fn built_in(
    folder: &'static str,
    extension: &'static str,
) -> impl Iterator<Item = (String, &'static str)> {
    DEFAULT.iter().filter_map(move |(path, text)| {
        let name = path.strip_prefix(folder)?.strip_suffix(extension)?;
        Some((name.to_owned(), *text))
    })
}

fn add(hasher: &mut blake3::Hasher, path: &[u8], text: &str) {
    for part in [path, text.as_bytes()] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
}

fn short(hasher: &blake3::Hasher) -> String {
    hasher.finalize().to_hex().chars().take(16).collect()
}

/// YAML with the error's place; an empty file is `null`.
pub(crate) fn yaml<'t, T: Deserialize<'t>>(
    name: &str,
    text: &'t str,
    code: &'static str,
) -> Result<T, Diagnostic> {
    let empty = text
        .lines()
        .all(|l| l.trim().is_empty() || l.trim_start().starts_with('#'));
    serde_saphyr::from_str(if empty { "null" } else { text })
        .map_err(|error| yaml_error(name, &error, code, |_| None))
}

/// A YAML error with its place, and the nearest name to one that is unknown.
/// `special` may know better what to do about a field.
pub(crate) fn yaml_error(
    name: &str,
    error: &serde_saphyr::Error,
    code: &'static str,
    special: impl Fn(&str) -> Option<String>,
) -> Diagnostic {
    let at = error.location().map_or((0, 0), |l| {
        (
            u32::try_from(l.line()).unwrap_or(0),
            u32::try_from(l.column()).unwrap_or(0),
        )
    });
    let unknown = |what: &str, given: &str, expected: &[&'static str]| {
        let help = special(given).unwrap_or_else(|| {
            telltale_schema::nearest(given, expected.iter().copied()).map_or_else(
                || format!("known are {}", expected.join(", ")),
                |near| format!("did you mean `{near}`?"),
            )
        });
        Diagnostic::error(code, name, at, format!("unknown {what} `{given}`")).help(help)
    };
    match error.without_snippet() {
        serde_saphyr::Error::SerdeUnknownField {
            field, expected, ..
        } => unknown("key", field, expected),
        serde_saphyr::Error::SerdeUnknownVariant {
            variant, expected, ..
        } => unknown("value", variant, expected),
        serde_saphyr::Error::SerdeMissingField { field, .. } => {
            Diagnostic::error(code, name, at, format!("`{field}` is missing"))
                .help("see docs/rules.md and docs/site.md for the form")
        }
        other => {
            let message = other.to_string();
            Diagnostic::error(
                code,
                name,
                at,
                message.lines().next().unwrap_or("unreadable"),
            )
        }
    }
}

fn entries(dir: &Path, extension: &str) -> std::io::Result<Vec<std::path::PathBuf>> {
    let mut all: Vec<_> = match std::fs::read_dir(dir) {
        Ok(entries) => entries
            .map(|e| e.map(|e| e.path()))
            .collect::<Result<_, _>>()?,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(e) => {
            return Err(std::io::Error::new(
                e.kind(),
                format!("{}: {e}", dir.display()),
            ));
        }
    };
    all.retain(|p| p.extension().is_some_and(|e| e == extension));
    all.sort();
    Ok(all)
}

fn stem(path: &Path) -> String {
    path.file_stem()
        .map(|s| s.to_string_lossy().into_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests;

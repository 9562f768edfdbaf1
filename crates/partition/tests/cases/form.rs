//! The form of a text case.

use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use telltale_partition::Config;
use telltale_rules::testcase::{Context, Kind, TestCase};
use telltale_rules::{RuleSet, Site};
use telltale_schema::TableId;
use telltale_schema::value::RowValues;

pub type Map = serde_json::Map<String, Value>;

/// A case: see integration-tests/cases/README.md.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    pub title: String,
    #[serde(default)]
    pub table: Option<String>,
    pub rules: Vec<Map>,
    /// Files of the site's folder.
    #[serde(default)]
    pub site: BTreeMap<String, String>,
    #[serde(default)]
    pub limits: Limits,
    pub log: Vec<Entry>,
}

/// Bounds that are tighter than usual.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    groups: Option<usize>,
    first_seen: Option<usize>,
    sequences: Option<usize>,
    partials: Option<usize>,
    cap: Option<u64>,
}

impl Limits {
    pub fn apply(&self, config: &mut Config) {
        let limits = &mut config.detector.limits;
        limits.groups = self.groups.unwrap_or(limits.groups);
        limits.first_seen = self.first_seen.unwrap_or(limits.first_seen);
        limits.sequences = self.sequences.unwrap_or(limits.sequences);
        limits.partials = self.partials.unwrap_or(limits.partials);
        let alerts = &mut config.alerts;
        alerts.cap = self.cap.unwrap_or(alerts.cap);
    }
}

/// One record of the log.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Entry {
    rows: Option<Vec<Map>>,
    tick: bool,
    rules: Option<Vec<Map>>,
    site: Option<BTreeMap<String, String>>,
    lost: Option<[u64; 2]>,
    command: Option<String>,
    key: Vec<String>,
    table: Option<String>,
    pub sensor: Option<String>,
    pub seq: Option<u64>,
    pub watermark: Option<String>,
    pub clock: Option<String>,
}

/// What a record does.
pub enum Doing<'e> {
    Rows(&'e [Map]),
    Tick,
    Rules(&'e [Map]),
    Site(&'e BTreeMap<String, String>),
    Lost([u64; 2]),
    /// Its kind; the rule's name, then the rest.
    Command(&'e str, Vec<String>),
}

impl Entry {
    pub fn doing(&self) -> Result<Doing<'_>, String> {
        let mut all = Vec::new();
        all.extend(self.rows.as_deref().map(Doing::Rows));
        all.extend(self.tick.then_some(Doing::Tick));
        all.extend(self.rules.as_deref().map(Doing::Rules));
        all.extend(self.site.as_ref().map(Doing::Site));
        all.extend(self.lost.map(Doing::Lost));
        if let Some(command) = &self.command {
            let kinds = ["approve", "remove", "quarantine", "release"];
            let (kind, rule) = command
                .split_once(' ')
                .filter(|(kind, _)| kinds.contains(kind))
                .ok_or("a command is approve, remove, quarantine or release, and a rule's name")?;
            let mut args = vec![rule.to_owned()];
            args.extend(self.key.iter().cloned());
            all.push(Doing::Command(kind, args));
        }
        match <[Doing<'_>; 1]>::try_from(all) {
            Ok([one]) => Ok(one),
            Err(_) => {
                Err("it has one of `rows`, `tick`, `rules`, `site`, `lost`, `command`".to_owned())
            }
        }
    }
}

pub fn table(case: &Case, entry: &Entry) -> Result<TableId, String> {
    let name = entry.table.as_ref().or(case.table.as_ref());
    let name = name.map_or("modbus", String::as_str);
    TableId::from_name(name).ok_or_else(|| format!("no table `{name}`"))
}

/// Rows as in a rule's tests, of a site and a sensor.
pub fn rows(
    case: &Case,
    entry: &Entry,
    given: &[Map],
    (site, sensor): (&str, &str),
    first: u64,
) -> Result<Vec<RowValues>, String> {
    let mut rows = given.to_vec();
    for row in &mut rows {
        row.entry("site").or_insert_with(|| site.into());
        row.entry("sensor").or_insert_with(|| sensor.into());
    }
    let test = TestCase {
        name: case.title.clone(),
        kind: Kind::Match,
        table: table(case, entry)?.name().to_owned(),
        rows,
        capture: None,
        packets: None,
        context: Context::default(),
        count: None,
        expect: Vec::new(),
        line: 0,
    };
    test.expand_from(first)
}

/// What a rule of a case need not say.
fn defaults(number: usize) -> Map {
    let Value::Object(map) = serde_json::json!({
        "id": format!("00000000-0000-4000-8000-{:012}", number + 1),
        "description": "A rule of a case.",
        "severity": "high",
        "confidence": "high",
        "status": "experimental",
        "scope": "site",
        "attack": ["T0855"],
        "response": ["Ask."],
        "sentence": "{client_ip} at {server_ip}",
        "correlation_key": ["client_ip"],
        "suppression": {"key": ["client_ip"], "for": "1s"},
        "tests": [],
    }) else {
        return Map::new();
    };
    map
}

pub fn rule_set(rules: &[Map]) -> Result<RuleSet, String> {
    let texts: Vec<(String, String)> = rules
        .iter()
        .enumerate()
        .map(|(n, given)| {
            let mut rule = defaults(n);
            rule.extend(given.clone());
            let name = rule.get("name").map_or_else(String::new, Value::to_string);
            let name = format!("rule {name}");
            // JSON is YAML
            serde_json::to_string_pretty(&rule).map(|text| (name, text))
        })
        .collect::<Result<_, _>>()
        .map_err(|e| e.to_string())?;
    let (set, found) = RuleSet::from_texts(texts.iter().map(|(n, t)| (n.as_str(), t.as_str())));
    let mut all: Vec<String> = found.iter().map(ToString::to_string).collect();
    let (_, wrong) = telltale_engine::Detector::compile(
        &set,
        &Site::builtin_default(),
        telltale_engine::detector::Config::default(),
    );
    all.extend(wrong.iter().map(ToString::to_string));
    if all.is_empty() {
        Ok(set)
    } else {
        Err(all.join("\n"))
    }
}

/// A site from the files of its folder; `site.toml` may be left out.
pub fn site(files: &BTreeMap<String, String>) -> Result<Site, String> {
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    let mut files = files.clone();
    files
        .entry("site.toml".to_owned())
        .or_insert_with(|| "name = \"north\"\ntime_zone = \"UTC\"\n".to_owned());
    for (name, text) in &files {
        let path = folder.path().join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(|e| e.to_string())?;
        }
        std::fs::write(&path, text).map_err(|e| e.to_string())?;
    }
    let (site, found) = Site::load(folder.path()).map_err(|e| e.to_string())?;
    let all: Vec<String> = found.iter().map(ToString::to_string).collect();
    if !all.is_empty() {
        return Err(all.join("\n"));
    }
    site.ok_or_else(|| "the site cannot be loaded".to_owned())
}

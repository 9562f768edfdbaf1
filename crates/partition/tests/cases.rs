//! Runs the text cases in `integration-tests/cases`: rules and records in, what comes of
//! them out, straight and again cut after every record and put back.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

#[path = "cases/form.rs"]
mod form;
#[path = "cases/said.rs"]
mod said;

use form::{Case, Doing, Entry};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use telltale_bus::{Command, CommandKind, ContentHash, Control, Loss, Record, SensorFrame};
use telltale_engine::tagging::fill_batch;
use telltale_partition::{AHEAD_NS, Config, Library, Partition};
use telltale_rules::testcase::{START_NS, duration_ns};
use telltale_rules::{RuleSet, Site};
use telltale_schema::Frame;

/// Rule sets and contents of the site by the number in their hash.
#[derive(Clone, Default)]
struct Shelf {
    rules: Vec<Arc<RuleSet>>,
    sites: Vec<Arc<Site>>,
}

impl Library for Shelf {
    fn rules(&self, hash: &ContentHash) -> Option<Arc<RuleSet>> {
        self.rules.get(usize::from(hash.0[0])).cloned()
    }
    fn site(&self, hash: &ContentHash) -> Option<Arc<Site>> {
        self.sites.get(usize::from(hash.0[0])).cloned()
    }
}

/// A sensor's place in its story.
#[derive(Clone, Copy)]
struct Sensor {
    seq: u64,
    watermark: i64,
}

/// A case as records, with what each is in words and the clock at which it is appended.
struct Story {
    shelf: Shelf,
    config: Config,
    records: Vec<(String, i64, Record)>,
}

fn time(text: Option<&String>, default: i64) -> Result<i64, String> {
    let Some(text) = text else {
        return Ok(default);
    };
    let ns = duration_ns(text).ok_or_else(|| format!("`{text}` is no time; write 90s or 2h"))?;
    Ok(START_NS + ns)
}

impl Story {
    fn new(case: &Case) -> Result<Self, String> {
        let mut story = Self {
            shelf: Shelf::default(),
            config: Config {
                ahead_ns: Some(AHEAD_NS),
                ..Config::default()
            },
            records: Vec::new(),
        };
        case.limits.apply(&mut story.config);
        let (mut clock, mut rows) = (START_NS, 0);
        let mut sensors: BTreeMap<String, Sensor> = BTreeMap::new();
        story.content(&case.site, START_NS)?;
        story.rules(&case.rules, START_NS)?;
        for (n, entry) in case.log.iter().enumerate() {
            story
                .entry(case, entry, &mut clock, &mut rows, &mut sensors)
                .map_err(|e| format!("entry {} of `log`: {e}", n + 1))?;
        }
        Ok(story)
    }

    fn push(&mut self, words: String, clock: i64, record: Record) {
        self.records.push((words, clock, record));
    }

    fn rules(&mut self, rules: &[form::Map], clock: i64) -> Result<(), String> {
        let number = self.shelf.rules.len() as u8;
        self.shelf.rules.push(Arc::new(form::rule_set(rules)?));
        let record = Record::Control(Control::Rules(ContentHash([number; 32])));
        let words = format!("{} rules", rules.len());
        self.push(words, clock, record);
        Ok(())
    }

    fn content(&mut self, files: &BTreeMap<String, String>, clock: i64) -> Result<(), String> {
        let number = self.shelf.sites.len() as u8;
        self.shelf.sites.push(Arc::new(form::site(files)?));
        let record = Record::Control(Control::Context(ContentHash([number; 32])));
        self.push("content of the site".to_owned(), clock, record);
        Ok(())
    }

    fn entry(
        &mut self,
        case: &Case,
        entry: &Entry,
        clock: &mut i64,
        rows: &mut u64,
        sensors: &mut BTreeMap<String, Sensor>,
    ) -> Result<(), String> {
        let name = entry.sensor.clone().unwrap_or_else(|| "a".to_owned());
        let sensor = sensors.entry(name.clone()).or_insert(Sensor {
            seq: 0,
            watermark: START_NS,
        });
        let at = time(entry.clock.as_ref(), *clock)?;
        *clock = at.max(*clock);
        let site = self.shelf.sites.last().expect("the first record is a site");
        match entry.doing()? {
            Doing::Rows(given) => {
                let values = form::rows(case, entry, given, (&site.toml.name, &name), *rows)?;
                *rows += values.len() as u64;
                let table = form::table(case, entry)?;
                let batches = telltale_engine::testing::by_table(table, &values)?
                    .into_iter()
                    .map(|b| fill_batch(site, b))
                    .collect();
                let mut frame = Frame {
                    site: site.toml.name.as_str().into(),
                    sensor: name.as_str().into(),
                    seq: entry.seq.unwrap_or(sensor.seq),
                    watermark: 0,
                    batches,
                };
                let newest = frame.newest().max(sensor.watermark);
                frame.watermark = time(entry.watermark.as_ref(), newest)?;
                *clock = match entry.clock {
                    Some(_) => *clock,
                    None => newest.max(frame.watermark).max(*clock),
                };
                *sensor = Sensor {
                    seq: frame.seq + 1,
                    watermark: newest,
                };
                let words = format!("frame {} of {name}, {} rows", frame.seq, values.len());
                let record = Record::Frame(SensorFrame { epoch: 0, frame });
                self.push(words, *clock, record);
            }
            Doing::Tick => self.push("tick".to_owned(), *clock, Record::Control(Control::Tick)),
            Doing::Rules(rules) => self.rules(rules, *clock)?,
            Doing::Site(files) => self.content(files, *clock)?,
            Doing::Lost([from_seq, to_seq]) => {
                sensor.seq = to_seq + 1;
                let loss = Loss {
                    site: site.toml.name.as_str().into(),
                    sensor: name.as_str().into(),
                    epoch: 0,
                    from_seq,
                    to_seq,
                    rows: 100,
                };
                let words = format!("frames {from_seq} to {to_seq} of {name} are lost");
                self.push(words, *clock, Record::Loss(loss));
            }
            Doing::Command(kind, args) => {
                let set = self.shelf.rules.last().expect("rules come before commands");
                let mut args = args;
                let rule = args.first_mut().ok_or("a command names a rule")?;
                let known = set.rules.iter().find(|r| r.name == *rule);
                let known = known.ok_or_else(|| format!("there is no rule `{rule}`"))?;
                let words = format!("{kind} {rule}");
                *rule = known.id.clone();
                let kind = match kind {
                    "approve" => CommandKind::ApproveFirstSeen,
                    "remove" => CommandKind::RemoveFirstSeen,
                    "quarantine" => CommandKind::QuarantineRule,
                    _ => CommandKind::ReleaseRule,
                };
                let record = Record::Control(Control::Command(Command { kind, args }));
                self.push(words, *clock, record);
            }
        }
        Ok(())
    }

    /// What comes of the records, a line each.
    fn run(&self, cut: bool) -> String {
        let mut partition = Partition::new(self.shelf.clone(), self.config);
        let mut text = String::new();
        let mut out = Vec::new();
        for (offset, (words, clock, record)) in self.records.iter().enumerate() {
            partition.step(offset as u64, *clock, record, &mut out);
            text.push_str(&said::lines(words, &mut out));
            if cut {
                let snapshot = partition.snapshot().unwrap();
                let shelf = self.shelf.clone();
                partition = Partition::restore(shelf, self.config, &snapshot).unwrap();
            }
        }
        partition.finish(&mut out);
        text.push_str(&said::lines("the end", &mut out));
        text
    }
}

fn check(path: &Path, update: bool) -> Result<(), String> {
    let text = std::fs::read_to_string(path).map_err(|e| e.to_string())?;
    let case: Case = serde_saphyr::from_str(&text).map_err(|e| e.to_string())?;
    let story = Story::new(&case)?;
    let straight = story.run(false);
    let cut = story.run(true);
    if cut != straight {
        return Err(format!(
            "cut after each record and put back, it says something else; this is a fault of Telltale's\n--- straight\n{straight}--- cut\n{cut}"
        ));
    }
    let golden = path.with_extension("out");
    let said = format!("# {}\n{straight}", case.title);
    if update {
        return std::fs::write(&golden, said).map_err(|e| e.to_string());
    }
    let wanted = std::fs::read_to_string(&golden).unwrap_or_default();
    if wanted != said {
        return Err(format!(
            "it says something else than {}; where that is right, run again with TELLTALE_UPDATE_CASES=1\n--- there\n{wanted}--- said\n{said}",
            golden.display()
        ));
    }
    Ok(())
}

#[test]
fn text_cases() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../integration-tests/cases");
    let update = std::env::var("TELLTALE_UPDATE_CASES").is_ok_and(|v| v == "1");
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .expect("the folder of cases")
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "yaml"))
        .collect();
    files.sort();
    assert!(files.len() >= 20, "{} cases", files.len());
    let wrong: Vec<String> = files
        .iter()
        .filter_map(|f| Some(format!("{}: {}", f.display(), check(f, update).err()?)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// A case that is wrong says where and what to write.
#[test]
fn wrong_cases_are_named() {
    let error = |text: &str| {
        let case: Result<Case, _> = serde_saphyr::from_str(text);
        case.map_err(|e| e.to_string())
            .and_then(|case| Story::new(&case).map(|_| ()))
            .unwrap_err()
    };
    let rule = "rules: [{name: x, sql: \"SELECT * FROM modbus WHERE unit_id = 1\"}]";
    for (text, why) in [
        ("titel: x\nrules: []\nlog: []".to_owned(), "titel"),
        (format!("title: x\n{rule}\nlog: [{{}}]"), "entry 1 of `log`"),
        (
            format!("title: x\n{rule}\nlog: [{{rows: [{{unit: 1}}]}}]"),
            "unit_id",
        ),
        (
            format!("title: x\n{rule}\nlog: [{{command: release y}}]"),
            "there is no rule `y`",
        ),
        (
            "title: x\nrules: [{name: x, sql: SELECT}]\nlog: []".to_owned(),
            "TT-",
        ),
        (
            format!("title: x\n{rule}\nlog: [{{tick: true, clock: soon}}]"),
            "write 90s",
        ),
    ] {
        let error = error(&text);
        assert!(error.contains(why), "{text}: {error}");
    }
}

//! State of a partition as named parts with content hashes, and back.
//!
//! A part is an Arrow IPC stream of one batch. A part that did not change has the same
//! bytes and so the same hash: whoever stores snapshots writes it once. Every part is
//! held against its hash before Arrow reads it; what has been changed on purpose
//! together with its manifest is not found out: snapshots are as trusted as the store.

use crate::clock::Clock;
use crate::site::SiteRun;
use crate::taken::Taken;
use crate::{Config, Counters, Library, Output, Partition};
use arrow_array::RecordBatch;
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use telltale_bus::ContentHash;
use telltale_engine::detector::{self, Part};
use telltale_rules::{RuleSet, Site};

/// Version of the form of snapshots.
pub const FORMAT: u32 = 1;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct PartEntry {
    site: String,
    /// `detector` or `alerts`.
    of: String,
    name: String,
    about: BTreeMap<String, String>,
    hash: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct SiteEntry {
    name: String,
    context: Option<String>,
    taken: BTreeMap<String, Taken>,
    #[serde(default)]
    clocks: BTreeMap<String, Clock>,
    said_over: BTreeSet<String>,
}

/// What a snapshot consists of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the form.
    pub format: u32,
    /// Telltale's version.
    pub version: String,
    /// Offset of the record that is due.
    pub next_offset: u64,
    now_ns: i64,
    said_full: i64,
    rules: Option<String>,
    quarantined: BTreeSet<String>,
    counters: Counters,
    sites: Vec<SiteEntry>,
    parts: Vec<PartEntry>,
}

/// State of a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// What it consists of.
    pub manifest: Manifest,
    /// Parts by their hash.
    pub parts: BTreeMap<String, Vec<u8>>,
}

/// A snapshot that cannot be taken or put back.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// Another form.
    #[error(
        "TT-SNAP-001: the snapshot's format is {0}, not {FORMAT}; restore it with the release that wrote it"
    )]
    Format(u32),
    /// A part is not there, or not what it was.
    #[error("TT-SNAP-002: part `{name}`: {why}; restore an older snapshot")]
    Part {
        /// Its name.
        name: String,
        /// What is wrong.
        why: String,
    },
    /// Content that the snapshot names is not there.
    #[error(
        "TT-SNAP-003: {what} {hash} is not there; content is kept as long as a snapshot needs it"
    )]
    Content {
        /// What kind.
        what: &'static str,
        /// Its hash.
        hash: String,
    },
    /// The engine's state.
    #[error(transparent)]
    Detector(#[from] telltale_engine::detector::StateError),
    /// The alerts' state.
    #[error(transparent)]
    Alerts(#[from] telltale_alert::StateError),
    /// Arrow.
    #[error("TT-SNAP-004: {0}")]
    Arrow(String),
}

fn to_bytes(rows: &RecordBatch) -> Result<Vec<u8>, SnapshotError> {
    let arrow = |e: &dyn std::fmt::Display| SnapshotError::Arrow(e.to_string());
    let mut bytes = Vec::new();
    let mut writer = StreamWriter::try_new(&mut bytes, rows.schema_ref()).map_err(|e| arrow(&e))?;
    writer.write(rows).map_err(|e| arrow(&e))?;
    writer.finish().map_err(|e| arrow(&e))?;
    drop(writer);
    Ok(bytes)
}

fn from_bytes(name: &str, bytes: &[u8]) -> Result<RecordBatch, SnapshotError> {
    let wrong = |why: String| SnapshotError::Part {
        name: name.to_owned(),
        why,
    };
    let reader = StreamReader::try_new(bytes, None).map_err(|e| wrong(e.to_string()))?;
    let schema = reader.schema();
    let batches = reader
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| wrong(e.to_string()))?;
    match <[RecordBatch; 1]>::try_from(batches) {
        Ok([one]) => Ok(one),
        Err(none) if none.is_empty() => Ok(RecordBatch::new_empty(schema)),
        Err(_) => Err(wrong("it has several batches".to_owned())),
    }
}

fn hash(text: &str) -> Option<ContentHash> {
    let mut bytes = [0; 32];
    let digits = |n: usize| text.get(2 * n..2 * n + 2);
    for (n, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits(n)?, 16).ok()?;
    }
    (text.len() == 64).then_some(ContentHash(bytes))
}

impl<L: Library> Partition<L> {
    /// All state, after the last record that was taken.
    ///
    /// # Errors
    /// When a part cannot be written as Arrow, which no state is known to bring about.
    pub fn snapshot(&self) -> Result<Snapshot, SnapshotError> {
        self.freeze()?.into_snapshot()
    }

    /// The same in two steps: this one is quick, and the partition goes on; another
    /// thread makes a snapshot of it.
    ///
    /// # Errors
    /// As [`Partition::snapshot`].
    pub fn freeze(&self) -> Result<Frozen, SnapshotError> {
        let mut sites = Vec::with_capacity(self.sites.len());
        for (name, run) in &self.sites {
            let entry = SiteEntry {
                name: name.to_string(),
                context: run.context.map(|c| c.to_string()),
                taken: run
                    .taken
                    .iter()
                    .map(|(sensor, taken)| (sensor.to_string(), taken.clone()))
                    .collect(),
                clocks: run
                    .clocks
                    .iter()
                    .map(|(sensor, clock)| (sensor.to_string(), *clock))
                    .collect(),
                said_over: run.said_over.clone(),
            };
            sites.push((entry, run.detector.freeze(), run.stage.take_state()?));
        }
        Ok(Frozen {
            manifest: Manifest {
                format: FORMAT,
                version: env!("CARGO_PKG_VERSION").to_owned(),
                next_offset: self.next_offset,
                now_ns: self.now_ns,
                said_full: self.said_full,
                rules: self.rules_hash.map(|h| h.to_string()),
                quarantined: self.quarantined.clone(),
                counters: self.counters,
                sites: Vec::new(),
                parts: Vec::new(),
            },
            sites,
        })
    }

    /// A partition that goes on where a snapshot was taken.
    ///
    /// # Errors
    /// When a part is missing, damaged or of another form, or when content that the
    /// snapshot names is not in the library.
    pub fn restore(library: L, config: Config, snapshot: &Snapshot) -> Result<Self, SnapshotError> {
        let manifest = &snapshot.manifest;
        if manifest.format != FORMAT {
            return Err(SnapshotError::Format(manifest.format));
        }
        let missing = |what, text: &String| SnapshotError::Content {
            what,
            hash: text.clone(),
        };
        let mut partition = Self::new(library, config);
        if let Some(text) = &manifest.rules {
            let hash = hash(text).ok_or_else(|| missing("the rule set", text))?;
            partition.whole = partition
                .library
                .rules(&hash)
                .ok_or_else(|| missing("the rule set", text))?;
            partition.rules_hash = Some(hash);
        }
        partition.quarantined.clone_from(&manifest.quarantined);
        let mut running = RuleSet::clone(&partition.whole);
        running
            .rules
            .retain(|r| !manifest.quarantined.contains(&r.id));
        partition.rules = Arc::new(running);
        partition.now_ns = manifest.now_ns;
        partition.said_full = manifest.said_full;
        partition.next_offset = manifest.next_offset;
        partition.counters = manifest.counters;
        for entry in &manifest.sites {
            let mut site = Site::builtin_default();
            site.toml.name.clone_from(&entry.name);
            let mut site = Arc::new(site);
            let mut context = None;
            if let Some(text) = &entry.context {
                let hash = hash(text).ok_or_else(|| missing("the site content", text))?;
                site = partition
                    .library
                    .site(&hash)
                    .ok_or_else(|| missing("the site content", text))?;
                context = Some(hash);
            }
            let mut run = SiteRun::new(partition.rules.clone(), site, config);
            run.context = context;
            run.said_over.clone_from(&entry.said_over);
            run.taken = entry
                .taken
                .iter()
                .map(|(sensor, taken)| (Arc::from(sensor.as_str()), taken.clone()))
                .collect();
            run.clocks = entry
                .clocks
                .iter()
                .map(|(sensor, clock)| (Arc::from(sensor.as_str()), *clock))
                .collect();
            let (mut detector, mut alerts) = (Vec::new(), Vec::new());
            for part in manifest.parts.iter().filter(|p| p.site == entry.name) {
                let rows = snapshot.part(part)?;
                if part.of == "detector" {
                    detector.push(Part {
                        name: part.name.clone(),
                        about: part.about.clone(),
                        rows,
                    });
                } else {
                    alerts.push(rows);
                }
            }
            run.detector.restore(&detector)?;
            let mut said: Vec<telltale_alert::Alert> = Vec::new();
            run.stage.put_state(&alerts, &mut said)?;
            partition.sites.insert(Arc::from(entry.name.as_str()), run);
        }
        Ok(partition)
    }
}

/// State of a partition at some time, whatever the partition has taken since.
pub struct Frozen {
    manifest: Manifest,
    sites: Vec<(SiteEntry, detector::Frozen, Vec<RecordBatch>)>,
}

impl Frozen {
    /// The state as parts with their hashes.
    ///
    /// # Errors
    /// When a part cannot be written as Arrow, which no state is known to bring about.
    pub fn into_snapshot(self) -> Result<Snapshot, SnapshotError> {
        let mut manifest = self.manifest;
        let mut parts = BTreeMap::new();
        for (site, detector, alerts) in self.sites {
            let mut add = |of: &str, name: String, about, rows: &RecordBatch| {
                let bytes = to_bytes(rows)?;
                let hash = blake3::hash(&bytes).to_hex().to_string();
                manifest.parts.push(PartEntry {
                    site: site.name.clone(),
                    of: of.to_owned(),
                    name,
                    about,
                    hash: hash.clone(),
                });
                parts.insert(hash, bytes);
                Ok::<(), SnapshotError>(())
            };
            for part in detector.into_parts() {
                add("detector", part.name, part.about, &part.rows)?;
            }
            for (n, rows) in alerts.iter().enumerate() {
                add("alerts", n.to_string(), BTreeMap::new(), rows)?;
            }
            manifest.sites.push(site);
        }
        Ok(Snapshot { manifest, parts })
    }
}

impl Snapshot {
    fn part(&self, entry: &PartEntry) -> Result<RecordBatch, SnapshotError> {
        let wrong = |why: &str| SnapshotError::Part {
            name: format!("{}/{}", entry.site, entry.name),
            why: why.to_owned(),
        };
        let bytes = self
            .parts
            .get(&entry.hash)
            .ok_or_else(|| wrong("it is missing"))?;
        if blake3::hash(bytes).to_hex().as_str() != entry.hash {
            return Err(wrong("its bytes are not what was written"));
        }
        from_bytes(&entry.name, bytes)
    }
}

/// Outputs are compared after a restart: this is what they have in common with themselves.
impl Output {
    /// Identity of an output, for comparison with what was sent: an alert's id and
    /// record, or the words of anything else.
    #[must_use]
    pub fn identity(&self) -> String {
        match self {
            Self::Alert(alert) => format!("{} {} {}", alert.id, alert.record, alert.count),
            Self::Health(health) => format!("{} {}", health.code, health.sentence),
            Self::Late(late) => format!(
                "late {} {} {} {}: {} rows of {}",
                late.site,
                late.sensor,
                late.frame.0,
                late.frame.1,
                late.rows.batch.num_rows(),
                late.rows.table.def().name
            ),
            Self::Quarantine { rule, why } => format!("quarantine {rule} {why}"),
        }
    }
}

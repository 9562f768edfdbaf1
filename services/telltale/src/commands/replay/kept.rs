//! What a replay keeps of its alerts once they are written: counts, the worst
//! severity, and where evidence is to be cut. Alerts themselves are not kept.

use crate::drive::Source;
use anyhow::{Context as _, Result};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use telltale_alert::v1::RecordKind;
use telltale_alert::{Alert, evidence};

/// Packets kept before and after each packet of evidence, of the whole capture.
const EVIDENCE_AROUND: u64 = 3;
/// Alerts of one run that evidence is cut for; those beyond are counted.
const MAX_CUTS: usize = 100_000;

/// A packet that an alert speaks of.
struct Cut {
    alert: String,
    sentence: String,
    file: String,
    packet: u64,
}

/// What is kept.
#[derive(Default)]
pub struct Kept {
    by_rule: BTreeMap<(Reverse<u32>, String, String), u64>,
    /// Highest severity (0 to 100) of an alert that counts.
    pub worst: Option<u32>,
    cuts: Option<Vec<Cut>>,
    /// Alerts whose evidence is left out because there were too many.
    pub uncut: u64,
}

impl Kept {
    /// `evidence`: shall evidence be cut?
    pub fn new(evidence: bool) -> Self {
        Self {
            cuts: evidence.then(Vec::new),
            ..Self::default()
        }
    }

    /// Takes note of an alert.
    pub fn take(&mut self, alert: &Alert) {
        if alert.record() != RecordKind::Created {
            return;
        }
        let name = alert.rule.as_ref().map_or("?", |r| r.name.as_str());
        let key = (
            Reverse(alert.severity),
            alert.severity_name.clone(),
            name.to_owned(),
        );
        *self.by_rule.entry(key).or_default() += 1;
        if alert.mode == "alert" {
            self.worst = self.worst.max(Some(alert.severity));
        }
        let Some(cuts) = &mut self.cuts else { return };
        for e in alert.evidence.iter().filter(|e| e.packet > 0) {
            if cuts.len() >= MAX_CUTS {
                self.uncut += 1;
                continue;
            }
            cuts.push(Cut {
                alert: alert.id.clone(),
                sentence: alert.sentence.clone(),
                file: e.capture_file.clone(),
                packet: e.packet,
            });
        }
    }

    /// A line per rule, the worst first.
    pub fn lines(&self) -> String {
        self.by_rule
            .iter()
            .map(|((_, severity, name), count)| format!("\n  {severity:<8} {count:>4}  {name}"))
            .collect()
    }

    /// A second pass over the captures: a small pcapng per alert.
    pub fn cut_evidence(&self, dir: &Path, sources: &[Source]) -> Result<()> {
        std::fs::create_dir_all(dir)
            .with_context(|| format!("cannot make folder {}", dir.display()))?;
        let mut written: BTreeSet<PathBuf> = BTreeSet::new();
        for source in sources.iter().filter(|s| s.can_be_read_again()) {
            let name = source.name();
            let cuts = self.cuts.iter().flatten().filter(|c| c.file == name);
            let mine: Vec<&Cut> = cuts.collect();
            if mine.is_empty() {
                continue;
            }
            let around = |packet: u64| {
                packet.saturating_sub(EVIDENCE_AROUND)..=packet.saturating_add(EVIDENCE_AROUND)
            };
            let wanted: BTreeSet<u64> = mine.iter().flat_map(|c| around(c.packet)).collect();
            let packets = read(source, &wanted)?;
            let mut alerts: BTreeMap<&str, (&str, BTreeSet<u64>)> = BTreeMap::new();
            for cut in mine {
                let of = alerts.entry(&cut.alert).or_default();
                of.0 = &cut.sentence;
                of.1.extend(around(cut.packet));
            }
            for (alert, (sentence, numbers)) in alerts {
                let slice: Vec<_> = numbers
                    .iter()
                    .filter_map(|n| packets.get(n).cloned())
                    .collect();
                // an alert whose rows are of several captures has a file for each
                let names =
                    std::iter::once(String::new()).chain((2_u32..).map(|n| format!(".{n}")));
                let path = names
                    .map(|n| dir.join(format!("{alert}{n}.pcapng")))
                    .find(|path| !written.contains(path))
                    .unwrap_or_default();
                let file = std::fs::File::create(&path)
                    .with_context(|| format!("cannot write {}", path.display()))?;
                let mut file = std::io::BufWriter::new(file);
                evidence::write(&mut file, &name, sentence, &slice)?;
                file.flush()?;
                written.insert(path);
            }
        }
        Ok(())
    }
}

/// The wanted packets of a capture.
fn read(source: &Source, wanted: &BTreeSet<u64>) -> Result<BTreeMap<u64, evidence::Packet>> {
    let mut found = BTreeMap::new();
    let mut reader = source.open()?;
    // where the file is damaged was said by the first pass
    while let Ok(Some(p)) = reader.next_packet() {
        if wanted.contains(&p.number) {
            found.insert(
                p.number,
                evidence::Packet {
                    number: p.number,
                    ts_ns: p.ts_ns,
                    link_type: p.link_type,
                    data: p.data.to_vec(),
                    orig_len: p.orig_len,
                },
            );
        }
        if wanted.last().is_some_and(|last| p.number >= *last) {
            break;
        }
    }
    Ok(found)
}

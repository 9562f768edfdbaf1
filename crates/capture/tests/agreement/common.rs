//! Reading the truth and our rows, and comparing them frame by frame.
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use telltale_capture::{Config, Pipeline, Reader};
use telltale_schema::TableId;
use telltale_schema::value::{self, RowValues};

/// The folder of captures and truth: `TELLTALE_CAPTURES`, or beside the project.
pub fn captures() -> Option<PathBuf> {
    let folder = std::env::var_os("TELLTALE_CAPTURES").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/captures"),
        PathBuf::from,
    );
    if folder.join("truth").is_dir() {
        return Some(folder);
    }
    println!("skipped: no captures at {}", folder.display());
    None
}

/// A capture whose truth holds a protocol.
pub struct Case {
    pub name: String,
    pub capture: PathBuf,
    pub truth: Vec<Map<String, Json>>,
    pub pdus: u64,
}

/// All captures whose truth counts PDUs of `protocol` (tshark's name here).
pub fn cases(folder: &Path, protocol: &str) -> Vec<Case> {
    let mut out = Vec::new();
    for group in sorted(&folder.join("truth")) {
        for counts in sorted(&group)
            .into_iter()
            .filter(|p| p.to_string_lossy().ends_with(".counts.json"))
        {
            let text = std::fs::read_to_string(&counts).unwrap();
            let parsed: Json = serde_json::from_str(&text).unwrap();
            let found = &parsed["protocols"][protocol];
            if !found.is_object() {
                continue;
            }
            let file = counts.file_name().unwrap().to_string_lossy();
            let name = file.trim_end_matches(".counts.json").to_owned();
            let group_name = group.file_name().unwrap();
            let capture = ["pcap", "pcapng", "cap"]
                .iter()
                .map(|e| {
                    folder
                        .join("captures")
                        .join(group_name)
                        .join(format!("{name}.{e}"))
                })
                .find(|p| p.is_file());
            let Some(capture) = capture else { continue };
            let packed = std::fs::read(group.join(format!("{name}.packets.jsonl.gz"))).unwrap();
            let mut lines = String::new();
            flate2::read::MultiGzDecoder::new(packed.as_slice())
                .read_to_string(&mut lines)
                .unwrap();
            let truth = lines
                .lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect();
            out.push(Case {
                name,
                capture,
                truth,
                pdus: found["pdus"].as_u64().unwrap_or(0),
            });
        }
    }
    out
}

fn sorted(folder: &Path) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    all.sort();
    all
}

/// Our rows of a table, by frame.
pub fn rows(capture: &Path, table: TableId) -> BTreeMap<u64, Vec<RowValues>> {
    let mut pipeline = Pipeline::new(Config {
        keep_duplicates: true,
        ..Config::default()
    });
    let mut reader = Reader::open(capture).unwrap();
    let mut frames = Vec::new();
    while let Ok(Some(packet)) = reader.next_packet() {
        pipeline.packet(&packet);
        frames.extend(pipeline.take_frame().unwrap());
    }
    frames.extend(pipeline.finish().unwrap());
    let mut out: BTreeMap<u64, Vec<RowValues>> = BTreeMap::new();
    for batch in frames
        .iter()
        .flat_map(|f| &f.batches)
        .filter(|b| b.table == table)
    {
        for at in 0..batch.batch.num_rows() {
            let row = value::row(batch, at);
            if row.get("outcome").as_str() != Some("no_response") {
                out.entry(row.get("packet").as_u64().unwrap())
                    .or_default()
                    .push(row);
            }
        }
    }
    out
}

/// All values of a field in a frame.
pub fn texts(frame: &Map<String, Json>, field: &str) -> Vec<String> {
    match frame.get(field) {
        Some(Json::String(one)) => vec![one.clone()],
        Some(Json::Array(all)) => all
            .iter()
            .filter_map(|v| v.as_str().map(str::to_owned))
            .collect(),
        _ => Vec::new(),
    }
}

/// A number as tshark prints it: decimal or hexadecimal.
pub fn number(text: &str) -> u64 {
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).unwrap_or(u64::MAX),
        None => text.parse().unwrap_or(u64::MAX),
    }
}

/// All values of a field in a frame, as numbers.
pub fn numbers(frame: &Map<String, Json>, field: &str) -> Vec<u64> {
    texts(frame, field).iter().map(|t| number(t)).collect()
}

/// A column of rows, nulls left out.
pub fn column(rows: &[RowValues], name: &str) -> Vec<u64> {
    rows.iter().filter_map(|r| r.get(name).as_u64()).collect()
}

/// The first row of each PDU.
pub fn heads(rows: &[RowValues]) -> Vec<RowValues> {
    let mut seen = Vec::new();
    let mut out = Vec::new();
    for row in rows {
        let id = row.get("pdu_id").as_u64();
        if !seen.contains(&id) {
            seen.push(id);
            out.push(row.clone());
        }
    }
    out
}

/// Counts PDUs that agree and says what differs.
#[derive(Default)]
pub struct Tally {
    pub pdus: u64,
    pub agree: u64,
    pub notes: Vec<String>,
}

impl Tally {
    /// Takes the differences of a frame that holds `pdus` PDUs: one is enough to
    /// count all of them as different.
    pub fn frame(&mut self, capture: &str, frame: u64, pdus: u64, differences: Vec<String>) {
        self.pdus += pdus;
        self.agree += if differences.is_empty() { pdus } else { 0 };
        for difference in differences {
            self.notes.push(format!("{capture} #{frame}: {difference}"));
        }
    }

    /// Prints the line of a capture and adds it to the total.
    pub fn close(self, name: &str, total: &mut Self) {
        println!(
            "{:>7} of {:>7} {:>8.3} %  {name}",
            self.agree,
            self.pdus,
            self.percent()
        );
        for note in self.notes.iter().take(8) {
            println!("        {note}");
        }
        total.pdus += self.pdus;
        total.agree += self.agree;
        total.notes.extend(self.notes);
    }

    /// Share of PDUs that agree.
    pub fn percent(&self) -> f64 {
        if self.pdus == 0 {
            100.0
        } else {
            self.agree as f64 * 100.0 / self.pdus as f64
        }
    }
}

/// A difference, if the lists differ.
pub fn differ<T: PartialEq + std::fmt::Debug>(
    what: &str,
    truth: &[T],
    ours: &[T],
) -> Option<String> {
    (truth != ours).then(|| format!("{what}: tshark {truth:?}, we {ours:?}"))
}

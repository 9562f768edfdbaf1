#![no_main]
//! A snapshot with other values, columns or words than were written, and hashes that fit:
//! refused, or the partition goes on. The input says what to change, five bytes each;
//! one that begins with `{` is a manifest.
mod story;
use arrow_array::{Array as _, ArrayRef, RecordBatch, make_array};
use arrow_buffer::Buffer;
use serde_json::Value;
use std::sync::LazyLock;
use story::{Shelf, begin, go_on, rule};
use telltale_partition::{Config, Manifest, Partition, Snapshot};
use telltale_rules::RuleSet;

static RULES: LazyLock<RuleSet> = LazyLock::new(|| {
    let bodies = [
        "sql: SELECT client_ip, count(*) AS n, count(DISTINCT unit_id) AS units FROM modbus WHERE direction = 'request' GROUP BY client_ip, tumble(INTERVAL '10 seconds') HAVING count(*) >= 3",
        "sql: SELECT client_ip, avg(quantity) AS mean FROM modbus WHERE direction = 'request' GROUP BY client_ip, hop(INTERVAL '10 seconds', INTERVAL '2 seconds') HAVING avg(quantity) >= 0",
        "sql: SELECT server_ip, count(*) AS n FROM dnp3 WHERE direction = 'request' GROUP BY server_ip, session(INTERVAL '3 seconds') HAVING count(*) >= 2",
        "sql: SELECT * FROM modbus WHERE direction = 'request' AND first_seen(client_ip, ttl => '5 seconds', learn => '1 second')",
        "sequence:\n  from: events\n  by: [client_ip]\n  within: 1m\n  steps:\n    - {name: a, where: \"direction = 'request'\"}\n    - {name: b, where: \"direction = 'response' AND server_ip = a.server_ip\", times: 2}\n    - {name: c, absent: true, within: 2s, where: \"operation = 'write'\"}",
        "sql: SELECT * FROM modbus WHERE function = 'write_single_register' AND direction = 'request'",
    ];
    let texts: Vec<(String, String)> = bodies
        .iter()
        .enumerate()
        .map(|(n, body)| (format!("{n}.yaml"), rule(n + 1, body)))
        .collect();
    let (set, found) = RuleSet::from_texts(texts.iter().map(|(n, t)| (n.as_str(), t.as_str())));
    assert!(found.is_empty(), "{found:?}");
    set
});

static SNAPSHOT: LazyLock<Snapshot> = LazyLock::new(|| {
    let mut partition = begin(RULES.clone());
    go_on(&mut partition, 0..4, &mut Vec::new());
    partition.snapshot().expect("state can be written")
});

fn read(bytes: &[u8]) -> RecordBatch {
    let mut reader = arrow_ipc::reader::StreamReader::try_new(bytes, None).expect("as written");
    reader.next().expect("one batch").expect("as written")
}

fn write(rows: &RecordBatch) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = arrow_ipc::writer::StreamWriter::try_new(&mut bytes, rows.schema_ref())
        .expect("it can be written");
    writer.write(rows).expect("it can be written");
    writer.finish().expect("it can be written");
    drop(writer);
    bytes
}

/// The array with a byte of its first, second or third buffer changed, if it is one then.
fn changed(array: &ArrayRef, at: usize, byte: u8) -> Option<ArrayRef> {
    let mut data = array.to_data();
    let nested = data.child_data().first().cloned();
    if let (Some(child), true) = (nested, byte % 2 == 0) {
        let child = changed(&make_array(child), at, byte)?;
        data = data.into_builder().child_data(vec![child.to_data()]).build().ok()?;
        return Some(make_array(data));
    }
    let buffers = data.buffers().to_vec();
    let which = at % buffers.len().max(1);
    let new: Vec<Buffer> = buffers
        .iter()
        .enumerate()
        .map(|(n, buffer)| {
            let mut bytes = buffer.as_slice().to_vec();
            let length = bytes.len();
            if n == which && length > 0 {
                bytes[(at / 3) % length] ^= byte;
            }
            Buffer::from(bytes)
        })
        .collect();
    let built = data.into_builder().buffers(new).build().ok()?;
    Some(make_array(built))
}

/// A part with one thing changed.
fn change(rows: &RecordBatch, [which, column, low, high, byte]: [u8; 5]) -> Option<RecordBatch> {
    let at = usize::from(u16::from_le_bytes([low, high]));
    let columns = rows.num_columns().max(1);
    let column = usize::from(column) % columns;
    match which % 8 {
        // rows that are missing, or come twice
        0 => Some(rows.slice(0, at % (rows.num_rows() + 1))),
        1 => {
            let mut rows = rows.clone();
            if rows.num_columns() > column {
                rows.remove_column(column);
            }
            Some(rows)
        }
        _ => {
            let array = changed(rows.columns().get(column)?, at, byte)?;
            let mut arrays = rows.columns().to_vec();
            *arrays.get_mut(column)? = array;
            RecordBatch::try_new(rows.schema(), arrays).ok()
        }
    }
}

fn resume(snapshot: &Snapshot) {
    let shelf = Shelf(std::sync::Arc::new(RULES.clone()));
    match Partition::restore(shelf, Config::default(), snapshot) {
        Err(error) => {
            std::hint::black_box(error.to_string());
        }
        Ok(mut partition) => {
            let mut out = Vec::new();
            go_on(&mut partition, 4..6, &mut out);
            std::hint::black_box(partition.snapshot().is_ok());
            partition.finish(&mut out);
        }
    }
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut snapshot = SNAPSHOT.clone();
    if data.first() == Some(&b'{') {
        if let Ok(manifest) = serde_json::from_slice::<Manifest>(data) {
            snapshot.manifest = manifest;
            resume(&snapshot);
        }
        return;
    }
    let mut manifest = serde_json::to_value(&snapshot.manifest).expect("it is JSON");
    for edit in data.chunks_exact(6).take(8) {
        let [part, rest @ ..] = edit else { continue };
        let rest: [u8; 5] = rest.try_into().expect("five bytes");
        let Some(parts) = manifest.get_mut("parts").and_then(Value::as_array_mut) else { return };
        let at = usize::from(*part) % parts.len();
        let entry = &mut parts[at];
        let hash = entry["hash"].as_str().unwrap_or_default().to_owned();
        let Some(bytes) = snapshot.parts.get(&hash) else { continue };
        let Some(new) = change(&read(bytes), rest) else { continue };
        let bytes = write(&new);
        let hash = blake3::hash(&bytes).to_hex().to_string();
        entry["hash"] = Value::String(hash.clone());
        snapshot.parts.insert(hash, bytes);
    }
    let Ok(manifest) = serde_json::from_value(manifest) else { return };
    snapshot.manifest = manifest;
    resume(&snapshot);
});

//! What the log costs beside Arrow's own file writer: `cargo bench -p telltale-bus`.
//!
//! The same frames (Modbus rows as the decoder makes them) go through the log, with
//! checksums, offsets and checked decoding, and through `arrow_ipc`'s `FileWriter`
//! and `FileReader`, which have no checksums: once with only the columns that the log
//! writes too (the same bytes), once with all columns (the same rows). All write to the
//! same folder and bring it to disk at the end. The best of several runs counts, as
//! the disk is shared.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a bench times itself and fails by panicking"
)]

use arrow_array::{Array, RecordBatch};
use arrow_buffer::Buffer;
use arrow_ipc::MetadataVersion;
use arrow_ipc::reader::FileReader;
use arrow_ipc::writer::{FileWriter, IpcWriteOptions};
use std::fs::File;
use std::hint::black_box;
use std::io::{BufReader, BufWriter};
use std::path::Path;
use std::time::{Duration, Instant};
use telltale_bus::log::{Log, LogConfig, SyncPolicy};
use telltale_bus::{Encoder, Record, SensorFrame};
use telltale_schema::{
    Builders, Common, Direction, Frame, Function, Operation, Outcome, Protocol, Transport, modbus,
};

const RUNS: usize = 7;

/// A sensor's flushes: registers that are polled in turn.
fn frames(count: u64, rows: u64) -> Vec<SensorFrame> {
    let function = Function::from_name("read_holding_registers").unwrap();
    let mut builders = Builders::with_capacity(rows as usize);
    (0..count)
        .map(|seq| {
            for n in 0..rows {
                let row_no = seq * rows + n;
                let object = format!("holding_register:{}", row_no % 997);
                let community = format!("1:LQU9qZlK+B5F3KDmev6m5PMib{:03}=", row_no % 100);
                let mut ip = [0; 16];
                ip[10..].copy_from_slice(&[0xff, 0xff, 10, 0, 0, (row_no % 50) as u8]);
                let common = Common {
                    row_no,
                    event_time: 1_700_000_000_000_000_000 + row_no as i64 * 1000,
                    site: "plant",
                    sensor: "sensor-1",
                    segment: "default",
                    protocol: Protocol::Modbus,
                    transport: Transport::Tcp,
                    direction: Direction::Response,
                    function,
                    operation: Operation::Read,
                    outcome: Some(Outcome::Ok),
                    client_ip: Some(ip),
                    server_ip: Some(ip),
                    object: Some(&object),
                    community_id: Some(&community),
                    data: Some(&[1.0, 2.0, 3.0, 4.0]),
                    ..Default::default()
                };
                let own = modbus::Row {
                    unit_id: (row_no % 20) as u8,
                    quantity: Some(4),
                    ..Default::default()
                };
                builders.modbus.append(&common, &own);
            }
            SensorFrame {
                epoch: 1,
                frame: Frame {
                    site: "plant".into(),
                    sensor: "sensor-1".into(),
                    seq,
                    watermark: 0,
                    batches: builders.finish().unwrap(),
                },
            }
        })
        .collect()
}

fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let result = work();
    (start.elapsed(), result)
}

/// Writing and reading of one run.
#[derive(Clone, Copy)]
struct Times {
    write: Duration,
    read: Duration,
}

fn through_the_log(folder: &Path, frames: &[SensorFrame]) -> (Times, u64) {
    let config = LogConfig {
        sync: SyncPolicy::Asked,
        ..LogConfig::default()
    };
    let records: Vec<Record> = frames.iter().cloned().map(Record::Frame).collect();
    let mut log = Log::open(folder, config).unwrap();
    let mut encoder = Encoder::new().unwrap();
    let mut bytes = Vec::new();
    let (write, ()) = timed(|| {
        for record in &records {
            encoder.encode_into(record, &mut bytes).unwrap();
            log.append(0, &bytes).unwrap();
        }
        log.sync().unwrap();
    });
    let (read, rows) = timed(|| {
        let mut rows = 0;
        for entry in log.read_from(0).unwrap() {
            let record = Record::decode(&Buffer::from_vec(entry.unwrap().payload)).unwrap();
            let Record::Frame(read) = black_box(record) else {
                panic!("a frame")
            };
            rows += read.frame.rows();
        }
        rows
    });
    assert_eq!(rows, frames.iter().map(|f| f.frame.rows()).sum::<usize>());
    (Times { write, read }, log.bytes())
}

/// The records' bytes alone, encoded beforehand and not decoded.
fn bytes_alone(folder: &Path, records: &[Vec<u8>]) -> Times {
    let config = LogConfig {
        sync: SyncPolicy::Asked,
        ..LogConfig::default()
    };
    let mut log = Log::open(folder, config).unwrap();
    let (write, ()) = timed(|| {
        for record in records {
            log.append(0, record).unwrap();
        }
        log.sync().unwrap();
    });
    let (read, count) = timed(|| log.read_from(0).unwrap().flatten().count());
    assert_eq!(count, records.len());
    Times { write, read }
}

/// The batches of all frames, and without the columns that have no value in any.
fn batches(frames: &[SensorFrame]) -> (Vec<RecordBatch>, Vec<RecordBatch>) {
    let all: Vec<RecordBatch> = frames
        .iter()
        .map(|f| f.frame.batches[0].batch.clone())
        .collect();
    let filled: Vec<usize> = (0..all[0].num_columns())
        .filter(|at| {
            all.iter()
                .any(|b| b.column(*at).null_count() < b.num_rows())
        })
        .collect();
    let some = all.iter().map(|b| b.project(&filled).unwrap()).collect();
    (all, some)
}

fn through_arrow(path: &Path, all: &[RecordBatch]) -> (Times, u64) {
    let (write, ()) = timed(|| {
        let file = BufWriter::with_capacity(256 << 10, File::create(path).unwrap());
        let options = IpcWriteOptions::try_new(8, false, MetadataVersion::V5).unwrap();
        let schema = all[0].schema();
        let mut writer = FileWriter::try_new_with_options(file, &schema, options).unwrap();
        for batch in all {
            writer.write(batch).unwrap();
        }
        let file = writer.into_inner().unwrap().into_inner().unwrap();
        file.sync_data().unwrap();
    });
    let (read, rows) = timed(|| {
        let file = BufReader::with_capacity(256 << 10, File::open(path).unwrap());
        let batches = FileReader::try_new(file, None).unwrap();
        batches
            .map(|b| black_box(b.unwrap()).num_rows())
            .sum::<usize>()
    });
    assert_eq!(rows, all.iter().map(RecordBatch::num_rows).sum::<usize>());
    (
        Times { write, read },
        std::fs::metadata(path).unwrap().len(),
    )
}

fn best(runs: &[Times]) -> Times {
    let least = |of: fn(&Times) -> Duration| runs.iter().map(of).min().unwrap();
    Times {
        write: least(|t| t.write),
        read: least(|t| t.read),
    }
}

fn line(name: &str, frames: usize, rows: u64, bytes: u64, times: Times) {
    let per = |t: Duration| {
        let s = t.as_secs_f64();
        format!(
            "{:>9.0} frames/s {:>6.2} M rows/s {:>7.0} MB/s",
            frames as f64 / s,
            frames as f64 * rows as f64 / s / 1e6,
            bytes as f64 / s / 1e6
        )
    };
    println!("  {name:<22} append {}", per(times.write));
    println!("  {:<22} read   {}", "", per(times.read));
}

fn main() {
    for (count, rows) in [(20_000, 10_u64), (2_000, 200), (100, 8192)] {
        let made = frames(count, rows);
        let mut encoder = Encoder::new().unwrap();
        let records: Vec<Vec<u8>> = made
            .iter()
            .map(|f| encoder.encode(&Record::Frame(f.clone())).unwrap())
            .collect();
        let bytes: usize = records.iter().map(Vec::len).sum();
        let mut ours = Vec::new();
        let mut raw = Vec::new();
        let (mut same_bytes, mut same_rows) = (Vec::new(), Vec::new());
        let mut sizes = [0; 3];
        let (all, some) = batches(&made);
        for _ in 0..RUNS {
            let folder = tempfile::tempdir().unwrap();
            let (times, size) = through_the_log(&folder.path().join("log"), &made);
            ours.push(times);
            sizes[0] = size;
            raw.push(bytes_alone(&folder.path().join("raw"), &records));
            let (times, size) = through_arrow(&folder.path().join("some"), &some);
            same_bytes.push(times);
            sizes[1] = size;
            let (times, size) = through_arrow(&folder.path().join("all"), &all);
            same_rows.push(times);
            sizes[2] = size;
        }
        let (ours, raw) = (best(&ours), best(&raw));
        let (same_bytes, same_rows) = (best(&same_bytes), best(&same_rows));
        let [in_log, in_some, in_all] = sizes.map(|s| s as f64 / (count * rows) as f64);
        println!(
            "{count} frames of {rows} rows; bytes a row: log {in_log:.0}, \
             arrow_ipc {in_some:.0} with the same columns, {in_all:.0} with all"
        );
        line("log, with encoding", made.len(), rows, bytes as u64, ours);
        line("log, bytes alone", made.len(), rows, bytes as u64, raw);
        line(
            "arrow_ipc, same bytes",
            made.len(),
            rows,
            sizes[1],
            same_bytes,
        );
        line(
            "arrow_ipc, same rows",
            made.len(),
            rows,
            sizes[2],
            same_rows,
        );
        let ratio = |a: Duration, b: Duration| b.as_secs_f64() / a.as_secs_f64();
        for (what, theirs) in [("bytes", same_bytes), ("rows", same_rows)] {
            println!(
                "  log / arrow_ipc, same {what}: append {:.2} x, read {:.2} x, both {:.2} x",
                ratio(ours.write, theirs.write),
                ratio(ours.read, theirs.read),
                ratio(ours.write + ours.read, theirs.write + theirs.read)
            );
        }
    }
}

//! A process that appends is killed at random points, again and again on the same
//! log: what it reported as synced is there, in order and unchanged.
//! `TELLTALE_KILLS` says how often (60).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod common;

use common::Random;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use telltale_bus::log::{Log, LogConfig, SyncPolicy};

/// Tells the child where the log is; without it the child does nothing.
const FOLDER: &str = "TELLTALE_KILL_FOLDER";

/// Small segments: closing one, beginning the next and dropping the oldest all
/// happen many times between two kills.
fn config() -> LogConfig {
    LogConfig {
        segment_bytes: 64 << 10,
        retain_bytes: 2 << 20,
        retain_ns: None,
        sync: SyncPolicy::Asked,
    }
}

/// The record that belongs at an offset.
fn payload(offset: u64) -> Vec<u8> {
    let mut random = Random(offset);
    let length = match random.below(20) {
        0 => random.below(40_000),
        _ => random.below(800),
    };
    random.bytes(length as usize)
}

/// Runs as a process of its own: appends until it is killed, and reports each sync.
#[test]
#[ignore = "the child of the test below"]
fn child() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let mut log = Log::open(Path::new(&folder), config()).unwrap();
    let mut out = std::io::stdout().lock();
    loop {
        let batch = 1 + Random(log.next_offset()).below(12);
        for _ in 0..batch {
            let offset = log.next_offset();
            let time = offset as i64;
            assert_eq!(log.append(time, &payload(offset)).unwrap(), offset);
        }
        log.sync().unwrap();
        writeln!(out, "synced {}", log.synced_offset()).unwrap();
    }
}

/// Runs the child and kills it after a while; the last offset that it reported.
fn run_and_kill(folder: &Path, after: Duration) -> Option<u64> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    let reports = std::thread::spawn(move || {
        let lines = out.lines().map_while(Result::ok);
        lines
            .filter_map(|l| l.split_once("synced ")?.1.parse().ok())
            .last()
    });
    std::thread::sleep(after);
    // SIGKILL
    child.kill().unwrap();
    let status = child.wait().unwrap();
    assert_eq!(status.code(), None, "the child ended by itself");
    reports.join().unwrap()
}

#[test]
fn what_was_synced_outlives_kill_9() {
    let kills = std::env::var("TELLTALE_KILLS").map_or(60, |n| n.parse::<u64>().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let mut random = Random(u64::from(std::process::id()));
    let (mut reports, mut torn, mut dropped) = (0_u64, 0_u64, 0_u64);
    let mut synced = 0;
    for round in 0..kills {
        // from before the log is open to some hundred batches later
        let after = Duration::from_micros(random.below(60_000));
        let report = run_and_kill(folder.path(), after);
        reports += u64::from(report.is_some());
        synced = report.unwrap_or(synced).max(synced);
        let log = Log::open(folder.path(), config()).unwrap();
        assert!(
            log.next_offset() >= synced,
            "round {round}: {synced} reported, {} there",
            log.next_offset()
        );
        torn += u64::from(log.opened().torn.is_some());
        assert_eq!(log.opened().lost, 0);
        dropped = log.first_offset();
        let mut due = log.first_offset();
        for entry in log.read_from(due).unwrap() {
            let entry = entry.unwrap();
            assert_eq!((entry.offset, entry.time_ns), (due, due as i64));
            assert!(entry.payload == payload(due), "round {round}: record {due}");
            due += 1;
        }
        assert_eq!(due, log.next_offset());
    }
    println!(
        "{kills} kills, {reports} of them after a first sync; {synced} records synced, \
         {dropped} of them dropped by retention, {torn} torn writes cut"
    );
    assert!(reports > kills / 3, "killed too early to show anything");
}

//! Drives captures through the pipeline, with progress and Ctrl-C.

use crate::cli::CaptureArgs;
use crate::config::Config;
use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use telltale_capture::{CaptureError, Counters, Pipeline, Reader, reader};
use telltale_engine::tagging;
use telltale_rules::Site;
use telltale_schema::{Frame, Protocol};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// From now on, Ctrl-C ends the run after the present packet; a second one ends the process.
pub fn catch_interrupt() -> Result<()> {
    ctrlc::set_handler(|| {
        if INTERRUPTED.swap(true, Ordering::SeqCst) {
            std::process::exit(130);
        }
    })?;
    Ok(())
}

/// How the run went.
#[derive(Debug, Default)]
pub struct Ran {
    /// What was seen and dropped.
    pub counters: Counters,
    /// Files that could not be read to their end.
    pub failed: Vec<String>,
    /// Was it ended by Ctrl-C?
    pub interrupted: bool,
    /// Wall time.
    pub took: Duration,
}

/// Settings of the pipeline for a site.
pub fn pipeline_config(
    config: &Config,
    site: &Site,
    args: &CaptureArgs,
) -> telltale_capture::Config {
    let sensor = args
        .sensor
        .clone()
        .unwrap_or_else(|| config.site.sensor.clone());
    let mut made = telltale_capture::Config {
        site: site.toml.name.clone(),
        keep_duplicates: config.capture.keep_duplicates || args.keep_duplicates,
        flush_rows: config.capture.flush_rows.max(1),
        flush_bytes: config.capture.flush_bytes.max(1),
        flush_ns: i64::try_from(config.capture.flush_ms)
            .unwrap_or(i64::MAX / 2_000_000)
            .saturating_mul(1_000_000),
        max_flows: config.capture.max_flows.max(1),
        reassembly_bytes: config.capture.reassembly_bytes,
        reassembly_bytes_per_flow: config.capture.reassembly_bytes_per_flow,
        fragment_bytes: config.capture.fragment_bytes,
        ..telltale_capture::Config::default()
    }
    .with_password_key(&config.capture.password_key);
    for segment in &site.toml.segments {
        if segment.sensor.as_ref().is_none_or(|s| *s == sensor) {
            if segment.vlans.is_empty() {
                made.segment.clone_from(&segment.name);
            }
            made.segment_by_vlan
                .extend(segment.vlans.iter().map(|v| (*v, segment.name.clone())));
        }
    }
    made.ports = site
        .toml
        .ports
        .iter()
        .filter_map(|(port, name)| Some((port.parse().ok()?, Protocol::from_name(name)?)))
        .collect();
    made.sensor = sensor;
    made
}

/// A capture to read.
pub enum Source {
    /// A file; `-` is standard input.
    File(PathBuf),
    /// Bytes shipped in the binary.
    Shipped(&'static str, &'static [u8]),
}

impl Source {
    /// The files of these paths; folders are walked.
    pub fn files(paths: &[PathBuf]) -> Result<Vec<Self>, CaptureError> {
        Ok(reader::files(paths)?.into_iter().map(Self::File).collect())
    }

    /// Opens it.
    pub fn open(&self) -> Result<Reader, CaptureError> {
        match self {
            Self::File(path) => Reader::open(path),
            Self::Shipped(name, bytes) => Reader::new(name, Box::new(std::io::Cursor::new(*bytes))),
        }
    }

    /// The name in rows.
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path
                .file_name()
                .unwrap_or(path.as_os_str())
                .to_string_lossy()
                .into_owned(),
            Self::Shipped(name, _) => (*name).to_owned(),
        }
    }

    /// Standard input is gone once it was read.
    pub fn can_be_read_again(&self) -> bool {
        !matches!(self, Self::File(path) if path == Path::new("-"))
    }

    fn size(&self) -> u64 {
        match self {
            Self::File(path) if path != Path::new("-") => {
                std::fs::metadata(path).map_or(0, |m| m.len())
            }
            Self::File(_) => 0,
            Self::Shipped(_, bytes) => bytes.len() as u64,
        }
    }
}

fn progress(sources: &[Source], quiet: bool) -> ProgressBar {
    if quiet || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(sources.iter().map(Source::size).sum());
    if let Ok(style) =
        ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {msg}")
    {
        bar.set_style(style);
    }
    bar
}

/// Holds the run back to `speed` times the capture's own pace.
struct Pace {
    speed: Option<f64>,
    started: Instant,
    first_ns: Option<i64>,
}

impl Pace {
    #[allow(clippy::cast_precision_loss)]
    fn wait(&mut self, ts_ns: i64) {
        let Some(speed) = self.speed.filter(|s| *s > 0.0) else {
            return;
        };
        let first = *self.first_ns.get_or_insert(ts_ns);
        let due = Duration::from_secs_f64(((ts_ns - first).max(0) as f64 / 1e9 / speed).min(1e6));
        while let Some(left) = due.checked_sub(self.started.elapsed()) {
            if left.is_zero() || INTERRUPTED.load(Ordering::Relaxed) {
                break;
            }
            std::thread::sleep(left.min(Duration::from_millis(200)));
        }
    }
}

/// Runs all sources through one pipeline, in order; frames, with the site's tags,
/// go to `each`, which says whether to go on.
#[allow(
    clippy::disallowed_methods,
    reason = "the run's own duration and pace; detection never sees it"
)]
pub fn run(
    sources: &[Source],
    site: &Site,
    config: telltale_capture::Config,
    quiet: bool,
    speed: Option<f64>,
    mut each: impl FnMut(Frame) -> Result<bool>,
) -> Result<Ran> {
    let started = Instant::now();
    let mut pace = Pace {
        speed,
        started,
        first_ns: None,
    };
    let bar = progress(sources, quiet);
    let mut pipeline = Pipeline::new(config);
    let mut ran = Ran::default();
    let mut done_bytes = 0;
    let mut go_on = true;
    for source in sources {
        let mut reader = match source.open() {
            Ok(reader) => reader,
            Err(error) => {
                bar.suspend(|| eprintln!("telltale: {error}"));
                ran.failed.push(source.name());
                continue;
            }
        };
        pipeline.set_file(&source.name());
        let mut packets = 0_u64;
        loop {
            match reader.next_packet() {
                Ok(Some(packet)) => {
                    pace.wait(packet.ts_ns);
                    pipeline.packet(&packet);
                    packets += 1;
                }
                Ok(None) => break,
                Err(error) => {
                    pipeline.file_failure(packets, &error);
                    bar.suspend(|| eprintln!("telltale: {error}"));
                    ran.failed.push(source.name());
                    break;
                }
            }
            if let Some(frame) = pipeline.take_frame()? {
                go_on = each(tagging::fill(site, frame))?;
            }
            if packets.is_multiple_of(4096) {
                bar.set_position(done_bytes + reader.bytes_read());
                bar.set_message(format!("{} packets", pipeline.counters().packets));
            }
            if !go_on || INTERRUPTED.load(Ordering::Relaxed) {
                break;
            }
        }
        done_bytes += source.size();
        if !go_on || INTERRUPTED.load(Ordering::Relaxed) {
            break;
        }
    }
    ran.interrupted = INTERRUPTED.load(Ordering::Relaxed);
    if let Some(frame) = pipeline.finish()? {
        each(tagging::fill(site, frame))?;
    }
    bar.finish_and_clear();
    ran.counters = pipeline.counters();
    ran.took = started.elapsed();
    Ok(ran)
}

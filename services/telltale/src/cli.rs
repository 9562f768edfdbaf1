//! The command line.

use crate::config::{AlertFormat, Color};
use crate::output::rows::RowFormat;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Telltale watches industrial networks: packets become rows, rows become
/// findings, findings become alerts. It observes; it never sends.
#[derive(Debug, Parser)]
#[command(name = "telltale", version, about, propagate_version = true)]
pub struct Cli {
    /// Settings file [default: ./telltale.toml when it is there]
    #[arg(long, global = true, value_name = "FILE", env = "TELLTALE_CONFIG")]
    pub config: Option<PathBuf>,
    /// No progress and no summary on standard error
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Captures to rows
    Decode(DecodeArgs),
    /// Captures to alerts
    Replay(ReplayArgs),
    /// A plant's story of a few minutes, as alerts
    Demo(DemoArgs),
    /// Write, check, test and explain rules
    #[command(subcommand)]
    Rule(RuleCommand),
    /// Check a site's folder
    #[command(subcommand)]
    Site(SiteCommand),
    /// The tables that rules speak of
    Schema(SchemaArgs),
    /// Print the settings file with every default
    Defaults,
}

/// `telltale decode`
#[derive(Debug, Args)]
pub struct DecodeArgs {
    /// Capture files (pcap, pcapng, gzip, zstd), folders of them, or - for standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Only this table
    #[arg(long, short, value_name = "TABLE")]
    pub table: Option<String>,
    /// How rows are written
    #[arg(long, short, value_enum, default_value = "jsonl")]
    pub format: RowFormat,
    /// A file, or a folder for a file per table [default: standard output]
    #[arg(long, short, value_name = "PATH")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub capture: CaptureArgs,
}

/// How captures are read.
#[derive(Debug, Args, Default)]
pub struct CaptureArgs {
    /// The site's folder (its segments and ports are used in decoding)
    #[arg(long, value_name = "DIR")]
    pub site: Option<PathBuf>,
    /// Name of the sensor in every row
    #[arg(long, value_name = "NAME")]
    pub sensor: Option<String>,
    /// Keep frames that were seen twice
    #[arg(long)]
    pub keep_duplicates: bool,
}

/// `telltale replay`
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// Capture files (pcap, pcapng, gzip, zstd), folders of them, or - for standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Folder of rules [default: the shipped rules]
    #[arg(long, value_name = "DIR")]
    pub rules: Option<PathBuf>,
    /// How alerts are written
    #[arg(long, short, value_enum)]
    pub format: Option<AlertFormat>,
    /// Write alerts to this file [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Cut a small pcapng per alert into this folder
    #[arg(long, value_name = "DIR")]
    pub evidence_dir: Option<PathBuf>,
    /// Replay at N times the capture's own pace [default: as fast as it goes]
    #[arg(long, value_name = "N")]
    pub speed: Option<f64>,
    /// Threads: 1, or 2 to decode and detect side by side; alerts are the same
    #[arg(long, value_name = "N", default_value = "2", value_parser = clap::value_parser!(u8).range(1..=2))]
    pub threads: u8,
    /// Exit with 3 when an alert of this severity or above was raised
    #[arg(long, value_enum, value_name = "SEVERITY")]
    pub fail_on: Option<FailOn>,
    /// When to colour text
    #[arg(long, value_enum)]
    pub color: Option<Color>,
    #[command(flatten)]
    pub capture: CaptureArgs,
}

/// Severity from which `--fail-on` fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum FailOn {
    /// Any alert
    Info,
    /// Low or above
    Low,
    /// Medium or above
    Medium,
    /// High or above
    High,
    /// Critical
    Critical,
}

/// `telltale demo`
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Leave the demo's capture, site and rules in this folder, to play with
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
    /// When to colour text
    #[arg(long, value_enum)]
    pub color: Option<Color>,
}

/// `telltale rule`
#[derive(Debug, Subcommand)]
pub enum RuleCommand {
    /// Check rule files: form, SQL, references
    Lint(LintArgs),
    /// Run the tests in rule files
    Test(TestArgs),
    /// Why a rule fired, or why not
    Explain(ExplainArgs),
    /// Rules over last month's traffic: how often they would have fired, and on what
    Backtest(BacktestArgs),
    /// A new rule with its tests, to start from
    New(NewArgs),
    /// Rules with severity, status and whether they apply at a site
    List(ListArgs),
    /// The ATT&CK for ICS matrix and what covers it
    Coverage(CoverageArgs),
    /// Rule files from rules of another language
    #[command(subcommand)]
    Import(ImportCommand),
}

/// `telltale rule import`
#[derive(Debug, Subcommand)]
pub enum ImportCommand {
    /// Sigma 2: rules and correlations; docs/sigma.md says what maps to what
    Sigma(ImportSigmaArgs),
}

/// `telltale rule import sigma`
#[derive(Debug, Args)]
pub struct ImportSigmaArgs {
    /// Sigma files; correlations may name rules of any of them
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Log sources and fields of your own, before the built-in ones
    #[arg(long, value_name = "FILE")]
    pub mapping: Option<PathBuf>,
    /// Write the rule files into this folder; files that are there stay as they are
    #[arg(long, short, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// `telltale rule lint`
#[derive(Debug, Args)]
pub struct LintArgs {
    /// Rule files or folders [default: the shipped rules]
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// The site whose lists, calendars and overrides to check against
    #[arg(long, value_name = "DIR")]
    pub site: Option<PathBuf>,
    /// One JSON object per diagnostic
    #[arg(long)]
    pub json: bool,
}

/// `telltale rule test`
#[derive(Debug, Args)]
pub struct TestArgs {
    /// Rule files or folders [default: the shipped rules]
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Write results as JUnit XML
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Make a test from this capture instead of running tests
    #[arg(long, value_name = "FILE", requires = "packets")]
    pub from_capture: Option<PathBuf>,
    /// Packets of the capture, first-last, as numbered from 1
    #[arg(long, value_name = "A-B", value_parser = parse_range)]
    pub packets: Option<(u64, u64)>,
    /// Append the made test to the rule file instead of printing it
    #[arg(long, requires = "from_capture")]
    pub write: bool,
}

/// `telltale rule explain`
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The rule's file, or the name or id of a shipped one
    #[arg(value_name = "RULE")]
    pub rule: String,
    /// The capture that it fired on, or should have
    #[arg(value_name = "CAPTURE")]
    pub capture: PathBuf,
    /// Explain the rows of this packet only
    #[arg(long, value_name = "N")]
    pub packet: Option<u64>,
    /// The site's folder
    #[arg(long, value_name = "DIR")]
    pub site: Option<PathBuf>,
}

/// `telltale rule backtest`
#[derive(Debug, Args)]
pub struct BacktestArgs {
    /// Rule files or folders [default: the shipped rules]
    #[arg(value_name = "RULES")]
    pub rules: Vec<PathBuf>,
    /// Captures, or the Parquet files of `telltale decode --format parquet`; or folders of either
    #[arg(long, required = true, num_args = 1.., value_name = "PATH")]
    pub over: Vec<PathBuf>,
    /// Rows from this time on, such as 2026-01-01T08:00:00Z
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Rows before this time
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// The rules as they were before: what would be new, and what gone?
    #[arg(long, value_name = "PATH")]
    pub against: Option<PathBuf>,
    /// Fail if a rule has more alerts than this on one day
    #[arg(long, value_name = "N")]
    pub most: Option<u64>,
    /// JUnit XML, a case for each rule
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// One JSON object
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub capture: CaptureArgs,
}

/// `telltale rule new`
#[derive(Debug, Args)]
pub struct NewArgs {
    /// The rule's name in a few words
    #[arg(value_name = "NAME")]
    pub name: String,
    /// The table it reads
    #[arg(long, default_value = "events")]
    pub table: String,
    /// Write it here [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// `telltale rule list`
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Folder of rules [default: the shipped rules]
    #[arg(long, value_name = "DIR")]
    pub rules: Option<PathBuf>,
    /// The site's folder
    #[arg(long, value_name = "DIR")]
    pub site: Option<PathBuf>,
    /// One JSON object per rule
    #[arg(long)]
    pub json: bool,
}

/// `telltale rule coverage`
#[derive(Debug, Args)]
pub struct CoverageArgs {
    /// Folder of rules [default: the shipped rules]
    #[arg(long, value_name = "DIR")]
    pub rules: Option<PathBuf>,
    /// Markdown instead of a terminal table
    #[arg(long)]
    pub markdown: bool,
}

/// `telltale site`
#[derive(Debug, Subcommand)]
pub enum SiteCommand {
    /// Check site.toml, lists, calendars, tags, assets, exceptions and overrides
    Lint {
        /// The site's folder
        #[arg(value_name = "DIR")]
        dir: PathBuf,
    },
}

/// `telltale schema`
#[derive(Debug, Args)]
pub struct SchemaArgs {
    /// A table, or `events`, the view over all [default: a list of tables]
    #[arg(value_name = "TABLE")]
    pub table: Option<String>,
    /// For programs
    #[arg(long, conflicts_with_all = ["markdown", "json_schema"])]
    pub json: bool,
    /// As a page of the docs
    #[arg(long, conflicts_with = "json_schema")]
    pub markdown: bool,
    /// JSON Schema of a row
    #[arg(long)]
    pub json_schema: bool,
}

fn parse_range(text: &str) -> Result<(u64, u64), String> {
    let wrong = || format!("`{text}` is no range of packets: write 12-40 or 12");
    let (a, b) = text.split_once('-').unwrap_or((text, text));
    let a: u64 = a.trim().parse().map_err(|_| wrong())?;
    let b: u64 = b.trim().parse().map_err(|_| wrong())?;
    if a == 0 || b < a {
        return Err(wrong());
    }
    Ok((a, b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn packet_ranges() {
        assert_eq!(parse_range("12-40"), Ok((12, 40)));
        assert_eq!(parse_range("7"), Ok((7, 7)));
        for wrong in ["0-3", "5-4", "a", "", "1-2-3"] {
            assert!(parse_range(wrong).is_err(), "{wrong}");
        }
    }
}

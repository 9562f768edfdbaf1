//! `telltale.toml`: defaults, then the file, then the environment, then flags.

use anyhow::{Context as _, Result, bail};
use figment::Figment;
use figment::error::Kind;
use figment::providers::{Env, Format, Toml};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// Every default, commented; the same file that ships with the project.
pub const DEFAULTS: &str = include_str!("../../../telltale.toml");

/// All settings.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Site content and sensor name.
    pub site: SiteConfig,
    /// Rule content.
    pub rules: RulesConfig,
    /// Packets to rows.
    pub capture: CaptureConfig,
    /// Findings to alerts.
    pub alerts: AlertsConfig,
    /// What is printed.
    pub output: OutputConfig,
}

/// `[site]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteConfig {
    /// Folder of the site's content; empty for the built-in default site.
    pub dir: PathBuf,
    /// Name of the sensor in every row and alert id.
    pub sensor: String,
}

/// `[rules]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RulesConfig {
    /// Folder of rule files; empty for the shipped rules.
    pub dir: PathBuf,
}

/// `[capture]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaptureConfig {
    /// Keep frames that were seen twice.
    pub keep_duplicates: bool,
    /// Rows per frame.
    pub flush_rows: usize,
    /// Bytes per frame.
    pub flush_bytes: usize,
    /// Event time per frame, in milliseconds.
    pub flush_ms: u64,
    /// Flows followed at once.
    pub max_flows: usize,
    /// Bytes of out-of-order TCP segments, all flows.
    pub reassembly_bytes: usize,
    /// Bytes of out-of-order TCP segments, one flow direction.
    pub reassembly_bytes_per_flow: usize,
    /// Bytes of IP fragments.
    pub fragment_bytes: usize,
    /// Key of the password hash.
    pub password_key: String,
}

/// `[alerts]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertsConfig {
    /// Created alerts per rule, site and window.
    pub cap_per_rule: u64,
    /// The cap's window in seconds of event time.
    pub cap_window_s: u64,
    /// Suppression entries held at once.
    pub max_suppressions: usize,
}

/// `[output]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutputConfig {
    /// How alerts are written.
    pub format: AlertFormat,
    /// When to colour.
    pub color: Color,
}

/// How alerts are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum AlertFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
    /// One OCSF Detection Finding a line.
    Ocsf,
}

/// When to colour text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Color {
    /// On a terminal only.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Config {
    /// Reads the settings: `file` must exist when named; `./telltale.toml` is
    /// read when it is there.
    ///
    /// # Errors
    /// Names the file or variable, the key, what is wrong and, for an unknown
    /// key, the nearest one that exists.
    pub fn load(file: Option<&Path>) -> Result<Self> {
        let mut figment = Figment::from(Toml::string(DEFAULTS));
        match file {
            Some(path) => {
                if !path
                    .try_exists()
                    .with_context(|| format!("{}", path.display()))?
                {
                    bail!("{}: no such settings file", path.display());
                }
                figment = figment.merge(Toml::file_exact(path));
            }
            None if Path::new("telltale.toml").is_file() => {
                figment = figment.merge(Toml::file_exact("telltale.toml"));
            }
            None => {}
        }
        figment
            .merge(
                Env::prefixed("TELLTALE_")
                    .filter(|key| key.as_str().contains("__"))
                    .split("__"),
            )
            .extract()
            .map_err(|error| anyhow::anyhow!(explain(error)))
    }
}

/// One line per error, in the user's terms.
fn explain(errors: figment::Error) -> String {
    errors
        .into_iter()
        .map(|error| explain_one(&error))
        .collect::<Vec<_>>()
        .join("\n")
}

fn explain_one(error: &figment::Error) -> String {
    let place = error
        .metadata
        .as_ref()
        .map(|m| match m.source.as_ref() {
            Some(source) => source.to_string(),
            None => m.name.to_string(),
        })
        .unwrap_or_else(|| "settings".to_owned());
    let key = error.path.join(".");
    match &error.kind {
        Kind::UnknownField(name, expected) => {
            let nearest = expected.iter().max_by(|a, b| {
                strsim::jaro_winkler(a, name).total_cmp(&strsim::jaro_winkler(b, name))
            });
            match nearest {
                Some(nearest) => format!("{place}: unknown key `{key}`; did you mean `{nearest}`?"),
                None => format!("{place}: unknown key `{key}`"),
            }
        }
        kind => format!("{place}: `{key}`: {kind}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn load(text: &str) -> Result<Config> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        Config::load(Some(file.path()))
    }

    #[test]
    fn shipped_file_is_the_defaults() {
        let config = load(DEFAULTS).unwrap();
        assert_eq!(config.capture.flush_rows, 8192);
        assert_eq!(config.output.format, AlertFormat::Text);
    }

    #[test]
    fn a_file_overrides_only_what_it_names() {
        let config = load("[capture]\nflush_rows = 7\n").unwrap();
        assert_eq!(config.capture.flush_rows, 7);
        assert_eq!(config.alerts.cap_per_rule, 100);
    }

    #[test]
    fn an_unknown_key_is_named_with_the_nearest() {
        let error = load("[capture]\nflush_row = 7\n").unwrap_err().to_string();
        assert!(error.contains("capture.flush_row"), "{error}");
        assert!(error.contains("did you mean `flush_rows`"), "{error}");
    }

    #[test]
    fn a_wrong_type_is_named() {
        let error = load("[capture]\nflush_rows = \"many\"\n")
            .unwrap_err()
            .to_string();
        assert!(error.contains("capture.flush_rows"), "{error}");
    }
}
